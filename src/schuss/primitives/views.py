"""Views: tensors that are elements of another one, and writing through them, as in NumPy.

Arrays are never written into, since others may hold them; a tensor that is written to gets another
array. So a view knows what it was made of, and how; to write to it is to compute what becomes of
that, and what that is a view of, up to the root, which is a view of nothing. Other views of the
root keep their values. Where operations are recorded, so is this one: the tensor gets another
node, and what used it before keeps a former self.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from schuss.core import RECORDING, TRACER, Array, Tensor, leaf, new_object, next_stamp
from schuss.primitives.base import REGISTRY, apply, astype
from schuss.primitives.index_template import ROWS_BY_INDEX

__all__ = ["Rewritten", "as_view", "put", "restore_former", "rewrite", "root_of"]
__all__ += ["shares_memory", "view"]

# What a view is made of, by which primitive, with which attributes.
Origin = tuple[Any, Tensor | None, dict[str, Any]]
# Movements that writing can go back through.
_KNOWN = ("slice", "reshape", "permute_dims")


def view(primitive: Any, x: Tensor, attributes: dict[str, Any], out: Any) -> Tensor:
    """Return `out`, the value of a movement of `x`, as a view of x; outside of a trace."""
    result = new_object(Tensor)
    result.array = out if type(out) is np.ndarray else np.asarray(out)
    result.grad = None
    if x.requires_grad and RECORDING.get():
        result.requires_grad = True
        # It says what an origin would.
        result.node = (primitive, (x,), attributes)
        result.stamp = next_stamp()
    else:
        result.requires_grad = False
        result.node = None
        result.stamp = 0
        # A graph must not be kept by what is no part of it.
        result.origin = (primitive, x if x.node is None else None, attributes)
    return result


def as_view(result: Tensor, primitive: Any, x: Tensor, attributes: dict[str, Any]) -> Tensor:
    """Note that `result` is a view of `x`, and return it."""
    kept = result.node is not None or x.node is None
    result.origin = (primitive, x if kept else None, attributes)
    return result


def _origin(x: Tensor) -> Origin | None:
    """Return what `x` is a view of, and how, or None."""
    known: Any = getattr(x, "origin", None)
    if known is None and x.node is not None and x.node[0].name in _KNOWN:
        known = x.node[0], x.node[1][0], x.node[2]
    # False says that the elements were copied.
    return known or None


def root_of(x: Tensor) -> Tensor | None:
    """Return what `x` is a view of at last, or itself; None for what a graph keeps to itself."""
    found: Tensor | None = x
    while found is not None and (origin := _origin(found)) is not None:
        found = origin[1]
    return found


class Rewritten:
    """What made a tensor that was written to: its new contents, and what it was before."""

    name = "a change in place"
    differentiable = True
    derivative = (lambda g, y, new, former: g,)
    #: Whether there has been one that is recorded.
    happened = False


_REWRITTEN = Rewritten()


def _former(x: Tensor) -> Tensor:
    """Return a tensor that is what `x` is now, and stays so."""
    tracer = TRACER.get()
    former = leaf(x.array if tracer is None else tracer.contents(x))
    former.requires_grad, former.node, former.stamp = x.requires_grad, x.node, x.stamp
    return former


def restore_former(roots: list[Tensor]) -> None:
    """Put former selves in the places of tensors that were written to after they were used."""
    seen = set(roots)
    stack = list(roots)
    while stack:
        y = stack.pop()
        if y.node is None:
            continue
        operation, inputs, attributes = y.node
        found = [_as_of(x, y.stamp) if isinstance(x, Tensor) else x for x in inputs]
        if any(x is not was for x, was in zip(found, inputs, strict=True)):
            y.node = (operation, tuple(found), attributes)
        for x in found:
            if isinstance(x, Tensor) and x not in seen:
                seen.add(x)
                stack.append(x)


def _as_of(x: Tensor, stamp: int) -> Tensor:
    while x.stamp > stamp and x.node is not None and x.node[0] is _REWRITTEN:
        x = x.node[2]["former"]
    return x


def rewrite(owner: str, y: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Give `y`, and what it is a view of, what `change` makes of y's present contents.

    Args:
        owner: who is named in errors.
        y: what is written to.
        change: takes y, and returns what it becomes, of y's shape; it is recorded.

    Raises:
        ValueError: for a leaf that requires a gradient where operations are recorded, for what
            takes part in differentiation where they are not, and for elements that are repeated.
    """
    chain, steps = [y], []
    root: Tensor | None = y
    while root is not None and (origin := _origin(root)) is not None:
        primitive, root, attributes = origin
        if primitive.name not in _KNOWN:
            raise ValueError(
                f"{owner}: expected a tensor whose elements are its own, got one from expand() or "
                "diagonal(); change a clone(), or the other tensor by its index."
            )
        steps.append((primitive, attributes))
        if root is not None:
            chain.append(root)
    recording = RECORDING.get()
    if root is None or (
        root.requires_grad if recording and root.node is None else root.node and not recording
    ):
        raise ValueError(
            f"{owner}: this tensor takes part in differentiation and cannot be changed in place; "
            "build a new one, or change a parameter inside no_grad()."
        )
    tracer = TRACER.get()
    if tracer is not None:
        tracer.writes(owner, root)
    chain.reverse()
    steps.reverse()
    former = _former(root) if recording and root.requires_grad else root
    new = _changed(former, steps, change)
    if former is root and recording and new.requires_grad:
        # Again, from what stays as it is, or the graph would go in a circle.
        former = _former(root)
        new = _changed(former, steps, change)
    _become(root, new, former)
    for x, part, (primitive, attributes) in zip(chain, chain[1:], steps, strict=False):
        _become(part, apply(primitive, (x,), attributes), _former(part))
        part.origin = (primitive, x, attributes)
    return y


def _changed(x: Tensor, steps: list[Any], change: Callable[[Tensor], Tensor]) -> Tensor:
    """Return what becomes of `x` when the view of it after `steps` is changed."""
    parts = [x]
    for primitive, attributes in steps:
        parts.append(apply(primitive, (parts[-1],), attributes))
    new = astype(change(parts.pop()), x.dtype)
    for primitive, attributes in reversed(steps):
        new = _put_back(parts.pop(), primitive, attributes, new)
    return new


def _become(x: Tensor, new: Tensor, former: Tensor) -> None:
    """Give `x` the contents `new`; `former` is what it was."""
    tracer = TRACER.get()
    recorded = RECORDING.get() and (new.requires_grad or x.requires_grad)
    if tracer is None:
        x.array = new.array
    else:
        tracer.assign(x, new)
    x.stamp = next_stamp()
    if recorded:
        if tracer is not None:
            tracer.records(x)
        Rewritten.happened = True
        x.requires_grad = True
        # Not an input of it: no error goes there.
        x.node = (_REWRITTEN, (new,), {"former": former})


def _put_back(x: Tensor, primitive: Any, attributes: dict[str, Any], value: Tensor) -> Tensor:
    """Return `x` with `value` where a movement of it takes its elements from."""
    if primitive.name == "slice":
        return put(x, attributes["template"], value)
    if primitive.name == "reshape":
        return apply(primitive, (value,), {"shape": x.shape})
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
    value = astype(value, x.dtype)
    if value.size != 1 or value.ndim > len(shape):
        value = _spread(value, shape, places, index)
    elif value.ndim:
        value = apply(REGISTRY["reshape"], (value,), {"shape": ()})
    return apply(REGISTRY["where"], (leaf(np.asarray(places >= 0)), value, x), {})


def _spread(value: Tensor, shape: tuple[int, ...], places: Array, index: Any) -> Tensor:
    """Return the value, of `shape` after broadcasting, laid out at its places among others."""
    extra = value.ndim - len(shape)
    if extra > 0 and value.shape[:extra] == (1,) * extra:
        value = apply(REGISTRY["reshape"], (value,), {"shape": value.shape[extra:]})
    if value.shape != shape:
        if np.broadcast_shapes(value.shape, shape) != shape:
            raise ValueError(f"setitem: expected a value of shape {shape}, got {value.shape}.")
        value = apply(REGISTRY["broadcast_to"], (value,), {"shape": shape})
    if is_basic(index):
        attributes = {"template": index, "shape": places.shape}
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


def shares_memory(x: Tensor, primitive: Any, attributes: dict[str, Any]) -> bool:
    """Return whether a movement of a traced `x` is a view, found on memory never touched."""
    steps = [(primitive, attributes)]
    root: Tensor | None = x
    while root is not None and (origin := _origin(root)) is not None:
        step, root, options = origin
        if step.name not in _KNOWN:
            return False
        steps.append((step, options))
    base = array = np.empty(() if root is None else root.shape, np.int8)
    for step, options in reversed(steps):
        array = step.value(array, **options)
    return np.may_share_memory(array, base)
