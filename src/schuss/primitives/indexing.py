"""Indexing and its derivative: slices, gathers by integer arrays, scatters, and sorting order."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss.core import RECORDING, TRACER, Array, Tensor, TensorLike, bool_, int32, int64, leaf
from schuss.lowering.kinds import SEGMENT_SUM, Kernel
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import NOT_DIFFERENTIABLE, Primitive, Spec, apply, as_tensor
from schuss.primitives.batching import batch_gather, batch_scatter, shifted
from schuss.primitives.checks import InBounds, require
from schuss.primitives.index_template import (
    ARRAY,
    ROWS_BY_INDEX,
    Template,
    around_mask,
    array_axes,
    filled,
    integers_first,
    stand_in,
)
from schuss.primitives.movement import basic_slice
from schuss.primitives.row_gradient import row_gradient

_BY_ROWS: dict[str, Any] = {"template": ROWS_BY_INDEX}
_SPARSE_ROWS: dict[str, Any] = {"template": ROWS_BY_INDEX, "sparse": True}
# From this many elements on, sorting rows by their place costs less than adding one by one.
_MANY = 1024


def _gather_shape(x: Spec, *indices: Spec, template: Template, sparse: bool = False) -> Spec:
    arrays = tuple(stand_in(i) for i in indices)
    return stand_in(x)[filled(template, arrays)].shape, x[1]


def _scatter_add_value(
    g: Array, *indices: Array, template: Template, shape: tuple[int, ...]
) -> Array:
    out: Array = np.zeros(shape, g.dtype)
    axis = len(template) - 1
    before: tuple[Any, ...] = template[:-1]
    is_by_slices = template == (slice(None),) * axis + ROWS_BY_INDEX
    if is_by_slices and g.size >= _MANY and g.ndim > axis + indices[0].ndim > axis:
        # Slices, as an embedding's rows: sorted by their place they are summed in one pass.
        flat = indices[0].reshape(-1) % shape[axis]
        slices = g.reshape(*shape[:axis], flat.size, *shape[axis + 1 :])
        order = np.argsort(flat, kind="stable")
        places = flat[order]
        starts = np.flatnonzero(np.r_[True, places[1:] != places[:-1]])
        slices = slices.take(order, axis)
        out[(*before, places[starts])] = np.add.reduceat(slices, starts, axis)
    else:
        np.add.at(out, filled(template, indices), g)
    return out


def _gather_value(x: Array, *indices: Array, template: Template, sparse: bool = False) -> Any:
    if template == ROWS_BY_INDEX and x.ndim:
        return x.take(indices[0], 0)
    return x[filled(template, indices)]


def _gather_derivative(
    position: int,
    g: Tensor,
    y: Tensor,
    x: Tensor,
    *indices: Tensor,
    template: Template,
    sparse: bool = False,
) -> Tensor:
    if sparse and not RECORDING.get():
        return row_gradient(g, indices[0], x.shape)
    return apply(_scatter_add, (g, *indices), {"template": template, "shape": x.shape})


_gather = Primitive(
    "gather",
    value=_gather_value,
    shape=_gather_shape,
    variadic=True,
    derivative=_gather_derivative,
    batch=batch_gather,
    lower=Kernel("gather"),
)

_scatter_add: Primitive = Primitive(
    "scatter_add",
    value=_scatter_add_value,
    shape=lambda g, *indices, template, shape: (shape, g[1]),
    variadic=True,
    derivative=lambda position, g, y, x, *indices, template, shape: apply(
        _gather, (g, *indices), {"template": template}
    ),
    batch=batch_scatter,
    lower=Kernel("scatter_add"),
)


# A scatter of rows in two parts, as compiled programs have it: first which positions go to each
# row, then the sums, which are taken where a row is needed.


def _row_lists_value(indices: Array, *, rows: int) -> Array:
    flat = indices.reshape(-1)
    if flat.size and not -rows <= flat.min() <= flat.max() < rows:
        raise IndexError(f"index: expected rows from {-rows} to {rows - 1}, got others.")
    flat = flat % rows
    order = np.argsort(flat, kind="stable")
    places = flat[order]
    goes_on = places[1:] == places[:-1]
    first = np.r_[True, ~goes_on][: flat.size]
    lists = np.full(rows + flat.size, -1, np.int32)
    lists[places[first]] = order[first]
    lists[rows + order[:-1][goes_on]] = order[1:][goes_on]
    return lists


# For each row its first position, then for each position the next one of the same row; -1 ends a
# list. Positions come in their order.
_row_lists = Primitive(
    "segment_lists",
    value=_row_lists_value,
    shape=lambda indices, *, rows: ((rows + math.prod(indices[0]),), int32),
    derivative=NOT_DIFFERENTIABLE,
    lower=Kernel("segment_lists"),
)


def _row_sums_value(g: Array, lists: Array, *, shape: tuple[int, ...]) -> Array:
    out = np.zeros(shape, g.dtype)
    values = g.reshape(-1, *shape[1:])
    following = lists[shape[0] :]
    rows = np.flatnonzero(lists[: shape[0]] >= 0)
    places = lists[rows]
    while rows.size:
        out[rows] += values[places]
        places = following[places]
        left = places >= 0
        rows, places = rows[left], places[left]
    return out


_row_sums = Primitive(
    "segment_sum",
    value=_row_sums_value,
    shape=lambda g, lists, *, shape: (shape, g[1]),
    derivative=NOT_DIFFERENTIABLE,
    lower=SEGMENT_SUM,
)

_row_marks = Primitive(
    "row_marks",
    value=lambda lists, *, shape: np.broadcast_to(
        (lists[: shape[0]] >= 0).reshape(-1, *[1] * (len(shape) - 1)), shape
    ).copy(),
    shape=lambda lists, *, shape: (shape, bool_),
    derivative=NOT_DIFFERENTIABLE,
    lower=SEGMENT_SUM,
)


def look_up(x: Tensor, rows: Tensor, *, sparse: bool = False) -> Tensor:
    """Return rows of `x` that are known to be there.

    With `sparse`, what flows back is a sparse gradient, unless it is recorded itself.
    """
    return apply(_gather, (x, rows), _SPARSE_ROWS if sparse else _BY_ROWS)


def gather(x: Tensor, indices: tuple[Tensor, ...]) -> Tensor:
    """Return the elements of `x` at indices along its first axes; they broadcast together.

    That the indices name what is there has to be known: a compiled program does not look.
    """
    return _picked(x, indices, (ARRAY,) * len(indices))


def _picked(x: Tensor, arrays: tuple[Tensor, ...], template: Template) -> Tensor:
    try:
        return apply(_gather, (x, *arrays), {"template": template})
    except IndexError as error:
        raise IndexError(f"index: {error} (shape {x.shape}).") from None


def _picked_if_there(x: Tensor, arrays: tuple[Tensor, ...], template: Template) -> Tensor:
    """Return what the indices pick; a compiled program looks whether it is there."""
    result = _picked(x, arrays, template)
    if TRACER.get() is not None:
        for indices, axis in zip(arrays, array_axes(template, x.ndim), strict=True):
            require(InBounds("index", x.shape, axis), indices)
    return result


def getitem(x: Tensor, index: Any) -> Tensor:
    """Index as NumPy does: slices, integers, None, Ellipsis, integer arrays, boolean masks.

    But that integers beside arrays are taken first, as PyTorch has it: `x[0, :, rows]` is
    `x[0][:, rows]`.

    Raises:
        IndexError: for an index out of range, too many indices, or one of another kind.
    """
    kind: Any = type(index)
    if kind is slice or kind is int:
        return _sliced(x, (index,))
    if kind is tuple and _is_plain(index):
        return _sliced(x, index)
    if isinstance(index, Tensor) and x.array.ndim:
        array = index.array
        if array.dtype.kind == "i":
            return _picked_if_there(x, (index,), ROWS_BY_INDEX)
        if array.dtype.kind == "b":
            tracer = TRACER.get()
            if tracer is not None and array.ndim:
                return tracer.selected(x, index)  # type: ignore[no-any-return]  # a kind of tensor
            if array.shape == x.array.shape:
                return gather(x, tuple([leaf(places) for places in array.nonzero()]))
    if (getattr(index, "shape", None) == () and index.dtype.kind == "b") or kind is bool:
        # No axis goes, and one comes, of length 1 or 0.
        return basic_slice(basic_slice(x, (None,)), (slice(int(bool(index))),))
    items = index if isinstance(index, tuple) else (index,)
    if len(items) > 1:
        parts = integers_first(items)
        if parts is not None:
            return getitem(getitem(x, parts[0]), parts[1])
        tracer = TRACER.get()
        around = None if tracer is None else around_mask(items, x.ndim)
        if around is not None:
            plain, by, axis = around
            return tracer.selected(getitem(x, plain), by, axis)  # type: ignore[no-any-return]  # a kind of tensor
    template: list[Any] = []
    arrays: list[Tensor] = []
    masks: dict[int, tuple[int, ...]] = {}
    for place, item in enumerate(items):
        kind = type(item)
        if kind is int or kind is slice or item is None or item is Ellipsis:
            template.append(_plain_slice(item) if kind is slice else item)
        elif isinstance(item, (int, np.integer)) and not isinstance(item, (bool, np.bool_)):
            template.append(int(item))
        else:
            found, mask = _index_arrays(item)
            if mask:
                masks[place] = mask
            template.extend([ARRAY] * len(found))
            arrays.extend(found)
    if masks:
        _check_masks(x.shape, items, masks)
    if not arrays:
        return _sliced(x, tuple(template))
    return _picked_if_there(x, tuple(arrays), tuple(template))


def _sliced(x: Tensor, index: tuple[Any, ...]) -> Tensor:
    try:
        return basic_slice(x, index)
    except IndexError as error:
        raise IndexError(f"index: {error} (shape {x.shape}).") from None


def _is_plain(index: tuple[Any, ...]) -> bool:
    """Return whether an index is of integers, and slices without tensors."""
    for item in index:
        kind = type(item)
        if kind is slice:
            for part in (item.start, item.stop, item.step):
                if part is not None and type(part) is not int:
                    return False
        elif kind is not int:
            return False
    return True


def _plain_slice(item: slice) -> slice:
    if any(isinstance(part, Tensor) for part in (item.start, item.stop, item.step)):
        parts = (item.start, item.stop, item.step)
        return slice(*[None if part is None else int(part) for part in parts])
    return item


def _check_masks(
    shape: tuple[int, ...], items: tuple[Any, ...], masks: dict[int, tuple[int, ...]]
) -> None:
    """Raise IndexError for a mask that has not the lengths of the axes it is put on."""
    taken = [
        0 if item is None or item is Ellipsis else len(masks.get(place, (0,)))
        for place, item in enumerate(items)
    ]
    axis = 0
    for place, item in enumerate(items):
        mask = masks.get(place)
        own = shape[axis : axis + len(mask or ())]
        # As the array API standard has it, a length may be 0, too.
        if mask and (
            len(own) < len(mask) or any(m not in (n, 0) for m, n in zip(mask, own, strict=True))
        ):
            raise IndexError(
                f"index: expected a mask of shape {own} from axis "
                f"{axis} on, got {mask} (shape {shape})."
            )
        axis += len(shape) - sum(taken) if item is Ellipsis else taken[place]


def _index_arrays(item: Any) -> tuple[list[Tensor], tuple[int, ...]]:
    """Return an integer tensor, or one for each axis of a boolean mask, and the mask's shape."""
    if isinstance(item, list) and not item:
        return [leaf(np.zeros(0, int64))], ()
    try:
        found = as_tensor(item)
    except TypeError as error:
        raise IndexError(
            f"index: expected integers, slices, None, ... or masks, got {type(item).__name__} "
            f"({error})"
        ) from None
    if found.array.dtype.kind == "b":
        tracer = TRACER.get()
        if tracer is not None:
            return list(tracer.nonzero(found)), found.shape
        if found.ndim == 0:
            raise IndexError("index: expected a mask with axes, got one boolean; use where().")
        return [leaf(places) for places in found.array.nonzero()], found.shape
    if found.array.dtype.kind != "i":
        raise IndexError(
            f"index: expected integers or booleans, got {found.array.dtype}; cast it first."
        )
    return [found], ()


_argsort = Primitive(
    "argsort",
    value=lambda x, *, axis, descending: _argsort_value(x, axis, descending),
    shape=lambda x, *, axis, descending: (x[0], int64),
    derivative=NOT_DIFFERENTIABLE,
    batch=shifted("axis"),
    lower=Kernel("argsort"),
)


def _argsort_value(x: Array, axis: int, descending: bool) -> Array:
    if not descending:
        return np.argsort(x, axis=axis, kind="stable")
    # Stable and descending: sort the reversed array and count from its other end.
    order = np.argsort(np.flip(x, axis), axis=axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(order, axis)  # type: ignore[no-any-return]


def argsort(
    x: TensorLike, axis: int = -1, *, descending: bool = False, stable: bool = True
) -> Tensor:
    """Return the positions (int64) that sort `x` along `axis`.

    Args:
        x: at least one axis.
        axis: along which.
        descending: the largest first.
        stable: equal elements keep their order; they always do.
    """
    x = as_tensor(x)
    (place,) = normalize_axes(axis, x.ndim, "argsort")
    return apply(_argsort, (x,), {"axis": place, "descending": descending})


def take_along_axis(x: TensorLike, indices: TensorLike, axis: int = -1) -> Tensor:
    """Pick along `axis` the elements at `indices`, which has x's number of axes."""
    x, found = as_tensor(x), as_tensor(indices)
    (axis,) = normalize_axes(axis, x.ndim, "take_along_axis")
    if found.ndim != x.ndim or found.array.dtype.kind != "i":
        raise ValueError(
            f"take_along_axis: expected integer indices with {x.ndim} axes, got shape "
            f"{found.shape} of {found.array.dtype}."
        )
    for a, n in enumerate(x.shape):
        if a != axis and found.shape[a] == 1 != n:
            continue
        if a != axis and found.shape[a] != n:
            raise ValueError(
                f"take_along_axis: expected indices of length {n} or 1 along axis {a}, got "
                f"{found.shape[a]}."
            )
    result = along(x, found, axis)
    if TRACER.get() is not None:
        require(InBounds("index", x.shape, axis), found)
    return result


def along(x: Tensor, indices: Tensor, axis: int) -> Tensor:
    """Pick along `axis`, from 0 on, what is known to be there; see `gather`."""
    grid = [
        leaf(np.arange(n).reshape((-1,) + (1,) * (x.ndim - a - 1))) for a, n in enumerate(x.shape)
    ]
    grid[axis] = indices
    return gather(x, tuple(grid))


def take(x: TensorLike, indices: TensorLike, axis: int | None = None) -> Tensor:
    """Pick the elements (or rows along `axis`) at `indices`; 1-D `x` needs no axis."""
    x = as_tensor(x)
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: expected axis= for shape {x.shape}, got none.")
        axis = 0
    (axis,) = normalize_axes(axis, x.ndim, "take")
    found = as_tensor(indices)
    return getitem(x, (slice(None),) * axis + (found,) if axis else found)


getitem.primitive = _gather  # type: ignore[attr-defined]
argsort.primitive = _argsort  # type: ignore[attr-defined]
