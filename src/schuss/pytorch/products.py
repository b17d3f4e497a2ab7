"""Products of vectors and matrices, with PyTorch's arguments and checks."""

from __future__ import annotations

from typing import Any

from schuss import functions as F
from schuss.core import Number, Tensor, TensorLike
from schuss.functions.matrices import solve_triangular
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import as_tensor
from schuss.pytorch.arguments import whole

__all__: list[str] = []


def _ranked(owner: str, *pairs: tuple[TensorLike, int]) -> list[Tensor]:
    """Return tensors, once each has its number of axes and all have one dtype."""
    tensors = [as_tensor(x) for x, _ in pairs]
    if any(x.ndim != rank for x, (_, rank) in zip(tensors, pairs, strict=True)):
        raise ValueError(
            f"{owner}: expected {', '.join(str(rank) for _, rank in pairs)} axes, got shapes "
            f"{', '.join(str(x.shape) for x in tensors)}."
        )
    if len({x.array.dtype for x in tensors}) > 1:
        raise TypeError(
            f"{owner}: expected one dtype, got {', '.join(str(x.array.dtype) for x in tensors)}."
        )
    return tensors


def matmul(input: TensorLike, other: TensorLike) -> Tensor:
    """Return the matrix product; see `schuss.array_api.matmul`."""
    return F.matmul(input, other)


def mm(input: TensorLike, mat2: TensorLike) -> Tensor:
    """Return the product of two matrices."""
    return F.matmul(*_ranked("mm", (input, 2), (mat2, 2)))


def mv(input: TensorLike, vec: TensorLike) -> Tensor:
    """Return the product of a matrix with a vector."""
    return F.matmul(*_ranked("mv", (input, 2), (vec, 1)))


def bmm(input: TensorLike, mat2: TensorLike) -> Tensor:
    """Return the products of as many pairs of matrices."""
    x, y = _ranked("bmm", (input, 3), (mat2, 3))
    if x.shape[0] != y.shape[0]:
        raise ValueError(f"bmm: expected as many matrices, got {x.shape} and {y.shape}.")
    return F.matmul(x, y)


def dot(input: TensorLike, tensor: TensorLike) -> Tensor:
    """Return the inner product of two vectors."""
    x, y = _ranked("dot", (input, 1), (tensor, 1))
    if x.shape != y.shape:
        raise ValueError(f"dot: expected vectors of one length, got {x.shape} and {y.shape}.")
    return F.matmul(x, y)


def inner(input: TensorLike, other: TensorLike) -> Tensor:
    """Return the sums of products over the last axes."""
    x, y = as_tensor(input), as_tensor(other)
    if not x.ndim or not y.ndim:
        return F.multiply(x, y)
    return F.tensordot(x, y, ([-1], [-1]))


def outer(input: TensorLike, vec2: TensorLike) -> Tensor:
    """Return all products of an element of one vector and one of the other."""
    x, y = as_tensor(input), as_tensor(vec2)
    if x.ndim != 1 or y.ndim != 1:
        raise ValueError(f"outer: expected two vectors, got shapes {x.shape} and {y.shape}.")
    return F.outer(x, y)


def _blended(owner: str, input: TensorLike, beta: Number, product: Tensor, alpha: Number) -> Tensor:
    x = as_tensor(input)
    if product.array.dtype.kind != "f":
        # As PyTorch has it, in the numbers of their dtype.
        kind: Any = bool if product.array.dtype.kind == "b" else int
        beta, alpha = kind(beta), kind(alpha)
    scaled = product if alpha == 1 else product * alpha
    kept = F.broadcast_to(x, product.shape)
    # As in PyTorch, nan in what counts 0 times is lost.
    return scaled if beta == 0 else F.add(kept if beta == 1 else kept * beta, scaled)


def addmm(
    input: TensorLike, mat1: TensorLike, mat2: TensorLike, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """Return beta * input + alpha * (mat1 @ mat2)."""
    return _blended("addmm", input, beta, mm(mat1, mat2), alpha)


def addmv(
    input: TensorLike, mat: TensorLike, vec: TensorLike, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """Return beta * input + alpha * (mat @ vec)."""
    return _blended("addmv", input, beta, mv(mat, vec), alpha)


def addr(
    input: TensorLike, vec1: TensorLike, vec2: TensorLike, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """Return beta * input + alpha * outer(vec1, vec2)."""
    return _blended("addr", input, beta, outer(vec1, vec2), alpha)


def baddbmm(
    input: TensorLike,
    batch1: TensorLike,
    batch2: TensorLike,
    *,
    beta: Number = 1,
    alpha: Number = 1,
) -> Tensor:
    """Return beta * input + alpha * (batch1 @ batch2), matrix by matrix."""
    return _blended("baddbmm", input, beta, bmm(batch1, batch2), alpha)


def addbmm(
    input: TensorLike,
    batch1: TensorLike,
    batch2: TensorLike,
    *,
    beta: Number = 1,
    alpha: Number = 1,
) -> Tensor:
    """Return beta * input + alpha * the sum of batch1 @ batch2."""
    product = bmm(batch1, batch2)
    return _blended("addbmm", input, beta, F.sum(product, 0, dtype=product.array.dtype), alpha)


def chain_matmul(*matrices: Any) -> Tensor:
    """Return the product of matrices, from the left."""
    found = as_tensor(matrices[0])
    for x in matrices[1:]:
        found = mm(found, x)
    return found


def einsum(equation: str, *operands: Any) -> Tensor:
    """Sum products over named axes; see `schuss.functions.einsum`."""
    if len(operands) == 1 and isinstance(operands[0], (list, tuple)):
        operands = tuple(operands[0])
    return F.einsum(equation, *operands)


def tensordot(a: TensorLike, b: TensorLike, dims: Any = 2) -> Tensor:
    """Contract the last axes of `a` with the first of `b`, or those named."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int) and dims < 0:
        raise ValueError(f"tensordot: expected dims >= 0, got {dims}.")
    pairs = (
        dims
        if isinstance(dims, int)
        else tuple([(d,) if isinstance(d, int) else tuple(d) for d in dims])
    )
    if isinstance(pairs, int):
        return F.tensordot(a, b, pairs)
    x, y = as_tensor(a), as_tensor(b)
    mine, theirs = (
        normalize_axes(d, t.ndim, "tensordot") for d, t in zip(pairs, (x, y), strict=True)
    )
    for i, j in zip(mine, theirs, strict=True):
        # An axis of length 1 goes with any.
        if 1 in (x.shape[i], y.shape[j]) and x.shape[i] != y.shape[j]:
            x, y = (
                F.sum(t, k, True, dtype=t.array.dtype) if t.shape[k] != 1 else t
                for t, k in ((x, i), (y, j))
            )
    return F.tensordot(x, y, (mine, theirs))


def cross(input: TensorLike, other: TensorLike, dim: int | None = None) -> Tensor:
    """Return the cross product along `dim`, by default the first axis of length 3."""
    x, y = F.broadcast_arrays(input, other)
    axis = whole(dim)
    if axis is None:
        axis = next((a for a, n in enumerate(x.shape) if n == 3), None)
        if axis is None:
            raise ValueError(f"cross: expected an axis of length 3, got shape {x.shape}.")
    if x.shape[normalize_axes(axis, x.ndim, "cross")[0]] != 3:
        raise ValueError(f"cross: expected length 3 along {axis}, got shape {x.shape}.")
    return F.cross(x, y, axis)


def cdist(x1: TensorLike, x2: TensorLike, p: float = 2.0, compute_mode: Any = None) -> Tensor:
    """Return the p-norm distances of all pairs of rows: (..., rows of x1, rows of x2).

    By differences, whatever `compute_mode` says: those of equal rows are 0, to the last bit. (By
    products, as PyTorch's default for more than 25 rows, they are up to 1e-3 in float32.)
    """
    x, y = as_tensor(x1), as_tensor(x2)
    if x.ndim < 2 or y.ndim < 2 or x.shape[-1] != y.shape[-1] or p < 0:
        raise ValueError(
            f"cdist: expected rows of one length and p >= 0, got {x.shape}, {y.shape}, p={p}."
        )
    return F.norm(F.expand_dims(x, -2) - F.expand_dims(y, -3), -1, ord=p)


def cholesky_solve(input: TensorLike, input2: TensorLike, upper: bool = False) -> Tensor:
    """Return x of A @ x = input, where `input2` is the Cholesky factor of A.

    Args:
        input: shape (..., n, k).
        input2: shape (..., n, n), a triangle.
        upper: whether it is the upper one, of A = input2^T @ input2.
    """
    turned = F.matrix_transpose(input2)
    first, second = (turned, input2) if upper else (input2, turned)
    half = solve_triangular(first, input, upper=False)
    return solve_triangular(second, half, upper=True)


def vander(x: TensorLike, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the powers of a vector's elements in rows, the highest first."""
    base = as_tensor(x)
    powers = F.arange(base.shape[0] if N is None else whole(N))
    found = F.pow(F.expand_dims(base, -1), powers)
    return found if increasing else F.flip(found, 1)
