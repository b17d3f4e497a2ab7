"""Scan: a step repeated along an axis, with values that are carried from one to the next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schuss.core import TRACER, Tensor
from schuss.primitives.base import as_tensor
from schuss.primitives.movement import basic_slice, stack
from schuss.trees import filled, mapped, present

__all__ = ["checked", "in_turn", "scan"]


def scan(
    step: Callable[[Any, Any], tuple[Any, Any]],
    carry: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
) -> tuple[Any, Any]:
    """Repeat a step, which hands what it carries on to the next one; return all that it leaves.

    For t = 0, 1, ... (with `reverse` from the last one down): carry, ys[t] = step(carry, xs[t]).

    Within `compile` it is a loop of native code: neither the time to compile it nor the program
    depend on how many steps there are. What does not depend on the carry, as products of `xs` with
    weights, is computed for all steps at once there.

    Args:
        step: takes the carry and the step's part of `xs`; returns the next carry, whose tensors
            have the same shapes and dtypes, and the step's part of the result.
        carry: a tensor, or nested containers of them.
        xs: likewise, each with an axis of one length in front; None for steps without.
        length: how many steps there are; needed where `xs` does not say it.
        reverse: whether the last step comes first; `ys` stay in the order of `xs`.

    Returns:
        The last carry, and what the steps returned, stacked along a new first axis.

    Raises:
        ValueError: for lengths that differ, no steps, or a carry that changes its shapes.
        TypeError: for a carry that changes its dtypes, or a step that returns no pair.

    >>> from schuss import tensor
    >>> total, sums = scan(lambda total, x: (total + x, total + x), tensor(0.0), tensor([1.0, 2.0]))
    >>> float(total), sums.tolist()
    (3.0, [1.0, 3.0])
    """
    carry, xs = mapped(_as_tensor, carry), mapped(_as_tensor, xs)
    count = _count(present(xs), length)
    loop = getattr(TRACER.get(), "loop", None)
    found = None if loop is None else loop(step, carry, xs, count, reverse)
    return in_turn(step, carry, xs, count, reverse) if found is None else found


def in_turn(
    step: Callable[[Any, Any], tuple[Any, Any]], carry: Any, xs: Any, count: int, reverse: bool
) -> tuple[Any, Any]:
    """Call a step so many times, and return what `scan` does."""
    parts = [unstacked(x) for x in present(xs)]
    found: list[Any] = [None] * count
    for t in reversed(range(count)) if reverse else range(count):
        carry, found[t] = checked(step(carry, filled(xs, [part[t] for part in parts])), carry)
    columns = zip(*map(present, found), strict=True)
    return carry, filled(found[0], [stack(column) for column in columns])


def _as_tensor(x: Any) -> Any:
    return None if x is None else as_tensor(x)


def _count(xs: list[Tensor], length: int | None) -> int:
    """Return how many steps there are, once all agree on it."""
    if any(not x.ndim for x in xs):
        raise ValueError("scan: expected xs with an axis of steps in front, got one without axes.")
    counts = {len(x) for x in xs} | ({length} if length is not None else set())
    if len(counts) != 1:
        got = ", ".join(str(n) for n in sorted(counts)) or "neither xs nor length"
        raise ValueError(f"scan: expected one number of steps, got {got}.")
    (count,) = counts
    if count < 1:
        raise ValueError(f"scan: expected at least one step, got {count}.")
    return count


def checked(result: Any, carry: Any) -> tuple[Any, Any]:
    """Return the two parts of a step's result as tensors; the first has to be as `carry` is."""
    if not isinstance(result, tuple) or len(result) != 2:
        raise TypeError(
            f"scan: expected step to return a pair (carry, y), got {type(result).__name__}."
        )
    after, y = (mapped(_as_tensor, part) for part in result)
    kinds, before = (mapped(lambda x: x is None, part) for part in (after, carry))
    if kinds != before:
        raise ValueError("scan: expected step to return a carry nested as the one that it takes.")
    for new, old in zip(present(after), present(carry), strict=True):
        if new.shape != old.shape:
            raise ValueError(
                f"scan: expected a carry of shape {old.shape} again, got {new.shape}; the first "
                "one has to have the shape of all."
            )
        if new.array.dtype != old.array.dtype:
            raise TypeError(
                f"scan: expected a carry of {old.array.dtype} again, got "
                f"{new.array.dtype}; cast the first one."
            )
    return after, y


def unstacked(x: Tensor) -> list[Tensor]:
    """Return the parts of `x` along its first axis.

    By halves, so that what flows back to all of them takes a time of n log n, and not n squared.
    """
    if len(x) == 1:
        return [basic_slice(x, (0,))]
    half = len(x) // 2
    return [
        *unstacked(basic_slice(x, (slice(0, half),))),
        *unstacked(basic_slice(x, (slice(half, None),))),
    ]
