"""The primitive that takes elements of a vector at any steps, as a view; windows may overlap."""

from __future__ import annotations

import math

import numpy as np

from schuss.core import TRACER, Array, Tensor, leaf
from schuss.lowering.kinds import VIEW
from schuss.primitives.base import REGISTRY, Primitive, apply
from schuss.primitives.index_template import ROWS_BY_INDEX
from schuss.primitives.movement import permute_dims, reshape
from schuss.primitives.storage import owner_of
from schuss.primitives.views import (
    SAME_MEMORY,
    as_view,
    detach,
    memory_of,
    origin_of,
    origins_of,
    view,
)

__all__ = ["as_strided"]

Sizes = tuple[int, ...]
# Where in a vector the elements of a view are: lengths, steps along them, and the first place.
Geometry = tuple[Sizes, Sizes, int]


def _strided(x: Array, *, at: Geometry, seen: Geometry) -> Array:
    shape, strides, offset = at
    steps = tuple([n * x.strides[0] for n in strides])
    return np.lib.stride_tricks.as_strided(x[offset:], shape, steps, writeable=x.flags.writeable)


def _to_vector(g: Tensor, y: Tensor, x: Tensor, *, at: Geometry, seen: Geometry) -> Tensor:
    places = np.arange(x.size)
    taken = leaf(np.ascontiguousarray(_strided(places, at=at, seen=seen)))
    attributes = {"template": ROWS_BY_INDEX, "shape": x.shape}
    errors = apply(REGISTRY["scatter_add"], (g, taken), attributes)
    mask = np.isin(places, _strided(places, at=seen, seen=seen))
    return errors if mask.all() else apply(REGISTRY["where"], (leaf(mask), errors, 0), {})


_as_strided = Primitive(
    "as_strided",  # y[i, j, ...] = x[offset + i * strides[0] + j * strides[1] + ...]
    value=_strided,
    shape=lambda x, *, at, seen: (at[0], x[1]),
    derivative=(_to_vector,),
    lower=VIEW,
)


def _geometry(x: Tensor, root: Tensor) -> Geometry:
    """Return where `x`, which is a view of `root`, lies in its memory."""
    steps = []
    while x is not root:
        primitive, base, attributes = origin_of(x)  # type: ignore[misc]  # root is its origin
        steps.append((primitive, attributes))
        x = base  # type: ignore[assignment]  # the same
    whole = part = memory_of(root)
    for primitive, attributes in reversed(steps):
        if primitive is not SAME_MEMORY:
            part = primitive.value(part, **attributes)
    first, begin = (array.__array_interface__["data"][0] for array in (whole, part))
    size = whole.itemsize
    return part.shape, tuple([n // size for n in part.strides]), (begin - first) // size


def _storage_of(x: Tensor) -> tuple[Tensor, Geometry, int | None]:
    """Return, as a vector, the memory that `x` lies in, where x is in it, and where it begins.

    It is that of what x is a view of, unless errors have to end in one of these.

    Raises:
        ValueError: for what lies in memory with gaps, such as a slice of a NumPy array.
    """
    owner, is_cut = x, False
    while (origin := origin_of(owner)) is not None and (base := origin[1]) is not None:
        if owner.requires_grad and owner.is_leaf and not is_cut:
            break
        is_cut = is_cut or origin[0] is SAME_MEMORY
        owner = base
    array = memory_of(owner)
    order = sorted(range(array.ndim), key=lambda axis: -array.strides[axis])
    if not array.transpose(order).flags.c_contiguous:
        raise ValueError(
            "as_strided: expected a tensor that lies in memory without gaps, got a part of another "
            f"one, of shape {owner.shape}; take a clone() first."
        )
    storage = detach(owner) if is_cut else owner
    return reshape(permute_dims(storage, order), (-1,)), _geometry(x, owner), _begin(owner)


def _begin(x: Tensor) -> int | None:
    """Return where `x` begins in the memory of what it is a view of; None where that is gone."""
    root, _ = origins_of(x)
    if TRACER.get() is None and owner_of(root.array).size != root.size:
        return None
    return _geometry(x, root)[2]


def as_strided(x: Tensor, shape: Sizes, strides: Sizes, offset: int | None = None) -> Tensor:
    """Return a view of the memory that `x` lies in, with its own shape and strides.

    As in PyTorch, errors go back to elements of x alone, not to others that lie beside them.

    Args:
        x: any shape; the memory is that of what it is a view of.
        shape: of the view.
        strides: elements of the memory from one to the next along each axis, at least 0.
        offset: where in memory it begins; by default where x does.

    Raises:
        ValueError: for what would lie outside of the memory.
    """
    storage, seen, begin = _storage_of(x)
    if offset is None:
        first = seen[2]
    elif begin is None:
        raise ValueError(
            "as_strided: expected no storage_offset for a part of what is not known, an array or "
            f"what detach() cut it off from, got {offset}; take a clone() first."
        )
    else:
        first = offset - begin
    if len(shape) != len(strides) or min((*shape, *strides, first), default=0) < 0:
        raise ValueError(
            "as_strided: expected lengths, strides and an offset from 0, as many strides as "
            f"lengths, got size {shape}, stride {strides}, storage_offset {offset}."
        )
    last = first + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= storage.size:
        raise ValueError(
            f"as_strided: expected elements of the {storage.size} in memory, got size {shape}, "
            f"stride {strides} and storage_offset {offset}, which need {last + 1}."
        )
    attributes = {"at": (shape, strides, min(first, storage.size)), "seen": seen}
    if TRACER.get() is None:
        return view(_as_strided, storage, attributes, _strided(storage.array, **attributes))
    return as_view(apply(_as_strided, (storage,), attributes), _as_strided, storage, attributes)


as_strided.primitive = _as_strided  # type: ignore[attr-defined]
