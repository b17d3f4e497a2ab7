"""InputScale: a network's first layers rewritten for inputs of mean 0 and deviation 1."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from schuss import nn
from schuss.core import Array, Tensor, leaf, no_grad
from schuss.nn.module import Module
from schuss.training.escape.rowwise import place_weights, unchanged, weights_of
from schuss.training.evaluation.examples import Examples, in_memory

__all__ = ["InputScale"]

# How far outputs on rewritten rows may be from those on the rows themselves, relative to them.
_TOLERANCE = 1e-3
# By how much weights are changed to see it.
_MOVED = 0.1


class InputScale:
    r"""The same function of rows as they are, and of rows of mean 0 and deviation 1.

    .. math:: W x + b = (W S) \, S^{-1} (x - m) + (b + W m)

    for linear layers W, b that take the inputs, with the columns' means m and deviations S. Second
    order steps and first weights for the one are good for any inputs, however they are measured.
    Where anything but linear layers takes the inputs, they stay as they are.

    Args:
        model: which is called with the rows; it stays as it is.
        examples: the rows.
    """

    def __init__(self, model: Module, examples: Examples) -> None:
        self._layers: list[tuple[slice, slice | None, int]] = []
        self.examples = examples
        columns = in_memory(list(examples.inputs))
        if columns is None or len(columns) != 1 or columns[0].ndim != 2:
            return
        rows = columns[0].array
        if not np.issubdtype(rows.dtype, np.floating):
            return
        first = _layers_of_inputs(model, columns[0])
        self._layers = _places(model, first)
        wide = rows.astype(np.float64)
        centre = wide.mean(axis=0)
        if any(bias is None for _, bias, _ in self._layers):
            centre = np.zeros_like(centre)
        spread = np.sqrt(((wide - centre) ** 2).mean(axis=0))
        self._centre, self._spread = centre, np.where(spread > 0.0, spread, 1.0)
        standard = ((wide - self._centre) / self._spread).astype(rows.dtype)
        self.examples = replace(examples, inputs=(standard,))
        if not self._layers or not self._is_right(model, columns[0], leaf(standard)):
            self._layers, self.examples = [], examples

    def _is_right(self, model: Module, rows: Tensor, standard: Tensor) -> bool:
        """Whether nothing else takes the inputs: the rewritten network has the same outputs."""
        before = weights_of(model)
        # (Weights that are all 0 somewhere would hide what lies before them.)
        noise = np.random.default_rng(0).normal(size=before.shape)
        moved = before + (_MOVED * noise).astype(before.dtype)
        try:
            with no_grad(), unchanged(model):
                place_weights(model, moved)
                expected = model(rows)
                place_weights(model, self.entered(moved))
                found = model(standard)
        finally:
            place_weights(model, before)
        if not isinstance(expected, Tensor) or not isinstance(found, Tensor):
            return False
        scale = float(np.abs(expected.array).max(initial=0.0))
        far = float(np.abs(found.array - expected.array).max(initial=0.0))
        return far <= _TOLERANCE * scale

    def entered(self, vector: Array) -> Array:
        """Return weights (size,) for `examples` that do what these do on rows as they are."""
        return self._changed(vector, self._spread, self._centre) if self._layers else vector

    def left(self, vector: Array) -> Array:
        """Return weights (size,) for rows as they are that do what these do on `examples`."""
        if not self._layers:
            return vector
        return self._changed(vector, 1.0 / self._spread, -self._centre / self._spread)

    def _changed(self, vector: Array, factor: Array, shift: Array) -> Array:
        found = vector.astype(np.float64)
        for weight, bias, units in self._layers:
            matrix = found[weight].reshape(units, -1).copy()
            if bias is not None:
                found[bias] += matrix @ shift
            found[weight] = (matrix * factor).reshape(-1)
        return found.astype(vector.dtype)


def _layers_of_inputs(model: Module, rows: Tensor) -> list[nn.Linear]:
    """Return the linear layers that are called with the inputs themselves."""
    found: dict[nn.Linear, None] = {}

    def look(module: nn.Linear, args: Any) -> None:
        if args and args[0] is rows:
            found[module] = None

    linear = [module for module in model.modules() if type(module) is nn.Linear]
    handles = [module.register_forward_pre_hook(look) for module in linear]
    try:
        with no_grad(), unchanged(model):
            model(rows)
    finally:
        for handle in handles:
            handle.remove()
    return list(found)


def _places(model: Module, layers: list[nn.Linear]) -> list[tuple[slice, slice | None, int]]:
    """Return where in a vector of all weights the layers' own lie, and how many units they have.

    None at all where one of them is not trained: it cannot be rewritten.
    """
    begun, places = 0, {}
    for parameter in model.parameters():
        if parameter.requires_grad:
            places[id(parameter)] = slice(begun, begun + parameter.size)
            begun += parameter.size
    found = []
    for layer in layers:
        own = [layer.weight] if layer.bias is None else [layer.weight, layer.bias]
        if any(id(parameter) not in places for parameter in own):
            return []
        bias = None if layer.bias is None else places[id(layer.bias)]
        found.append((places[id(layer.weight)], bias, layer.weight.shape[0]))
    return found
