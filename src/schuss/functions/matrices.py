"""Linear algebra: decompositions, systems of equations, determinants and powers of matrices.

The last two axes are a matrix's, those before them are batch axes. `schuss.linalg` has these by
PyTorch's names and arguments, `schuss.array_api.linalg` by the standard's.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import NamedTuple, Optional

import numpy as np

from schuss.core import TRACER, Tensor, TensorLike
from schuss.functions.creation import zeros
from schuss.primitives import decompositions, solving
from schuss.primitives.base import as_tensor, astype, result_dtype
from schuss.primitives.contraction import exact_matmul as matmul
from schuss.primitives.contraction import matrix_transpose
from schuss.primitives.elementwise import maximum, multiply
from schuss.primitives.logic import greater, less, where
from schuss.primitives.movement import concat, reshape
from schuss.primitives.reduction import broadcast_to, sum

__all__ = ["cholesky", "det", "eigh", "eigvalsh", "floats", "inv", "lower_symmetric", "lstsq"]
__all__ += ["matrix_power", "matrix_rank", "multi_dot", "pinv", "pinverse", "qr", "slogdet"]
__all__ += ["solve", "solve_triangular", "square", "svd", "svdvals"]

Tolerance = Optional[TensorLike]  # noqa: UP045  # the alias is a text


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Tensor
    R: Tensor


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Tensor
    logabsdet: Tensor


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Tensor
    S: Tensor
    Vh: Tensor


def floats(owner: str, x: TensorLike, least: int = 2) -> Tensor:
    """Return x as a tensor of floats with at least so many axes, or raise."""
    x = as_tensor(x)
    if x.array.dtype.kind != "f":
        raise TypeError(
            f"{owner}: expected floats, got {x.array.dtype}; cast them to float32 first."
        )
    if x.ndim < least:
        shape = "(..., rows, columns)" if least == 2 else "of at least one axis"
        raise ValueError(f"{owner}: expected x of shape {shape}, got {x.shape}.")
    return x


def square(owner: str, x: TensorLike) -> Tensor:
    """Return x as a tensor of square matrices of floats, or raise."""
    x = floats(owner, x)
    if x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{owner}: expected x of shape (..., n, n), got {x.shape}.")
    return x


def _alike(owner: str, a: TensorLike, b: TensorLike) -> tuple[Tensor, Tensor]:
    """Return two tensors of floats, cast to their common dtype."""
    a, b = floats(owner, a), floats(owner, b, 1)
    dtype = result_dtype(a.array.dtype, b.array.dtype)
    return astype(a, dtype), astype(b, dtype)


def lower_symmetric(x: TensorLike) -> Tensor:
    """Return the symmetric matrices of the lower triangles of x."""
    x = square("symmetric", x)
    kept = solving.triangle(x, upper=False)
    return kept + matrix_transpose(solving.triangle(x, upper=False, strict=True))


# Decompositions.


def cholesky(x: TensorLike, upper: bool = False) -> Tensor:
    """Return the triangle L of x = L @ L.T, for symmetric positive-definite x; or L.T.

    Args:
        x: shape (..., n, n); only its lower triangle is read.
        upper: whether to return L transposed.

    Raises:
        LinAlgError: for a matrix that is not positive-definite.
    """
    lower = decompositions.cholesky(square("cholesky", x))
    return matrix_transpose(lower) if upper else lower


def qr(x: TensorLike, *, complete: bool = False) -> QRResult:
    """Return Q, with orthonormal columns, and the upper triangle R of x = Q @ R.

    Args:
        x: shape (..., m, n).
        complete: whether Q has m columns, and not just min(m, n); where that makes a difference,
            what is more is arbitrary, and there is no derivative.
    """
    x = floats("qr", x)
    m, n = x.shape[-2:]
    if m >= n:
        return QRResult(*decompositions.qr(x, complete=complete and m > n))
    # The first m columns decide Q, and R is what turns them all into x.
    q, r = decompositions.qr(x[..., :m], complete=False)
    return QRResult(q, concat([r, matmul(matrix_transpose(q), x[..., m:])], -1))


def eigh(x: TensorLike, *, upper: bool = False) -> EighResult:
    """Return the eigenvalues, ascending, and eigenvectors, in columns, of symmetric matrices.

    Args:
        x: shape (..., n, n).
        upper: which triangle is read.
    """
    x = square("eigh", x)
    return EighResult(*decompositions.eigh(matrix_transpose(x) if upper else x))


def eigvalsh(x: TensorLike, *, upper: bool = False) -> Tensor:
    """Return the eigenvalues of symmetric matrices, ascending."""
    x = square("eigvalsh", x)
    return decompositions.eigvalsh(matrix_transpose(x) if upper else x)


def svd(x: TensorLike, *, full_matrices: bool = True) -> SVDResult:
    """Return U, the singular values, descending, and Vh of x = U @ diag(S) @ Vh.

    Args:
        x: shape (..., m, n).
        full_matrices: whether U and Vh are square; what is more than min(m, n) columns and rows is
            arbitrary, and no gradient flows back from it.
    """
    x = floats("svd", x)
    return SVDResult(*decompositions.svd(x, full=full_matrices and x.shape[-1] != x.shape[-2]))


def svdvals(x: TensorLike) -> Tensor:
    """Return the singular values, descending."""
    return decompositions.svdvals(floats("svdvals", x))


# Systems of equations.


def solve(a: TensorLike, b: TensorLike) -> Tensor:
    """Return x of a @ x = b.

    Args:
        a: shape (..., n, n).
        b: shape (..., n, k), or (n,).

    Raises:
        LinAlgError: for a singular matrix.
    """
    a, b = _alike("solve", square("solve", a), b)
    rows = b.shape[-1] if b.ndim == 1 else b.shape[-2]
    if rows != a.shape[-1]:
        raise ValueError(f"solve: expected b with {a.shape[-1]} rows, got shape {b.shape}.")
    if b.ndim > 1:
        return solving.solve(a, b)
    found = solving.solve(a, reshape(b, (rows, 1)))
    return reshape(found, found.shape[:-1])


def solve_triangular(
    a: TensorLike, b: TensorLike, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Tensor:
    """Return x of a @ x = b (or x @ a = b), for triangular matrices.

    Args:
        a: shape (..., n, n); only the triangle is read.
        b: shape (..., n, k), or (..., k, n).
        upper: which triangle.
        left: whether `a` stands left of x.
        unitriangular: whether ones stand on the diagonal, which is not read then.
    """
    a, b = _alike("solve_triangular", square("solve_triangular", a), b)
    if b.ndim < 2 or b.shape[-2 if left else -1] != a.shape[-1]:
        raise ValueError(
            f"solve_triangular: expected b with {a.shape[-1]} {'rows' if left else 'columns'}, got "
            f"shape {b.shape}."
        )
    if left:
        return solving.solve_triangular(a, b, upper=upper, unit=unitriangular)
    turned = solving.solve_triangular(
        matrix_transpose(a), matrix_transpose(b), upper=not upper, unit=unitriangular
    )
    return matrix_transpose(turned)


def inv(x: TensorLike) -> Tensor:
    """Return the inverses of square matrices.

    Raises:
        LinAlgError: for a singular matrix.
    """
    x = square("inv", x)
    return solving.solve(x, solving.identity(x))


def _tolerances(x: Tensor, atol: Tolerance, rtol: Tolerance) -> tuple[Tensor, Tensor]:
    """Return both, in x's dtype; rtol is max(m, n) * eps where nothing is said."""
    if rtol is None:
        least = atol is None
        rtol = builtins.max(x.shape[-2:]) * float(np.finfo(x.array.dtype).eps) if least else 0.0
    given = [as_tensor(0.0 if atol is None else atol), as_tensor(rtol)]
    absolute, relative = (astype(t.detach(), x.array.dtype) for t in given)
    return absolute, relative


def pinv(x: TensorLike, *, atol: Tolerance = None, rtol: Tolerance = None) -> Tensor:
    """Return the pseudo-inverses (Moore and Penrose).

    Args:
        x: shape (..., m, n).
        atol: singular values up to the larger of atol and rtol times the largest one count as 0;
            of the batch's shape, or a number. 0 by default.
        rtol: max(m, n) * eps by default, 0 where only atol is given.
    """
    x = floats("pinv", x)
    return solving.pinv(x, *_tolerances(x, atol, rtol))


def pinverse(x: TensorLike, rcond: float = 1e-15) -> Tensor:
    """Return the pseudo-inverses; singular values up to rcond times the largest count as 0."""
    return pinv(x, rtol=rcond)


def matrix_rank(x: TensorLike, *, atol: Tolerance = None, rtol: Tolerance = None) -> Tensor:
    """Return how many singular values are not 0 (int64); see `pinv` for the tolerances."""
    x = floats("matrix_rank", x)
    absolute, relative = _tolerances(x, atol, rtol)
    values = svdvals(x).detach()
    if not values.shape[-1]:
        return zeros(values.shape[:-1], dtype="int64")
    bound = maximum(absolute, multiply(relative, values[..., 0]))
    return sum(greater(values, reshape(bound, (*bound.shape, 1))), axis=-1)


def lstsq(
    a: TensorLike, b: TensorLike, rcond: float | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the x of the smallest norm that minimizes the norm of a @ x - b.

    Args:
        a: shape (..., m, n).
        b: shape (..., m, k), or (m,).
        rcond: singular values up to this times the largest one count as 0.

    Returns:
        x; the squared norms of a @ x - b, which are empty unless m > n and every rank is n; the
        ranks; the singular values.
    """
    a, b = _alike("lstsq", a, b)
    m, n = a.shape[-2:]
    if m != b.shape[-1 if b.ndim == 1 else -2]:
        raise ValueError(f"lstsq: expected b with {m} rows, got shape {b.shape}.")
    columns = reshape(b, (m, 1)) if b.ndim == 1 else b
    x = matmul(pinv(a, rtol=rcond), columns)
    rank = matrix_rank(a, rtol=rcond)
    residuals = zeros((0,), dtype=a.array.dtype)
    # In a trace the ranks are not known, and taken to be full.
    if m > n and (TRACER.get() is not None or bool(np.all(rank.array == n))):
        error = matmul(a, x) - columns
        residuals = sum(multiply(error, error), axis=-2)
    values = svdvals(a)
    return (reshape(x, x.shape[:-1]) if b.ndim == 1 else x), residuals, rank, values


# Determinants and powers.


def det(x: TensorLike) -> Tensor:
    """Return the determinants of square matrices."""
    return solving.det(square("det", x))


def slogdet(x: TensorLike) -> SlogdetResult:
    """Return the signs of the determinants, and the logarithms of their absolute values."""
    x = square("slogdet", x)
    return SlogdetResult(solving.sign_of_det(x), solving.absolute_log_det(x))


def logdet(x: TensorLike) -> Tensor:
    """Return the logarithms of the determinants of square matrices; nan where one is negative."""
    sign, logarithm = slogdet(x)
    return where(less(sign, 0.0), math.nan, logarithm)


def matrix_power(x: TensorLike, n: int) -> Tensor:
    """Return square matrices multiplied n times; of inverses for n < 0."""
    x = square("matrix_power", x)
    if n < 0:
        x, n = inv(x), -n
    if n == 0:
        return broadcast_to(solving.identity(x), x.shape)
    found = None
    while n:
        if n % 2:
            found = x if found is None else matmul(found, x)
        n //= 2
        x = matmul(x, x) if n else x
    assert found is not None
    return found


def multi_dot(tensors: Sequence[TensorLike]) -> Tensor:
    """Return the product of matrices, in the order of multiplications that costs least.

    Args:
        tensors: at least two matrices; the first and the last one may be vectors.
    """
    parts = [as_tensor(x) for x in tensors]
    if len(parts) < 2:
        raise ValueError(f"multi_dot: expected at least 2 tensors, got {len(parts)}.")
    ends = parts[0].ndim, parts[-1].ndim
    if ends[0] == 1:
        parts[0] = reshape(parts[0], (1, -1))
    if ends[1] == 1:
        parts[-1] = reshape(parts[-1], (-1, 1))
    if any(p.ndim != 2 for p in parts):
        raise ValueError(
            f"multi_dot: expected matrices, vectors at the ends, got shapes "
            f"{', '.join(str(as_tensor(x).shape) for x in tensors)}."
        )
    lengths = [p.shape[0] for p in parts] + [parts[-1].shape[1]]
    found = _multiplied(parts, 0, len(parts) - 1, _splits(lengths))
    shape = found.shape[int(ends[0] == 1) : 2 - int(ends[1] == 1)]
    return reshape(found, shape)


def _splits(lengths: list[int]) -> dict[tuple[int, int], int]:
    """Return after which matrix to cut each chain of them (Cormen et al., chapter 14.2)."""
    count = len(lengths) - 1
    cost = {(i, i): 0 for i in range(count)}
    cut: dict[tuple[int, int], int] = {}
    for span in range(1, count):
        for i in range(count - span):
            j = i + span
            options = {
                k: cost[i, k] + cost[k + 1, j] + lengths[i] * lengths[k + 1] * lengths[j + 1]
                for k in range(i, j)
            }
            cut[i, j] = builtins.min(options, key=options.__getitem__)
            cost[i, j] = options[cut[i, j]]
    return cut


def _multiplied(
    parts: Sequence[Tensor], first: int, last: int, cut: dict[tuple[int, int], int]
) -> Tensor:
    if first == last:
        return parts[first]
    at = cut[first, last]
    return matmul(_multiplied(parts, first, at, cut), _multiplied(parts, at + 1, last, cut))
