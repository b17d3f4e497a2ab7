"""Orthogonal matrices of free ones: the exponential, and products of reflections."""

from __future__ import annotations

import math

import numpy as np

from schuss.core import TRACER, Tensor, TensorLike
from schuss.functions.matrices import floats, solve_triangular, square
from schuss.primitives.base import astype
from schuss.primitives.checks import Condition, require
from schuss.primitives.contraction import matmul, matrix_transpose
from schuss.primitives.elementwise import abs, multiply, subtract
from schuss.primitives.logic import where
from schuss.primitives.movement import basic_slice, reshape
from schuss.primitives.reduction import max, sum
from schuss.primitives.solving import triangle
from schuss.primitives.views import detach

__all__ = ["householder_product", "matrix_exp"]

# Below this 1-norm, so many terms of the series are right to the last digit of float64.
_SMALL, _TERMS = 0.5, 16
# So often a result is squared in a compiled function, where the norm is not known.
_SQUARINGS = 12


def matrix_exp(x: TensorLike) -> Tensor:
    """Return the exponential of square matrices, the sum of x^k / k!.

    By scaling and squaring: exp(x) = exp(x / 2^s)^(2^s), with 16 terms of the series.

    Args:
        x: shape (..., n, n).

    Raises:
        ValueError: for other shapes; in a compiled function, for a 1-norm above 2048.

    >>> from schuss.core import tensor
    >>> matrix_exp(tensor([[0.0, 1.0], [0.0, 0.0]]))
    tensor([[1., 1.],
            [0., 1.]])
    """
    x = square("matrix_exp", x)
    if not x.size:
        return x
    norm = max(sum(abs(detach(x)), -2))
    eye = np.eye(x.shape[-1], dtype=x.array.dtype)
    if TRACER.get() is None:
        size = float(norm)
        times = math.ceil(math.log2(size / _SMALL)) if _SMALL < size < math.inf else 0
        result = _series(x * 2.0**-times, eye)
        for _ in range(times):
            result = matmul(result, result)
        return result
    limit = _SMALL * 2.0**_SQUARINGS
    message = f"matrix_exp: expected a 1-norm of at most {limit:g} in a compiled function."
    require(Condition(ValueError, message, lambda n: n <= limit), norm)
    scale, result = norm * 0.0 + 1.0, x
    for k in range(_SQUARINGS):
        scale = where(norm > _SMALL * 2.0**k, scale * 0.5, scale)
    result = _series(x * scale, eye)
    for k in range(_SQUARINGS):
        result = where(norm > _SMALL * 2.0**k, matmul(result, result), result)
    return result


def _series(x: Tensor, eye: np.ndarray[tuple[int, ...], np.dtype[np.floating]]) -> Tensor:
    result = x * (1.0 / _TERMS) + eye
    for k in range(_TERMS - 1, 0, -1):
        result = matmul(x, result) * (1.0 / k) + eye
    return result


def householder_product(input: TensorLike, tau: TensorLike) -> Tensor:
    """Return the first columns of a product of reflections I - tau[i] v[i] v[i]^T.

    v[i] is column i of the input below its diagonal, with 1 on it and 0 above. All at once, the
    product is I - V T V^T, with a triangular T (Schreiber and Van Loan, 1989).

    Args:
        input: shape (..., m, n), n at most m.
        tau: shape (..., k), k at most n; of the first k columns.

    Raises:
        ValueError: for other shapes.
    """
    a, t = floats("householder_product", input), floats("householder_product", tau, 1)
    (m, n), k = a.shape[-2:], t.shape[-1]
    if not k <= n <= m or a.shape[:-2] != t.shape[:-1]:
        raise ValueError(
            "householder_product: expected input of shape (..., m, n), n at most m, and tau of "
            f"shape (..., k), k at most n, got {a.shape} and {t.shape}."
        )
    a, t = astype(basic_slice(a, (..., slice(k))), t.array.dtype), astype(t, a.array.dtype)
    v = triangle(a, upper=False, strict=True) + np.eye(m, k, dtype=a.array.dtype)
    factors = reshape(t, (*t.shape, 1))
    mixed = multiply(factors, triangle(matmul(matrix_transpose(v), v), upper=True, strict=True))
    diagonal = multiply(factors, np.eye(k, dtype=a.array.dtype))
    middle = solve_triangular(mixed, diagonal, upper=True, unitriangular=True)
    first = matrix_transpose(basic_slice(v, (..., slice(n), slice(None))))
    return subtract(np.eye(m, n, dtype=a.array.dtype), matmul(matmul(v, middle), first))
