"""Reductions and their derivative, broadcasting; cumulative sums; positions of extremes."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from schuss.core import TRACER, Array, Tensor, TensorLike, float32, float64, int64, is_plain, leaf
from schuss.dtypes import DEFAULTS
from schuss.lowering.kinds import VIEW, Kernel, Reduction
from schuss.modes import SILENCE
from schuss.primitives.axes import (
    EVERY_AXIS,
    Axes,
    Axis,
    normalize_axes,
    require_elements,
    same_dtype,
)
from schuss.primitives.base import (
    NOT_DIFFERENTIABLE,
    Primitive,
    Spec,
    apply,
    as_tensor,
    astype,
    record,
)
from schuss.primitives.batching import prefixed, shifted
from schuss.primitives.elementwise import divide, multiply
from schuss.primitives.fused import fused
from schuss.primitives.logic import equal
from schuss.primitives.movement import pad, reshape
from schuss.primitives.views import as_view
from schuss.values.along import count, mean_value, restored
from schuss.values.extremes import max_value, min_value
from schuss.values.numbers import as_operand
from schuss.values.sums import LONG_SUM, reduced_shape, sum_rows, sum_value


def restore(y: Tensor, x: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    """Put the reduced axes back into `y` with length 1, so that it broadcasts against `x`."""
    if keepdims or len(axes) in (0, x.array.ndim):
        return y
    return reshape(y, reduced_shape(x.shape, axes, True))


_sum = Primitive(
    "sum",
    value=sum_value,
    shape=same_dtype,
    derivative=(
        lambda g, y, x, *, axes, keepdims: broadcast_to(restore(g, x, axes, keepdims), x.shape),
    ),
    batch=shifted("axes"),
    lower=Reduction(lambda dtype: 0, lambda total, x: total + x, widen=True),
)


def sum(x: TensorLike, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None) -> Tensor:
    """Sum over `axis`; booleans and int32 are counted in int64, float32 sums keep their digits."""
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    if dtype is not None:
        x = astype(x, dtype)
        if x.array.dtype.kind != "f" and x.array.dtype != int64:
            # NumPy sums them in int64 all the same.
            return astype(sum(x, axis, keepdims), dtype)
    elif x.array.dtype.kind != "f":
        x = astype(x, int64)
    array = x.array
    axes = EVERY_AXIS[array.ndim] if axis is None else normalize_axes(axis, array.ndim, "sum")
    attributes = {"axes": axes, "keepdims": keepdims}
    if TRACER.get() is not None:
        return apply(_sum, (x,), attributes)
    SILENCE.ensure()
    out = sum_value(array, axes, keepdims)
    return record(_sum, (x,), attributes, out, x.requires_grad)


def _mean_to_x(g: Array, y: Array, x: Array, axes: Axes, keepdims: bool) -> Array:
    part = np.asarray(g / as_operand(count(x.shape, axes), x.dtype))
    return _broadcast_value(restored(part, x.shape, axes), shape=x.shape)


@fused(value=mean_value, derivative=(_mean_to_x,))
def _mean(x: Tensor, *, axes: Axes, keepdims: bool) -> Tensor:
    return divide(sum(x, axes, keepdims), count(x.shape, axes))


def mean(x: TensorLike, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None) -> Tensor:
    """Arithmetic mean over `axis`; integers are averaged in float32."""
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    if dtype is not None:
        x = astype(x, dtype)
        if x.array.dtype.kind != "f":
            raise TypeError(f"mean: expected dtype float32 or float64, got {x.array.dtype}.")
    if x.array.dtype.kind != "f":
        x = astype(x, DEFAULTS.floating)
    array = x.array
    axes = EVERY_AXIS[array.ndim] if axis is None else normalize_axes(axis, array.ndim, "mean")
    if not array.size and 0 in [array.shape[a] for a in axes]:
        return divide(sum(x, axes, keepdims), 0.0)
    return _mean(x, axes=axes, keepdims=keepdims)


def _broadcast_value(x: Array, *, shape: tuple[int, ...]) -> Array:
    if not x.flags.c_contiguous or not x.size:
        return np.broadcast_to(x, shape)
    # The same view as np.broadcast_to's, made in a tenth of the time.
    strides = (0,) * (len(shape) - x.ndim)
    if x.ndim:
        strides += tuple(
            [0 if n == 1 else step for n, step in zip(x.shape, x.strides, strict=True)]
        )
    return np.ndarray(shape, x.dtype, x, 0, strides)


_broadcast_to = Primitive(
    "broadcast_to",
    value=_broadcast_value,
    shape=lambda x, *, shape: (shape, x[1]),
    # The error is summed back to x's shape where every broadcast is undone.
    derivative=(lambda g, y, x, *, shape: g,),
    batch=prefixed(shape=None),
    lower=VIEW,
)


def broadcast_to(x: TensorLike, shape: tuple[int, ...]) -> Tensor:
    """Repeat `x` along axes of length 1, and new leading ones, up to `shape`; without a copy."""
    x = as_tensor(x)
    if type(shape) is not tuple:
        shape = tuple(int(n) for n in shape)
    own = x.array.shape
    if own == shape:
        return x
    extra = len(shape) - len(own)
    if (
        extra < 0
        or builtins.min(shape, default=0) < 0
        or (own and any(n not in (1, m) for n, m in zip(own, shape[extra:], strict=True)))
    ):
        raise ValueError(f"broadcast_to: expected a shape that fits {shape}, got {x.shape}.")
    attributes = {"shape": shape}
    return as_view(apply(_broadcast_to, (x,), attributes), _broadcast_to, x, attributes)


def sum_to(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Undo a broadcast: sum `x` over the axes along which `shape` was repeated."""
    array = x.array
    extra = array.ndim - len(shape)
    if array.shape[extra:] == shape:
        if is_plain():
            if extra == 1 == len(shape):
                rows = sum_rows(array)
                if rows is not None:
                    return leaf(rows)
            # What sum does, without an operation.
            return leaf(np.asarray(sum_value(array, EVERY_AXIS[extra], False)))
        return sum(x, tuple(range(extra)))
    axes = tuple(range(extra)) + tuple(
        extra + i for i, n in enumerate(shape) if n == 1 and x.shape[extra + i] != 1
    )
    if len(axes) == extra:
        return sum(x, axes)
    summed = sum(x, axes, keepdims=True)
    if not extra:
        return summed
    return reshape(summed, shape)


def _extreme(name: str, value: Any, lower: Reduction) -> Callable[..., Tensor]:
    def derivative(g: Tensor, y: Tensor, x: Tensor, *, axes: Axes, keepdims: bool) -> Tensor:
        # Equal extremes share the error evenly.
        at = astype(equal(x, restore(y, x, axes, keepdims)), x.array.dtype)
        share = divide(restore(g, x, axes, keepdims), sum(at, axes, keepdims=True))
        return multiply(at, share)

    primitive = Primitive(
        name,
        value=value,
        shape=same_dtype,
        derivative=(derivative,),
        batch=shifted("axes"),
        lower=lower,
    )

    def function(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
        if not isinstance(x, Tensor):
            x = as_tensor(x)
        array = x.array
        axes = normalize_axes(axis, array.ndim, name)
        if not array.size:
            require_elements(array.shape, axes, name)
        attributes = {"axes": axes, "keepdims": keepdims}
        if TRACER.get() is not None:
            return apply(primitive, (x,), attributes)
        SILENCE.ensure()
        out = value(array, axes, keepdims)
        return record(primitive, (x,), attributes, out, x.requires_grad)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name.capitalize()}imum over `axis`; nan where there is one."
    function.primitive = primitive  # type: ignore[attr-defined]
    return function


def _lowest(dtype: Any) -> float:
    kind = np.dtype(dtype).kind
    return -math.inf if kind == "f" else False if kind == "b" else int(np.iinfo(dtype).min)


def _highest(dtype: Any) -> float:
    kind = np.dtype(dtype).kind
    return math.inf if kind == "f" else True if kind == "b" else int(np.iinfo(dtype).max)


max = _extreme("max", max_value, Reduction(_lowest, lambda most, x: most.maximum(x)))
min = _extreme("min", min_value, Reduction(_highest, lambda least, x: least.minimum(x)))


def _arg_shape(x: Spec, *, axis: int) -> Spec:
    return reduced_shape(x[0], (axis,), False), int64


def _position(name: str, value: Any) -> Callable[..., Tensor]:
    primitive = Primitive(
        name,
        value=lambda x, *, axis: value(x, axis=axis),
        shape=_arg_shape,
        derivative=NOT_DIFFERENTIABLE,
        batch=shifted("axis"),
        lower=Kernel(name),
    )

    def function(x: TensorLike, axis: int | None = None, keepdims: bool = False) -> Tensor:
        if not isinstance(x, Tensor):
            x = as_tensor(x)
        array = x.array
        if axis is None and not keepdims and array.size and TRACER.get() is None:
            return leaf(np.asarray(value(array)))
        shape = array.shape
        if axis is None:
            x, axes = reshape(x, (x.size,)), normalize_axes(0, 1, name)
            kept = (1,) * len(shape)
        else:
            axes = normalize_axes(axis, x.ndim, name)
            kept = reduced_shape(shape, axes, True)
        if x.shape[axes[0]] == 0:
            raise ValueError(f"{name}: expected at least one element, got shape {shape}.")
        found = apply(primitive, (x,), {"axis": axes[0]})
        return reshape(found, kept) if keepdims else found

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Position (int64) of the first {name[3:]}imum along `axis`, or of all."
    function.primitive = primitive  # type: ignore[attr-defined]
    return function


# The methods, which are called in half the time of the functions.
argmax = _position("argmax", np.ndarray.argmax)
argmin = _position("argmin", np.ndarray.argmin)


_WHOLE = (slice(None),) * 64
_TURNED = slice(None, None, -1)
_accumulate: Any = np.add.accumulate


def _cumulative_value(x: Array, *, axis: int, reverse: bool) -> Array:
    own = x.dtype
    wide = float64 if x.shape[axis] >= LONG_SUM and own == float32 else own
    if reverse:
        # What np.flip does, in a fifth of the time.
        turned = (*_WHOLE[:axis], _TURNED)
        x = x[turned]
    total: Array = _accumulate(x, axis, wide)
    if wide is not own:
        total = total.astype(own)
    return total[turned] if reverse else total


_cumulative_sum: Primitive = Primitive(
    "cumulative_sum",
    value=_cumulative_value,
    shape=lambda x, *, axis, reverse: x,
    derivative=(
        lambda g, y, x, *, axis, reverse: apply(
            _cumulative_sum, (g,), {"axis": axis, "reverse": not reverse}
        ),
    ),
    batch=shifted("axis"),
    lower=Kernel("cumulative_sum"),
)


def cumulative_input(x: TensorLike, axis: int | None, dtype: Any, owner: str) -> tuple[Tensor, int]:
    """Return what a cumulative function runs over, cast as sums are, and along which axis."""
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    array = x.array
    ndim = array.ndim
    if axis is None:
        if ndim != 1:
            raise ValueError(f"{owner}: expected axis= for shape {x.shape}, got none.")
        axis = 0
    if type(axis) is not int or not 0 <= axis < ndim:
        (axis,) = normalize_axes(axis, ndim, owner)
    if dtype is not None:
        return astype(x, dtype), axis
    return (x if array.dtype.kind == "f" else astype(x, int64)), axis


def cumulative_sum(
    x: TensorLike, axis: int | None = None, *, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Sum of the elements up to and including each, along `axis`.

    Args:
        x: any shape.
        axis: along which; a vector needs none.
        dtype: to sum in; by default x's, int64 for integers and booleans.
        include_initial: whether a 0 comes first.
    """
    x, place = cumulative_input(x, axis, dtype, "cumulative_sum")
    attributes = {"axis": place, "reverse": False}
    if TRACER.get() is not None:
        total = apply(_cumulative_sum, (x,), attributes)
    else:
        SILENCE.ensure()
        out = _cumulative_value(x.array, axis=place, reverse=False)
        total = record(_cumulative_sum, (x,), attributes, out, x.requires_grad)
    if not include_initial:
        return total
    return pad(total, [(int(a == place), 0) for a in range(x.ndim)])


sum.primitive = _sum  # type: ignore[attr-defined]
broadcast_to.primitive = _broadcast_to  # type: ignore[attr-defined]
cumulative_sum.primitive = _cumulative_sum  # type: ignore[attr-defined]
