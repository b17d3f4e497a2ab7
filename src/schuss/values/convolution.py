"""NumPy values of convolutions over channels-last arrays: one matrix product for each tap."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from schuss.core import Array

__all__ = ["Geometry", "convolution", "convolution_input", "convolution_weight"]


@dataclass(frozen=True)
class Geometry:
    """Which position of the input each tap of the kernel reads for each position of the output.

    Along each axis position o of the output reads position o * stride - padding + k * dilation of
    the input with tap k; what lies outside of the input is 0.

    Args:
        size: of the input, for each axis.
        kernel: taps.
        out: size of the output.
        stride: step of the input for each step of the output.
        padding: zeros before the first element.
        dilation: step between taps.
    """

    size: tuple[int, ...]
    kernel: tuple[int, ...]
    out: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]

    def taps(self) -> Iterator[tuple[tuple[int, ...], Any, Any]]:
        """Yield each tap that reads anything, with the parts of input and output that it joins."""
        for tap in product(*map(range, self.kernel)):
            parts = [self._overlap(axis, k) for axis, k in enumerate(tap)]
            if all(inside for inside, _ in parts):
                yield (
                    tap,
                    (slice(None), *(s for s, _ in parts)),
                    (slice(None), *(o for _, o in parts)),
                )

    def _overlap(self, axis: int, k: int) -> tuple[slice | None, slice | None]:
        n, m, step = self.size[axis], self.out[axis], self.stride[axis]
        shift = k * self.dilation[axis] - self.padding[axis]
        first = max(-(shift // step), 0)
        last = min((n - 1 - shift) // step, m - 1)
        if last < first:
            return None, None
        start = first * step + shift
        return slice(start, last * step + shift + 1, step), slice(first, last + 1)


def _grouped(x: Array, groups: int) -> Array:
    """Return the channels of each group as matrices: shape (groups, positions, channels)."""
    rows = x.reshape(-1, groups, x.shape[-1] // groups)
    return rows.transpose(1, 0, 2)


def _ungrouped(x: Array, shape: tuple[int, ...]) -> Array:
    return x.transpose(1, 0, 2).reshape(shape)


def _at(weight: Array, tap: tuple[int, ...], groups: int) -> Array:
    """Return the weights of a tap: shape (groups, outputs, inputs)."""
    at: Any = (slice(None), slice(None), *tap)
    found: Array = weight[at]
    return found.reshape(groups, -1, found.shape[1])


def _of_channels(weight: Array, tap: tuple[int, ...]) -> Array:
    """Return the weights of a tap of a depthwise convolution: one for each channel."""
    at: Any = (slice(None), 0, *tap)
    found: Array = weight[at]
    return found


def _is_depthwise(inputs: int, outputs: int, groups: int) -> bool:
    return inputs == outputs == groups


def convolution(x: Array, weight: Array, geometry: Geometry, groups: int) -> Array:
    """Return the output, shape (batch, *out, outputs)."""
    outputs = weight.shape[0]
    found = np.zeros((x.shape[0], *geometry.out, outputs), x.dtype)
    depthwise = _is_depthwise(x.shape[-1], outputs, groups)
    for tap, inside, outside in geometry.taps():
        part = x[inside]
        if depthwise:
            found[outside] += part * _of_channels(weight, tap)
        else:
            terms = _grouped(part, groups) @ _at(weight, tap, groups).transpose(0, 2, 1)
            found[outside] += _ungrouped(terms, (*part.shape[:-1], outputs))
    return found


def convolution_input(g: Array, weight: Array, geometry: Geometry, groups: int) -> Array:
    """Return what flows back to the input, shape (batch, *size, inputs)."""
    inputs = weight.shape[1] * groups
    found = np.zeros((g.shape[0], *geometry.size, inputs), g.dtype)
    depthwise = _is_depthwise(inputs, g.shape[-1], groups)
    for tap, inside, outside in geometry.taps():
        part = g[outside]
        if depthwise:
            found[inside] += part * _of_channels(weight, tap)
        else:
            terms = _grouped(part, groups) @ _at(weight, tap, groups)
            found[inside] += _ungrouped(terms, (*part.shape[:-1], inputs))
    return found


def convolution_weight(x: Array, g: Array, geometry: Geometry, groups: int) -> Array:
    """Return what flows back to the weight, shape (outputs, inputs of a group, *kernel)."""
    inputs, outputs = x.shape[-1] // groups, g.shape[-1]
    found = np.zeros((outputs, inputs, *geometry.kernel), x.dtype)
    depthwise = _is_depthwise(x.shape[-1], outputs, groups)
    for tap, inside, outside in geometry.taps():
        at: Any = (slice(None), slice(None), *tap)
        if depthwise:
            axes = tuple(range(x.ndim - 1))
            found[at] = (x[inside] * g[outside]).sum(axes)[:, np.newaxis]
        else:
            terms = _grouped(g[outside], groups).transpose(0, 2, 1) @ _grouped(x[inside], groups)
            found[at] = terms.reshape(outputs, inputs)
    return found
