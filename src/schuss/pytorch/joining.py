"""Joining, splitting and broadcasting tensors, with PyTorch's arguments."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from schuss import functions as F
from schuss.core import Tensor, TensorLike
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import as_tensor, astype
from schuss.pytorch.arguments import whole
from schuss.pytorch.shapes import ravel

__all__: list[str] = []


def cat(tensors: Sequence[TensorLike], dim: int = 0) -> Tensor:
    """Join tensors along an axis that they have; empty vectors go with anything."""
    try:
        return F.concat(tensors, whole(dim))
    except ValueError:
        kept = [x for x in map(as_tensor, tensors) if x.shape != (0,)]
        if not kept or len(kept) == len(tensors):
            raise
        return F.concat(kept, whole(dim))


def hstack(tensors: Sequence[TensorLike]) -> Tensor:
    """Join along the second axis, vectors along their only one."""
    parts = [atleast_1d(x) for x in tensors]
    return F.concat(parts, 0 if parts[0].ndim == 1 else 1)


def vstack(tensors: Sequence[TensorLike]) -> Tensor:
    """Join along the first axis, vectors as rows."""
    return F.concat([atleast_2d(x) for x in tensors], 0)


def dstack(tensors: Sequence[TensorLike]) -> Tensor:
    """Join along the third axis."""
    return F.concat([atleast_3d(x) for x in tensors], 2)


def column_stack(tensors: Sequence[TensorLike]) -> Tensor:
    """Join along the second axis, vectors as columns."""
    parts = [as_tensor(x) for x in tensors]
    return F.concat([F.reshape(x, (-1, 1)) if x.ndim < 2 else x for x in parts], 1)


def _at_least(tensors: Any, function: Any) -> Any:
    flat = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    found = tuple([function(as_tensor(x)) for x in flat])
    return found[0] if flat is tensors and len(found) == 1 else found


def atleast_1d(*tensors: Any) -> Any:
    """Return tensors with at least one axis."""
    return _at_least(tensors, lambda x: x if x.ndim else F.reshape(x, (1,)))


def atleast_2d(*tensors: Any) -> Any:
    """Return tensors with at least two axes, vectors as rows."""
    return _at_least(tensors, lambda x: x if x.ndim > 1 else F.reshape(x, (1, -1)))


def atleast_3d(*tensors: Any) -> Any:
    """Return tensors with at least three axes."""

    def deep(x: Tensor) -> Tensor:
        if x.ndim > 2:
            return x
        return F.reshape(x, (*x.shape, 1) if x.ndim == 2 else (1, -1, 1))

    return _at_least(tensors, deep)


def split(input: TensorLike, split_size_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into pieces along `dim`: of one length (the last may be shorter), or of those given.

    >>> [piece.shape for piece in split([1, 2, 3, 4, 5], 2)]
    [(2,), (2,), (1,)]
    """
    x = input if isinstance(input, Tensor) else as_tensor(input)
    sizes = split_size_or_sections
    axis = dim if type(dim) is int and 0 <= dim < x.array.ndim else None
    if axis is None:
        (axis,) = normalize_axes(whole(dim), x.array.ndim, "split")
    n = x.array.shape[axis]
    if not isinstance(sizes, (list, tuple)):
        size = whole(sizes)
        if size < 0 or (size == 0 and n):
            raise ValueError(f"split: expected a length of at least 1, got {size}.")
        sizes = [builtins.min(size, n - i) for i in range(0, n, size or 1)] or [0]
    if builtins.sum(sizes) != n or builtins.min(sizes, default=0) < 0:
        raise ValueError(f"split: expected lengths that add up to {n}, got {list(sizes)}.")
    parts = [slice(end - n, end) for end, n in zip(accumulate(sizes), sizes, strict=True)]
    before = (slice(None),) * axis
    return tuple([x[(*before, part) if axis else part] for part in parts])


def chunk(input: TensorLike, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into at most `chunks` pieces of equal length along `dim`; the last may be shorter.

    >>> [piece.shape for piece in chunk([1, 2, 3, 4, 5], 2)]
    [(3,), (2,)]
    """
    x = as_tensor(input)
    if whole(chunks) < 1:
        raise ValueError(f"chunk: expected at least 1 chunk, got {chunks}.")
    (axis,) = normalize_axes(whole(dim), x.ndim, "chunk")
    n = x.shape[axis]
    if not n:
        return split(x, [0] * whole(chunks), axis)
    return split(x, -(-n // whole(chunks)), axis)


def tensor_split(input: TensorLike, indices_or_sections: Any, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut along `dim` into so many nearly equal pieces, or at positions."""
    x = as_tensor(input)
    (axis,) = normalize_axes(whole(dim), x.ndim, "tensor_split")
    n, cuts = x.shape[axis], indices_or_sections
    if isinstance(cuts, Tensor):
        cuts = cuts.tolist()
    if isinstance(cuts, int):
        if cuts < 1:
            raise ValueError(f"tensor_split: expected at least 1 section, got {cuts}.")
        cuts = list(accumulate(n // cuts + (i < n % cuts) for i in range(cuts - 1)))
    before = (slice(None),) * axis
    ends = zip([0, *cuts], [*cuts, n], strict=True)
    return tuple([x[(*before, slice(start, stop))] for start, stop in ends])


def _along(owner: str, dim: int) -> Any:
    def cut(input: TensorLike, indices_or_sections: Any) -> tuple[Tensor, ...]:
        x = as_tensor(input)
        axis = 0 if owner == "hsplit" and x.ndim == 1 else dim
        if x.ndim <= axis:
            raise ValueError(f"{owner}: expected at least {dim + 1} axes, got shape {x.shape}.")
        n = indices_or_sections
        if isinstance(n, int) and (n < 1 or x.shape[axis] % n):
            raise ValueError(f"{owner}: expected a divisor of {x.shape[axis]}, got {n}.")
        return tensor_split(x, n, axis)

    cut.__doc__ = f"Cut along axis {dim} into so many equal pieces, or at positions."
    return cut


hsplit, vsplit, dsplit = _along("hsplit", 1), _along("vsplit", 0), _along("dsplit", 2)


def unbind(input: TensorLike, dim: int = 0) -> tuple[Tensor, ...]:
    """Split along `dim` into a tuple of tensors without it."""
    x = as_tensor(input)
    if not x.ndim:
        raise ValueError("unbind: expected at least one axis, got a tensor without axes.")
    return F.unstack(x, axis=whole(dim))


def broadcast_tensors(*tensors: Any) -> tuple[Tensor, ...]:
    """Broadcast tensors against each other to one shape."""
    return F.broadcast_arrays(
        *(tensors[0] if tensors and isinstance(tensors[0], (list, tuple)) else tensors)
    )


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """Return the shape that tensors of these shapes broadcast to."""
    return np.broadcast_shapes(*shapes)


def meshgrid(*tensors: Any, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Return coordinate grids from vectors; the first varies along the first axis ("ij")."""
    parts = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], (list, tuple)) else tensors
    vectors = [as_tensor(x) for x in parts]
    if builtins.any(x.ndim > 1 for x in vectors) or len({x.array.dtype for x in vectors}) > 1:
        raise ValueError(
            "meshgrid: expected vectors of one dtype, got "
            f"{', '.join(f'{x.shape} of {x.array.dtype}' for x in vectors)}."
        )
    return F.meshgrid(*vectors, indexing=indexing)


def block_diag(*tensors: Any) -> Tensor:
    """Return the matrix with matrices along its diagonal."""
    blocks = [atleast_2d(x) for x in tensors]
    width = builtins.sum(x.shape[1] for x in blocks)
    starts = accumulate([0, *[x.shape[1] for x in blocks]])
    return F.concat(
        [
            F.pad(x, [(0, 0), (at, width - at - x.shape[1])])
            for x, at in zip(blocks, starts, strict=False)
        ],
        0,
    )


def cartesian_prod(*tensors: Any) -> Tensor:
    """Return all rows that take one element of each vector."""
    if len(tensors) == 1:
        return as_tensor(tensors[0])
    return F.stack([ravel(x) for x in meshgrid(*tensors)], 1)


def tri_indices(row: int, col: int, offset: int, keep: Any) -> Tensor:
    """Return the positions of a triangle of a matrix, rows above columns."""
    return as_tensor(np.stack(np.nonzero(keep(np.ones((row, col), bool), offset))))


def tril_indices(row: int, col: int, offset: int = 0, dtype: Any = None) -> Tensor:
    """Return where the elements on and below diagonal `offset` are: (2, count)."""
    found = tri_indices(row, col, offset, np.tril)
    return found if dtype is None else astype(found, dtype)


def triu_indices(row: int, col: int, offset: int = 0, dtype: Any = None) -> Tensor:
    """Return where the elements on and above diagonal `offset` are: (2, count)."""
    found = tri_indices(row, col, offset, np.triu)
    return found if dtype is None else astype(found, dtype)


def stack(tensors: Sequence[TensorLike], dim: int = 0) -> Tensor:
    """Join tensors of one shape along a new axis."""
    return F.stack(tensors, whole(dim))
