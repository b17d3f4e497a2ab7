"""Discrete Fourier transforms as primitives, of which complex numbers are pairs of reals.

A complex tensor is here one of floats with a further, last axis of length 2: real and imaginary
parts. Nothing is divided by the length, so that each transform is the transpose of another.
"""

from __future__ import annotations

import numpy as np

from schuss.core import Array, Tensor, leaf
from schuss.lowering.kinds import HOST_CALL
from schuss.primitives.base import Primitive, Spec, apply
from schuss.primitives.batching import shifted
from schuss.primitives.elementwise import multiply

__all__ = ["complex_transform", "from_half_spectrum", "half_spectrum"]

_COMPLEX = {"float32": np.complex64, "float64": np.complex128}


def _as_complex(x: Array) -> Array:
    found: Array = np.ascontiguousarray(x).view(_COMPLEX[x.dtype.name])
    return found[..., 0]


def _as_pairs(z: Array) -> Array:
    found: Array = np.ascontiguousarray(z[..., None]).view(z.real.dtype)
    return found


def _along(weights: Array, axis: int, x: Tensor) -> Tensor:
    """Return numbers along one axis, to multiply pairs by."""
    return leaf(weights.astype(x.array.dtype).reshape(-1, *[1] * (x.ndim - axis - 1)))


def _counts(length: int, inner: float) -> Array:
    """Return `inner` for each frequency that stands for two, and 1 for the others."""
    counts = np.full(length // 2 + 1, inner)
    counts[0] = 1
    if length % 2 == 0:
        counts[-1] = 1
    return counts


def _half_shape(x: Spec, *, axis: int) -> Spec:
    return (*x[0][:axis], x[0][axis] // 2 + 1, *x[0][axis + 1 :], 2), x[1]


def _half_to_x(g: Tensor, y: Tensor, x: Tensor, *, axis: int) -> Tensor:
    length = x.shape[axis]
    halved = multiply(g, _along(_counts(length, 0.5), axis, g))
    return from_half_spectrum(halved, axis, length)


_half_spectrum = Primitive(
    "half_spectrum",
    value=lambda x, *, axis: _as_pairs(np.fft.rfft(x, axis=axis)),
    shape=_half_shape,
    derivative=(_half_to_x,),
    lower=HOST_CALL,
    batch=shifted("axis"),
)


def half_spectrum(x: Tensor, axis: int) -> Tensor:
    """Return sum over j of x[j] exp(-2 pi i j k / n) for k = 0, ..., n // 2, as pairs.

    Args:
        x: reals with at least one element along `axis`.
        axis: counted from the first.
    """
    return apply(_half_spectrum, (x,), {"axis": axis})


def _from_half_to_z(g: Tensor, y: Tensor, z: Tensor, *, axis: int, length: int) -> Tensor:
    found = half_spectrum(g, axis)
    return multiply(found, _along(_counts(length, 2.0), axis, found))


_from_half_spectrum = Primitive(
    "from_half_spectrum",
    value=lambda z, *, axis, length: np.fft.irfft(_as_complex(z), length, axis, norm="forward"),
    shape=lambda z, *, axis, length: ((*z[0][:axis], length, *z[0][axis + 1 : -1]), z[1]),
    derivative=(_from_half_to_z,),
    lower=HOST_CALL,
    batch=shifted("axis"),
)


def from_half_spectrum(z: Tensor, axis: int, length: int) -> Tensor:
    """Return sum over all k of z[k] exp(2 pi i j k / n), where z[n - k] is the conjugate of z[k].

    Args:
        z: pairs, length // 2 + 1 of them along `axis`; imaginary parts at 0 and n / 2 do not count.
        axis: counted from the first.
        length: n, at least 1.
    """
    return apply(_from_half_spectrum, (z,), {"axis": axis, "length": length})


def _complex_value(z: Array, *, axis: int, inverse: bool) -> Array:
    given = _as_complex(z)
    if inverse:
        return _as_pairs(np.fft.ifft(given, axis=axis, norm="forward"))
    return _as_pairs(np.fft.fft(given, axis=axis))


_complex_transform: Primitive = Primitive(
    "complex_transform",
    value=_complex_value,
    shape=lambda z, *, axis, inverse: z,
    derivative=(lambda g, y, z, *, axis, inverse: complex_transform(g, axis, inverse=not inverse),),
    lower=HOST_CALL,
    batch=shifted("axis"),
)


def complex_transform(z: Tensor, axis: int, *, inverse: bool) -> Tensor:
    """Return sum over j of z[j] exp(-2 pi i j k / n), or exp(2 pi i j k / n), for all k.

    Args:
        z: pairs, with at least one along `axis`.
        axis: counted from the first.
        inverse: which of the signs.
    """
    return apply(_complex_transform, (z,), {"axis": axis, "inverse": inverse})
