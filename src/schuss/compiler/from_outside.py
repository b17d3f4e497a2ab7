"""Derivatives from outside: going back through what a compiled function returned.

The reverse pass runs a program of its own: it computes the results again, with the states that the
function changes as they were before its call, and goes back to arguments and parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from schuss.autograd.gradients import grad
from schuss.compiler.trace.pytree import flatten
from schuss.core import RECORDING, Array, Tensor, enable_grad
from schuss.modes import AUTOCAST, autocasting
from schuss.primitives.custom import custom

__all__ = ["Call", "FromOutside"]


class FromOutside:
    """How errors in what a program returns go back to what it read.

    Args:
        function: that was compiled.
        compile: makes a program of a function.
        read: the tensors that it reads besides its arguments.
        changed: the states that it changes, which take no part in differentiation.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        compile: Callable[..., Any],
        read: Sequence[Tensor],
        changed: Sequence[Tensor],
    ) -> None:
        self.function = function
        self.parameters = [t for t in read if t.requires_grad]
        self.changed = list(changed)
        self._compile = compile
        self._compiled: Any = None

    def call(self, args: tuple[Any, ...], options: dict[str, Any]) -> Call:
        """Return what is to be known of a call before it is run."""
        return Call(self, args, options, [t.array.copy() for t in self.changed])

    def pull(self, place: int, args: Any, options: Any, error: Tensor) -> tuple[Any, ...]:
        """Return what arrives at tensors among the arguments and at parameters, by a program."""
        if self._compiled is None:
            self._compiled = self._compile(self.evaluate)
        return self._compiled(place, args, options, error)  # type: ignore[no-any-return]

    def evaluate(
        self, place: int, args: Any, options: Any, error: Tensor, create_graph: bool = False
    ) -> tuple[Any, ...]:
        """Compute the results again, and go back from one of them."""
        with enable_grad():
            outputs: list[Any] = []
            flatten(self.function(*args, **options), outputs, numbers=False)
        targets = [*_differentiable(args, options), *self.parameters]
        y = outputs[place]
        return grad(y, targets, error, create_graph, create_graph, materialize_grads=True)


class Call:
    """One call: its arguments, and what the states that it changes were before.

    Args:
        outside: of the program that runs.
        args: of the call.
        options: of the call.
        before: what the states were.
    """

    def __init__(
        self, outside: FromOutside, args: Any, options: dict[str, Any], before: list[Array]
    ) -> None:
        self._outside = outside
        self._args = args
        self._options = options
        self._before = before
        self._autocast = AUTOCAST.get()

    def recorded(self, result: Tensor, place: int) -> Tensor:
        """Return one of the results as made from tensors among the arguments and parameters."""

        def errors(g: Tensor, y: Tensor) -> dict[int, Any]:
            with self._states_as_before(), autocasting(enabled=self._autocast):
                if RECORDING.get():
                    found = self._outside.evaluate(place, self._args, self._options, g, True)
                else:
                    found = self._outside.pull(place, self._args, self._options, g)
            return dict(enumerate(found))

        inputs = [*_differentiable(self._args, self._options), *self._outside.parameters]
        return custom("a compiled function", inputs, result, errors)

    @contextmanager
    def _states_as_before(self) -> Iterator[None]:
        changed = self._outside.changed
        now = [t.array.copy() for t in changed]
        try:
            for t, array in zip(changed, self._before, strict=True):
                t.array[...] = array
            yield
        finally:
            for t, array in zip(changed, now, strict=True):
                t.array[...] = array


def _differentiable(args: Any, options: Any) -> list[Tensor]:
    leaves: list[Any] = []
    flatten((args, options), leaves, numbers=False)
    return [x for x in leaves if isinstance(x, Tensor) and x.requires_grad]
