"""`compile` and compiled functions: traced once for each set of shapes, then run as programs."""

from __future__ import annotations

import functools
import operator
import sys
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.backprop import is_freed
from schuss.compiler.build import Build
from schuss.compiler.runtime.executable import StateChanged
from schuss.compiler.runtime.scan import rows_of_steps
from schuss.compiler.signature import count_leaves, plain_arrays, signature_of
from schuss.compiler.specialization import Specialization
from schuss.compiler.storm import MOST_SIGNATURES, TraceStorm
from schuss.compiler.trace.python_state import PythonState, reachable_tensors
from schuss.compiler.trace.pytree import StaticArgument, flatten, unflatten
from schuss.compiler.trace.tracer import Tracer
from schuss.core import RECORDING, TRACER, Array, Tensor, leaf, to_array
from schuss.native.once import ForkSafeLock, no_fork_inside

__all__ = ["Compiled", "compile"]


def compile(function: Callable[..., Any]) -> Compiled:
    """Return `function` as native code, traced once for each set of shapes and dtypes.

    Tensors (and arrays) among the arguments, also inside of tuples, lists and dictionaries, are
    inputs; Python floats are read anew at each call; other arguments are fixed, and other values
    of them make other programs. Tensors that the function reads otherwise (parameters, an
    optimiser's state, the random key) are states: they are read at each call, and assigning to
    them changes them. What a compiled function returns is cut off from differentiation from
    outside; `backward` and `grad` belong inside. Numbers below the smallest normal one (1e-38 in
    float32) count as zero.

    Args:
        function: takes and returns tensors (or nested tuples, lists, dictionaries of them).

    Raises:
        TraceError: when the function needs a tensor's value in Python.

    >>> import schuss as ss
    >>> @compile
    ... def double(x):
    ...     return x + x
    >>> double(ss.tensor([1.0, 2.0]))
    tensor([2., 4.])
    """
    return Compiled(function)


# More ways through a function than these, for one set of shapes, and the oldest is forgotten.
_MOST_SPECIALIZATIONS = 16


class _Ahead:
    """Asks what comes before each step of a scan, ahead of the native call.

    Args:
        before: called with each step's number, once each, in order.
        steps: number of steps.
    """

    def __init__(self, before: Callable[[int], object], steps: int) -> None:
        self._before = before
        self._steps = steps
        self._asked = 0

    def reach(self, step: int) -> None:
        """Make things as they are at a step; it may be reached already, but not passed."""
        if self._asked == step:
            self._asked += 1
            self._before(step)

    def numbers(self, specialization: Specialization, most: int) -> list[list[float]]:
        """Return the numbers of the steps from the one reached, as far as one program fits."""
        found = [specialization.read_numbers()]
        while len(found) < most and self._asked < self._steps:
            self.reach(self._asked)
            if not specialization.fits():
                break
            found.append(specialization.read_numbers())
        return found


class Compiled:
    """A function that runs as native code; see `compile`.

    Args:
        function: as for `compile`.
        on_demand: whether the function returns a pair whose second half is only computed where it
            is requested: `scan` can leave it out, and the first half and the states stay the same,
            bit for bit.
    """

    def __init__(self, function: Callable[..., Any], *, on_demand: bool = False) -> None:
        self.function = function
        self._on_demand = on_demand
        self._specializations: dict[Any, list[Specialization]] = {}
        # A program lives as long as a specialization uses it.
        self._builds: weakref.WeakValueDictionary[Any, Build] = weakref.WeakValueDictionary()
        self._last: Specialization | None = None
        # The specializations that scans used last, by their batches.
        self._scanned: dict[Any, Specialization] = {}
        self._last_mode = True
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
        return functools.partial(Compiled, on_demand=self._on_demand), (self.function,)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else _Method(self, instance)

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
        out = None
        try:
            if specialization is not None and not options and RECORDING.get() is self._last_mode:
                arrays = plain_arrays(args)
                if arrays is not None and len(arrays) == self._inputs and specialization.fits():
                    out = specialization.program.run_if_fits(arrays)
            if specialization is None or out is None:
                if self._storm.is_on and self._is_new(args, options):
                    return self.function(*args, **options)
                specialization, arrays = self._select(args, options)
                self._remember(specialization, args, options)
                out = specialization.program.run(arrays)
        except StateChanged:
            self._forget(functools.partial(operator.is_, specialization))
            return self._call(args, options)
        specialization.leave_gradients()
        return specialization.returned(out)

    def _forget(self, is_gone: Callable[[Specialization], bool]) -> None:
        """Drop specializations, and the programs that nothing else uses."""
        for some in self._specializations.values():
            some[:] = [s for s in some if not is_gone(s)]
        self._scanned = {key: s for key, s in self._scanned.items() if not is_gone(s)}
        if self._last is not None and is_gone(self._last):
            self._last = None

    def _remember(self, specialization: Specialization, args: Any, options: Any) -> None:
        """Keep what the next call tries first."""
        is_plain = not options and plain_arrays(args) is not None
        self._last = specialization if is_plain else None
        self._last_mode = RECORDING.get()
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
        >>> total = compile(lambda x: x.sum())
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
        ahead = None if before is None else _Ahead(before, len(rows))
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
                parts.append(
                    program.scan([x.array for x in data], taken, kept, numbers, some, first=done)
                )
            finally:
                # Also where an error ends the scan between two steps.
                if program.steps_done:
                    specialization.leave_gradients()
            done += len(taken)
        stacked = [np.concatenate(p) if len(p) > 1 else p[0] for p in zip(*parts, strict=True)]
        return unflatten(structure, iter([leaf(a) for a in stacked]))

    def _of_batches(self, data: list[Tensor], batch: int, first: tuple[Any, ...]) -> Specialization:
        """Return the program for batches of so many rows of the data."""
        specs = [(x.array.shape[1:], x.array.dtype) for x in data]
        key = (RECORDING.get(), batch, *map(StaticArgument, first), *specs)
        found = self._scanned.get(key)
        if found is None or not found.fits():
            samples = [leaf(np.empty((batch, *x.shape[1:]), x.dtype)) for x in data]
            found, _ = self._select((*first, *samples), {})
            if len(self._scanned) >= _MOST_SPECIALIZATIONS:
                self._scanned.clear()
            self._scanned[key] = found
        return found

    # From arguments to programs.

    def _select(self, args: Any, options: Any) -> tuple[Specialization, list[Array]]:
        """Return the program for these arguments, traced if need be, and its inputs."""
        leaves: list[Any] = []
        structure = flatten((args, options), leaves, numbers=True)
        key, arrays, numbers = signature_of(structure, leaves)
        found = self._specializations.get(key)
        if found is not None:
            for specialization in found:
                if numbers:
                    specialization.numbers[:] = numbers
                if specialization.fits():
                    return specialization, arrays
        with no_fork_inside:
            specialization = self._trace(structure, leaves, arrays, numbers)
            if specialization.overwrites_kept():
                specialization = self._trace(structure, leaves, arrays, numbers)
            specialization.fits()
        self._storm.note_trace(getattr(self.function, "__name__", "a function"))
        if key not in self._specializations and len(self._specializations) >= MOST_SIGNATURES:
            del self._specializations[next(iter(self._specializations))]
        self._forget(lambda s: s.is_dead)
        specializations = self._specializations.setdefault(key, [])
        specializations.insert(0, specialization)
        del specializations[_MOST_SPECIALIZATIONS:]
        return specialization, arrays

    def _is_new(self, args: Any, options: Any) -> bool:
        leaves: list[Any] = []
        structure = flatten((args, options), leaves, numbers=True)
        key, _, _ = signature_of(structure, leaves)
        return key not in self._specializations and self._storm.is_new(key)

    def _trace(
        self, structure: Any, leaves: list[Any], arrays: list[Array], numbers: list[float]
    ) -> Specialization:
        tracer = Tracer()
        held = list(numbers)
        left = iter(arrays)
        places = iter(range(len(held)))
        stand_ins: list[Any] = []
        for x in leaves:
            if isinstance(x, float):
                stand_ins.append(tracer.number(functools.partial(held.__getitem__, next(places))))
            else:
                stand_in = tracer.argument(next(left))
                if isinstance(x, Tensor) and x.requires_grad:
                    tracer.sees(x)
                    stand_in.requires_grad = True
                    stand_in.grad = x.grad
                stand_ins.append(stand_in)
        args, options = unflatten(structure, iter(stand_ins))
        tracer.may_reach(reachable_tensors([self.function, args, options]))
        given = [s for s in stand_ins if isinstance(s, Tensor)]
        token = TRACER.set(tracer)
        try:
            value = self.function(*args, **options)
            outputs: list[Any] = []
            returned = flatten(value, outputs, numbers=False)
            if self._on_demand:
                tracer.graph.on_demand = count_leaves(value[1])
            outputs = [x if isinstance(x, Tensor) else leaf(np.asarray(x)) for x in outputs]
            # Behind a loss that the function itself went back from there is no graph any more.
            wanted_out = [x.requires_grad and not is_freed(x) for x in outputs]
            del value
        except BaseException:
            tracer.restore()
            raise
        finally:
            TRACER.reset(token)
        changes = self._finish(tracer, outputs, given, leaves)
        del outputs, given, stand_ins, args, options
        tracer.forsake()
        tracer.settle()
        fingerprint = tracer.graph.fingerprint()
        identity = (fingerprint, tuple(id(s.tensor) for s in tracer.graph.states))
        build = self._builds.get(identity)
        if build is None:
            build = self._builds[identity] = Build(tracer.graph, fingerprint)
        if held:
            tracer.sources.append(lambda: tuple(held))
        reads = [self.function, unflatten(structure, iter(leaves)), *tracer.modules]
        state = PythonState(reads, tracer.dictionaries)
        return Specialization(build, tracer, state, changes, returned, wanted_out, held)

    @staticmethod
    def _finish(
        tracer: Tracer, outputs: list[Tensor], given: list[Tensor], leaves: list[Any]
    ) -> list[tuple[Tensor, Tensor | None]]:
        originals = [x for x in leaves if not isinstance(x, float)]
        for stand_in, original in zip(given, originals, strict=True):
            if isinstance(original, Tensor) and original.requires_grad:
                original.grad = stand_in.grad
        return tracer.finish(outputs)

    def graph(self, *args: Any, **options: Any) -> Any:
        """Return a readable listing of the optimised program for these arguments."""
        from schuss.compiler.listing import Listing

        with self._lock:
            specialization, _ = self._select(args, options)
        return Listing(specialization.build.compilation)


class _Method:
    """A compiled function of a class, bound to an instance."""

    def __init__(self, compiled: Compiled, instance: Any) -> None:
        self._compiled = compiled
        self.__self__ = instance

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self._compiled(self.__self__, *args, **options)

    def scan(self, arrays: Any, index: Any, **options: Any) -> Any:
        """Run the method once for each row of `index`; see `Compiled.scan`."""
        return self._compiled.scan(arrays, index, first=(self.__self__,), **options)

    def graph(self, *args: Any, **options: Any) -> Any:
        """Return a readable listing of the method's program; see `Compiled.graph`."""
        return self._compiled.graph(self.__self__, *args, **options)
