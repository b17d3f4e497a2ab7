"""Decompositions of matrices as primitives: QR, Cholesky, eigenvalues, singular values.

The parts of one lie in one array (see `values/matrices.py`), which `_parts_of` takes apart again.
The derivatives are those of what does not depend on the choices that a decomposition leaves: signs
of vectors, and turns among vectors of equal values. As in PyTorch each part has a rule of its own,
so that values have a derivative where they are equal, and their vectors have none that is finite.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import numpy as np

from schuss.core import RECORDING, Array, Tensor, leaf, next_stamp
from schuss.lowering.kinds import HOST_CALL
from schuss.primitives.base import NO_ATTRIBUTES, NOT_DIFFERENTIABLE, Primitive, Spec, apply
from schuss.primitives.contraction import exact_matmul as matmul
from schuss.primitives.contraction import matrix_transpose
from schuss.primitives.elementwise import add, divide, multiply, subtract
from schuss.primitives.logic import where
from schuss.primitives.movement import basic_slice, reshape
from schuss.primitives.solving import solve_triangular, triangle
from schuss.values.matrices import explained, packed, part_sizes

__all__ = ["cholesky", "eigh", "eigvalsh", "qr", "svd", "svdvals"]

Shapes = list[tuple[int, ...]]


def _parts_of(x: Tensor, shapes: Shapes) -> list[Tensor]:
    """Return the parts of a packed decomposition, which have these shapes after the batch."""
    sizes = part_sizes(shapes)
    ends = accumulate(sizes)
    batch = x.shape[:-1]
    return [
        reshape(basic_slice(x, (Ellipsis, slice(end - size, end))), (*batch, *shape))
        for end, size, shape in zip(ends, sizes, shapes, strict=True)
    ]


def _packed_shape(x: Spec, shapes: Shapes) -> Spec:
    return (*x[0][:-2], sum(part_sizes(shapes))), x[1]


def _diagonal(length: int) -> Tensor:
    return leaf(np.eye(length, dtype=bool))


def _as_row(x: Tensor) -> Tensor:
    return reshape(x, (*x.shape[:-1], 1, x.shape[-1]))


def _as_column(x: Tensor) -> Tensor:
    return reshape(x, (*x.shape, 1))


class _Part:
    """The making of one part of a decomposition, as the reverse pass sees it.

    Args:
        name: what errors call it.
        rule: takes the error in the part back to x, given x and the whole, packed decomposition.
    """

    def __init__(self, name: str, rule: Callable[..., Tensor]) -> None:
        self.name = name
        self.derivative = (rule, None)


def _made_by(
    part: _Part, value: Tensor, x: Tensor, whole: Tensor, attributes: dict[str, Any]
) -> Tensor:
    """Return a part that was cut out of the whole, recorded where a gradient may flow."""
    if x.requires_grad and RECORDING.get():
        value.requires_grad = True
        value.node = (part, (x, whole), attributes)
        value.stamp = next_stamp()
    return value


def _gaps(values: Tensor) -> Tensor:
    """Return values[j] - values[i] at (i, j), and 1 on the diagonal."""
    gaps = subtract(_as_row(values), _as_column(values))
    return where(_diagonal(values.shape[-1]), 1.0, gaps)


# QR of matrices that are not wide: Q has the shape of x, R is square (Walter and Lehmann, 2012).
# Complete, Q has further columns, which are arbitrary, and R has zeros below.


def _qr_shapes(x: tuple[int, ...], complete: bool) -> Shapes:
    m, n = x[-2:]
    return [(m, m), (m, n)] if complete else [(m, n), (n, n)]


def _qr_value(x: Array, *, complete: bool) -> Array:
    with explained("qr", "finite numbers"):
        found = np.linalg.qr(x, "complete" if complete else "reduced")
    return packed(found, _qr_shapes(x.shape, complete))


def _qr_to_x(g: Tensor, y: Tensor, x: Tensor, *, complete: bool) -> Tensor:
    if complete:
        raise ValueError(
            "qr: expected mode 'reduced' where a gradient is wanted of a matrix with more rows "
            "than columns, got 'complete'; the further columns of Q are arbitrary."
        )
    shapes = _qr_shapes(x.shape, complete)
    (q, r), (to_q, to_r) = _parts_of(y, shapes), _parts_of(g, shapes)
    inner = subtract(matmul(to_r, matrix_transpose(r)), matmul(matrix_transpose(q), to_q))
    upper = triangle(inner, upper=True)
    even = add(upper, matrix_transpose(triangle(inner, upper=True, strict=True)))
    total = add(to_q, matmul(q, even))
    return matrix_transpose(solve_triangular(r, matrix_transpose(total), upper=True))


_qr = Primitive(
    "qr",
    value=_qr_value,
    shape=lambda x, *, complete: _packed_shape(x, _qr_shapes(x[0], complete)),
    derivative=(_qr_to_x,),
    lower=HOST_CALL,
)


def qr(x: Tensor, *, complete: bool) -> tuple[Tensor, Tensor]:
    """Return Q, with orthonormal columns, and the upper triangle R of x = Q @ R; x is not wide."""
    found = apply(_qr, (x,), {"complete": complete})
    q, r = _parts_of(found, _qr_shapes(x.shape, complete))
    return q, r


# Cholesky (Murray, 2016).


def _cholesky_value(x: Array) -> Array:
    with explained("cholesky", "a positive-definite matrix"):
        return np.asarray(np.linalg.cholesky(x))


def _cholesky_to_x(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    turned = matrix_transpose(y)
    inner = triangle(matmul(turned, g), upper=False)
    half = where(_diagonal(x.shape[-1]), multiply(inner, 0.5), inner)
    left = solve_triangular(turned, half, upper=True)
    total = matrix_transpose(solve_triangular(turned, matrix_transpose(left), upper=True))
    return multiply(add(total, matrix_transpose(total)), 0.5)


_cholesky = Primitive(
    "cholesky",
    value=_cholesky_value,
    shape=lambda x: x,
    derivative=(_cholesky_to_x,),
    lower=HOST_CALL,
)


def cholesky(x: Tensor) -> Tensor:
    """Return the lower triangle L of x = L @ L.T, for symmetric matrices."""
    return apply(_cholesky, (x,), NO_ATTRIBUTES)


# Eigenvalues of symmetric matrices, ascending. Only the lower triangle is read, but the error that
# flows back is that of a symmetric matrix.


def _eigh_shapes(x: tuple[int, ...]) -> Shapes:
    return [x[-1:], x[-2:]]


def _eigh_value(x: Array) -> Array:
    with explained("eigh", "finite numbers"):
        return packed(np.linalg.eigh(x), _eigh_shapes(x.shape))


_eigh = Primitive(
    "eigh",
    value=_eigh_value,
    shape=lambda x: _packed_shape(x, _eigh_shapes(x[0])),
    derivative=NOT_DIFFERENTIABLE,
    lower=HOST_CALL,
)


def _eigenvalues_to_x(g: Tensor, y: Tensor, x: Tensor, whole: Tensor) -> Tensor:
    _, vectors = _eigh_parts(x, whole)
    return matmul(multiply(vectors, _as_row(g)), matrix_transpose(vectors))


def _eigenvectors_to_x(g: Tensor, y: Tensor, x: Tensor, whole: Tensor) -> Tensor:
    values, vectors = _eigh_parts(x, whole)
    turned = matrix_transpose(vectors)
    turns = where(_diagonal(x.shape[-1]), 0.0, divide(matmul(turned, g), _gaps(values)))
    return matmul(matmul(vectors, turns), turned)


_EIGENVALUES = _Part("eigh (eigenvalues)", _eigenvalues_to_x)
_EIGENVECTORS = _Part("eigh (eigenvectors)", _eigenvectors_to_x)


def _eigh_parts(x: Tensor, whole: Tensor) -> tuple[Tensor, Tensor]:
    values, vectors = _parts_of(whole, _eigh_shapes(x.shape))
    return (
        _made_by(_EIGENVALUES, values, x, whole, NO_ATTRIBUTES),
        _made_by(_EIGENVECTORS, vectors, x, whole, NO_ATTRIBUTES),
    )


def eigh(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return eigenvalues, ascending, and eigenvectors, in columns, of symmetric matrices."""
    return _eigh_parts(x, apply(_eigh, (x,), NO_ATTRIBUTES))


def _eigvalsh_value(x: Array) -> Array:
    with explained("eigvalsh", "finite numbers"):
        return np.asarray(np.linalg.eigvalsh(x))


def _eigvalsh_to_x(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    _, vectors = eigh(x)
    return matmul(multiply(vectors, _as_row(g)), matrix_transpose(vectors))


_eigvalsh = Primitive(
    "eigvalsh",
    value=_eigvalsh_value,
    shape=lambda x: (x[0][:-1], x[1]),
    derivative=(_eigvalsh_to_x,),
    lower=HOST_CALL,
)


def eigvalsh(x: Tensor) -> Tensor:
    """Return the eigenvalues, ascending, of symmetric matrices."""
    return apply(_eigvalsh, (x,), NO_ATTRIBUTES)


# Singular values, descending. With `full` U and Vh are square; what is more than the other case
# has is arbitrary, and errors in it are let go.


def _svd_shapes(x: tuple[int, ...], full: bool) -> Shapes:
    m, n = x[-2:]
    k = min(m, n)
    return [(m, m if full else k), (k,), (n if full else k, n)]


def _svd_value(x: Array, *, full: bool) -> Array:
    with explained("svd", "finite numbers"):
        return packed(np.linalg.svd(x, full_matrices=full), _svd_shapes(x.shape, full))


_svd = Primitive(
    "svd",
    value=_svd_value,
    shape=lambda x, *, full: _packed_shape(x, _svd_shapes(x[0], full)),
    derivative=NOT_DIFFERENTIABLE,
    lower=HOST_CALL,
)


def _first(x: Tensor, count: int, axis: int) -> Tensor:
    """Return the first columns (axis -1) or rows (axis -2) of matrices."""
    index = (Ellipsis, slice(count)) if axis == -1 else (Ellipsis, slice(count), slice(None))
    return x if x.shape[axis] == count else basic_slice(x, index)


def _reduced_parts(x: Tensor, whole: Tensor, full: bool) -> tuple[Tensor, Tensor, Tensor]:
    u, s, vh = _svd_parts(x, whole, full)
    return _first(u, s.shape[-1], -1), s, _first(vh, s.shape[-1], -2)


def _turns(x: Tensor, values: Tensor) -> Tensor:
    """Return the turns of singular vectors among each other that an error asks for."""
    return divide(subtract(x, matrix_transpose(x)), _gaps(multiply(values, values)))


def _beyond(x: Tensor, vectors: Tensor) -> Tensor:
    """Return what of the columns of x lies in none of the directions of some vectors."""
    return subtract(x, matmul(vectors, matmul(matrix_transpose(vectors), x)))


def _u_to_x(g: Tensor, y: Tensor, x: Tensor, whole: Tensor, *, full: bool) -> Tensor:
    u, s, vh = _reduced_parts(x, whole, full)
    g = _first(g, s.shape[-1], -1)
    total = matmul(u, multiply(_turns(matmul(matrix_transpose(u), g), s), _as_row(s)))
    if u.shape[-2] > u.shape[-1]:
        total = add(total, _beyond(divide(g, _as_row(s)), u))
    return matmul(total, vh)


def _s_to_x(g: Tensor, y: Tensor, x: Tensor, whole: Tensor, *, full: bool) -> Tensor:
    u, _, vh = _reduced_parts(x, whole, full)
    return matmul(multiply(u, _as_row(g)), vh)


def _vh_to_x(g: Tensor, y: Tensor, x: Tensor, whole: Tensor, *, full: bool) -> Tensor:
    u, s, vh = _reduced_parts(x, whole, full)
    v, g = matrix_transpose(vh), matrix_transpose(_first(g, s.shape[-1], -2))
    total = matmul(v, multiply(_turns(matmul(vh, g), s), _as_row(s)))
    if v.shape[-2] > v.shape[-1]:
        total = add(total, _beyond(divide(g, _as_row(s)), v))
    return matmul(u, matrix_transpose(total))


_U, _S, _VH = _Part("svd (U)", _u_to_x), _Part("svd (S)", _s_to_x), _Part("svd (Vh)", _vh_to_x)


def _svd_parts(x: Tensor, whole: Tensor, full: bool) -> tuple[Tensor, Tensor, Tensor]:
    attributes = {"full": full}
    u, s, vh = _parts_of(whole, _svd_shapes(x.shape, full))
    return (
        _made_by(_U, u, x, whole, attributes),
        _made_by(_S, s, x, whole, attributes),
        _made_by(_VH, vh, x, whole, attributes),
    )


def svd(x: Tensor, *, full: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return U, the singular values, descending, and V transposed of x = U @ diag(S) @ Vh."""
    return _svd_parts(x, apply(_svd, (x,), {"full": full}), full)


def _svdvals_value(x: Array) -> Array:
    with explained("svdvals", "finite numbers"):
        return np.asarray(np.linalg.svd(x, compute_uv=False))


def _svdvals_to_x(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    u, _, vh = svd(x, full=False)
    return matmul(multiply(u, _as_row(g)), vh)


_svdvals = Primitive(
    "svdvals",
    value=_svdvals_value,
    shape=lambda x: ((*x[0][:-2], min(x[0][-2:])), x[1]),
    derivative=(_svdvals_to_x,),
    lower=HOST_CALL,
)


def svdvals(x: Tensor) -> Tensor:
    """Return the singular values, descending."""
    return apply(_svdvals, (x,), NO_ATTRIBUTES)
