"""Executables: compiled programs bound to the tensors that they read and change."""

from __future__ import annotations

import ctypes
import operator
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from schuss.compiler.graph.abi import (
    FIRST_BUFFER,
    ON_DEMAND,
    SCRATCH,
    SINGLE_THREAD_FLOPS,
    STATUS,
    STEPS_DONE,
)
from schuss.compiler.graph.graph import Graph
from schuss.compiler.runtime import thread_pool
from schuss.compiler.runtime.arguments import argument_binder, bind_arguments
from schuss.compiler.runtime.artifact import Artifact
from schuss.compiler.runtime.bound_states import BoundStates
from schuss.compiler.runtime.own_call import OwnCall
from schuss.compiler.runtime.ownership import aligned
from schuss.compiler.runtime.refusal import refusal, refusal_in_scan
from schuss.compiler.runtime.scan import Scan, number_table
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.compiler.runtime.verify import Memory, verify_step
from schuss.core import Array, Tensor
from schuss.native import jit
from schuss.native.cpython import array_data_address
from schuss.primitives.base import REGISTRY
from schuss.primitives.deferred import DeferredArray

__all__ = ["Program"]

# Of each program, where SCHUSS_DEBUG says so: at the second, no state is zero any more.
_VERIFIED_CALLS = 2
_COPY = operator.methodcaller("copy")


class Program:
    """A graph as machine code.

    Args:
        graph: what it computes.
        artifact: what there is to know to run it.
        library: its machine code.
    """

    def __init__(self, graph: Graph, artifact: Artifact, library: jit.Library) -> None:
        self.graph = graph
        self.artifact = artifact
        self.library = library
        # Whether a run has begun in native code, and nobody has said that all of it is known.
        self.has_run = False
        self._steps_before = 0
        # Who set the numbers last: several traces may share a program.
        self.numbers_from: object = None
        self._step = self.library.address("step")
        self._scan: Scan | None = None
        self._prepare_memory()
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.library.address("bind"))(self._at)
        first = FIRST_BUFFER + len(graph.inputs)
        deferred = {i: self._parts(i) for i in artifact.deferred}
        self._states = BoundStates(graph, deferred, self._pointers, first)
        self._shared, self._take_states = self._states.shared, self._states.take
        self._stamp = self._states.stamp
        outputs = enumerate(artifact.outputs)
        self._output_in_state = {i: place.at for i, place in outputs if place.kind == "state"}
        self.flops, self._has_checks = self.artifact.flops, self.artifact.has_checks
        self._tuner = ThreadTuner(self.flops) if self.artifact.is_parallel else None
        # What is quick keeps Python's lock: to give it up and take it again costs more.
        kind = ctypes.PYFUNCTYPE if self.flops < SINGLE_THREAD_FLOPS else ctypes.CFUNCTYPE
        self._alone_step = kind(None)(self.library.address("alone"))
        self._verifications = 0

    def _prepare_memory(self) -> None:
        graph, made = self.graph, self.artifact
        self._arena = aligned((made.arena,), np.dtype(np.uint8))
        self._arena[: made.fixed] = 0
        for at, content in made.constants:
            self._arena[at : at + len(content)] = np.frombuffer(content, np.uint8)
        start = array_data_address(self._arena)
        self._status = ctypes.c_int64.from_address(start + STATUS)
        self._steps_done = ctypes.c_int64.from_address(start + STEPS_DONE)
        self._numbers = [
            np.ndarray((), node.dtype, self._arena.data, at)
            for node, at in zip(graph.numbers, made.numbers, strict=True)
        ]
        # Where the step leaves its outputs; those in a state's place are taken from the state.
        self.results = [
            np.empty(node.shape, node.dtype)
            if place.kind == "state"
            else np.ndarray(node.shape, node.dtype, self._arena.data, place.at)
            for node, place in zip(graph.outputs, made.outputs, strict=True)
        ]
        entries = FIRST_BUFFER + len(graph.inputs) + len(graph.states) + 1
        self._table = np.zeros(entries, np.int64)
        self._table[0] = array_data_address(self._arena)
        self._table[ON_DEMAND] = 1
        self._provide_scratch(1)
        self._at = array_data_address(self._table)
        self._pointers = (ctypes.c_int64 * entries).from_address(self._at)
        self._first_input = self._at + 8 * FIRST_BUFFER

    def _provide_scratch(self, threads: int) -> None:
        """Have working memory for so many threads."""
        self._scratch = aligned((threads * self.artifact.scratch,), np.dtype(np.uint8))
        self._table[SCRATCH] = array_data_address(self._scratch)

    def _parts(self, state: int) -> DeferredArray:
        """Return the deferred gradient that a run leaves."""
        op, places = self.artifact.deferred[state]
        views = [
            np.ndarray(v.shape, np.dtype(v.dtype), self._arena.data, v.start, v.strides)
            for v in places
        ]
        # Before the first run, nothing goes to any row.
        views[1][...] = -1
        shape = self.graph.states[state].node.shape
        return DeferredArray(partial(REGISTRY[op].value, *views, shape=shape))

    def held(self) -> Iterator[Tensor]:
        """Yield the tensors that the program refers to, as often as it does."""
        return self._states.held()

    def set_numbers(self, values: Sequence[float]) -> None:
        """Set the graph's numbers."""
        for target, value in zip(self._numbers, values, strict=True):
            target[...] = value

    # Running.

    def verify_first_calls(self) -> None:
        """Have the first calls verified, by the step in segments that the code has for this."""
        self._verifications = _VERIFIED_CALLS

    def _verify(self) -> None:
        self._verifications -= 1
        places = self._states.written()
        outputs = zip(self.graph.outputs, self.artifact.outputs, strict=True)
        results = [(p.at, p.at + node.nbytes) for node, p in outputs if p.kind == "arena"]
        memory = Memory(
            table=self._table,
            arena=self._arena,
            fixed=self.artifact.fixed,
            written={place: self._shared.array_of(tensor) for place, tensor in places},
            results=results,
            deferred=[v.extent for _, views in self.artifact.deferred.values() for v in views],
            has_checks=self._has_checks,
            scratch=self.artifact.scratch,
            is_parallel=self.artifact.is_parallel,
        )
        verify_step(self.library.address("segments"), memory)

    def _run(self, function: int, alone: Callable[[], Any], *, steps: int = 1) -> None:
        if self._tuner is None:
            self.has_run = True
            alone()
        else:
            threads = self._tuner.threads()
            start = time.perf_counter()
            if threads == 1:
                self.has_run = True
                alone()
            else:
                team = thread_pool.team(threads)
                if len(self._scratch) < threads * self.artifact.scratch:
                    self._provide_scratch(threads)
                self._pointers[1] = team.control
                thread_pool.launch(team, function, self._at, self)
            self._tuner.record(threads, (time.perf_counter() - start) / steps, steps)

    def run(self, arrays: Sequence[Array], own: OwnCall | None = None) -> list[Array]:
        """Run one step; return the outputs, or those of a call that fills a part of the arrays."""
        kept = bind_arguments(arrays, self._first_input)
        return self._run_once(kept, own)

    @cached_property
    def _take(self) -> Callable[..., bool]:
        """What notes where the inputs of a further call lie."""
        return argument_binder(self.graph.inputs, self._first_input)

    def run_if_fits(self, arrays: Sequence[Array]) -> list[Array] | None:
        """Run one step, if the arrays are as the inputs should be and lie in order, or nothing."""
        return self._run_once(arrays) if self._take(*arrays) else None

    def _run_once(self, arrays: Sequence[Array], own: OwnCall | None = None) -> list[Array]:
        before = self._take_states()
        if self._shared.written:
            self._shared.expect_apart(arrays)
        if self._verifications:
            self._verify()
        if self._tuner is None:
            # No interrupt comes between these two, as no function of Python's is called.
            self.has_run = True
            self._alone_step()
        else:
            self._run(self._step, self._alone_step)
        if self._has_checks and self._status.value:
            self._take_back()
            self._states.give_back(before)
            asked = (self.graph, arrays) if own is None else (own.graph, own.arrays)
            raise refusal(*asked, self._numbers)
        self._stamp()
        outputs = list(map(_COPY, self.results if own is None else own.results))
        if self._output_in_state:
            for i, place in self._output_in_state.items():
                state = self.graph.states[place].tensor.array
                outputs[i] = np.array(state).reshape(self.graph.outputs[i].shape)
        return outputs

    def _take_back(self) -> None:
        """Note that the last run has changed nothing, as a check failed."""
        self.has_run = False
        self._status.value = 0

    def finish(self) -> bool:
        """Return whether a run ended that something interrupted later, and note what it wrote."""
        if self.has_run and self._has_checks and self._status.value:
            self._take_back()
        if not self.has_run:
            return False
        self._stamp()
        self.has_run = False
        return True

    def prepare(self) -> None:
        """Take hold of the states; raise StateChanged where they do not fit."""
        self._take_states()

    def scan(
        self,
        arrays: Sequence[Array],
        index: Array,
        kept: Sequence[int],
        numbers: Sequence[Sequence[float]] | None = None,
        requested: Array | None = None,
        *,
        first: int = 0,
    ) -> list[Array]:
        """Run one step for each row of `index`, on the rows of `arrays` that it picks.

        Args:
            arrays: one for each input, rows along axis 0.
            index: int64, shape (steps, batch).
            kept: the positions of the outputs to return.
            numbers: for each step, the values of the graph's numbers; None where they stay.
            requested: whether a step computes its on-demand outputs, bool of shape (steps,); None
                for every step.
            first: the number by which an error calls the first step.

        Returns:
            These outputs, stacked along a new first axis; on-demand outputs of a step that they
            were not requested of are whatever was in memory.
        """
        table = number_table(self.graph.numbers, numbers)
        words = np.ones(len(index)) if requested is None else requested
        return self._run_many(arrays, index, kept, table, words.astype(np.int64), first)

    @property
    def steps_done(self) -> int:
        """How many steps of the last scan are done, also where it ended with an error."""
        return self._steps_before + self._steps_done.value

    def _many(self) -> Scan:
        """Return what runs many steps, compiled when it is needed."""
        if self._scan is None:
            library = jit.load([], plain=[self.artifact.scan])
            self._scan = Scan(library, self.graph, self._at, self._step)
        return self._scan

    def _run_many(
        self,
        arrays: Sequence[Array],
        index: Array,
        kept: Sequence[int],
        numbers: Array | None,
        requested: Array,
        first: int,
    ) -> list[Array]:
        graph, many, pointers = self.graph, self._many(), self._pointers
        steps = len(index)
        results = {
            i: np.empty((steps, *graph.outputs[i].shape), graph.outputs[i].dtype) for i in kept
        }
        # What is read at each step, and what is written: each with its place in the block.
        moving = {1: index, many.first_output + len(graph.outputs) + 1: requested}
        moving |= {many.first_output + i: array for i, array in results.items()}
        if numbers is not None:
            moving[many.first_output + len(graph.outputs)] = numbers
        many.expect([np.ascontiguousarray(a) for a in arrays], moving)
        for i, target in enumerate(many.staging):
            pointers[FIRST_BUFFER + i] = array_data_address(target)
        before = self._take_states()
        self._shared.expect_apart(arrays)
        pointers[FIRST_BUFFER + len(graph.inputs) + len(graph.states)] = many.at
        if self._verifications:
            for source, target in zip(arrays, many.staging, strict=True):
                np.take(source, index[0], axis=0, out=target, mode="wrap")
            self._verify()
        self._steps_before = self._steps_done.value = 0
        try:
            while self.steps_done < steps:
                self._run_some(many, steps - self.steps_done)
                if self._has_checks and self._status.value:
                    self._take_back()
                    self.has_run = self.steps_done > 0
                    step = first + self.steps_done
                    raise refusal_in_scan(graph, many.staging, self._numbers, step)
        except BaseException:
            if not self.steps_done:
                self._states.give_back(before)
            raise
        finally:
            self._table[ON_DEMAND] = 1
            self._stamp()
        return [results[i] for i in kept]

    def _run_some(self, many: Scan, most: int) -> None:
        """Run some more steps, `most` at most."""
        count = most if self._tuner is None else min(most, self._tuner.steps())
        many.begin(self.steps_done, count)
        self._steps_before, self._steps_done.value = self.steps_done, 0
        self._run(many.function, many.alone, steps=count)
