"""Primitives that solve systems of equations: with a square matrix, a triangle, a pseudo-inverse.

The last two axes are a matrix's, the axes before them are batch axes that broadcast. Everything
here is NumPy's (LAPACK's) also in compiled functions, see `HostCall`.
"""

from __future__ import annotations

import numpy as np

from schuss.core import Tensor, leaf
from schuss.lowering.kinds import HOST_CALL
from schuss.primitives.base import NO_ATTRIBUTES, NOT_DIFFERENTIABLE, Primitive, Spec, apply
from schuss.primitives.batching import batch_product
from schuss.primitives.contraction import exact_matmul as matmul
from schuss.primitives.contraction import matrix_transpose
from schuss.primitives.elementwise import add, multiply, negative, subtract
from schuss.primitives.logic import where
from schuss.primitives.movement import reshape
from schuss.primitives.reduction import sum
from schuss.values.matrices import cofactor_value, pinv_value, solve_value, triangular_value

__all__ = ["absolute_log_det", "det", "identity", "pinv", "sign_of_det", "solve"]
__all__ += ["solve_triangular", "triangle"]


def _system_shape(a: Spec, b: Spec, **attributes: bool) -> Spec:
    return (*np.broadcast_shapes(a[0][:-2], b[0][:-2]), *b[0][-2:]), b[1]


def identity(x: Tensor) -> Tensor:
    """Return the identity of the last axis's length, in x's dtype."""
    return leaf(np.eye(x.shape[-1], dtype=x.array.dtype))


def triangle(x: Tensor, *, upper: bool, strict: bool = False) -> Tensor:
    """Return x with zeros in its other triangle, and on the diagonal where `strict`."""
    rows, columns = np.ogrid[: x.shape[-2], : x.shape[-1]]
    away = columns - rows if upper else rows - columns
    return where(leaf(np.asarray(away >= int(strict))), x, 0.0)


_solve = Primitive(
    "solve",
    value=solve_value,
    shape=_system_shape,
    derivative=(
        lambda g, y, a, b: negative(matmul(solve(matrix_transpose(a), g), matrix_transpose(y))),
        lambda g, y, a, b: solve(matrix_transpose(a), g),
    ),
    batch=batch_product,
    lower=HOST_CALL,
)


def solve(a: Tensor, b: Tensor) -> Tensor:
    """Return x of a @ x = b, for matrices of one dtype of floats."""
    return apply(_solve, (a, b), NO_ATTRIBUTES)


def _triangular_to_a(
    g: Tensor, y: Tensor, a: Tensor, b: Tensor, *, upper: bool, unit: bool
) -> Tensor:
    back = solve_triangular(matrix_transpose(a), g, upper=not upper, unit=unit)
    return triangle(negative(matmul(back, matrix_transpose(y))), upper=upper, strict=unit)


_solve_triangular = Primitive(
    "solve_triangular",
    value=triangular_value,
    shape=_system_shape,
    derivative=(
        _triangular_to_a,
        lambda g, y, a, b, *, upper, unit: solve_triangular(
            matrix_transpose(a), g, upper=not upper, unit=unit
        ),
    ),
    batch=batch_product,
    lower=HOST_CALL,
)


def solve_triangular(a: Tensor, b: Tensor, *, upper: bool, unit: bool = False) -> Tensor:
    """Return x of a @ x = b, where only one triangle of `a` counts; `unit`: with ones in it."""
    return apply(_solve_triangular, (a, b), {"upper": upper, "unit": unit})


# Determinants.


def _without_matrix(x: Spec) -> Spec:
    return x[0][:-2], x[1]


def _spread(g: Tensor) -> Tensor:
    """Return one number for each matrix as matrices of one element."""
    return reshape(g, (*g.shape, 1, 1))


def _cofactor_to_x(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    turned = matrix_transpose(x)
    along = multiply(_spread(sum(multiply(g, y), (-2, -1))), solve(turned, identity(x)))
    return subtract(along, solve(turned, matmul(matrix_transpose(g), y)))


# Its own derivative needs an inverse.
_cofactor = Primitive(
    "cofactor",
    value=cofactor_value,
    shape=lambda x: x,
    derivative=(_cofactor_to_x,),
    lower=HOST_CALL,
)

_det = Primitive(
    "det",
    value=lambda x: np.asarray(np.linalg.det(x)),
    shape=_without_matrix,
    derivative=(lambda g, y, x: multiply(_spread(g), apply(_cofactor, (x,), NO_ATTRIBUTES)),),
    lower=HOST_CALL,
)


def det(x: Tensor) -> Tensor:
    """Return the determinants; their first derivative holds for singular matrices as well."""
    return apply(_det, (x,), NO_ATTRIBUTES)


_absolute_log_det = Primitive(
    "absolute_log_det",
    value=lambda x: np.asarray(np.linalg.slogdet(x).logabsdet),
    shape=_without_matrix,
    derivative=(lambda g, y, x: multiply(_spread(g), solve(matrix_transpose(x), identity(x))),),
    lower=HOST_CALL,
)


def absolute_log_det(x: Tensor) -> Tensor:
    """Return log |det(x)|, which may be where the determinant would overflow."""
    return apply(_absolute_log_det, (x,), NO_ATTRIBUTES)


_sign_of_det = Primitive(
    "sign_of_det",
    value=lambda x: np.asarray(np.linalg.slogdet(x).sign),
    shape=_without_matrix,
    derivative=NOT_DIFFERENTIABLE,
    lower=HOST_CALL,
)


def sign_of_det(x: Tensor) -> Tensor:
    """Return the signs of the determinants: -1, 0 or 1."""
    return apply(_sign_of_det, (x,), NO_ATTRIBUTES)


# The pseudo-inverse (Golub and Pereyra, 1973), where the rank does not change.


def _pinv_to_x(g: Tensor, y: Tensor, x: Tensor, atol: Tensor, rtol: Tensor) -> Tensor:
    turned, back = matrix_transpose(y), matrix_transpose(g)
    left, right = matmul(matmul(back, y), turned), matmul(matmul(turned, y), back)
    left = subtract(left, matmul(x, matmul(y, left)))
    right = subtract(right, matmul(matmul(right, y), x))
    return subtract(add(left, right), matmul(matmul(turned, g), turned))


_pinv = Primitive(
    "pinv",
    value=pinv_value,
    shape=lambda x, atol, rtol: ((*x[0][:-2], x[0][-1], x[0][-2]), x[1]),
    derivative=(_pinv_to_x, None, None),
    lower=HOST_CALL,
)


def pinv(x: Tensor, atol: Tensor, rtol: Tensor) -> Tensor:
    """Return the pseudo-inverse; see `pinv_value`. Tolerances have the batch's shape, or none."""
    return apply(_pinv, (x, atol, rtol), NO_ATTRIBUTES)
