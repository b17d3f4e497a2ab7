"""Writing in place: to a tensor, and through views to what they are views of."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from schuss.core import RECORDING, TRACER, Array, Tensor, leaf, next_stamp
from schuss.primitives import storage
from schuss.primitives.base import REGISTRY, apply, astype
from schuss.primitives.index_template import ROWS_BY_INDEX
from schuss.primitives.views import REWRITTEN, SAME_MEMORY, Rewritten, origin_of, root_of, view_of

__all__ = ["put", "rewrite", "writes_at_once"]

# Movements that writing can go back through.
_WRITABLE = frozenset(
    ["slice", "reshape", "permute_dims", "diagonal", "as_strided", SAME_MEMORY.name]
)


def _chain_of(owner: str, y: Tensor) -> tuple[Tensor, list[Any]]:
    """Return what `y` is a view of at last, and the movements that lead from there.

    Raises:
        ValueError: for what a graph keeps to itself, for a leaf that requires a gradient where
            operations are recorded, for a result where they are not.
    """
    find = view_of if TRACER.get() is None else origin_of
    root = y
    steps: list[Any] = []
    while (origin := find(root)) is not None:
        primitive, base, attributes = origin
        if base is None:
            break
        steps.append((primitive, attributes))
        root = base
    recording = RECORDING.get()
    cut = any(primitive is SAME_MEMORY for primitive, _ in steps)
    refused = root.requires_grad if recording and root.node is None else root.node and not recording
    if origin is not None or (refused and not cut):
        raise ValueError(
            f"{owner}: this tensor takes part in differentiation and cannot be changed in place; "
            "build a new one, or change a parameter inside no_grad()."
        )
    return root, steps[::-1]


def writes_at_once(owner: str, y: Tensor, *given: Tensor) -> bool:
    """Return whether a write of given values goes to the memory of `y`, and is not recorded.

    Raises:
        ValueError: where `y` cannot be written to; see `rewrite`.
    """
    if TRACER.get() is not None:
        return False
    if y.node is None and not y.requires_grad and getattr(y, "origin", None) is None:
        # Most often it is no view, and not part of a graph.
        return not (RECORDING.get() and any(x.requires_grad for x in given))
    root, _ = _chain_of(owner, y)
    recorded = root.requires_grad or any(x.requires_grad for x in given)
    return not (recorded and RECORDING.get())


def rewrite(owner: str, y: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Give `y`, and all that share its memory, what `change` makes of y's present contents.

    Args:
        owner: who is named in errors.
        y: what is written to.
        change: takes y, and returns what it becomes, of y's shape; it is recorded.

    Raises:
        ValueError: for a leaf that requires a gradient where operations are recorded, for what
            takes part in differentiation where they are not, and for elements that are repeated.
    """
    root, steps = _chain_of(owner, y)
    if any(primitive.name not in _WRITABLE for primitive, _ in steps):
        raise ValueError(
            f"{owner}: expected a tensor whose elements are its own, got one from expand(); change "
            "a clone(), or the other tensor by its index."
        )
    tracer = TRACER.get()
    if tracer is not None:
        tracer.writes(owner, root)
    if any(primitive is SAME_MEMORY for primitive, _ in steps):
        return _rewrite_detached(owner, y, root, steps, change)
    recording = RECORDING.get()
    former = _former(root) if recording and root.requires_grad else root
    new = _changed(former, steps, change)
    if former is root and recording and new.requires_grad:
        # Again, from what stays as it is, or the graph would go in a circle.
        former = _former(root)
        new = _changed(former, steps, change)
    _become(owner, root, new, former)
    return y


def _rewrite_detached(
    owner: str, y: Tensor, root: Tensor, steps: list[Any], change: Callable[[Tensor], Tensor]
) -> Tensor:
    """Write, in a trace, to what shares memory with a tensor that is cut off; not recorded."""
    if root.node is not None or (RECORDING.get() and change(y).requires_grad):
        raise ValueError(
            f"{owner}: this tensor shares memory with one that takes part in differentiation, from "
            "which detach() cut it off; while compiling, change a clone()."
        )
    token = RECORDING.set(False)
    try:
        new = _changed(root, steps, change)
        TRACER.get().assign(root, new)
    finally:
        RECORDING.reset(token)
    return y


def _former(x: Tensor) -> Tensor:
    """Return a tensor that is what `x` is now, and stays so."""
    tracer = TRACER.get()
    if tracer is not None:
        former = leaf(tracer.contents(x))
    else:
        former = leaf(x.array.copy() if storage.is_shared(x) else x.array)
    former.requires_grad, former.node, former.stamp = x.requires_grad, x.node, x.stamp
    return former


def _changed(x: Tensor, steps: list[Any], change: Callable[[Tensor], Tensor]) -> Tensor:
    """Return what becomes of `x` when the view of it after `steps` is changed."""
    parts = [x]
    for primitive, attributes in steps:
        if primitive is SAME_MEMORY:
            parts.append(parts[-1])
        else:
            parts.append(apply(primitive, (parts[-1],), attributes))
    new = astype(change(parts.pop()), x.array.dtype)
    for primitive, attributes in reversed(steps):
        new = _put_back(parts.pop(), primitive, attributes, new)
    return new


def _become(owner: str, x: Tensor, new: Tensor, former: Tensor) -> None:
    """Give `x`, which is no view, the contents `new`; `former` is what it was."""
    tracer = TRACER.get()
    recorded = RECORDING.get() and (new.requires_grad or x.requires_grad)
    if tracer is not None:
        tracer.assign(x, new)
    elif recorded and former.array is x.array:
        # Nobody else looks at the memory: the former self keeps it.
        x.array = np.empty_like(x.array)
        x.array[...] = new.array
        x.stamp = next_stamp()
    else:
        storage.write(owner, x, new.array)
    if recorded:
        if tracer is not None:
            tracer.records(x)
        Rewritten.happened = True
        # Not an input of it: no error goes there.
        x.node = (REWRITTEN, (new,), {"former": former})
        if not x.requires_grad:
            x.requires_grad = True
            _connect_views(x)


def _connect_views(root: Tensor) -> None:
    """Let views of what takes part in differentiation from now on do so, too."""
    tracer = TRACER.get()
    held: Iterable[Any] = ()
    if tracer is not None:
        held = tracer.tensors()
    elif storage.is_shared(root):
        # Rarely more than once for a tensor, so that views need not be known to it.
        held = gc.get_objects()
    # Stamps come last: without one, it is what another thread is making, or failed to make.
    tensors = [x for x in held if type(x) is Tensor and hasattr(x, "stamp")]
    # As they were made, what is a view of a view comes after it.
    for x in tensors:
        if not x.requires_grad and x is not root and root_of(x) is root:
            primitive, base, attributes = view_of(x)  # type: ignore[misc]  # it has one
            x.requires_grad, x.node = True, (primitive, (base,), attributes)
            x.stamp = next_stamp()


def _put_back(x: Tensor, primitive: Any, attributes: dict[str, Any], value: Tensor) -> Tensor:
    """Return `x` with `value` where a movement of it takes its elements from."""
    if primitive is SAME_MEMORY:
        return value
    if primitive.name == "slice":
        return put(x, attributes["template"], value)
    if primitive.name == "reshape":
        return apply(primitive, (value,), {"shape": x.shape})
    if primitive.name in ("diagonal", "as_strided"):
        taken = primitive.value(np.arange(x.size).reshape(x.shape), **attributes)
        return put(x, np.unravel_index(taken, x.shape), value)
    axes = attributes["axes"]
    return apply(primitive, (value,), {"axes": tuple(map(axes.index, range(len(axes))))})


def put(x: Tensor, index: Any, value: Tensor) -> Tensor:
    """Return `x` with `value`, broadcast, at a NumPy index; the last one counts where they repeat.

    Raises:
        ValueError: for a value of another shape.
    """
    recorded = RECORDING.get() and (x.requires_grad or value.requires_grad)
    if TRACER.get() is None and not recorded:
        array: Array = np.array(x.array)
        array[index] = value.array
        return leaf(array)
    # For each element its place in the value, as that lies at the index; -1 for none.
    places = np.full(x.shape, -1, np.int64)
    shape = places[index].shape
    places[index] = np.arange(math.prod(shape)).reshape(shape)
    value = astype(value, x.array.dtype)
    if not math.prod(shape) and _fits(value, shape):
        # There is nothing to write; what it was made of has an error of 0 nevertheless.
        axes = tuple(range(value.ndim))
        value = apply(REGISTRY["sum"], (value,), {"axes": axes, "keepdims": False})
    elif value.size != 1 or value.ndim > len(shape):
        value = _spread(value, shape, places, index)
    elif value.ndim:
        value = apply(REGISTRY["reshape"], (value,), {"shape": ()})
    return apply(REGISTRY["where"], (leaf(np.asarray(places >= 0)), value, x), {})


def _fits(value: Tensor, shape: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(value.shape, shape) == shape
    except ValueError:
        return False


def _spread(value: Tensor, shape: tuple[int, ...], places: Array, index: Any) -> Tensor:
    """Return the value, of `shape` after broadcasting, laid out at its places among others."""
    extra = value.ndim - len(shape)
    if extra > 0 and value.shape[:extra] == (1,) * extra:
        value = apply(REGISTRY["reshape"], (value,), {"shape": value.shape[extra:]})
    if value.shape != shape:
        if not _fits(value, shape):
            raise ValueError(f"setitem: expected a value of shape {shape}, got {value.shape}.")
        value = apply(REGISTRY["broadcast_to"], (value,), {"shape": shape})
    if is_basic(index):
        template = index if isinstance(index, tuple) else (index,)
        attributes = {"template": template, "shape": places.shape}
        return apply(REGISTRY["unslice"], (value,), attributes)
    flat = apply(REGISTRY["reshape"], (value,), {"shape": (value.size,)})
    where = leaf(np.maximum(places, 0))
    return apply(REGISTRY["gather"], (flat, where), {"template": ROWS_BY_INDEX})


def is_basic(index: Any) -> bool:
    """Return whether an index is of integers, slices, None and Ellipsis alone."""
    items = index if type(index) is tuple else (index,)
    return all(
        item is None or item is Ellipsis or type(item) is int or type(item) is slice
        for item in items
    )
