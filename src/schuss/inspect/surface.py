"""LossSurface: a network's loss on some rows, as a function of its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, leaf
from schuss.func import functional_call
from schuss.inspect.curvature import Curvature, extreme_curvature
from schuss.nn.module import Module
from schuss.transforms import grad, hvp

__all__ = ["LossSurface", "flat"]

# A step to where the slope ends would gain this share of the loss: it goes down still.
_GAIN = 1e-3
# The least eigenvalue, relative to the largest, from which on it goes down to both sides.
_NEGATIVE = 0.05
# Curvature that changes this share of the loss over the length of all weights: it is flat.
_FLAT = 1e-4


def flat(parts: Sequence[Array]) -> Array:
    """Return all numbers of some arrays as one vector, float64."""
    return np.concatenate([np.asarray(x, np.float64).reshape(-1) for x in parts])


class LossSurface:
    """The loss around the parameters that a network has when this is made.

    Args:
        model: the network, in evaluation mode.
        loss: a function of (output, y) that returns the mean over rows.
        inputs: what the model is called with, each of shape (rows, ...).
        y: targets, of shape (rows, ...).
    """

    def __init__(
        self,
        model: Module,
        loss: Callable[[Any, Tensor], Tensor],
        inputs: Sequence[Array],
        y: Array,
    ) -> None:
        self.model = model
        self.inputs = [np.asarray(x) for x in inputs]
        self.y = np.asarray(y)
        self._loss = loss
        named = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._names = list(named)
        self._parameters = list(named.values())
        self.at = tuple(p.detach().clone() for p in self._parameters)

    def of(self, rows: Any) -> Callable[..., Tensor]:
        """Return the loss on some rows as a function of the parameters."""
        inputs = tuple(leaf(np.ascontiguousarray(x[rows])) for x in self.inputs)
        y = leaf(np.ascontiguousarray(self.y[rows]))

        def value(*parameters: Tensor) -> Tensor:
            named = dict(zip(self._names, parameters, strict=True))
            return self._loss(functional_call(self.model, named, inputs), y)

        return value

    def gradient(self, rows: Any = slice(None)) -> dict[str, Array]:
        """Return the gradient on some rows, by the parameters' names."""
        found = grad(self.of(rows), tuple(range(len(self.at))))(*self.at)
        return {name: g.array for name, g in zip(self._names, found, strict=True)}

    @cached_property
    def loss(self) -> float:
        """The loss on all rows."""
        return float(self.of(slice(None))(*self.at).item())

    @cached_property
    def slope(self) -> Array:
        """The gradient on all rows as one vector, float64."""
        return flat(list(self.gradient().values()))

    @cached_property
    def curvature(self) -> Curvature:
        """The Hessian's extreme eigenvalues on all rows."""
        value = self.of(slice(None))

        def product(vector: Array) -> Array:
            return flat([h.array for h in hvp(value, self.at, self._parts(vector))])

        return extreme_curvature(product, self.slope.size)

    @cached_property
    def length(self) -> float:
        """Euclidean norm of all weights, or 1 where that is more."""
        return max(float(np.linalg.norm(flat([p.array for p in self.at]))), 1.0)

    @property
    def place(self) -> str:
        """What it is like there: "slope", "minimum", "saddle" or "plateau"."""
        low, high = self.curvature.least, self.curvature.largest
        bend, steepness = max(abs(low), abs(high)), float(np.linalg.norm(self.slope))
        scale = max(abs(self.loss), float(np.finfo(np.float32).tiny))
        # Over the length of all weights, neither slope nor curvature changes the loss.
        if max(bend * self.length**2, steepness * self.length) <= _FLAT * scale:
            return "plateau"
        if steepness**2 > 2.0 * _GAIN * bend * scale:
            return "slope"
        return "saddle" if low < -_NEGATIVE * bend else "minimum"

    def loss_beside(self, step: Array) -> float:
        """Return the loss on all rows a step away, of shape (weights,)."""
        return float(self.of(slice(None))(*self._beside(step)).item())

    def go(self, step: Array) -> None:
        """Give the network the weights a step away, of shape (weights,)."""
        for parameter, value in zip(self._parameters, self._beside(step), strict=True):
            parameter.assign(value.detach())

    def _beside(self, step: Array) -> list[Tensor]:
        return [p + part for p, part in zip(self.at, self._parts(step), strict=True)]

    def _parts(self, vector: Array) -> tuple[Tensor, ...]:
        parts, begun = [], 0
        for parameter in self.at:
            part = vector[begun : begun + parameter.size].reshape(parameter.shape)
            parts.append(leaf(part.astype(parameter.array.dtype)))
            begun += parameter.size
        return tuple(parts)
