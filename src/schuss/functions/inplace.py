"""Changes in place, by PyTorch's names; of views, they change what the view is of.

What is written takes part in differentiation where operations are recorded: `y[k] = f(x)` carries
the error in `y[k]` back to x. Not so `assign`, for parameters, buffers and optimisers' state. A
parameter itself is changed inside `no_grad` alone, as a hand-written step of
descent, `p -= rate * p.grad`, needs it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from schuss.backprop import is_freed
from schuss.core import RECORDING, TRACER, Number, Tensor, TensorLike, leaf, no_grad
from schuss.functions.elementwise import clip, floor_quotient
from schuss.functions.placing import placed
from schuss.functions.selected import spread
from schuss.primitives import storage
from schuss.primitives.base import as_tensor
from schuss.primitives.bits import bitwise_left_shift, bitwise_right_shift
from schuss.primitives.checks import InBounds, require
from schuss.primitives.elementwise import add, divide, multiply, remainder, subtract
from schuss.primitives.index_template import around_mask, integers_first
from schuss.primitives.indexing import gather, getitem
from schuss.primitives.logic import (
    bitwise_and,
    bitwise_or,
    bitwise_xor,
    equal,
    greater_equal,
    where,
)
from schuss.primitives.movement import reshape
from schuss.primitives.powers import pow
from schuss.primitives.reduction import broadcast_to, max
from schuss.primitives.views import origin_of, root_of
from schuss.primitives.writing import put, rewrite, writes_at_once

__all__ = ["add_", "clamp_", "copy_", "div_", "mul_", "pow_", "sub_"]


def assign(x: Tensor, value: TensorLike) -> Tensor:
    """Replace the contents by `value`, of the same shape, cast to the same dtype; not recorded.

    Raises:
        ValueError: for another shape, or on the result of a recorded operation.
    """
    if x.node is not None or getattr(x, "origin", None) is not None:
        root = root_of(x)
        if root is None or root.node is not None:
            raise ValueError("assign: expected a leaf, got a result; assign to x.detach().")
    new = value if isinstance(value, Tensor) else leaf(np.array(value))
    if new.array.shape != x.array.shape:
        raise ValueError(f"assign: expected shape {x.shape}, got {new.shape}.")
    tracer = TRACER.get()
    if tracer is None:
        return storage.write("assign", x, new.array)
    if origin_of(x) is not None:
        with no_grad():
            return rewrite("assign", x, lambda _: new)
    tracer.assign(x, value)
    return x


def fill_(x: Tensor, value: Number) -> Tensor:
    """Set every element to `value`."""
    filled = np.full(x.shape, value, x.array.dtype)
    root = root_of(x)
    if root is not None and root.node is not None and RECORDING.get():
        return rewrite("fill_", x, lambda _: leaf(filled))
    return assign(x, filled)


def zero_(x: Tensor) -> Tensor:
    """Set every element to zero."""
    return fill_(x, 0)


def setitem(x: Tensor, index: Any, value: TensorLike) -> None:
    """Write `value`, broadcast, to what NumPy's index picks: x[index] = value.

    Raises:
        IndexError: for an index out of range.
        ValueError: for a value of another shape, or on a parameter outside of no_grad().
        TraceError: where compiled, for what another mask picked.
    """
    given = _given(value, x)
    if is_freed(given):
        # No error can go back through it, as through a loss that is noted after its backward pass.
        given = given.detach()
    try:
        _set(x, index, given)
    except IndexError as error:
        raise IndexError(f"setitem: {error} (shape {x.shape}).") from None


def _set(x: Tensor, index: Any, given: Tensor) -> None:
    if isinstance(index, tuple) and len(index) > 1:
        tracing = TRACER.get() is not None
        parts = integers_first(index if tracing else _plain_index(index))
        if parts is not None and not any(isinstance(item, Tensor) for item in parts[0]):
            return _set(getitem(x, parts[0]), parts[1], given)
        around = around_mask(index, x.ndim) if tracing else None
        if around is not None:
            plain, mask, axis = around
            part = getitem(x, plain)
            rewrite("setitem", part, lambda former: masked(former, mask, given, axis))
            return None
    if TRACER.get() is None:
        at = _plain_index(index)
        if writes_at_once("setitem", x, given):
            storage.write("setitem", x, given.array, at)
        else:
            rewrite("setitem", x, lambda former: put(former, at, given))
    elif isinstance(index, Tensor):
        by = masked if index.array.dtype.kind == "b" else _rows_put
        rewrite("setitem", x, lambda former: by(former, index, given))
    else:
        several = isinstance(index, tuple) and any(isinstance(item, Tensor) for item in index)
        change = placed if several else put
        rewrite("setitem", x, lambda former: change(former, index, given))


def _given(value: TensorLike, x: Tensor) -> Tensor:
    """Return what is to be written to x as a tensor; numbers keep all digits that x can have."""
    return (
        leaf(np.asarray(value, x.array.dtype))
        if isinstance(value, (int, float))
        else as_tensor(value)
    )


def _plain_index(index: Any) -> Any:
    if isinstance(index, tuple):
        return tuple([_plain_index(item) for item in index])
    return np.asarray(index.array) if isinstance(index, Tensor) else index


def masked(x: Tensor, mask: Tensor, value: Tensor, axis: int = 0) -> Tensor:
    """Return x with a value where a mask of its axes from `axis` on holds: one for all, or each."""
    after = x.ndim - mask.ndim - axis
    if after < 0 or mask.shape != x.shape[axis : axis + mask.ndim]:
        raise IndexError(
            f"expected a mask of shape {x.shape[axis : axis + mask.ndim]}, got {mask.shape}"
        )
    value = spread("setitem", value, mask, after)
    return where(reshape(mask, (*mask.shape, *[1] * after)), value, x)


def _rows_put(x: Tensor, rows: Tensor, value: Tensor) -> Tensor:
    """Return x with rows of `value` at the integers `rows`; the last counts of equal ones."""
    require(InBounds("setitem", x.shape, 0), rows)
    count = rows.size
    value = reshape(broadcast_to(value, (*rows.shape, *x.shape[1:])), (count, *x.shape[1:]))
    rows = reshape(where(rows < 0, rows + x.shape[0], rows), (-1, 1))
    hits = equal(rows, np.arange(x.shape[0]))
    places = max(where(hits, np.arange(count).reshape(-1, 1), -1), 0)
    written = reshape(greater_equal(places, 0), (-1, *[1] * (x.ndim - 1)))
    return where(written, gather(value, (where(places < 0, 0, places),)), x)


def replaced(owner: str, x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """Give `x` the contents that `change` makes of its present ones.

    Raises:
        ValueError: where the shape would change, or on a parameter outside of no_grad().
        TypeError: where the dtype of `x` cannot hold the result.
    """
    if writes_at_once(owner, x):
        result = _check_result(owner, x, change(x))
        if not result.requires_grad:
            return storage.give(owner, x, result)
    return rewrite(owner, x, lambda former: _check_result(owner, x, change(former)))


def _check_result(owner: str, x: Tensor, result: Tensor) -> Tensor:
    if result.shape != x.shape:
        raise ValueError(
            f"{owner}: expected a result of shape {x.shape}, got {result.shape}; build a new one."
        )
    if result.array.dtype is not x.array.dtype and (
        "bif".index(result.array.dtype.kind) > "bif".index(x.array.dtype.kind)
    ):
        raise TypeError(
            f"{owner}: expected a result that {x.array.dtype} holds, got {result.array.dtype}; "
            "cast it first."
        )
    return result


def copy_(x: Tensor, value: TensorLike, non_blocking: bool = False) -> Tensor:
    """Replace the contents by those of `value`, broadcast to x's shape; nothing else waits."""
    given = _given(value, x)
    if RECORDING.get() and given.requires_grad and (x.node is not None or not x.requires_grad):
        return rewrite("copy_", x, lambda _: broadcast_to(given, x.shape))
    if TRACER.get() is not None:
        return assign(x, broadcast_to(given.detach(), x.shape))
    return assign(x, leaf(np.broadcast_to(given.array, x.shape)))


def add_(x: Tensor, other: TensorLike, *, alpha: Number = 1) -> Tensor:
    """Add `alpha * other` in place.

    >>> from schuss.core import tensor
    >>> x = tensor([1.0, 2.0])
    >>> add_(x, 1.0, alpha=0.5) is x, x.tolist()
    (True, [1.5, 2.5])
    """
    scaled = other if alpha == 1 else multiply(other, alpha)
    return replaced("add_", x, lambda former: add(former, scaled))


def sub_(x: Tensor, other: TensorLike, *, alpha: Number = 1) -> Tensor:
    """Subtract `alpha * other` in place."""
    scaled = other if alpha == 1 else multiply(other, alpha)
    return replaced("sub_", x, lambda former: subtract(former, scaled))


def mul_(x: Tensor, other: TensorLike) -> Tensor:
    """Multiply in place."""
    return replaced("mul_", x, lambda x: multiply(x, other))


def div_(x: Tensor, other: TensorLike) -> Tensor:
    """Divide in place."""
    return replaced("div_", x, lambda x: divide(x, other))


def pow_(x: Tensor, exponent: TensorLike) -> Tensor:
    """Raise to a power in place."""
    return replaced("pow_", x, lambda x: pow(x, exponent))


def clamp_(x: Tensor, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """Limit to the range from `min` to `max` in place."""
    return replaced("clamp_", x, lambda x: clip(x, min, max))


def changing_in_place(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Let a function, whose last argument is `inplace`, change its first where that is True."""
    place = len(inspect.signature(function).parameters) - 1
    owner = f"{function.__name__}_"

    @functools.wraps(function)
    def changing(input: Tensor, *arguments: Any, inplace: bool = False, **options: Any) -> Tensor:
        if not inplace and len(arguments) < place:
            return function(input, *arguments, **options)
        given = arguments[: place - 1]
        if not (inplace or arguments[-1]):
            return function(input, *given, **options)
        return replaced(owner, input, lambda x: function(x, *given, **options))

    return changing


def _augmented(sign: str, function: Any) -> Any:
    """Return what `x += y` and the like do."""

    def method(self: Tensor, other: TensorLike) -> Tensor:
        return replaced(sign, self, lambda x: function(x, other))

    return method


AUGMENTED: dict[str, Any] = {
    "__iadd__": _augmented("+=", add),
    "__isub__": _augmented("-=", subtract),
    "__imul__": _augmented("*=", multiply),
    "__itruediv__": _augmented("/=", divide),
    "__ipow__": _augmented("**=", pow),
    "__ifloordiv__": _augmented("//=", floor_quotient),
    "__imod__": _augmented("%=", remainder),
    "__iand__": _augmented("&=", bitwise_and),
    "__ior__": _augmented("|=", bitwise_or),
    "__ixor__": _augmented("^=", bitwise_xor),
    "__ilshift__": _augmented("<<=", bitwise_left_shift),
    "__irshift__": _augmented(">>=", bitwise_right_shift),
}
