"""The primitive that takes a diagonal of matrices, as a view."""

from __future__ import annotations

import numpy as np

from schuss.core import TRACER, Array, Tensor, TensorLike
from schuss.lowering.kinds import VIEW
from schuss.primitives.base import REGISTRY, Primitive, apply, as_tensor
from schuss.primitives.movement import pad, reshape
from schuss.primitives.views import as_view, view

__all__ = ["diagonal"]


def _length_of_diagonal(shape: tuple[int, ...], offset: int) -> int:
    n, m = shape[-2:]
    return max(0, min(n + min(offset, 0), m - max(offset, 0)))


def _diagonal_value(x: Array, *, offset: int) -> Array:
    out = x.diagonal(offset, -2, -1)
    # NumPy's own view is not to be written to.
    out.flags.writeable = x.flags.writeable
    return out


def _undiagonal(g: Tensor, shape: tuple[int, ...], offset: int) -> Tensor:
    """Return a matrix that has `g` as a diagonal and is zero elsewhere."""
    before = min(max(0, -offset), shape[-2])
    none = [(0, 0)] * (g.ndim - 1)
    rows = pad(g, [*none, (before, shape[-2] - before - g.shape[-1])])
    spread = reshape(rows, (*rows.shape, 1))
    mask = np.eye(shape[-2], shape[-1], offset, dtype=bool)
    return apply(REGISTRY["where"], (as_tensor(mask), spread, 0), {})


_diagonal = Primitive(
    "diagonal",
    value=_diagonal_value,
    shape=lambda x, *, offset: ((*x[0][:-2], _length_of_diagonal(x[0], offset)), x[1]),
    derivative=(lambda g, y, x, *, offset: _undiagonal(g, x.shape, offset),),
    batch=lambda primitive, size, batched, inputs, attributes: apply(
        primitive, tuple(inputs), attributes
    ),
    lower=VIEW,
)


def diagonal(x: TensorLike, offset: int = 0) -> Tensor:
    """Return diagonal `offset` of the last two axes as a last axis; without a copy."""
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"diagonal: expected at least 2 axes, got shape {x.shape}.")
    attributes = {"offset": offset}
    if TRACER.get() is None:
        return view(_diagonal, x, attributes, _diagonal_value(x.array, offset=offset))
    return as_view(apply(_diagonal, (x,), attributes), _diagonal, x, attributes)


diagonal.primitive = _diagonal  # type: ignore[attr-defined]
