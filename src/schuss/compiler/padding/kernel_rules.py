"""Rules of padding for products, for what goes along an axis, and for random numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss.compiler.padding.axes import REPEATED, Axes, Differs, Rows, aligned
from schuss.compiler.padding.case import Case, Mask, Rule

__all__ = ["KERNELS"]


def _matmul(case: Case) -> Axes:
    (x, x_own, x_larger), (y, y_own, y_larger) = case.operand(0), case.operand(1)
    met = {x[-1], y[-2]} - {REPEATED}
    if len(met) > 1:
        raise Differs
    inner = met.pop() if met else case.lengths.settled(REPEATED, x_own[-1], x_larger[-1])
    if isinstance(inner, Rows):
        case.needs.append(Mask(0, ((len(x) - 1, inner),), 0))
        case.needs.append(Mask(1, ((len(y) - 2, inner),), 0))
    factors = [(x[:-2], x_own[:-2], x_larger[:-2]), (y[:-2], y_own[:-2], y_larger[:-2])]
    batch = aligned(factors, case.node.shape[:-2], case.larger.shape[:-2])
    return (*batch, x[-2], y[-1])


def _along(case: Case, value: float) -> Axes:
    """Return the axes of what goes along one, which is masked by a number that comes last."""
    case.require_equal()
    place = case.node.attributes["axis"]
    axis = case.settled(0)[place]
    if isinstance(axis, Rows):
        if not axis.is_prefix:
            raise Differs
        case.mask(0, [place], value)
    return (*case.axes[0][:place], axis, *case.axes[0][place + 1 :])


def _cumulative_sum(case: Case) -> Axes:
    if case.node.attributes["reverse"]:
        return _along(case, 0)
    found = _along(case, 0)
    # What comes later is not seen.
    case.needs.clear()
    return found


def _extreme(dtype: np.dtype[Any], *, largest: bool) -> float:
    if dtype.kind == "f":
        return math.inf if largest else -math.inf
    if dtype.kind == "b":
        return largest
    return int(np.iinfo(dtype).max if largest else np.iinfo(dtype).min)


def _argsort(case: Case) -> Axes:
    dtype, descending = case.node.inputs[0].dtype, case.node.attributes["descending"]
    if dtype.kind == "f" and not descending:
        return _along(case, math.nan)
    return _along(case, _extreme(dtype, largest=not descending))


def _position(case: Case, *, largest: bool) -> Axes:
    place = case.node.attributes["axis"]
    found = _along(case, _extreme(case.node.inputs[0].dtype, largest=not largest))
    return (*found[:place], *found[place + 1 :])


def _random_uniform(case: Case) -> Axes:
    case.require_equal("dtype")
    own, larger = case.node.shape, case.larger.shape
    if case.axes[0] != (None,) or own[1:] != larger[1:]:
        raise Differs
    # Numbers are drawn in the order of the elements.
    return (case.lengths.rows(own[0], larger[0]), *[None] * (len(own) - 1))


KERNELS: dict[str, Rule] = {
    "argmax": lambda case: _position(case, largest=True),
    "argmin": lambda case: _position(case, largest=False),
    "argsort": _argsort,
    "cumulative_sum": _cumulative_sum,
    "matmul": _matmul,
    "random_uniform": _random_uniform,
}
