"""Picking elements by position, with PyTorch's arguments."""

from __future__ import annotations

from typing import Any

from schuss import functions as F
from schuss.core import Tensor, TensorLike, bool_, int64
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import as_tensor, astype
from schuss.pytorch.arguments import of_numbers_too, whole

__all__: list[str] = []


def axis_of(x: Tensor, dim: Any, owner: str) -> int:
    """Return an axis from 0 on."""
    return normalize_axes(whole(dim), x.ndim, owner)[0]


def at_axis(axis: int, item: Any) -> tuple[Any, ...]:
    """Return an index that picks along one axis."""
    return (*(slice(None),) * axis, item)


def positions(owner: str, index: TensorLike) -> Tensor:
    """Return an integer index, or raise."""
    at = as_tensor(index)
    if at.array.dtype.kind != "i" and at.size:
        raise TypeError(f"{owner}: expected an integer index, got {at.array.dtype}; cast it first.")
    return at if at.array.dtype.kind == "i" else astype(at, int64)


def gather(input: Any, dim: int, index: TensorLike) -> Tensor:
    """Pick along `dim` the elements at `index`, which may be shorter along the other axes."""
    x, at = as_tensor(input), positions("gather", index)
    shape = at.shape
    if not x.ndim:
        x = F.reshape(x, (1,))
    if not at.ndim and x.ndim == 1:
        at = F.reshape(at, (1,))
    axis = axis_of(x, dim, "gather")
    if not at.size:
        return F.zeros(shape, dtype=x.array.dtype)
    if at.ndim != x.ndim:
        raise ValueError(f"gather: expected an index with {x.ndim} axes, got shape {shape}.")
    found = F.gather(x, axis, at)
    return found if shape else F.reshape(found, ())


@of_numbers_too
def index_select(input: Any, dim: int, index: TensorLike) -> Tensor:
    """Pick slices along `dim` by a vector of positions."""
    at = positions("index_select", index)
    if at.ndim > 1:
        raise ValueError(f"index_select: expected a vector as index, got shape {at.shape}.")
    return F.take(input, F.reshape(at, (-1,)), axis_of(input, dim, "index_select"))


def take(input: TensorLike, index: TensorLike) -> Tensor:
    """Return the elements of the flat input at positions, in their shape."""
    return F.reshape(input, (-1,))[positions("take", index)]


def masked_select(input: TensorLike, mask: TensorLike) -> Tensor:
    """Return the elements where `mask` holds, as a vector."""
    at = as_tensor(mask)
    if at.array.dtype != bool_:
        raise TypeError(
            f"masked_select: expected a boolean mask, got {at.array.dtype}; compare first."
        )
    x, at = F.broadcast_arrays(input, at)
    return x[at] if x.ndim else F.reshape(x, (1,))[F.reshape(at, (1,))]


def nonzero(input: TensorLike, *, as_tuple: bool = False) -> Any:
    """Return the positions (int64) of what is not 0: a row each, or a vector for each axis."""
    x = as_tensor(input)
    if not x.ndim:
        found: Any = F.nonzero(F.reshape(x, (1,)))
        return found if as_tuple else F.zeros((found[0].shape[0], 0), dtype=int64)
    found = F.nonzero(x)
    return found if as_tuple else F.stack(found, 1)


def argwhere(input: TensorLike) -> Tensor:
    """Return the positions (int64) of what is not 0, a row each."""
    found: Tensor = nonzero(input)
    return found


def select(input: TensorLike, dim: int, index: int) -> Tensor:
    """Return slice `index` along `dim`, without this axis."""
    x = as_tensor(input)
    return x[at_axis(axis_of(x, dim, "select"), whole(index))]


def narrow(input: TensorLike, dim: int, start: Any, length: int) -> Tensor:
    """Return `length` slices along `dim`, from `start`."""
    x = as_tensor(input)
    if isinstance(start, Tensor) and (start.array.dtype.kind != "i" or start.ndim):
        raise TypeError(
            f"narrow: expected an integer as start, got shape {start.shape} of {start.array.dtype}."
        )
    axis = axis_of(x, dim, "narrow")
    n, count, first = x.shape[axis], whole(length), whole(start)
    first = first + n if first < 0 else first
    if not 0 <= first <= first + count <= n:
        raise ValueError(
            f"narrow: expected a part of the {n} slices along {dim}, got {length} from {start}."
        )
    return x[at_axis(axis, slice(first, first + count))]
