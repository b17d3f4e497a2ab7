"""Linear algebra by PyTorch's names and arguments, with derivatives of any order.

>>> from schuss import linalg, tensor
>>> linalg.solve(tensor([[2.0, 0.0], [0.0, 4.0]]), tensor([2.0, 2.0]))
tensor([1. , 0.5])

The last two axes of a tensor are a matrix's, those before them are batch axes. All is NumPy's
(LAPACK's), in compiled functions too. Complex numbers do not exist here: `eig` is missing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from numpy.linalg import LinAlgError

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.core import Tensor, TensorLike
from schuss.functions import matrices, matrix_norms, products, shapes
from schuss.functions.matrices import (
    EighResult,
    QRResult,
    SlogdetResult,
    SVDResult,
    cholesky,
    det,
    inv,
    matrix_power,
    multi_dot,
    solve_triangular,
    svdvals,
)
from schuss.functions.orthogonal import householder_product, matrix_exp
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.contraction import matmul, matrix_transpose
from schuss.primitives.elementwise import divide
from schuss.spelling.arguments import every_axis
from schuss.spelling.binding import taking_out

__all__ = ["LinAlgError", "cholesky", "cond", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv"]
__all__ += ["lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm"]
__all__ += ["pinv", "qr", "slogdet", "solve", "solve_triangular", "svd", "svdvals", "vecdot"]
__all__ += ["householder_product", "matrix_exp", "vector_norm"]

Axes = int | Sequence[int] | None


class LeastSquares(NamedTuple):
    """What `lstsq` returns."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


def _is_upper(owner: str, triangle: str) -> bool:
    if triangle not in ("L", "U"):
        raise ValueError(f"{owner}: expected UPLO 'L' or 'U', got {triangle!r}.")
    return triangle == "U"


def eigh(A: TensorLike, UPLO: str = "L") -> EighResult:
    """Return the eigenvalues, ascending, and eigenvectors, in columns, of symmetric matrices.

    Args:
        A: shape (..., n, n).
        UPLO: which triangle is read, "L" or "U". The gradient is that of a symmetric matrix; it is
            infinite where it depends on the vectors of equal eigenvalues.

    >>> eigh([[2.0, 0.0], [0.0, 1.0]]).eigenvalues
    tensor([1., 2.])
    """
    return matrices.eigh(A, upper=_is_upper("eigh", UPLO))


def eigvalsh(A: TensorLike, UPLO: str = "L") -> Tensor:
    """Return the eigenvalues, ascending, of symmetric matrices; see `eigh`."""
    return matrices.eigvalsh(A, upper=_is_upper("eigvalsh", UPLO))


def qr(A: TensorLike, mode: str = "reduced") -> QRResult:
    """Return Q, with orthonormal columns, and the upper triangle R of A = Q @ R.

    Args:
        A: shape (..., m, n).
        mode: "reduced", where Q has min(m, n) columns; "complete", where it has m; or "r", where
            it is empty.
    """
    if mode not in ("reduced", "complete", "r"):
        raise ValueError(f"qr: expected mode 'reduced', 'complete' or 'r', got {mode!r}.")
    q, r = matrices.qr(A, complete=mode == "complete")
    return QRResult(q if mode != "r" else q.detach()[..., :0, :0], r)


def slogdet(A: TensorLike) -> SlogdetResult:
    """Return the signs of the determinants, and the logarithms of their absolute values."""
    return matrices.slogdet(A)


def svd(A: TensorLike, full_matrices: bool = True, *, driver: str | None = None) -> SVDResult:
    """Return U, the singular values, descending, and Vh of A = U @ diag(S) @ Vh.

    Args:
        A: shape (..., m, n).
        full_matrices: whether U and Vh are square; what is more than min(m, n) columns and rows is
            arbitrary, and no gradient flows back from it.
        driver: makes no difference here.
    """
    return matrices.svd(A, full_matrices=full_matrices)


def solve(A: TensorLike, B: TensorLike, *, left: bool = True) -> Tensor:
    """Return X of A @ X = B, or of X @ A = B.

    Args:
        A: shape (..., n, n).
        B: shape (..., n, k), or (..., n), a vector for each matrix of A (as PyTorch takes it: one
            axis, or A's shape without the last axis). From the right, (..., k, n).
        left: whether A stands left of X.

    Raises:
        LinAlgError: for a singular matrix.
    """
    a, b = as_tensor(A), as_tensor(B)
    is_vector = b.ndim == 1 or (a.ndim - 1 == b.ndim and b.shape == a.shape[:-1])
    if not left:
        found = matrices.solve(matrix_transpose(a), matrix_transpose(b))
        return matrix_transpose(found)
    if is_vector and b.ndim > 1:
        return shapes.squeeze(matrices.solve(a, shapes.expand_dims(b, -1)), axis=-1)
    return matrices.solve(a, b)


def pinv(
    A: TensorLike,
    rcond: TensorLike | None = None,
    hermitian: bool = False,
    *,
    atol: TensorLike | None = None,
    rtol: TensorLike | None = None,
) -> Tensor:
    """Return the pseudo-inverses (Moore and Penrose).

    Args:
        A: shape (..., m, n).
        rcond: rtol, as it was called.
        hermitian: whether A is symmetric; only its lower triangle is read then.
        atol: singular values up to the larger of atol and rtol times the largest one count as 0.
        rtol: max(m, n) * eps by default, 0 where only atol is given.
    """
    x = matrices.lower_symmetric(A) if hermitian else A
    return matrices.pinv(x, atol=atol, rtol=rcond if rtol is None else rtol)


def matrix_rank(
    A: TensorLike,
    tol: TensorLike | None = None,
    hermitian: bool = False,
    *,
    atol: TensorLike | None = None,
    rtol: TensorLike | None = None,
) -> Tensor:
    """Return how many singular values are not 0 (int64); see `pinv` for the arguments.

    `tol` is atol, as it was called.
    """
    x = matrices.lower_symmetric(A) if hermitian else A
    return matrices.matrix_rank(x, atol=tol if atol is None else atol, rtol=rtol)


def lstsq(
    A: TensorLike, B: TensorLike, rcond: float | None = None, *, driver: str | None = None
) -> LeastSquares:
    """Return the X of the smallest norm that minimizes the norm of A @ X - B.

    Args:
        A: shape (..., m, n).
        B: shape (..., m, k), or (m,).
        rcond: singular values up to this times the largest one count as 0.
        driver: makes no difference here: all is done by singular values.

    Returns:
        The solution; the squared norms of A @ X - B by columns, which are empty unless m > n and
        every rank is n; the ranks; the singular values.
    """
    return LeastSquares(*matrices.lstsq(A, B, rcond))


def cross(input: TensorLike, other: TensorLike, *, dim: int = -1) -> Tensor:
    """Return the cross product of vectors of length 3 along `dim`."""
    return products.cross(input, other, axis=dim)


def diagonal(A: TensorLike, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return diagonal `offset` of two axes as a last axis."""
    return shapes.diagonal(shapes.moveaxis(A, (dim1, dim2), (-2, -1)), offset=offset)


def vecdot(x: TensorLike, y: TensorLike, *, dim: int = -1) -> Tensor:
    """Return the sum of x * y along `dim`."""
    return products.vecdot(x, y, axis=dim)


# Norms.


def _cast(x: TensorLike, dtype: Any) -> Tensor:
    return as_tensor(x) if dtype is None else astype(x, dtype)


def vector_norm(
    x: TensorLike, ord: float = 2, dim: Axes = None, keepdim: bool = False, *, dtype: Any = None
) -> Tensor:
    """Return (sum |x|**ord)**(1/ord) over `dim`, the largest |x| for inf, the smallest for -inf.

    Args:
        x: floats of any shape.
        ord: any number; for 0 it is how many elements are not 0.
        dim: axes, all by default.
        keepdim: keep reduced axes with length 1.
        dtype: to cast x to first.
    """
    x = _cast(x, dtype)
    axis = every_axis(dim, x)
    return matrix_norms.vector_norm(x, axis=axis, keepdims=keepdim, ord=ord)


def matrix_norm(
    A: TensorLike,
    ord: float | str = "fro",
    dim: tuple[int, int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Tensor:
    """Return a norm of matrices.

    Args:
        A: at least two axes.
        ord: "fro", the root of the sum of squares; "nuc", the sum of the singular values; 2 and
            -2, the largest and the smallest of them; 1 and -1, the largest and the smallest sum of
            |A| down a column; inf and -inf, along a row.
        dim: a matrix's rows and columns.
        keepdim: keep both with length 1.
        dtype: to cast A to first.
    """
    return matrix_norms.matrix_norm(_cast(A, dtype), axis=dim, keepdims=keepdim, ord=ord)


def norm(
    A: TensorLike,
    ord: float | str | None = None,
    dim: Axes = None,
    keepdim: bool = False,
    *,
    dtype: Any = None,
) -> Tensor:
    """Return a norm of vectors or matrices: `vector_norm` or `matrix_norm`.

    Args:
        A: floats of any shape.
        ord: None for the 2-norm of all elements over `dim`; else a matrix norm's over two axes, a
            vector norm's over one.
        dim: one axis, or two; by default all of A, which has one or two axes where ord is given.
        keepdim: keep reduced axes with length 1.
        dtype: to cast A to first.
    """
    x = _cast(A, dtype)
    if ord is None:
        return vector_norm(x, 2, dim, keepdim)
    count = x.ndim if dim is None else 1 if isinstance(dim, int) else len(dim)
    if count == 2:
        rows, columns = (-2, -1) if dim is None or isinstance(dim, int) else dim
        return matrix_norm(x, ord, (rows, columns), keepdim)
    if count == 1 and not isinstance(ord, str):
        return vector_norm(x, ord, dim, keepdim)
    raise ValueError(
        f"norm: expected ord={ord!r} with two axes, or a number with one, got shape {x.shape} and "
        f"dim={dim}."
    )


def cond(A: TensorLike, p: float | str | None = None) -> Tensor:
    """Return the condition numbers: the norm of A times that of its inverse.

    Args:
        A: shape (..., m, n), square unless p is None, 2 or -2.
        p: the norm, see `matrix_norm`; 2 by default.
    """
    if p in (None, 2, -2):
        values = svdvals(A)
        largest, smallest = values[..., 0], values[..., -1]
        return divide(smallest, largest) if p == -2 else divide(largest, smallest)
    return matrix_norm(A, p) * matrix_norm(inv(A), p)


def __getattr__(name: str) -> Any:
    if name in ("eig", "eigvals"):
        raise AttributeError(
            f"schuss.linalg.{name}: its results are complex numbers, which do not exist here; use "
            "eigh for symmetric matrices, or svd."
        )
    raise AttributeError(f"module 'schuss.linalg' has no attribute {name!r}")


for _name in __all__:
    if _name != "LinAlgError":
        globals()[_name] = taking_out(globals()[_name])
