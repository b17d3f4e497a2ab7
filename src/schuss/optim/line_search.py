"""A step length by the strong Wolfe conditions: enough descent, and a slope that has flattened.

Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6, with cubic interpolation
of (3.59), held away from the ends of the bracket.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from schuss.core import Array

__all__ = ["Point", "strong_wolfe"]

_DESCENT, _FLATNESS = 1e-4, 0.9  # the constants c1 and c2
_SMALLEST = 1e-9  # a bracket in which no weight moves by more is not looked into


@dataclass(frozen=True)
class Point:
    """A place on the line: how far along it, the loss, the gradient, and the slope of the loss."""

    at: float
    loss: float
    gradient: Array
    slope: float


def strong_wolfe(
    evaluate: Callable[[float], Point], start: Point, first: float, size: float, most: int
) -> Point:
    """Return a point that meets the conditions, or the best that was found.

    Args:
        evaluate: returns the point at a step length.
        start: the point at 0, where the slope is below zero.
        first: step length to begin with.
        size: largest element of the direction.
        most: number of evaluations after the first.
    """

    def too_high(point: Point) -> bool:
        return point.loss > start.loss + _DESCENT * point.at * start.slope

    def flat(point: Point) -> bool:
        return abs(point.slope) <= -_FLATNESS * start.slope

    # Go on until a minimum lies between the last two points.
    before, now = start, evaluate(first)
    count = 0
    while count < most:
        if too_high(now) or (count > 1 and now.loss >= before.loss):
            break
        if flat(now):
            return now
        if now.slope >= 0:
            break
        near = now.at + 0.01 * (now.at - before.at)
        before, now = now, evaluate(_least_between(before, now, near, now.at * 10))
        count += 1
    else:
        before = start

    # Narrow the bracket.
    ends = [before, now]
    low = _lower(ends)
    stalled = False
    while count < most and not abs(ends[1].at - ends[0].at) * size < _SMALLEST:
        left, right = sorted(end.at for end in ends)
        at = _least_between(ends[0], ends[1], left, right)
        margin = 0.1 * (right - left)
        close = min(right - at, at - left) < margin
        if close and (stalled or not left < at < right):
            at = right - margin if abs(at - right) < abs(at - left) else left + margin
            close = False
        stalled = close
        now = evaluate(at)
        count += 1
        if too_high(now) or now.loss >= ends[low].loss:
            ends[1 - low] = now
            low = _lower(ends)
            continue
        if flat(now):
            return now
        if now.slope * (ends[1 - low].at - ends[low].at) >= 0:
            ends[1 - low] = ends[low]
        ends[low] = now
    return ends[low]


def _lower(ends: list[Point]) -> int:
    return 0 if ends[0].loss <= ends[1].loss else 1


def _least_between(a: Point, b: Point, left: float, right: float) -> float:
    """Return where the cubic through both points, with their slopes, is least, within bounds."""
    if b.at < a.at:
        a, b = b, a
    mixed = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.at - b.at)
    square = mixed**2 - a.slope * b.slope
    if not square >= 0:
        return (left + right) / 2
    root = math.sqrt(square)
    share = (b.slope + root - mixed) / (b.slope - a.slope + 2 * root)
    return min(max(b.at - (b.at - a.at) * share, left), right)
