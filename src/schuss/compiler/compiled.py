"""`compile` and compiled functions: traced once for each set of shapes, then run as programs."""

from __future__ import annotations

import functools
import operator
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.compiler.ahead import Ahead
from schuss.compiler.build import Build
from schuss.compiler.graph.graph import Graph
from schuss.compiler.kept import MOST_SPECIALIZATIONS, KeptSpecializations
from schuss.compiler.method import CompiledMethod
from schuss.compiler.padding.paddings import Capacity, Paddings
from schuss.compiler.runtime.bound_states import StateChanged
from schuss.compiler.runtime.python_guard import PythonGuard
from schuss.compiler.runtime.scan import rows_of_steps
from schuss.compiler.signature import plain_arrays, signature_of
from schuss.compiler.specialization import Specialization
from schuss.compiler.storm import MOST_SIGNATURES, TraceStorm
from schuss.compiler.trace.call import TracedCall, trace_call
from schuss.compiler.trace.errors import SideEffectError
from schuss.compiler.trace.python_state import PythonState, shown_as_it_is
from schuss.compiler.trace.pytree import StaticArgument, flatten, unflatten
from schuss.core import RECORDING, TRACER, Array, Tensor, leaf, to_array
from schuss.modes import AUTOCAST, mode
from schuss.native.once import ForkSafeLock, no_fork_inside

__all__ = ["Compiled"]


# Lengths whose calls are served by programs at capacity: there is little to keep for each.
_MOST_PADDED = 1024


@dataclass
class _Call:
    """The arguments of a call: their structure, what was taken out of it, arrays and floats."""

    structure: Any
    leaves: list[Any]
    arrays: list[Array]
    numbers: list[float]

    def of(self, shapes: list[tuple[int, ...]]) -> list[Array]:
        """Return arrays of other shapes, which lie in memory as these do."""
        pairs = zip(self.arrays, shapes, strict=True)
        return [np.empty_like(array, shape=shape) for array, shape in pairs]


class Compiled:
    """A function that runs as native code; see `compile`.

    Args:
        function: as for `compile`.
        on_demand: whether the function returns a pair whose second half is only computed where it
            is requested: `scan` can leave it out, and the first half and the states stay the same,
            bit for bit.
        memory: the most bytes that temporaries may take.
    """

    def __init__(
        self, function: Callable[..., Any], *, on_demand: bool = False, memory: int | None = None
    ) -> None:
        self.function = function
        self._options: dict[str, Any] = {"on_demand": on_demand, "memory": memory}
        self._specializations = KeptSpecializations(MOST_SIGNATURES)
        # Those that are served by programs for larger arguments.
        self._padded = KeptSpecializations(_MOST_PADDED)
        self._paddings = Paddings(self._drop)
        # A program lives as long as a specialization uses it.
        self._builds: weakref.WeakValueDictionary[Any, Build] = weakref.WeakValueDictionary()
        self._last: Specialization | None = None
        # The specializations that scans used last, by their batches.
        self._scanned: dict[Any, Specialization] = {}
        self._last_mode = mode()
        self._inputs = 0
        self._lock = ForkSafeLock()
        self._storm = TraceStorm()
        functools.update_wrapper(self, function, updated=())

    def __reduce__(self) -> Any:
        # Programs are of this process; another one compiles the function anew.
        name = getattr(self.function, "__qualname__", "")
        module = sys.modules.get(getattr(self.function, "__module__", None) or "")
        found: Any = module
        try:
            for part in name.split("."):
                found = getattr(found, part)
        except AttributeError:
            found = None
        if found is self:
            if module is not sys.modules.get("__main__"):
                return name
            # The name means this object; under the new one pickle finds the function in it.
            self.function.__qualname__ = f"{name}.function"
        return functools.partial(Compiled, **self._options), (self.function,)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else CompiledMethod(self, instance)

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run the function on tensors."""
        if TRACER.get() is not None:
            return self.function(*args, **options)
        # Programs have one memory, which serves one call at a time.
        with self._lock:
            return self._call(args, options)

    def _call(self, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        self._storm.calls += 1
        specialization = self._last
        out = call = None
        try:
            if specialization is not None and not options and self._is_mode_of_last():
                arrays = plain_arrays(args)
                if arrays is not None and len(arrays) == self._inputs and specialization.fits():
                    call = specialization.before_run(args, options)
                    out = specialization.runner.run_if_fits(arrays)
            if specialization is None or out is None:
                if (self._storm.is_on and self._is_new(args, options)) or self._storm.has_effects:
                    return self.function(*args, **options)
                specialization, arrays = self._select(args, options)
                self._remember(specialization, args, options)
                call = specialization.before_run(args, options)
                out = specialization.runner.run(arrays)
            specialization.leave_gradients()
        except StateChanged:
            self._forget(functools.partial(operator.is_, specialization))
            return self._call(args, options)
        except SideEffectError as effect:
            self._storm.note_effect(self.function, effect)
            return self.function(*args, **options)
        except BaseException:
            # Ctrl-C, say: what the program has changed belongs together with what it leaves.
            if specialization is not None and specialization.program.finish():
                specialization.leave_gradients()
            raise
        return specialization.returned(out, call)

    def _is_mode_of_last(self) -> bool:
        recording, autocast = self._last_mode
        return RECORDING.get() is recording and AUTOCAST.get() is autocast

    def _forget(self, is_gone: Callable[[Specialization], bool]) -> None:
        """Drop specializations, and the programs that nothing else uses."""
        self._specializations.forget(is_gone)
        self._padded.forget(is_gone)
        self._paddings.keep_only([s.padding for found in self._padded.values() for s in found])
        self._scanned = {key: s for key, s in self._scanned.items() if not is_gone(s)}
        if self._last is not None and is_gone(self._last):
            self._last = None

    def _drop(self, capacity: Capacity) -> None:
        """Drop a program for larger arguments: it may have to be compiled once more."""
        self._padded.forget(lambda s: s.padding is not None and s.padding.capacity is capacity)
        self._last = None
        self._note_trace()

    def _note_trace(self) -> None:
        self._storm.note_trace(getattr(self.function, "__name__", "a function"))

    def _remember(self, specialization: Specialization, args: Any, options: Any) -> None:
        """Keep what the next call tries first."""
        is_plain = not options and plain_arrays(args) is not None
        self._last = specialization if is_plain else None
        self._last_mode = mode()
        self._inputs = len(args)

    def scan(
        self,
        arrays: Any,
        index: Any,
        *,
        before: Callable[[int], object] | None = None,
        requested: Any = None,
        first: tuple[Any, ...] = (),
    ) -> Any:
        """Run the function once for each row of `index`, in one native call.

        Args:
            arrays: a tensor (or array), or a tuple of them with rows along axis 0, one for each
                argument of the function.
            index: integers of shape (steps, batch): the rows that each step gets.
            before: called with each step's number, from 0, in order, before the native call: it
                may set learning rates and other floats for that step, and nothing else.
            requested: bool of shape (steps,): which steps compute the on-demand outputs; None for
                all.
            first: arguments before those of the batch, the same at every step.

        Returns:
            What the function returns, with the steps stacked along a new first axis; on-demand
            outputs are only to be used at the steps that they were requested of.

        Raises:
            TypeError: for an index that is not of integers.
            ValueError: for an index of another shape.
            IndexError: for a row out of range; nothing has changed then. Other errors of values, as
                the function raises them when it is not compiled, come before the step that they
                belong to has changed anything: the steps before it are done.

        >>> import schuss as ss
        >>> total = ss.compile(lambda x: x.sum())
        >>> total.scan(ss.tensor([1.0, 2.0, 3.0]), [[0, 1], [1, 2]])
        tensor([3., 5.])
        """
        given = arrays if isinstance(arrays, (tuple, list)) else (arrays,)
        data = [x if isinstance(x, Tensor) else leaf(to_array(x)) for x in given]
        rows = rows_of_steps(to_array(index), [len(x.array) for x in data])
        with self._lock:
            return self._scan(data, rows, before, requested, first)

    def _scan(
        self,
        data: list[Tensor],
        rows: Array,
        before: Callable[[int], object] | None,
        requested: Any,
        first: tuple[Any, ...],
    ) -> Any:
        ahead = None if before is None else Ahead(before, len(rows))
        parts = []
        done = 0
        structure: Any = None
        while done < len(rows):
            if ahead is not None:
                ahead.reach(done)
            specialization = self._of_batches(data, rows.shape[1], first)
            structure = specialization.structure
            try:
                specialization.program.prepare()
            except StateChanged:
                self._forget(functools.partial(operator.is_, specialization))
                continue
            # The first step may find other gradients than those that it leaves for the next.
            count = len(rows) - done if specialization.is_steady else 1
            numbers = None if ahead is None else ahead.numbers(specialization, count)
            taken = rows[done : done + count] if numbers is None else rows[done:][: len(numbers)]
            kept = range(len(specialization.wanted))
            some = None if requested is None else np.asarray(requested)[done : done + len(taken)]
            program = specialization.program
            try:
                given = [x.array for x in data]
                parts.append(program.scan(given, taken, kept, numbers, some, first=done))
                specialization.leave_gradients()
            except BaseException:
                # Also where an error ends the scan between two steps, or Ctrl-C.
                if program.finish() and program.steps_done:
                    specialization.leave_gradients()
                raise
            done += len(taken)
        stacked = [np.concatenate(p) if len(p) > 1 else p[0] for p in zip(*parts, strict=True)]
        return unflatten(structure, iter([leaf(a) for a in stacked]))

    def _of_batches(self, data: list[Tensor], batch: int, first: tuple[Any, ...]) -> Specialization:
        """Return the program for batches of so many rows of the data."""
        specs = [(x.array.shape[1:], x.array.dtype) for x in data]
        key = (mode(), batch, *map(StaticArgument, first), *specs)
        found = self._scanned.get(key)
        if found is None or not found.fits():
            samples = [leaf(np.empty((batch, *x.shape[1:]), x.array.dtype)) for x in data]
            found, _ = self._select((*first, *samples), {}, padded=False)
            if len(self._scanned) >= MOST_SPECIALIZATIONS:
                self._scanned.clear()
            self._scanned[key] = found
        return found

    # From arguments to programs.

    def _select(
        self, args: Any, options: Any, *, padded: bool = True
    ) -> tuple[Specialization, list[Array]]:
        """Return the program for these arguments, traced if need be, and its inputs.

        Args:
            args: of the call.
            options: of the call.
            padded: whether it may be a program for larger arguments.
        """
        leaves: list[Any] = []
        structure = flatten((args, options), leaves, numbers=True)
        key, arrays, numbers = signature_of(structure, leaves)
        known = self._specializations.get(key, [])
        for specialization in [*known, *self._padded.get(key, [])] if padded else known:
            if numbers:
                specialization.numbers[:] = numbers
            if specialization.fits():
                return specialization, arrays
        # What has a program of its own stays with it.
        padded = padded and not self._options["on_demand"] and not known
        with no_fork_inside:
            call = _Call(structure, leaves, arrays, numbers)
            specialization = self._trace(call, key if padded else None)
            if specialization.overwrites_kept():
                specialization = self._trace(call, key if padded else None)
            specialization.fits()
        if specialization.padding is not None:
            self._padded.add(key, specialization)
        else:
            self._note_trace()
            self._specializations.add(key, specialization)
        self._forget(lambda s: s.is_dead)
        specialization.allow_derivatives_from_outside(self.function, Compiled)
        return specialization, arrays

    def _is_new(self, args: Any, options: Any) -> bool:
        """Whether nothing has been called with such arguments that a storm should not trace."""
        leaves: list[Any] = []
        structure = flatten((args, options), leaves, numbers=True)
        key, _, _ = signature_of(structure, leaves)
        if key in self._specializations or self._paddings.may_serve(key):
            return False
        return self._storm.is_new(key)

    def _trace(self, call: _Call, key: Any) -> Specialization:
        """Return the program for a call, where there is a key maybe one for larger arguments."""
        traced = self._traced(call, call.arrays)
        graph = traced.tracer.graph
        padding = None
        if key is not None:
            with shown_as_it_is(traced.tracer.modules):
                padding = self._paddings.find(
                    key, graph, lambda shapes: self._traced(call, call.of(shapes)).tracer.graph
                )
        if padding is None:
            return Specialization(self._built(graph), traced, self._guard(call, traced))
        capacity = padding.capacity
        read = [*traced.tracer.modules, *traced.tracer.dictionaries]
        guard = capacity.python_guard(read, lambda: self._guard(call, traced))
        return Specialization(capacity.build, traced, guard, padding)

    def _guard(self, call: _Call, traced: TracedCall) -> PythonGuard:
        """Return the guard on what a call may have read besides its arguments."""
        reads = [self.function, unflatten(call.structure, iter(call.leaves))]
        reads += traced.tracer.modules
        return PythonGuard(PythonState(reads, traced.tracer.dictionaries))

    def _traced(self, call: _Call, arrays: list[Array]) -> TracedCall:
        return trace_call(
            self.function, call.structure, call.leaves, arrays, call.numbers, **self._options
        )

    def _built(self, graph: Graph) -> Build:
        """Return the program of a graph, where it is there the same one."""
        fingerprint = graph.fingerprint()
        identity = (fingerprint, tuple((id(s.tensor), s.layout) for s in graph.states))
        build = self._builds.get(identity)
        if build is None:
            build = self._builds[identity] = Build(graph, fingerprint)
        return build

    def graph(self, *args: Any, **options: Any) -> Any:
        """Return a readable listing of the optimised program for these arguments."""
        from schuss.compiler.listing import Listing

        with self._lock:
            specialization, _ = self._select(args, options)
        return Listing(specialization.build.compilation, specialization.padding)
