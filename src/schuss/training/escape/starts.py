"""Starts: weights as a network's layers draw them anew, and others that keep signals alive."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import numpy as np

from schuss import random
from schuss.core import Array, Tensor, leaf
from schuss.nn import init
from schuss.nn.module import Module
from schuss.training.escape.rowwise import weights_of

__all__ = ["Starts"]

# What keeps the size of a signal through rectifiers (He et al., arXiv 1502.01852).
_GAIN = math.sqrt(2.0)


class Starts:
    """Draws weights for a network, by turns of two kinds.

    The first kind is drawn by the layers (`reset_parameters`); parameters of modules that have no
    such method are drawn with the mean and the deviation of what they are now. In the second,
    matrices of layers with units are orthogonal instead, times the root of 2, so that signals
    neither die nor explode in a deep and narrow network (Saxe et al., arXiv 1312.6120).

    Args:
        model: whose weights; it stays as it is.
    """

    def __init__(self, model: Module) -> None:
        self._copy = copy.deepcopy(model)
        self._kept: list[tuple[Tensor, float, float]] = []
        self._drawn: list[Callable[[], object]] = []
        for module in self._copy.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                self._drawn.append(reset)
                continue
            for parameter in module.parameters(recurse=False):
                values = parameter.array.astype(np.float64)
                self._kept.append((parameter, float(values.mean()), float(values.std())))
        self._matrices = [
            getattr(module, name)
            for module in self._copy.modules()
            for name in module.unit_axes
            if getattr(module, name).ndim >= 2
        ]
        self._units = _units(self._copy)

    def draw(self, count: int) -> Array:
        """Return the weights of so many networks: (count, size)."""
        return np.stack([self._one(orthogonal=number % 2 == 1) for number in range(count)])

    def _one(self, *, orthogonal: bool) -> Array:
        for reset in self._drawn:
            reset()
        for parameter, mean, deviation in self._kept:
            drawn = random.randn(parameter.shape).array * deviation + mean
            parameter.assign(leaf(drawn.astype(parameter.array.dtype)))
        if orthogonal:
            for matrix in self._matrices:
                init.orthogonal_(matrix, gain=_GAIN)
        return weights_of(self._copy)

    def change(self, vectors: Array, drawn: Array) -> Array:
        """Return copies of weights in each of which one unit has drawn ones instead.

        Args:
            vectors: the weights, (count, size).
            drawn: of `draw`, (count, size).
        """
        found = vectors.copy()
        numbers = random.rand(len(vectors)).array * len(self._units)
        for one, other, number in zip(found, drawn, numbers.astype(np.int64), strict=True):
            unit = self._units[min(number, len(self._units) - 1)]
            one[unit] = other[unit]
        return found


def _units(model: Module) -> list[Array]:
    """Return where in a vector of all weights those of each unit lie.

    A unit's are a module's own along their first axes: rows of its matrices, with its biases.
    """
    begun, places = 0, {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            indices = np.arange(begun, begun + parameter.size)
            places[id(parameter)] = indices.reshape(parameter.shape or (1,))
            begun += parameter.size
    found = []
    for module in model.modules():
        own = [places.pop(id(p)) for p in module.parameters(recurse=False) if id(p) in places]
        for length in dict.fromkeys(len(indices) for indices in own):
            rows = [indices.reshape(length, -1) for indices in own if len(indices) == length]
            found += list(np.concatenate(rows, axis=1))
    return found
