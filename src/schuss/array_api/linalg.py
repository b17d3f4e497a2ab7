"""The standard's extension for linear algebra; all of it has derivatives of any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schuss.array_api.linear_algebra import matmul, matrix_transpose, tensordot, vecdot
from schuss.core import Tensor
from schuss.functions import matrices, matrix_norms, products, shapes
from schuss.functions.matrices import EighResult, QRResult, SlogdetResult, SVDResult
from schuss.primitives.base import as_tensor
from schuss.primitives.reduction import sum

__all__ = ["cholesky", "cross", "det", "diagonal", "eigh", "eigvalsh", "inv", "matmul"]
__all__ += ["matrix_norm", "matrix_power", "matrix_rank", "matrix_transpose", "outer", "pinv"]
__all__ += ["qr", "slogdet", "solve", "svd", "svdvals", "tensordot", "trace", "vecdot"]
__all__ += ["vector_norm"]


def cholesky(x: Tensor, /, *, upper: bool = False) -> Tensor:
    """Return the triangle L of x = L @ L.T, for symmetric positive-definite x; or L.T."""
    return matrices.cholesky(x, upper=upper)


def cross(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Return the cross product of vectors of length 3 along `axis`, counted from the last."""
    x1, x2 = as_tensor(x1), as_tensor(x2)
    least = min(x1.ndim, x2.ndim)
    if not -least <= axis < 0 or not x1.shape[axis] == x2.shape[axis] == 3:
        raise ValueError(
            f"cross: expected length 3 along an axis from {-least} to -1, got {x1.shape} and "
            f"{x2.shape} along {axis}."
        )
    return products.cross(x1, x2, axis=axis)


def det(x: Tensor, /) -> Tensor:
    """Return the determinants of square matrices."""
    return matrices.det(x)


def diagonal(x: Tensor, /, *, offset: int = 0) -> Tensor:
    """Return diagonal `offset` of the last two axes as a last axis."""
    return shapes.diagonal(x, offset=offset)


def eigh(x: Tensor, /) -> EighResult:
    """Return the eigenvalues, ascending, and eigenvectors, in columns, of symmetric matrices."""
    return matrices.eigh(x)


def eigvalsh(x: Tensor, /) -> Tensor:
    """Return the eigenvalues, ascending, of symmetric matrices."""
    return matrices.eigvalsh(x)


def inv(x: Tensor, /) -> Tensor:
    """Return the inverses of square matrices."""
    return matrices.inv(x)


def matrix_norm(x: Tensor, /, *, keepdims: bool = False, ord: float | str | None = "fro") -> Tensor:
    """Return a norm of matrices: "fro" (also for None), "nuc", 1, -1, 2, -2, inf or -inf."""
    return matrix_norms.matrix_norm(x, keepdims=keepdims, ord="fro" if ord is None else ord)


def matrix_power(x: Tensor, n: int, /) -> Tensor:
    """Return square matrices multiplied n times; of inverses for n < 0."""
    return matrices.matrix_power(x, n)


def matrix_rank(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """Return how many singular values are above rtol times the largest one (int64).

    `rtol` is max(m, n) * eps by default, or one number for each matrix.
    """
    return matrices.matrix_rank(x, rtol=rtol)


def outer(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Return all products of an element of vector x1 and one of vector x2."""
    return products.outer(x1, x2)


def pinv(x: Tensor, /, *, rtol: float | Tensor | None = None) -> Tensor:
    """Return the pseudo-inverses; singular values up to rtol times the largest one count as 0."""
    return matrices.pinv(x, rtol=rtol)


def qr(x: Tensor, /, *, mode: str = "reduced") -> QRResult:
    """Return Q, with orthonormal columns, min(m, n) of them or all m if "complete", and R."""
    if mode not in ("reduced", "complete"):
        raise ValueError(f"qr: expected mode 'reduced' or 'complete', got {mode!r}.")
    return matrices.qr(x, complete=mode == "complete")


def slogdet(x: Tensor, /) -> SlogdetResult:
    """Return the signs of the determinants, and the logarithms of their absolute values."""
    return matrices.slogdet(x)


def solve(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Return x of x1 @ x = x2; x2 is a vector only where it has one axis."""
    return matrices.solve(x1, x2)


def svd(x: Tensor, /, *, full_matrices: bool = True) -> SVDResult:
    """Return U, the singular values, descending, and Vh of x = U @ diag(S) @ Vh."""
    return matrices.svd(x, full_matrices=full_matrices)


def svdvals(x: Tensor, /) -> Tensor:
    """Return the singular values, descending."""
    return matrices.svdvals(x)


def trace(x: Tensor, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """Return the sum of diagonal `offset` of the last two axes; integers are summed in int64."""
    return sum(shapes.diagonal(x, offset=offset), axis=-1, dtype=dtype)


def vector_norm(
    x: Tensor, /, *, axis: int | Sequence[int] | None = None, keepdims: bool = False, ord: float = 2
) -> Tensor:
    """Return (sum |x|**ord)**(1/ord) over `axis`; of inf and -inf, the largest and smallest |x|."""
    return matrix_norms.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
