"""Interpolation: sequences, pictures and volumes at other sizes."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, tensor
from schuss.nn.functional._checks import require_floating, require_tensors
from schuss.nn.functional.adaptive_pooling import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
)
from schuss.nn.functional.convolution import lengths

__all__ = ["cubic_weights", "interpolate", "upsample", "upsample_bilinear", "upsample_nearest"]

_OWNER = "interpolate"
# The spatial axes that each mode is for.
_MODES = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}
_AREA = {1: adaptive_avg_pool1d, 2: adaptive_avg_pool2d, 3: adaptive_avg_pool3d}
# Of Keys' cubic convolution (1981).
_SLOPE = -0.75


def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Return sequences, pictures or volumes at another size.

    Args:
        input: shape (batch, channels, length), (..., height, width) or (..., depth, height, width).
        size: of the result, one number or one for each spatial axis; or instead
        scale_factor: of the result to the input, likewise.
        mode: "nearest", "nearest-exact" or "area"; "linear" for sequences, "bilinear" or "bicubic"
            for pictures, "trilinear" for volumes.
        align_corners: whether the centres of the corners, and not their outer edges, stay where
            they are; for the linear and cubic modes.
        recompute_scale_factor: whether the factor is taken anew from the rounded size.
        antialias: whether each element of a smaller result is a mean over all of the input that it
            stands for, as picture libraries have it; with "bilinear" and "bicubic".

    Raises:
        ValueError: if an option does not fit.

    >>> import schuss as ss
    >>> interpolate(ss.tensor([[[1.0, 3.0]]]), scale_factor=2, mode="linear").tolist()
    [[[1.0, 1.5, 2.5, 3.0]]]
    """
    require_tensors(_OWNER, input=input)
    axes = input.ndim - 2
    if mode not in _MODES or axes not in _MODES[mode]:
        fitting = ", ".join(repr(name) for name, known in _MODES.items() if axes in known)
        raise ValueError(
            f"{_OWNER}: expected mode for input of shape {input.shape} of "
            f"{fitting or 'none: 3 to 5 axes are known'}, got {mode!r}."
        )
    is_smooth = mode.endswith(("linear", "cubic"))
    if align_corners is not None and not is_smooth:
        raise ValueError(f"{_OWNER}: expected no align_corners with {mode!r}, got {align_corners}.")
    if is_smooth:
        require_floating(_OWNER, "input", input)
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(
            f"{_OWNER}: expected mode 'bilinear' or 'bicubic' with antialias, got {mode!r}."
        )
    out, factors = _sizes(input.shape[2:], size, scale_factor, recompute_scale_factor)
    if mode == "area":
        return _AREA[axes](input, out)
    x = input
    for axis, (n, m, factor) in enumerate(zip(input.shape[2:], out, factors, strict=True), 2):
        if is_smooth:
            scale = _scale(n, m, factor, x.array.dtype, bool(align_corners))
            if antialias:
                x = _averaged(x, axis, m, float(scale), cubic=mode == "bicubic")
                continue
            x = _smooth(x, axis, m, scale, cubic=mode == "bicubic", aligned=bool(align_corners))
        elif n != m:
            x = ops.take(x, _nearest(n, m, factor, exact=mode != "nearest"), axis=axis)
    return x


def _sizes(
    size: tuple[int, ...], wanted: Any, scale_factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], list[float | None]]:
    """Return the lengths of the result, and the factors, where they count."""
    if (wanted is None) == (scale_factor is None):
        raise ValueError(
            f"{_OWNER}: expected size or scale_factor, got {wanted} and {scale_factor}."
        )
    none: list[float | None] = [None] * len(size)
    if wanted is not None:
        if recompute:
            raise ValueError(f"{_OWNER}: expected scale_factor to recompute, got size.")
        return lengths(_OWNER, "size", wanted, len(size)), none
    given = scale_factor if isinstance(scale_factor, (tuple, list)) else [scale_factor] * len(size)
    factors = [float(f) for f in given]
    if len(factors) != len(size) or min(factors) <= 0:
        raise ValueError(
            f"{_OWNER}: expected scale_factor of {len(size)} numbers above 0, got {scale_factor}."
        )
    out = tuple(math.floor(n * f) for n, f in zip(size, factors, strict=True))
    if min(out) < 1:
        raise ValueError(f"{_OWNER}: expected a result of a size above 0, got {out}.")
    return out, none if recompute else list(factors)


def _scale(n: int, m: int, factor: float | None, dtype: Any, aligned: bool) -> Any:
    """Return the distance of the results in the input, in the arithmetic of the dtype."""
    if aligned:
        return dtype.type(n - 1) / dtype.type(m - 1) if m > 1 else dtype.type(0)
    return dtype.type(1.0 / factor) if factor else dtype.type(n) / dtype.type(m)


def _nearest(n: int, m: int, factor: float | None, *, exact: bool) -> Tensor:
    """Return which elements are the nearest; PyTorch counts in float32 here."""
    scale = _scale(n, m, factor, np.dtype(np.float32), False)
    places = np.arange(m, dtype=np.float32) + np.float32(0.5 if exact else 0.0)
    if m == 2 * n and not exact:
        return tensor(np.arange(m) // 2)
    return tensor(np.minimum(np.floor(places * scale).astype(np.int64), n - 1))


def _smooth(x: Tensor, axis: int, m: int, scale: Any, *, cubic: bool, aligned: bool) -> Tensor:
    """Return x along an axis, each element a sum of two neighbours or four."""
    n = x.shape[axis]
    if n == m and not cubic:
        return x
    centres = np.arange(m, dtype=x.array.dtype)
    at = (
        centres * scale
        if aligned
        else (centres + x.array.dtype.type(0.5)) * scale - x.array.dtype.type(0.5)
    )
    if not cubic:
        at = np.maximum(at, 0)
    first = np.floor(at)
    if not cubic:
        first = np.minimum(first, n - 1)
    t = np.clip(at - first, 0, 1)
    taps = cubic_weights(t) if cubic else {0: 1 - t, 1: t}
    shape = (m, *[1] * (x.ndim - axis - 1))
    result: Any = None
    for offset, weight in taps.items():
        places = np.clip(first.astype(np.int64) + offset, 0, n - 1)
        part = ops.take(x, tensor(places), axis=axis) * tensor(weight.reshape(shape))
        result = part if result is None else result + part
    return result  # type: ignore[no-any-return]  # there are taps


def _averaged(x: Tensor, axis: int, m: int, scale: float, *, cubic: bool) -> Tensor:
    """Return x along an axis, each element a mean by a triangle or a cubic over what it stands for.

    The cubic is that of picture libraries, with the slope -0.5.
    """
    n = x.shape[axis]
    wide = max(scale, 1.0)
    reach = wide * (2.0 if cubic else 1.0)
    centres = (np.arange(m) + 0.5) * scale
    first = np.maximum((centres - reach + 0.5).astype(np.int64), 0)[:, None]
    last = np.minimum((centres + reach + 0.5).astype(np.int64), n)[:, None]
    places = np.arange(n)
    t = np.abs((places - centres[:, None] + 0.5) / wide)
    near = np.where(t < 1.0, _near(t, -0.5), np.where(t < 2.0, _far(t, -0.5), 0.0))
    weights = near if cubic else np.maximum(1.0 - t, 0.0)
    weights = np.where((places >= first) & (places < last), weights, 0.0)
    weights /= weights.sum(1, keepdims=True)
    matrix = tensor(weights.astype(x.array.dtype))
    return ops.moveaxis(ops.tensordot(x, matrix, axes=((axis,), (1,))), -1, axis)


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Return what `interpolate` does, with a warning: the older name."""
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Return what `interpolate` does with "nearest", with a warning: an older name."""
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """Return what `interpolate` does with "bilinear" and aligned corners: an older name."""
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, "bilinear", align_corners=True)


def cubic_weights(t: Any) -> dict[int, Any]:
    """Return the weights of four neighbours, by where they are, of places t behind one."""
    return {-1: _far(t + 1.0), 0: _near(t), 1: _near(1.0 - t), 2: _far(2.0 - t)}


def _near(t: Any, slope: float = _SLOPE) -> Any:
    """Return the weight of an element at a distance up to 1."""
    return ((slope + 2) * t - (slope + 3)) * t * t + 1


def _far(t: Any, slope: float = _SLOPE) -> Any:
    """Return the weight of an element at a distance from 1 to 2."""
    return ((slope * t - 5 * slope) * t + 8 * slope) * t - 4 * slope
