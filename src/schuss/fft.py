"""Fourier transforms, of which complex numbers are pairs of reals.

There are no complex tensors here. A function `rfft_as_real` is PyTorch's `rfft` between
`torch.view_as_real` and `torch.view_as_complex`: where PyTorch has a complex tensor, this one has
a tensor of floats with a further, last axis of length 2, the real and the imaginary part. Axes are
counted without that one. Everything has derivatives of any order, and compiles.

The magnitudes of a spectrum are `norm(rfft_as_real(x), axis=-1)`.

>>> from schuss import fft, tensor
>>> fft.rfft_as_real(tensor([1.0, 0.0, -1.0, 0.0])).tolist()
[[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]]
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.core import Tensor, TensorLike, leaf, supported_dtype
from schuss.functions.shapes import roll
from schuss.primitives import fourier
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import as_tensor
from schuss.primitives.elementwise import multiply
from schuss.primitives.movement import basic_slice, pad

__all__ = ["fft2_as_real", "fft_as_real", "fftfreq", "fftn_as_real", "fftshift", "ifft2_as_real"]
__all__ += ["ifft_as_real", "ifftn_as_real", "ifftshift", "irfft2_as_real", "irfft_as_real"]
__all__ += ["irfftn_as_real", "rfft2_as_real", "rfft_as_real", "rfftfreq", "rfftn_as_real"]

Axes = Sequence[int] | int | None
Lengths = Sequence[int] | None
_LAST_TWO = (-2, -1)


def reals(owner: str, x: TensorLike) -> Tensor:
    x = as_tensor(x)
    if x.array.dtype.kind != "f" or not x.ndim:
        raise TypeError(
            f"{owner}: expected floats with at least one axis, got {x.array.dtype} of "
            f"shape {x.shape}."
        )
    return x


def pairs(owner: str, z: TensorLike) -> Tensor:
    z = reals(owner, z)
    if z.shape[-1] != 2 or z.ndim < 2:
        raise ValueError(
            f"{owner}: expected real and imaginary parts in a last axis of length 2, got shape "
            f"{z.shape}; stack([real, imaginary], axis=-1) makes one."
        )
    return z


def _axes_and_lengths(
    owner: str, ndim: int, s: Lengths, dim: Axes
) -> tuple[tuple[int, ...], list[int]]:
    """Return which axes are transformed, and the length that each is to have, -1 for its own."""
    if dim is None:
        dim = range(ndim) if s is None else range(ndim - len(s), ndim)
    axes = normalize_axes((dim,) if isinstance(dim, int) else tuple(dim), ndim, owner)
    lengths = [-1] * len(axes) if s is None else list(s)
    if not axes or len(lengths) != len(axes) or any(n < -1 or n == 0 for n in lengths):
        raise ValueError(
            f"{owner}: expected a positive length (or -1) for each of the axes {axes}, got {s}."
        )
    return axes, lengths


def _fitted(owner: str, x: Tensor, axis: int, length: int) -> Tensor:
    """Return x cut off, or continued with zeros, to a length along an axis."""
    own = x.shape[axis]
    if length == -1 or length == own:
        if not own:
            raise ValueError(f"{owner}: expected at least one element, got shape {x.shape}.")
        return x
    if length < own:
        return basic_slice(x, (*[slice(None)] * axis, slice(length)))
    return pad(x, [(0, length - own if a == axis else 0) for a in range(x.ndim)])


def _scaled(owner: str, x: Tensor, count: int, norm: str | None, *, inverse: bool) -> Tensor:
    if norm not in (None, "backward", "ortho", "forward"):
        raise ValueError(f"{owner}: expected norm 'backward', 'ortho' or 'forward', got {norm!r}.")
    if norm == "ortho":
        return multiply(x, 1.0 / math.sqrt(count))
    return multiply(x, 1.0 / count) if inverse != (norm == "forward") else x


def _transformed(
    owner: str, z: TensorLike, s: Lengths, dim: Axes, norm: str | None, *, inverse: bool
) -> Tensor:
    z = pairs(owner, z)
    axes, lengths = _axes_and_lengths(owner, z.ndim - 1, s, dim)
    for axis, length in zip(axes, lengths, strict=True):
        z = fourier.complex_transform(_fitted(owner, z, axis, length), axis, inverse=inverse)
    count = math.prod(z.shape[a] for a in axes)
    return _scaled(owner, z, count, norm, inverse=inverse)


def fft_as_real(
    z: TensorLike, n: int | None = None, dim: int = -1, norm: str | None = None
) -> Tensor:
    """Return the transform of complex numbers along `dim`.

    Args:
        z: pairs, shape (..., 2).
        n: the length to cut off, or to continue with zeros, to.
        dim: the axis, counted without the pairs'.
        norm: "backward" (the default), where the inverse is divided by n; "forward", where this
            one is; "ortho", where both are by its root.

    Returns:
        Pairs, shape (..., 2).
    """
    return _transformed("fft", z, None if n is None else (n,), dim, norm, inverse=False)


def ifft_as_real(
    z: TensorLike, n: int | None = None, dim: int = -1, norm: str | None = None
) -> Tensor:
    """Return the inverse transform of complex numbers along `dim`; see `fft_as_real`."""
    return _transformed("ifft", z, None if n is None else (n,), dim, norm, inverse=True)


def fftn_as_real(
    z: TensorLike, s: Lengths = None, dim: Axes = None, norm: str | None = None
) -> Tensor:
    """Return the transform of complex numbers along several axes, all by default.

    Args:
        z: pairs, shape (..., 2).
        s: for each axis the length to cut off or to continue with zeros to, -1 for its own.
        dim: the axes, counted without the pairs'; the last ones where only s is given.
        norm: see `fft_as_real`.
    """
    return _transformed("fftn", z, s, dim, norm, inverse=False)


def ifftn_as_real(
    z: TensorLike, s: Lengths = None, dim: Axes = None, norm: str | None = None
) -> Tensor:
    """Return the inverse transform of complex numbers along several axes; see `fftn_as_real`."""
    return _transformed("ifftn", z, s, dim, norm, inverse=True)


def fft2_as_real(
    z: TensorLike, s: Lengths = None, dim: Axes = _LAST_TWO, norm: str | None = None
) -> Tensor:
    """Return the transform of complex numbers along two axes, the last ones by default."""
    return fftn_as_real(z, s, dim, norm)


def ifft2_as_real(
    z: TensorLike, s: Lengths = None, dim: Axes = _LAST_TWO, norm: str | None = None
) -> Tensor:
    """Return the inverse transform of complex numbers along two axes, the last by default."""
    return ifftn_as_real(z, s, dim, norm)


def rfftn_as_real(
    x: TensorLike, s: Lengths = None, dim: Axes = None, norm: str | None = None
) -> Tensor:
    """Return the transform of reals along several axes; of the last one the frequencies to n // 2.

    Args:
        x: floats.
        s: for each axis the length to cut off or to continue with zeros to, -1 for its own.
        dim: the axes, all by default; the last ones where only s is given.
        norm: see `fft_as_real`.

    Returns:
        Pairs, x's shape with n // 2 + 1 in the place of the last axis' length n, and 2.
    """
    x = reals("rfftn", x)
    axes, lengths = _axes_and_lengths("rfftn", x.ndim, s, dim)
    x = _fitted("rfftn", x, axes[-1], lengths[-1])
    count = x.shape[axes[-1]]
    z = fourier.half_spectrum(x, axes[-1])
    for axis, length in zip(axes[:-1], lengths[:-1], strict=True):
        z = fourier.complex_transform(_fitted("rfftn", z, axis, length), axis, inverse=False)
        count *= z.shape[axis]
    return _scaled("rfftn", z, count, norm, inverse=False)


def irfftn_as_real(
    z: TensorLike, s: Lengths = None, dim: Axes = None, norm: str | None = None
) -> Tensor:
    """Return the reals of which `rfftn_as_real` gives these frequencies.

    Args:
        z: pairs, shape (..., 2).
        s: the lengths of the result along the axes; of the last one 2 (m - 1) by default, for m
            frequencies.
        dim: the axes, counted without the pairs', all by default.
        norm: see `fft_as_real`.
    """
    z = pairs("irfftn", z)
    axes, lengths = _axes_and_lengths("irfftn", z.ndim - 1, s, dim)
    *others, last = axes
    length = 2 * (z.shape[last] - 1) if lengths[-1] == -1 else lengths[-1]
    if length < 1:
        raise ValueError(f"irfftn: expected a length of at least 1, got {length}; give s.")
    z = _fitted("irfftn", z, last, length // 2 + 1)
    count = length
    for axis, n in zip(others, lengths[:-1], strict=True):
        z = fourier.complex_transform(_fitted("irfftn", z, axis, n), axis, inverse=True)
        count *= z.shape[axis]
    found = fourier.from_half_spectrum(z, last, length)
    return _scaled("irfftn", found, count, norm, inverse=True)


def rfft_as_real(
    x: TensorLike, n: int | None = None, dim: int = -1, norm: str | None = None
) -> Tensor:
    """Return the frequencies 0 to n // 2 of reals along `dim`.

    Args:
        x: floats.
        n: the length to cut off, or to continue with zeros, to.
        dim: the axis.
        norm: see `fft_as_real`.

    Returns:
        Pairs, x's shape with n // 2 + 1 in the place of n, and 2.
    """
    return rfftn_as_real(x, None if n is None else (n,), dim, norm)


def irfft_as_real(
    z: TensorLike, n: int | None = None, dim: int = -1, norm: str | None = None
) -> Tensor:
    """Return the reals of which `rfft_as_real` gives these frequencies.

    Args:
        z: pairs, shape (..., 2).
        n: the length of the result, 2 (m - 1) by default for m frequencies.
        dim: the axis, counted without the pairs'.
        norm: see `fft_as_real`.
    """
    return irfftn_as_real(z, None if n is None else (n,), dim, norm)


def rfft2_as_real(
    x: TensorLike, s: Lengths = None, dim: Axes = _LAST_TWO, norm: str | None = None
) -> Tensor:
    """Return the transform of reals along two axes, the last by default; see `rfftn_as_real`."""
    return rfftn_as_real(x, s, dim, norm)


def irfft2_as_real(
    z: TensorLike, s: Lengths = None, dim: Axes = _LAST_TWO, norm: str | None = None
) -> Tensor:
    """Return the reals of which `rfft2_as_real` gives these; see `irfftn_as_real`."""
    return irfftn_as_real(z, s, dim, norm)


def fftfreq(n: int, d: float = 1.0, *, dtype: Any = None) -> Tensor:
    """Return the frequencies of a transform's elements, in cycles a unit of `d`.

    Args:
        n: the length.
        d: the distance of two elements.
        dtype: float32 by default.
    """
    return leaf(np.fft.fftfreq(n, d).astype(supported_dtype(dtype)))


def rfftfreq(n: int, d: float = 1.0, *, dtype: Any = None) -> Tensor:
    """Return the frequencies of the elements of `rfft_as_real`; see `fftfreq`."""
    return leaf(np.fft.rfftfreq(n, d).astype(supported_dtype(dtype)))


def fftshift(x: TensorLike, dim: Axes = None) -> Tensor:
    """Return x with frequency 0 moved to the middle of axes (all by default).

    Of pairs, give the axes: their own one is an axis as others are.
    """
    return _shifted("fftshift", x, dim, 0)


def ifftshift(x: TensorLike, dim: Axes = None) -> Tensor:
    """Return x with frequency 0 moved back from the middle to the start; see `fftshift`."""
    return _shifted("ifftshift", x, dim, 1)


def _shifted(owner: str, x: TensorLike, dim: Axes, more: int) -> Tensor:
    x = as_tensor(x)
    named = None if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)
    axes = normalize_axes(named, x.ndim, owner)
    return roll(x, tuple((x.shape[a] + more) // 2 for a in axes), axis=axes)


def __getattr__(name: str) -> Any:
    if f"{name}_as_real" in __all__:
        raise AttributeError(
            f"schuss.fft.{name}: there are no complex numbers here; {name}_as_real has their real "
            "and imaginary parts in a last axis of length 2, as torch.view_as_real gives them."
        )
    raise AttributeError(f"module 'schuss.fft' has no attribute {name!r}")
