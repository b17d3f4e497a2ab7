"""Views: tensors that are elements of another one, and writing through them, as in PyTorch.

Where operations are evaluated at once, a view's array lies in the memory of what it is a view of,
so that what is written to one of them is in all. A trace has no memory: there a view knows what it
was made of, and how, and is computed anew when that has changed (`current`).

Where operations are recorded, so is a write: what a tensor is a view of at last, its root, gets
another node, and a former self that keeps the values before. Views stay as they are. Before a
reverse pass, each use of a tensor gets what the tensor was at that time: the root, a former self of
it, or a view of that (`as_of_use`).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import RECORDING, TRACER, Array, Tensor, leaf, new_object, next_stamp
from schuss.primitives import storage
from schuss.primitives.base import apply

__all__ = ["REWRITTEN", "SAME_MEMORY", "VIEWS", "Rewritten", "as_of_use", "as_view"]
__all__ += ["detach", "expect_unchanged", "memory_of", "origin_of", "root_of", "shares_memory"]
__all__ += ["origins_of", "view", "view_of"]

# What a view is made of, by which primitive, with which attributes.
Origin = tuple[Any, Tensor | None, dict[str, Any]]
# Primitives whose results are views.
VIEWS = frozenset(["slice", "reshape", "permute_dims", "diagonal", "broadcast_to", "as_strided"])


class _SameMemory:
    """How `detach()` makes a tensor of another one."""

    name = "detach"


SAME_MEMORY = _SameMemory()


def view(primitive: Any, x: Tensor, attributes: dict[str, Any], out: Array) -> Tensor:
    """Return `out`, the value of a movement of `x`, as a view of x; outside of a trace."""
    result = new_object(Tensor)
    result.array = out
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
    kept = result.node is not None or x.node is None or TRACER.get() is not None
    result.origin = (primitive, x if kept else None, attributes)
    return result


def detach(x: Tensor) -> Tensor:
    """Return what is in the same memory, cut off from the operations that made it."""
    tracer = TRACER.get()
    result = leaf(x.array if tracer is None else tracer.contents(x))
    if tracer is not None or x.node is None:
        result.origin = (SAME_MEMORY, x, {})
    return result


def origin_of(x: Tensor) -> Origin | None:
    """Return what `x` shares memory with since it was made of it, and how, or None."""
    known: Any = getattr(x, "origin", None)
    if known is None and x.node is not None and x.node[0].name in VIEWS:
        known = x.node[0], x.node[1][0], x.node[2]
    # False says that the elements were copied.
    return known or None


def view_of(x: Tensor) -> Origin | None:
    """Return what `x` is a view of, and how, or None; not what it was detached from."""
    known = origin_of(x)
    return None if known is None or known[0] is SAME_MEMORY else known


def origins_of(x: Tensor) -> tuple[Tensor, list[tuple[Any, dict[str, Any]]]]:
    """Return the tensor whose memory `x` has at last, as far as is known, and how it got there."""
    steps = []
    while (source := origin_of(x)) is not None and (base := source[1]) is not None:
        steps.append((source[0], source[2]))
        x = base
    return x, steps[::-1]


def root_of(x: Tensor) -> Tensor | None:
    """Return what `x` is a view of at last, or itself; None for what a graph keeps to itself."""
    found: Tensor | None = x
    while found is not None and (origin := view_of(found)) is not None:
        found = origin[1]
    return found


# What a use of a tensor saw.

# Primitives whose derivatives look at no value, and those that look at where things are alone.
_WITHOUT_VALUES = VIEWS | {
    "add", "astype", "concat", "flip", "mean", "negative", "pad", "stack", "subtract", "sum",
}  # fmt: skip
_PLACES = {"gather": slice(1, None), "scatter_add": slice(1, None), "where": slice(1)}


def expect_unchanged(x: Tensor, stamp: int, primitive: Any, inputs: tuple[Any, ...]) -> None:
    """Raise RuntimeError where a derivative would look at values of `x` that are others by now.

    Args:
        x: one of the inputs of what is gone back through, or its result.
        stamp: of when it was computed.
        primitive: what computed it.
        inputs: of what.
    """
    if (x.stamp > stamp or _changed_after(x, stamp)) and _looks_at(x, primitive.name, inputs):
        raise RuntimeError(
            f"backward: a tensor of shape {x.shape} was changed in place after "
            f"{primitive.name} used it; change it after the backward pass, or use a copy."
        )


def _looks_at(x: Tensor, name: str, inputs: tuple[Any, ...]) -> bool:
    """Return whether a primitive's derivatives look at the values of an input, or of its result."""
    if name in _WITHOUT_VALUES:
        return False
    if name in _PLACES:
        return any(x is place for place in inputs[_PLACES[name]])
    if name in ("multiply", "matmul", "matvec"):
        # A factor is looked at for the other's gradient.
        pairs = zip(inputs, inputs[::-1], strict=True)
        return any(x is factor and _has_gradient(other) for factor, other in pairs)
    if name == "divide":
        return x is inputs[1] or _has_gradient(inputs[1])
    return True


def _has_gradient(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad


def _changed_after(x: Tensor, stamp: int) -> bool:
    """Return whether memory that `x` shares was written to after a stamp, through other tensors."""
    if type(x.array) is np.ndarray:
        return storage.changed_after(x, stamp)
    return origins_of(x)[0].stamp > stamp


class Rewritten:
    """What made a tensor that was written to: its new contents, and what it was before."""

    name = "a change in place"
    differentiable = True
    derivative = (lambda g, y, new, former: g,)
    #: Whether there has been one that is recorded.
    happened = False


REWRITTEN = Rewritten()


def as_of_use(roots: list[Tensor]) -> list[Tensor]:
    """Put what tensors were when they were used in their places, below `roots`; return the roots.

    It is another one than the tensor itself where that, or what it is a view of, was written to.
    """
    made: dict[tuple[Tensor, Tensor], Tensor] = {}
    now = next_stamp()
    roots = [_as_of(root, now, made) for root in roots]
    seen = set(roots)
    stack = list(roots)
    while stack:
        y = stack.pop()
        if y.node is None:
            continue
        operation, inputs, attributes = y.node
        found = [_as_of(x, y.stamp, made) if isinstance(x, Tensor) else x for x in inputs]
        if any(x is not was for x, was in zip(found, inputs, strict=True)):
            y.node = (operation, tuple(found), attributes)
        for x in found:
            if isinstance(x, Tensor) and x not in seen:
                seen.add(x)
                stack.append(x)
    return roots


def _as_of(x: Tensor, stamp: int, made: dict[tuple[Tensor, Tensor], Tensor]) -> Tensor:
    """Return what `x` was at a stamp."""
    origin = view_of(x)
    base = None if origin is None else origin[1]
    if origin is None or base is None:
        while x.stamp > stamp and x.node is not None and x.node[0] is REWRITTEN:
            x = x.node[2]["former"]
        return x
    was = _as_of(base, stamp, made)
    if was is base and (not base.requires_grad or base.stamp <= x.stamp):
        return x
    found = made.get((x, was))
    if found is None:
        token = RECORDING.set(True)
        try:
            found = made[x, was] = apply(origin[0], (was,), origin[2])
        finally:
            RECORDING.reset(token)
        found.stamp = was.stamp
    return found


def memory_of(x: Tensor) -> Array:
    """Return an array that lies in memory as `x` does; in a trace, as it would without."""
    tracer = TRACER.get()
    if tracer is None:
        return x.array
    root, steps = origins_of(x)
    array = tracer.memory(root)
    for primitive, attributes in steps:
        if primitive is not SAME_MEMORY:
            array = primitive.value(array, **attributes)
    return array  # type: ignore[no-any-return]  # each of them is an array


def shares_memory(x: Tensor, primitive: Any, attributes: dict[str, Any]) -> bool:
    """Return whether a movement of a traced `x` is a view of it."""
    if sum(n != 1 for n in x.shape) < 2:
        # However far apart the elements of one axis are, they can be taken in another shape.
        return True
    array = memory_of(x)
    return np.may_share_memory(primitive.value(array, **attributes), array)
