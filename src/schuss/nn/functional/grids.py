"""Pictures and volumes read at places that are computed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, int64, tensor
from schuss.nn.functional._checks import require_floating, require_same_dtype, require_tensors
from schuss.nn.functional.resampling import cubic_weights

__all__ = ["affine_grid", "grid_sample"]

_MODES = ("bilinear", "nearest", "bicubic")
_PADDING_MODES = ("zeros", "border", "reflection")


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Return where each position of a result lies in the input of an affine map.

    Args:
        theta: the maps, floats of shape (batch, 2, 3) for pictures, (batch, 3, 4) for volumes.
        size: of the result: batch, channels and spatial lengths.
        align_corners: whether -1 and 1 are the centres of the corners, and not their outer edges.

    Returns:
        Shape (batch, *spatial, 2 or 3): x, y (and z), from -1 to 1 within the input.

    Raises:
        ValueError: if the shapes do not fit.

    >>> import schuss as ss
    >>> affine_grid(ss.eye(2, 3).reshape(1, 2, 3), (1, 1, 1, 2), align_corners=True).tolist()
    [[[[-1.0, 0.0], [1.0, 0.0]]]]
    """
    require_tensors("affine_grid", theta=theta)
    require_floating("affine_grid", "theta", theta)
    batch, spatial = size[0], tuple(size[2:])
    axes = len(spatial)
    if axes not in (2, 3) or theta.shape != (batch, axes, axes + 1) or min(size) < 1:
        raise ValueError(
            "affine_grid: expected theta of shape (batch, 2, 3) with size (batch, channels, height,"
            f" width), or (batch, 3, 4) for volumes, got {theta.shape} and {tuple(size)}."
        )
    places = np.ones((*spatial, axes + 1), theta.array.dtype)
    for axis, n in enumerate(spatial):
        along = np.linspace(-1.0, 1.0, n) if n > 1 else np.zeros(1)
        if not align_corners:
            along = along * (n - 1) / n
        places[..., axes - 1 - axis] = along.reshape(-1, *[1] * (axes - 1 - axis))
    flat = tensor(places.reshape(-1, axes + 1))
    return ops.reshape(ops.matmul(flat, ops.matrix_transpose(theta)), (batch, *spatial, axes))


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Return pictures or volumes read at the places of a grid, between their elements.

    Args:
        input: floats of shape (batch, channels, height, width) or (batch, channels, depth, height,
            width).
        grid: shape (batch, *spatial of the result, 2 or 3): x, y (and z), from -1 to 1 within the
            input; of the same dtype.
        mode: "bilinear", "nearest", or for pictures "bicubic".
        padding_mode: what is read outside: "zeros", the "border", or a "reflection".
        align_corners: whether -1 and 1 are the centres of the corners, and not their outer edges.

    Returns:
        Shape (batch, channels, *spatial of the result).

    Raises:
        ValueError: if shapes or options do not fit.
        TypeError: if a dtype does not.

    >>> import schuss as ss
    >>> x = ss.tensor([[[[1.0, 3.0]]]])
    >>> grid_sample(x, ss.tensor([[[[0.0, 0.0]]]]), align_corners=True).tolist()
    [[[[2.0]]]]
    """
    require_tensors("grid_sample", input=input, grid=grid)
    require_floating("grid_sample", "input", input)
    require_same_dtype("grid_sample", "grid", grid, input)
    axes = input.ndim - 2
    if axes not in (2, 3) or grid.ndim != axes + 2 or grid.shape[-1] != axes:
        raise ValueError(
            "grid_sample: expected input of shape (batch, channels, height, width) and grid of "
            f"shape (batch, height, width, 2), or of volumes, got {input.shape} and {grid.shape}."
        )
    if grid.shape[0] != input.shape[0]:
        raise ValueError(
            f"grid_sample: expected one batch, got {input.shape} and grid of {grid.shape}."
        )
    if mode not in _MODES or padding_mode not in _PADDING_MODES or (mode == _MODES[2] and axes > 2):
        raise ValueError(
            f"grid_sample: expected mode of {_MODES} (the last one for pictures alone) and "
            f"padding_mode of {_PADDING_MODES}, got {mode!r} and {padding_mode!r}."
        )
    aligned = bool(align_corners)
    size = input.shape[2:]
    # The grid's last axis begins with the input's last one.
    places = [_place(grid[..., axes - 1 - a], n, aligned) for a, n in enumerate(size)]
    if mode != "bicubic":
        places = [_inside(x, n, padding_mode, aligned) for x, n in zip(places, size, strict=True)]
    corners: list[list[tuple[Tensor, Tensor | None]]]
    if mode == "nearest":
        corners = [[(ops.round(x.detach()), None)] for x in places]
    else:
        corners = [_corners(x, cubic=mode == "bicubic") for x in places]
    result: Tensor | None = None
    for corner in itertools.product(*corners):
        at = [x for x, _ in corner]
        if mode == "bicubic":
            at = [_inside(x, n, padding_mode, aligned) for x, n in zip(at, size, strict=True)]
        part = _read(input, at)
        for _, weight in corner:
            if weight is not None:
                part = part * ops.expand_dims(weight, axis=1)
        result = part if result is None else result + part
    assert result is not None  # there is a corner
    return result


def _place(x: Tensor, n: int, aligned: bool) -> Tensor:
    """Return places from -1 to 1 as places among n elements."""
    return (x + 1.0) * ((n - 1) / 2) if aligned else ((x + 1.0) * n - 1.0) * 0.5


def _inside(x: Tensor, n: int, padding_mode: str, aligned: bool) -> Tensor:
    """Return places as the padding has them."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        low, high = (0.0, n - 1.0) if aligned else (-0.5, n - 0.5)
        span = high - low
        if not span:
            return x * 0.0
        distance = ops.abs(x - low)
        turns = ops.floor(distance.detach() / span)
        rest = distance - turns * span
        x = ops.where(turns % 2 == 0, rest + low, high - rest)
    return ops.clip(x, 0.0, n - 1.0)


def _corners(x: Tensor, *, cubic: bool) -> list[tuple[Tensor, Tensor | None]]:
    """Return the elements around places, and their weights."""
    first = ops.floor(x.detach())
    t = x - first
    weights = cubic_weights(t) if cubic else {0: 1.0 - t, 1: t}
    return [(first + float(offset), weight) for offset, weight in weights.items()]


def _read(x: Tensor, at: Sequence[Tensor]) -> Tensor:
    """Return the elements at whole places, one tensor for each axis; 0 where there is none."""
    size = x.shape[2:]
    flat: Tensor | None = None
    there: Tensor | None = None
    for n, place in zip(size, at, strict=True):
        is_there = ops.logical_and(place >= 0.0, place <= n - 1.0)
        whole = ops.astype(ops.where(is_there, place, 0.0), int64)
        flat = whole if flat is None else flat * n + whole
        there = is_there if there is None else ops.logical_and(there, is_there)
    assert flat is not None  # there is an axis
    assert there is not None
    rows = ops.reshape(flat, (flat.shape[0], 1, -1))
    rows = ops.broadcast_to(rows, (*x.shape[:2], rows.shape[2]))
    taken = ops.take_along_axis(ops.reshape(x, (*x.shape[:2], -1)), rows, axis=2)
    found = ops.reshape(taken, (*x.shape[:2], *flat.shape[1:]))
    return ops.where(ops.expand_dims(there, axis=1), found, 0.0)
