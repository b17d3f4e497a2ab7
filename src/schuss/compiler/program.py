"""Programs: compiled graphs bound to the tensors that they read and change."""

from __future__ import annotations

import ctypes
import math
import os
import sys
import weakref
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from schuss.compiler import threads
from schuss.compiler.assemble import FIRST, assemble
from schuss.compiler.buffers import ALIGNMENT, plan_memory
from schuss.compiler.fuse import fuse
from schuss.compiler.graph import Graph
from schuss.compiler.layout import legalise
from schuss.compiler.native import load
from schuss.compiler.simplify import simplify
from schuss.tensor import Array, Tensor, leaf, next_stamp

__all__ = ["Program"]

# Below about this many operations one thread is faster than two.
_WORTH_SHARING = 400_000


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a new array at an address that is a multiple of 64.

    Its memory belongs to something that is no array, so that every view of it keeps hold of the
    array itself, and who else uses it can be counted.
    """
    nbytes = math.prod(shape) * dtype.itemsize
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -address_of(raw) % ALIGNMENT
    return np.ndarray(shape, dtype, raw.data, start)


def address_of(array: Array) -> int:
    """Return where an array's memory begins."""
    return int(array.__array_interface__["data"][0])


def _alone() -> int:
    """Return the reference count of an array that nothing but a tensor and a loop holds."""
    held = leaf(aligned((1,), np.dtype(np.float32)))
    array = held.array
    return sys.getrefcount(array)


_ALONE = _alone()


class Program:
    """A graph as machine code.

    Args:
        graph: as traced; it is rewritten.
        evaluators: for each number of the graph, the function that reads it.
    """

    def __init__(self, graph: Graph, evaluators: Sequence[Callable[[], float]]) -> None:
        self.traced = len(graph.nodes())
        verify = os.environ.get("SCHUSS_DEBUG") == "verify"
        for name, stage in (("trace", None), ("simplify", simplify), ("legalise", legalise)):
            if stage is not None:
                stage(graph)
            if verify:
                graph.verify(name)
        self.graph = graph
        self.plan = fuse(graph)
        self.memory = plan_memory(graph, self.plan)
        self.module = assemble(graph, self.plan, self.memory)
        self.evaluators = list(evaluators)
        threads.runtime()
        self.library = load(self.module.text, self.module.symbols)
        self._step = self.library.address("step")
        self._scan = self.library.address("scan")
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        self._call_step = prototype(self._step)
        self._call_scan = prototype(self._scan)
        self._prepare_memory()
        self._bind_states()
        self.flops = flops_of(graph)
        self.shared = self.flops >= _WORTH_SHARING

    def _prepare_memory(self) -> None:
        graph, memory = self.graph, self.memory
        self._arena = aligned((memory.nbytes + self.module.scratch,), np.dtype(np.uint8))
        self._arena[: memory.fixed] = 0
        for node in graph.nodes():
            if node.array is not None:
                buffer = memory.of[node]
                view = self._arena[buffer.place : buffer.place + buffer.nbytes]
                view[:] = np.ascontiguousarray(node.array).reshape(-1).view(np.uint8)
        self._status = ctypes.c_int64.from_address(address_of(self._arena))
        self._numbers = [self._in_arena(n)[...] for n in graph.numbers]
        self._last_numbers: list[float] = []
        self._outputs = [
            self._in_arena(self.plan.layouts.of(n).root).reshape(n.shape) for n in graph.outputs
        ]
        entries = FIRST + len(graph.inputs) + len(graph.states) + 1
        self._table = np.zeros(entries, np.int64)
        self._table[0] = address_of(self._arena)
        self._at = address_of(self._table)
        self._pointers = (ctypes.c_int64 * entries).from_address(self._at)
        self._seen: list[Any] = [None] * len(graph.inputs)

    def _in_arena(self, node: Any) -> Array:
        buffer = self.memory.of[node]
        if buffer.kind == "state":
            return np.empty(node.shape, node.dtype)
        return np.ndarray(node.shape, node.dtype, self._arena.data, buffer.place)

    # States.

    def _bind_states(self) -> None:
        self._written: list[tuple[int, Tensor]] = []
        self._only_read: list[tuple[int, Tensor]] = []
        first = FIRST + len(self.graph.inputs)
        self._held: list[Any] = []
        for i, state in enumerate(self.graph.states):
            group = self._only_read if state.updated is None else self._written
            group.append((first + i, state.tensor))
        self._references: list[Any] = [None] * len(self._written)
        self._read_arrays: list[Any] = [None] * len(self._only_read)
        self._home_of_output = {
            i: self.memory.of[self.plan.layouts.of(n).root].place
            for i, n in enumerate(self.graph.outputs)
            if self.memory.of[self.plan.layouts.of(n).root].kind == "state"
        }

    def _take_states(self) -> None:
        """Point the table to the states' arrays; an array that others use is left to them."""
        references = self._references
        for i, (place, tensor) in enumerate(self._written):
            array = tensor.array
            reference = references[i]
            if reference is None or reference() is not array or sys.getrefcount(array) > _ALONE:
                self._adopt(i, place, tensor)
        arrays = self._read_arrays
        for i, (place, tensor) in enumerate(self._only_read):
            if tensor.array is not arrays[i]:
                array = tensor.array
                if not array.flags.c_contiguous or not array.flags.aligned:
                    array = np.ascontiguousarray(array)
                    tensor.array = array
                arrays[i] = array
                self._pointers[place] = address_of(array)

    def _adopt(self, i: int, place: int, tensor: Tensor) -> None:
        """Give a tensor an array of its own, which the program may write."""
        known = _OWNED.get(id(tensor))
        array = tensor.array
        mine = known is not None and known() is array
        if not mine or sys.getrefcount(array) > _ALONE:
            own = aligned(array.shape, array.dtype)
            own[...] = array
            tensor.array = own
            _OWNED[id(tensor)] = weakref.ref(own)
        self._references[i] = weakref.ref(tensor.array)
        self._pointers[place] = address_of(tensor.array)

    def _take_numbers(self) -> None:
        values = [evaluate() for evaluate in self.evaluators]
        if values != self._last_numbers:
            for target, value in zip(self._numbers, values, strict=True):
                target[...] = value
            self._last_numbers = values

    # Running.

    def _run(self, function: int, call: Any, *, checks_indices: bool) -> None:
        size = threads.team_size() if self.shared else 1
        if size == 1:
            call(self._at, 0, 1)
        else:
            team = threads.team(size)
            self._pointers[1] = team.control
            threads.launch(team, function, self._at)
        if checks_indices and self._status.value:
            self._status.value = 0
            raise IndexError(
                "compile: an index was out of range in a compiled function; what it computed is "
                "not to be used. Run it eagerly to see where."
            )

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """Run one step; return the outputs."""
        seen = self._seen
        for i, array in enumerate(arrays):
            if array is not seen[i]:
                if not array.flags.c_contiguous or not array.flags.aligned:
                    array = np.ascontiguousarray(array)
                seen[i] = array
                self._pointers[FIRST + i] = address_of(array)
        if self.evaluators:
            self._take_numbers()
        self._take_states()
        self._run(self._step, self._call_step, checks_indices=self.module.checks_indices)
        self._stamp()
        return [self._output(i) for i in range(len(self._outputs))]

    def _output(self, i: int) -> Array:
        home = self._home_of_output.get(i)
        if home is not None:
            node = self.graph.outputs[i]
            return np.array(self.graph.states[home].tensor.array).reshape(node.shape)
        return self._outputs[i].copy()

    def _stamp(self) -> None:
        stamp = next_stamp()
        for _, tensor in self._written:
            tensor.stamp = stamp

    def scan(self, arrays: Sequence[Array], index: Array, kept: Sequence[int]) -> list[Array]:
        """Run one step for each row of `index`, on the rows of `arrays` that it picks.

        Args:
            arrays: one for each input, rows along axis 0.
            index: int64, shape (steps, batch).
            kept: the positions of the outputs to return.

        Returns:
            These outputs, stacked along a new first axis.
        """
        graph = self.graph
        steps = len(index)
        sources = [np.ascontiguousarray(a) for a in arrays]
        staging = [aligned(n.shape, n.dtype) for n in graph.inputs]
        results = {
            i: np.empty((steps, *graph.outputs[i].shape), graph.outputs[i].dtype) for i in kept
        }
        block = [steps, address_of(index)]
        for source in sources:
            block += [address_of(source), len(source)]
        for i in range(len(graph.outputs)):
            block.append(address_of(results[i]) if i in results else 0)
        entries = np.asarray(block, np.int64)
        for i, target in enumerate(staging):
            self._pointers[FIRST + i] = address_of(target)
        self._seen = [None] * len(graph.inputs)
        self._pointers[FIRST + len(graph.inputs) + len(graph.states)] = address_of(entries)
        if self.evaluators:
            self._take_numbers()
        self._take_states()
        self._run(self._scan, self._call_scan, checks_indices=True)
        self._stamp()
        return [results[i] for i in kept]


# The array that a program gave to a tensor, by the tensor's id.
_OWNED: dict[int, weakref.ref[Array]] = {}


def flops_of(graph: Graph) -> int:
    """Return about how many floating-point operations a run takes."""
    from schuss.compiler.faces import Elementwise, Reduction

    total = 0
    for node in graph.nodes():
        if node.primitive is None:
            continue
        face = node.primitive.lower
        if node.op == "matmul":
            total += 2 * node.size * node.inputs[0].shape[-1]
        elif isinstance(face, Elementwise):
            total += face.cost * node.size
        elif isinstance(face, Reduction):
            total += node.inputs[0].size
        elif node.op == "random_uniform":
            total += 20 * node.size
    return total
