"""What rules of descent make of the second moments of gradients, now and then: bases and roots.

Both take a number that says whether the step is one where they are made anew, and return what there
was before otherwise; so the other steps of a compiled program don't pay for LAPACK.
"""

from __future__ import annotations

import numpy as np

from schuss.core import Array, Tensor, int64
from schuss.lowering.kinds import HOST_CALL
from schuss.primitives.base import NOT_DIFFERENTIABLE, Primitive, Spec, apply, astype
from schuss.primitives.movement import basic_slice, reshape
from schuss.values.matrices import explained, packed

__all__ = ["FIRST", "KEEP", "REFRESH", "eigenbasis", "inverse_root"]

# What `eigenbasis` is to do.
KEEP, FIRST, REFRESH = 0.0, 1.0, 2.0


def _eigenbasis_value(todo: Array, matrix: Array, basis: Array) -> Array:
    n = matrix.shape[-1]
    order = np.arange(n)
    if todo == FIRST:
        with explained("eigenbasis", "finite numbers"):
            basis = np.linalg.eigh(matrix)[1][:, ::-1]
    elif todo == REFRESH:
        product = matrix @ basis
        order = np.argsort(-(basis * product).sum(0), kind="stable")
        with explained("eigenbasis", "finite numbers"):
            basis = np.linalg.qr(product[:, order])[0]
    return packed([basis, order.astype(matrix.dtype)], [(n, n), (n,)])


def _eigenbasis_shape(todo: Spec, matrix: Spec, basis: Spec) -> Spec:
    n = matrix[0][-1]
    return (n * n + n,), matrix[1]


_eigenbasis = Primitive(
    "eigenbasis",
    value=_eigenbasis_value,
    shape=_eigenbasis_shape,
    derivative=NOT_DIFFERENTIABLE,
    lower=HOST_CALL,
)


def eigenbasis(todo: Tensor, matrix: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """Return about the eigenvectors of a symmetric matrix, in columns, by falling eigenvalues.

    Args:
        todo: KEEP for the basis as it was; FIRST for the eigenvectors; REFRESH for one step of
            power iteration from the basis, and QR.
        matrix: shape (n, n).
        basis: the basis before, shape (n, n).

    Returns:
        The basis, and which columns of the old one its columns come from.
    """
    n = matrix.shape[-1]
    found = apply(_eigenbasis, (todo, matrix, basis), {})
    whole = reshape(basic_slice(found, (slice(0, n * n),)), (n, n))
    return whole, astype(basic_slice(found, (slice(n * n, None),)), int64)


def _inverse_root_value(wanted: Array, matrix: Array, before: Array, *, root: float) -> Array:
    if not wanted:
        return before
    with explained("inverse_root", "finite numbers"):
        values, vectors = np.linalg.eigh(matrix)
    # Rounding may leave an eigenvalue of almost nothing below zero; its size is what there is.
    found: Array = (vectors * np.abs(values) ** (-1.0 / root)) @ vectors.T
    return found.astype(matrix.dtype, copy=False)


_inverse_root = Primitive(
    "inverse_root",
    value=_inverse_root_value,
    shape=lambda wanted, matrix, before, *, root: matrix,
    derivative=NOT_DIFFERENTIABLE,
    lower=HOST_CALL,
)


def inverse_root(wanted: Tensor, matrix: Tensor, before: Tensor, *, root: float) -> Tensor:
    """Return matrix^(-1 / root), for a symmetric positive-definite one, where it is wanted.

    Args:
        wanted: 1, or 0 for what there was before.
        matrix: shape (n, n).
        before: what to return where it is not wanted, shape (n, n).
        root: which root, > 0.
    """
    return apply(_inverse_root, (wanted, matrix, before), {"root": float(root)})
