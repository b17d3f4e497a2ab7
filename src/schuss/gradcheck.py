"""Compares what the reverse pass gives with central differences in float64, to any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.core import Array, Tensor, TensorLike, float64, leaf, no_grad
from schuss.errors import GradientError
from schuss.functions import sum
from schuss.primitives.base import as_tensor
from schuss.transforms import hvp, jvp, vjp

__all__ = ["GradientReport", "check_gradients"]

# Tried one after the other, times the size of the argument: the first suits smooth functions,
# smaller ones a function with a kink, a pole or a fast change nearby.
_STEPS = (1e-2, 1e-3, 1e-4, 1e-5)
# Central difference of sixth order, truncation error h**6 / 140 of the seventh derivative
# (Fornberg, 1988): weights of f(x + k h) - f(x - k h) for k = 1, 2, 3.
_WEIGHTS = (45 / 60, -9 / 60, 1 / 60)
_DIRECTIONS = 3
# Up to this size each element of an argument is checked by itself, so that a failure names it.
_ELEMENTWISE_SIZE = 24
_ROUNDING = 16 * float(np.finfo(np.float64).eps)

Function = Callable[..., Any]
Changes = list[tuple[Array, Array]]


@dataclass(frozen=True)
class GradientReport:
    """What `check_gradients` found.

    Args:
        largest_error: the largest relative error met.
        comparisons: how many numbers or directions were compared.
    """

    largest_error: float
    comparisons: int


def check_gradients(
    f: Function,
    *xs: TensorLike,
    order: int = 2,
    eps: float | None = None,
    tolerance: float = 1e-6,
    seed: int = 0,
) -> GradientReport:
    """Check the derivatives of `f` at `xs` against central differences in float64.

    Of each order, the reverse pass (`vjp`) along random directions, and element by element where
    an argument is small; the forward derivative (`jvp`); from order 2 on `hvp` too. A derivative
    of the second order is compared with differences of the first one, and so on.

    Args:
        f: returns a tensor or a tuple of them; only their float parts are looked at. It must be
            the same function at each call (no dropout), and smooth at `xs`.
        xs: arguments; floats are copied to float64, integers and booleans are held fixed.
        order: up to which order of derivative, 1 or more.
        eps: step of the differences; by default a few are tried.
        tolerance: the largest relative error that is let through.
        seed: of the random directions.

    Returns:
        The largest relative error and the number of comparisons.

    Raises:
        GradientError: when a derivative is wrong; the message names the argument, the element
            where it can, the number expected and the one found.
        ValueError: when there is nothing to check.

    >>> check_gradients(lambda x: (x * x).sum(), [1.0, 2.0]).largest_error < 1e-6
    True
    """
    if order < 1:
        raise ValueError(f"check_gradients: expected order >= 1, got {order}.")
    arguments = [_wide(x) for x in xs]
    free = [i for i, a in enumerate(arguments) if a.dtype == float64]
    if not free:
        raise ValueError("check_gradients: expected at least one float argument, got none.")
    fixed = list(arguments)

    def level(*floats: Tensor) -> tuple[Tensor, ...]:
        given: list[Any] = [leaf(a) for a in fixed]
        for i, x in zip(free, floats, strict=True):
            given[i] = x
        out = f(*given)
        parts = out if isinstance(out, (tuple, list)) else (out,)
        return tuple(y for y in map(as_tensor, parts) if y.array.dtype.kind == "f")

    check = _Check([arguments[i] for i in free], free, eps, tolerance, np.random.default_rng(seed))
    function: Function = level
    for n in range(1, order + 1):
        errors = check.first_order(function, n)
        if n < order:
            check.second_order(function, errors, n + 1)
            function = _slope(function, errors)
    return GradientReport(check.largest, check.comparisons)


def _wide(x: TensorLike) -> Array:
    array = np.array(as_tensor(x).array, copy=True)
    return array.astype(float64) if array.dtype.kind == "f" else array


def _slope(f: Function, errors: Sequence[Array]) -> Function:
    """Return the function that gives the gradients of f, projected on `errors`."""

    def gradients(*xs: Tensor) -> tuple[Tensor, ...]:
        return vjp(f, *xs)[1](*[leaf(e) for e in errors])

    return gradients


class _Check:
    """The points and the tally of one call of `check_gradients`."""

    def __init__(
        self,
        points: list[Array],
        names: list[int],
        eps: float | None,
        tolerance: float,
        random: np.random.Generator,
    ) -> None:
        self.points = points
        self.names = names
        self.eps = eps
        self.tolerance = tolerance
        self.random = random
        self.largest = 0.0
        self.comparisons = 0

    def steps(self, position: int) -> list[float]:
        if self.eps is not None:
            return [self.eps]
        x = self.points[position]
        size = float(np.sqrt(np.mean(x * x))) if x.size else 1.0
        return [h * (min(max(size, 1e-8), 1.0) if size else 1.0) for h in _STEPS]

    def first_order(self, f: Function, order: int) -> list[Array]:
        """Check vjp and jvp of `f`; return the random errors on which it was projected."""
        outputs = _evaluate(f, self.points)
        if not outputs:
            raise ValueError("check_gradients: expected a float result, got none.")
        errors = [self.random.standard_normal(y.shape) for y in outputs]
        tensors = [leaf(x) for x in self.points]
        pulled = [g.array for g in vjp(f, *tensors)[1](*[leaf(e) for e in errors])]
        for position, (x, g) in enumerate(zip(self.points, pulled, strict=True)):
            if g.shape != x.shape:
                raise GradientError(
                    f"check_gradients: expected a gradient of shape {x.shape} by argument "
                    f"{self.names[position]}, got {g.shape}."
                )
            for direction, element in self.directions(x):
                self.reverse(f, errors, position, g, direction, element, order)
            if x.size:
                self.forward(f, position, self.random.standard_normal(x.shape), order)
        return errors

    def directions(self, x: Array) -> list[tuple[Array, tuple[int, ...] | None]]:
        if not x.size:
            return []
        found: list[tuple[Array, tuple[int, ...] | None]] = []
        if x.size <= _ELEMENTWISE_SIZE:
            for index in np.ndindex(x.shape):
                unit = np.zeros_like(x)
                unit[index] = 1.0
                found.append((unit, index))
        if x.size > 1:
            found += [(self.random.standard_normal(x.shape), None) for _ in range(_DIRECTIONS)]
        return found

    def reverse(
        self,
        f: Function,
        errors: list[Array],
        position: int,
        gradient: Array,
        direction: Array,
        element: tuple[int, ...] | None,
        order: int,
    ) -> None:
        got = float(np.sum(gradient * direction))

        def compare(changes: Changes) -> tuple[float, float]:
            terms = [e * d for e, (d, _) in zip(errors, changes, strict=True)]
            expected = float(np.sum([np.sum(t) for t in terms]))
            scale = float(np.sum([np.sum(np.abs(t)) for t in terms]))
            noises = [np.sum(np.abs(e * r)) for e, (_, r) in zip(errors, changes, strict=True)]
            return expected, _relative(abs(got - expected), scale, float(np.sum(noises)))

        where = "along a random direction" if element is None else f"at element {element}"
        self.settle(f, position, direction, compare, got, f"{where}, reverse pass, order {order}")

    def forward(self, f: Function, position: int, direction: Array, order: int) -> None:
        tensors = tuple(leaf(x) for x in self.points)
        along = [np.zeros_like(x) for x in self.points]
        along[position] = direction
        changes = [d.array for d in jvp(f, tensors, tuple(leaf(v) for v in along))[1]]
        self.arrays(f, position, direction, changes, f"jvp, order {order}")

    def second_order(self, f: Function, errors: list[Array], order: int) -> None:
        """Check hvp of `f` projected on `errors` against differences of its gradient."""

        def projected(*xs: Tensor) -> Tensor:
            parts = [sum(y * leaf(e)) for y, e in zip(f(*xs), errors, strict=True)]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            return total

        slope = _slope(f, errors)
        tensors = tuple(leaf(x) for x in self.points)
        for position, x in enumerate(self.points):
            if not x.size:
                continue
            along = [np.zeros_like(p) for p in self.points]
            along[position] = self.random.standard_normal(x.shape)
            products = hvp(projected, tensors, tuple(leaf(v) for v in along))
            found = [p.array for p in products]
            self.arrays(slope, position, along[position], found, f"hvp, order {order}")

    def arrays(
        self, f: Function, position: int, direction: Array, found: list[Array], what: str
    ) -> None:
        """Compare the change of each output along `direction` with what was `found`."""
        got = 0.0

        def compare(changes: Changes) -> tuple[float, float]:
            nonlocal got
            worst, expected, got = 0.0, 0.0, 0.0
            for (d, r), c in zip(changes, found, strict=True):
                if not d.size:
                    continue
                gap = np.abs(d - c)
                scale, noise = float(np.max(np.abs(d))), float(np.max(r))
                error = _relative(float(np.max(gap)), scale, noise)
                if not error <= worst:
                    place = np.unravel_index(int(np.argmax(gap)), gap.shape)
                    worst, expected, got = error, float(d[place]), float(c[place])
            return expected, worst

        self.settle(f, position, direction, compare, lambda: got, what)

    def settle(
        self,
        f: Function,
        position: int,
        direction: Array,
        compare: Callable[[Changes], tuple[float, float]],
        got: float | Callable[[], float],
        what: str,
    ) -> None:
        """Try the steps until one agrees; raise when none does."""
        best: tuple[float, float, float] | None = None
        for h in self.steps(position):
            expected, error = compare(_difference(f, self.points, position, direction, h))
            found = got() if callable(got) else got
            if best is None or error < best[0]:
                best = error, expected, found
            if error <= self.tolerance:
                break
        self.comparisons += 1
        if best is None or not best[0] <= self.tolerance:
            error, expected, found = best or (np.nan, np.nan, np.nan)
            raise GradientError(
                f"check_gradients: expected {expected:.12g} by argument {self.names[position]} "
                f"({what}), got {found:.12g}, relative error {error:.3g}; correct the derivative, "
                "or move away from points where there is none."
            )
        self.largest = max(self.largest, best[0])


def _relative(gap: float, scale: float, noise: float) -> float:
    """Return the relative error, less what rounding in the differences explains."""
    if not np.isfinite(gap):
        return float("inf")
    excess = max(gap - noise, 0.0)
    return excess / scale if scale else float("inf") if excess else 0.0


def _evaluate(f: Function, points: Sequence[Array]) -> list[Array]:
    with no_grad():
        return [y.array for y in f(*[leaf(x) for x in points])]


def _difference(
    f: Function, points: Sequence[Array], position: int, direction: Array, h: float
) -> Changes:
    """Return, for each output of `f`, its derivative along `direction` and the rounding in it."""
    moved = list(points)
    sides = []
    for k in (1, 2, 3):
        for sign in (1, -1):
            moved[position] = points[position] + sign * k * h * direction
            sides.append(_evaluate(f, moved))
    changes = []
    for a1, b1, a2, b2, a3, b3 in zip(*sides, strict=True):
        w1, w2, w3 = _WEIGHTS
        change = ((a1 - b1) * w1 + (a2 - b2) * w2 + (a3 - b3) * w3) / h
        changes.append((change, (np.abs(a3) + np.abs(b3)) * (_ROUNDING / h)))
    return changes
