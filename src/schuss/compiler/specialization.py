"""Specializations: a program with the guards that have to hold for it, and what follows a run."""

from __future__ import annotations

import ctypes
import weakref
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from schuss import hooks
from schuss.compiler.build import Build
from schuss.compiler.from_outside import Call, FromOutside
from schuss.compiler.padding.padded_program import PaddedProgram
from schuss.compiler.padding.paddings import Padding
from schuss.compiler.runtime.executable import Program
from schuss.compiler.runtime.guards import MemoryGuard
from schuss.compiler.runtime.python_guard import PythonGuard
from schuss.compiler.trace.call import TracedCall
from schuss.compiler.trace.left_gradients import CHANGES, LeftGradient, left_gradient, source_of
from schuss.compiler.trace.pytree import LEAF, unflatten
from schuss.core import Array, Tensor, leaf, next_stamp
from schuss.native.cpython import refcount_address, reference_count, slot_address

__all__ = ["Specialization"]


class _OpaqueRule:
    """The primitive of a compiled function's result, which has no derivative from outside."""

    name = "a compiled function"

    @staticmethod
    def derivative(position: int, *_: Any) -> Tensor:
        """Refuse to go back."""
        raise RuntimeError(
            "backward: the result of a compiled function has no derivative from outside; call "
            "backward() (or grad) inside of the compiled function."
        )


_OPAQUE: Any = (_OpaqueRule(), (leaf(np.zeros(())),), {})
_OPAQUE[1][0].requires_grad = True

# All there are. A plain set, which is copied in one go while other threads add to it.
_ALIVE: set[weakref.ref[Specialization]] = set()


class Specialization:
    """A program with what has to hold for it, and what follows a run.

    The checks come before every call, so they go through lists in C's speed where they can.
    """

    def __init__(
        self,
        build: Build,
        call: TracedCall,
        python_guard: PythonGuard,
        padding: Padding | None = None,
    ) -> None:
        self.build = build
        program = self.program = build.program
        # What takes the arguments: the program, or one at capacity by way of padding them.
        self.padding = padding
        self.runner: Program | PaddedProgram = program if padding is None else padding.program
        tracer = call.tracer
        gradients = self.gradients = call.gradients
        self.structure = call.structure
        self.wanted = call.wanted
        self.numbers = call.numbers
        self._differentiable_results = [i for i, is_wanted in enumerate(call.wanted) if is_wanted]
        self._sources = tracer.sources
        self._guards = tracer.guards
        self._python_guard = python_guard
        numbers = [] if padding is None else padding.numbers
        self._evaluators = [*tracer.evaluators, *[repeat(x).__next__ for x in numbers]]
        self._mark = object()
        self._outside: FromOutside | None = None
        # A trace has called the hooks of tensors that there were.
        self._hooks = hooks.CHANGES.value
        self._exact = tracer.exact_gradients
        self._some = tracer.some_gradients
        self._graded = [t for t, _ in [*self._exact, *self._some]]
        graded = set(map(id, self._graded))
        # What an optimiser keeps never wants a gradient, and nobody asks for one.
        self._tensors = [
            s.tensor
            for s in program.graph.states
            if s.updated is None or s.tensor.requires_grad or id(s.tensor) in graded
        ]
        self._differentiable = [t.requires_grad for t in self._tensors]
        made = [left_gradient(t) for t, g in gradients if g is not None]
        # What is written over at each run, and what is copied then, into which `.grad`.
        self._left = [(left, id(left.tensor)) for left in made if not left.is_copied]
        self._copied = [(left, False) for left in made if left.is_copied]
        self._copied += [(left_gradient(t), True) for t in tracer.copied_again]
        self._counted: list[tuple[Any, ...]] | None = None
        # How often this refers to tensors, but for the program, by their ids.
        self.holds = Counter(map(id, self._held()))
        _ALIVE.add(weakref.ref(self, _ALIVE.discard))
        self._memory_guard = MemoryGuard()
        self._compared: list[Any] = []
        self._sources_seen: list[Any] | None = None

    def fits(self) -> bool:
        """Return whether the program may be used as things are now; read its numbers anew."""
        if self._python_guard.changed() is not None:
            return False
        if not self._memory_guard.holds():
            fits = (
                all(source_of(t.grad) is g for t, g in self._exact)
                and all((t.grad is not None) is some for t, some in self._some)
                and [t.requires_grad for t in self._tensors] == self._differentiable
                and self._hooks == hooks.CHANGES.value
            )
            if not fits or self.overwrites_kept():
                return False
            words = [(slot_address(t, "grad"), id(t.grad)) for t in self._graded]
            copies = [t.grad for t, g in self._exact if t.grad is not g and t.grad is not None]
            words += [(slot_address(copy, "array"), id(copy.array)) for copy in copies]
            words += [
                (slot_address(t, "requires_grad"), id(t.requires_grad)) for t in self._tensors
            ]
            # While they are compared by their addresses, nothing else may come to lie there.
            self._compared = [*copies, *[copy.array for copy in copies]]
            words.append((ctypes.addressof(CHANGES), CHANGES.value))
            words.append((ctypes.addressof(hooks.CHANGES), hooks.CHANGES.value))
            for _, identity in self._left:
                words.append((refcount_address(identity), reference_count(identity) or 0))
            self._memory_guard.set(words)
        sources = [read() for read in self._sources]
        if sources != self._sources_seen or self.program.numbers_from is not self._mark:
            if any(check() != expected for check, expected in self._guards):
                return False
            self.program.set_numbers(self.read_numbers())
            self.program.numbers_from = self._mark
            self._sources_seen = sources
        return True

    def overwrites_kept(self) -> bool:
        """Return whether a run would write over a gradient that others keep.

        Then the program is of no use any more, and the next one leaves copies.
        """
        # What one count found holds as long as none of this changes.
        counted: list[tuple[Any, ...]] = [(CHANGES.value,)]
        for left, identity in self._left:
            gradient = id(getattr(left.owner(), "grad", None))
            counted.append((reference_count(identity), gradient == identity))
        if counted == self._counted:
            return False
        # All of them, so that one more trace is enough.
        known = _references_of_programs([identity for _, identity in self._left])
        kept = [_is_kept(left, identity, known[identity]) for left, identity in self._left]
        self._counted = None if any(kept) else counted
        return any(kept)

    def read_numbers(self) -> list[float]:
        """Return what the numbers of the graph are now."""
        return [read() for read in self._evaluators]

    @property
    def is_steady(self) -> bool:
        """Whether a run leaves gradients as it found them."""
        return all(source_of(t.grad) is gradient for t, gradient in self.gradients)

    def leave_gradients(self) -> None:
        """Set the `.grad` that a run leaves; then all that it changed is known."""
        for tensor, gradient in self.gradients:
            tensor.grad = gradient
        for left, again in self._copied:
            owner = left.owner()
            if owner is not None:
                owner.grad = left.copy(into=owner.grad if again else None)
        self.program.has_run = False

    @property
    def is_dead(self) -> bool:
        """Whether the program can never be used again.

        It leaves what is others' by now, or wants to find a gradient that only programs refer to.
        """
        if any(id(left.tensor) != identity for left, identity in self._left):
            return True
        wanted = [id(g) for t, g in self._exact if source_of(t.grad) is not g]
        if not wanted:
            return False
        identity = wanted[0]
        known = _references_of_programs([identity])[identity]
        return reference_count(identity) == known

    def _held(self) -> Iterator[Tensor]:
        for pair in [*self.gradients, *self._exact]:
            yield from [t for t in pair if t is not None]
        yield from [t for t, _ in self._some]
        yield from self._tensors
        yield from self._graded

    def allow_derivatives_from_outside(self, function: Any, compile: Any) -> None:
        """Let what a run returns be gone back through, where it changes nothing by gradients."""
        changed = [s.tensor for s in self.program.graph.states if s.updated is not None]
        is_wanted = self._differentiable_results and not self.gradients and self._outside is None
        if is_wanted and not any(t.requires_grad for t in changed):
            self._outside = FromOutside(function, compile, self._tensors, changed)

    def before_run(self, args: Any, options: Any) -> Call | None:
        """Return what a run has to keep for derivatives from outside."""
        return None if self._outside is None else self._outside.call(args, options)

    def returned(self, arrays: Sequence[Array], call: Call | None = None) -> Any:
        """Return the function's result."""
        tensors = list(map(leaf, arrays))
        for i in self._differentiable_results:
            if call is not None:
                tensors[i] = call.recorded(tensors[i], i)
                continue
            tensor = tensors[i]
            tensor.requires_grad = True
            tensor.node = _OPAQUE
            tensor.stamp = next_stamp()
        if self.structure is LEAF:
            return tensors[0]
        return unflatten(self.structure, iter(tensors))


def _references_of_programs(identities: Collection[int]) -> Counter[int]:
    """Return how often specializations and their programs refer to the tensors with these `id`s."""
    wanted, found = frozenset(identities), Counter[int]()
    if not wanted:
        return found
    alive = [s for s in [reference() for reference in list(_ALIVE)] if s is not None]
    counts = [s.holds for s in alive]
    counts += [Counter(map(id, program.held())) for program in {s.program for s in alive}]
    for identity in wanted:
        found[identity] = sum([count[identity] for count in counts])
    return found


def _is_kept(left: LeftGradient, identity: int, of_programs: int) -> bool:
    """Return whether a gradient that a run would write over is kept by others than programs."""
    owner = left.owner()
    if owner is None:
        return False
    if id(left.tensor) != identity:
        return True
    # The first is that of `left`.
    if reference_count(identity) == 1 + (id(owner.grad) == identity) + of_programs:
        return False
    left.give_away()
    return True
