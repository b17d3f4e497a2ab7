"""LBFGS: steps by the curvature that the last gradients show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from schuss.core import Array, Tensor, enable_grad, leaf, no_grad
from schuss.optim.line_search import Point, strong_wolfe
from schuss.optim.optimizer import Optimizer
from schuss.optim.param_groups import RANGES, Group, Params, Range, hyperparameters

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """L-BFGS: a step along the gradient times an inverse Hessian of the last changes.

    s_i = changes of the parameters, y_i = changes of the gradient, the last `history_size` ones
    d = -H * gradient, with H by the two-loop recursion from s_i, y_i and the start
        (s . y) / (y . y) * I
    p = p + t * d, with t = lr (at first lr * min(1, 1 / |gradient|_1)), or by a line search

    Liu and Nocedal, 1989, Mathematical Programming 45. For losses without noise: a step computes
    the loss many times, by a closure. Its decisions depend on the loss, so it runs outside of
    `compile`; the closure may be compiled.

    Args:
        params: parameters; groups are not taken.
        lr: step length, or the one that the line search begins with, >= 0.
        max_iter: number of iterations in a step, each with a direction of its own.
        max_eval: number of losses computed in a step, by default max_iter * 5 / 4.
        tolerance_grad: no element of the gradient above this: it ends.
        tolerance_change: neither parameters nor loss change by more than this: it ends.
        history_size: number of changes that are kept.
        line_search_fn: "strong_wolfe", or None for no line search.

    Raises:
        ValueError: on hyperparameters out of range, and on a second group.

    >>> import schuss as ss
    >>> p = ss.tensor([3.0, -2.0], requires_grad=True)
    >>> optimizer = LBFGS([p], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = (p * p * ss.tensor([1.0, 10.0])).sum()
    ...     loss.backward()
    ...     return loss
    >>> loss = optimizer.step(closure)
    >>> p.abs().max().item() < 1e-4
    True
    """

    needs_closure = True
    ranges: ClassVar[Mapping[str, Range]] = {"lr": RANGES["lr"]}

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(params, hyperparameters(locals()))

    def check(self, group: Group) -> None:
        """Raise ValueError on a second group, and on another line search."""
        if self.param_groups:
            raise ValueError("LBFGS: expected one group of parameters, got a second one.")
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise ValueError(
                "LBFGS: expected line_search_fn 'strong_wolfe' or None, got "
                f"{group['line_search_fn']!r}."
            )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Go downhill for `max_iter` iterations.

        Args:
            closure: forgets the gradients, computes the loss with its gradients, and returns it.

        Returns:
            The first loss.

        Raises:
            TypeError: without a closure.
        """
        if closure is None:
            raise TypeError("LBFGS: expected a closure that computes the loss, got none.")
        group = self.param_groups[0]
        self._require_fit(group)
        with no_grad():
            return _Descent(self, closure).run(self.state[group["params"][0]])


class _Descent:
    """One step: its closure, and how often it was called."""

    def __init__(self, optimizer: LBFGS, closure: Callable[[], Any]) -> None:
        self.group = optimizer.param_groups[0]
        self.parameters: list[Tensor] = self.group["params"]
        self.closure = closure
        self.evaluations = 0

    def run(self, state: dict[str, Any]) -> Any:
        """Iterate, and leave in the state what the next step goes on with."""
        group = self.group
        first, now = self._evaluate()
        if not state:
            state |= {"func_evals": 0, "n_iter": 0}
        for iteration in range(1, group["max_iter"] + 1):
            if _largest(now.gradient) <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            begun = state["n_iter"] == 1
            direction = -now.gradient if begun else self._direction(state, now.gradient)
            if begun:
                state |= {"old_dirs": [], "old_stps": [], "ro": [], "H_diag": 1}
            length = group["lr"]
            if begun:
                length *= min(1.0, 1.0 / float(np.abs(now.gradient).sum()))
            before = now
            state |= {"d": leaf(direction), "t": length}
            state |= {"prev_flat_grad": leaf(before.gradient), "prev_loss": before.loss}
            slope = float(now.gradient @ direction)
            if slope > -group["tolerance_change"]:
                break
            now = self._moved(before, direction, slope, length, iteration == group["max_iter"])
            state["t"] = now.at
            if self.evaluations >= group["max_eval"] or self._little(before, now, direction):
                break
        state["func_evals"] += self.evaluations
        return first

    def _little(self, before: Point, now: Point, direction: Array) -> bool:
        tolerance: float = self.group["tolerance_change"]
        moved = _largest(direction * now.at)
        return moved <= tolerance or abs(now.loss - before.loss) < tolerance

    def _moved(
        self, before: Point, direction: Array, slope: float, length: float, last: bool
    ) -> Point:
        """Go along a direction, and return where it ended; a last step of fixed length is blind."""
        start = [p.array.copy() for p in self.parameters]

        def evaluate(at: float) -> Point:
            self._place(start, direction, at)
            return self._evaluate(at, direction)[1]

        if self.group["line_search_fn"] is None:
            if not last:
                return evaluate(length)
            self._place(start, direction, length)
            return Point(length, before.loss, before.gradient, slope)
        origin = Point(0.0, before.loss, before.gradient, slope)
        most = self.group["max_eval"] - self.evaluations
        found = strong_wolfe(evaluate, origin, length, _largest(direction), most)
        self._place(start, direction, found.at)
        return found

    def _direction(self, state: dict[str, Any], gradient: Array) -> Array:
        """Take in the last change, and return the way down by the inverse Hessian."""
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        change = gradient - state["prev_flat_grad"].array
        step = state["d"].array * float(state["t"])
        curvature = float(change @ step)
        if curvature > 1e-10:
            if len(changes) == self.group["history_size"]:
                for kept in (changes, steps, inverses):
                    del kept[0]
            changes.append(leaf(change))
            steps.append(leaf(step))
            inverses.append(leaf(np.array(1.0 / curvature, gradient.dtype)))
            state["H_diag"] = leaf(np.array(curvature / float(change @ change), gradient.dtype))
        held = [(y.array, s.array, float(r)) for y, s, r in zip(changes, steps, inverses)]  # noqa: B905  # equally long
        direction = -gradient
        shares = []
        for y, s, inverse in reversed(held):
            shares.append(float(s @ direction) * inverse)
            direction = direction - y * shares[-1]
        direction = direction * float(state["H_diag"])
        for (y, s, inverse), share in zip(held, reversed(shares), strict=True):
            direction = direction + s * (share - float(y @ direction) * inverse)
        return direction

    def _place(self, start: list[Array], direction: Array, at: float) -> None:
        begun = 0
        for parameter, array in zip(self.parameters, start, strict=True):
            part = direction[begun : begun + array.size].reshape(array.shape)
            parameter.assign(leaf(array + part * at))
            begun += array.size

    def _evaluate(self, at: float = 0.0, direction: Array | None = None) -> tuple[Any, Point]:
        """Call the closure; return its loss, and the point."""
        with enable_grad():
            loss = self.closure()
        self.evaluations += 1
        parts = [
            np.zeros(p.size, p.array.dtype) if p.grad is None else p.grad.numpy().reshape(-1)
            for p in self.parameters
        ]
        gradient = np.concatenate(parts)
        slope = 0.0 if direction is None else float(gradient @ direction)
        return loss, Point(at, float(loss), gradient, slope)


def _largest(vector: Array) -> float:
    return float(np.abs(vector).max(initial=0.0))
