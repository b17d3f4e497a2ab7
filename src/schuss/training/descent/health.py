"""Health of a training: gradient norms, sizes of updates, dead units, non-finite gradients."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from schuss import functions as ops
from schuss.core import Array, Tensor, no_grad
from schuss.nn.module import Module

__all__ = ["FIGURES", "Health", "is_finite", "is_tally", "measured_steps", "summary", "tally"]

Before: TypeAlias = "tuple[Tensor, Tensor, Tensor, list[Tensor]]"
Tally: TypeAlias = "dict[str, float]"

# How many figures a step has.
FIGURES = 4
# They would take a fifth of a tiny network's step; so few steps have them that they take a
# hundredth.
_EVERY = 16


def measured_steps(batch: int, steps: int) -> Array:
    """Return which steps have figures: an epoch's first one and every sixteenth after it.

    Args:
        batch: number of the first step, counted from 0 in its epoch.
        steps: how many steps to tell of.

    >>> measured_steps(15, 3).tolist()
    [False, True, False]
    """
    numbers = np.arange(batch, batch + steps)
    return np.equal(numbers % _EVERY, 0)


class Health:
    r"""What is measured of one step, beside its loss: four numbers.

    The norm of all gradients together, before they are clipped,

    .. math:: \Bigl(\sum_p \lVert g_p \rVert^2\Bigr)^{1/2}

    the largest update of a layer's weights, relative to what they become,

    .. math:: \max_w \lVert w_t - w_{t-1} \rVert / \lVert w_t \rVert

    the share of dead units, to which not a row of the batch sends an error back (all the gradient
    of their weights is 0, or so small that its square is); and how many parameters have gradients
    that are not finite (or so large that their squares are not). Updates and units are those of
    layers that have units (`Module.unit_axes`); without any, the former is of all parameters, and
    the latter is not a number.

    Args:
        model: whose layers count.
        parameters: what is trained.
    """

    def __init__(self, model: Module, parameters: Sequence[Tensor]) -> None:
        self._parameters = parameters
        trained = {id(p) for p in parameters}
        self._axes: dict[int, tuple[int, ...]] = {}
        for layer in model.modules():
            for name, axes in layer.unit_axes.items():
                weight = getattr(layer, name)
                if id(weight) in trained:
                    self._axes[id(weight)] = axes
        self._moving = [p for p in parameters if not self._axes or id(p) in self._axes]

    def before(self, dtype: Any) -> Before:
        """Return what has to be read before the update: the gradients' figures, the old weights.

        Args:
            dtype: of the figures.
        """
        squares, dead, units = [], [], 0
        with no_grad():
            for parameter in self._parameters:
                gradient = parameter.grad
                if gradient is None:
                    continue
                axes = self._axes.get(id(parameter))
                square = ops.sum(gradient * gradient, axis=axes)
                if axes is not None:
                    units += square.size
                    is_dead = square == 0.0
                    dead.append(ops.sum(ops.astype(is_dead, dtype)))
                    square = ops.sum(ops.where(is_dead, 0.0, square))
                squares.append(ops.astype(square, dtype))
            share = _total(dead) / units if units else ops.full((), math.nan, dtype=dtype)
            bad = [ops.astype(ops.logical_not(ops.isfinite(x)), dtype) for x in squares]
            old = [p.detach().clone() for p in self._moving]
            return ops.sqrt(_total(squares)), share, _total(bad), old

    def after(self, before: Before, dtype: Any) -> Tensor:
        """Return the figures, of shape (4,), once the step is taken.

        Args:
            before: what `before` returned.
            dtype: of the figures.
        """
        norm, dead, bad, old = before
        with no_grad():
            largest = ops.zeros((), dtype=dtype)
            for weight, was in zip(self._moving, old, strict=True):
                now = weight.detach()
                moved = now - was
                change = self._sum(weight, moved * moved, dtype)
                # Nothing moved: 0, of weights that are all 0, too.
                length = ops.where(change == 0.0, 1.0, self._sum(weight, now * now, dtype))
                largest = ops.maximum(largest, change / length)
            figures = (norm, ops.sqrt(largest), dead, bad)
            return ops.stack([ops.astype(figure, dtype) for figure in figures])

    def _sum(self, parameter: Tensor, values: Tensor, dtype: Any) -> Tensor:
        """Add up values, unit by unit where there are such, as is done with the gradient."""
        axes = self._axes.get(id(parameter))
        total = ops.sum(values, axis=axes)
        return ops.astype(total if axes is None else ops.sum(total), dtype)


def _total(parts: Sequence[Tensor]) -> Tensor:
    if not parts:
        return ops.zeros(())
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def tally(sums: Mapping[str, float], figures: Sequence[float]) -> Tally:
    """Return an epoch's sums with one more step's figures; `sums` is empty before the first.

    >>> tally({}, [2.0, 0.1, 0.0, 0.0])["gradient_norm"]
    2.0
    """
    norm, update, dead, bad = figures
    held = defaultdict(float, sums)
    return {
        "steps": held["steps"] + 1.0,
        "gradient_norm": held["gradient_norm"] + norm,
        # What is not a number is kept, too.
        "largest_gradient_norm": float(np.maximum(norm, held["largest_gradient_norm"])),
        "largest_update": float(np.maximum(update, held["largest_update"])),
        "dead_units": held["dead_units"] + dead,
        "nonfinite_gradients": held["nonfinite_gradients"] + bad,
    }


def is_tally(sums: Mapping[str, Any]) -> bool:
    """Return whether these are sums as `tally` returns them, or none yet."""
    names = tally({}, [0.0] * FIGURES)
    counts = [sums.get("steps"), sums.get("nonfinite_gradients")]
    return not sums or (
        sums.keys() == names.keys()
        and all(type(value) in (int, float) for value in sums.values())
        and all(math.isfinite(count) for count in counts)  # type: ignore[arg-type]
        and sums["steps"] >= 1
    )


def summary(sums: Mapping[str, float]) -> dict[str, float | None]:
    """Return an epoch's figures by name, as its record holds them; None for what is not finite.

    >>> summary(tally({}, [2.0, 0.1, 0.25, 0.0]))["dead_units"]
    0.25
    """
    steps = sums["steps"]
    found = {
        "gradient_norm": sums["gradient_norm"] / steps,
        "largest_gradient_norm": sums["largest_gradient_norm"],
        "largest_update": sums["largest_update"],
        "dead_units": sums["dead_units"] / steps,
    }
    finite = {name: x if math.isfinite(x) else None for name, x in found.items()}
    return finite | {"nonfinite_gradients": int(sums["nonfinite_gradients"])}


def is_finite(record: Mapping[str, Any]) -> bool:
    """Return whether the gradients of an epoch's record are finite."""
    return record["gradient_norm"] is not None and not record["nonfinite_gradients"]
