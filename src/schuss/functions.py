"""Tensor functions composed from primitives, by the names of the Python array API standard."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.primitives.base import as_tensor, astype, result_dtype
from schuss.primitives.contraction import matmul, matrix_transpose
from schuss.primitives.elementwise import (
    abs,
    add,
    atan2,
    bitwise_and,
    bitwise_invert,
    bitwise_or,
    bitwise_xor,
    ceil,
    cos,
    divide,
    equal,
    erf,
    exp,
    expm1,
    floor,
    floor_divide,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    pow,
    relu,
    remainder,
    round,
    sigmoid,
    sign,
    sin,
    sqrt,
    subtract,
    tanh,
    where,
)
from schuss.primitives.indexing import argsort, take, take_along_axis
from schuss.primitives.movement import concat, flip, pad, permute_dims, reshape
from schuss.primitives.reduction import (
    Axis,
    argmax,
    argmin,
    broadcast_to,
    cumulative_sum,
    max,
    min,
    normalize_axes,
    reduced_shape,
    sum,
    torch_axis,
)
from schuss.tensor import (
    TRACER,
    Array,
    Number,
    Tensor,
    TensorLike,
    bool_,
    float32,
    int64,
    leaf,
    supported_dtype,
)

__all__ = [
    "abs", "acos", "acosh", "add", "all", "any", "arange", "argmax", "argmin", "argsort",
    "asin", "asinh", "astype", "atan", "atan2", "atanh", "bitwise_and", "bitwise_invert",
    "bitwise_or", "bitwise_xor", "broadcast_arrays", "broadcast_to", "ceil", "clip", "concat",
    "copysign", "cos", "cosh", "count_nonzero", "cross", "cumulative_prod", "cumulative_sum",
    "diag", "diagonal", "diff", "divide", "dot", "einsum", "empty", "empty_like", "equal",
    "erf", "exp", "expand_dims", "expm1", "eye", "flatten", "flip", "floor", "floor_divide",
    "full", "full_like", "gather", "gelu", "greater", "greater_equal", "hypot", "isfinite",
    "isinf", "isnan", "less", "less_equal", "linspace", "log", "log10", "log1p", "log2",
    "log_softmax", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor",
    "logsumexp", "masked_fill", "matmul", "matrix_transpose", "max", "maximum", "mean",
    "median", "meshgrid", "min", "minimum", "moveaxis", "multiply", "negative", "nonzero",
    "norm", "not_equal", "one_hot", "ones", "ones_like", "outer", "pad", "permute_dims",
    "positive", "pow", "prod", "reciprocal", "relu", "remainder", "repeat", "reshape", "roll",
    "round", "searchsorted", "sigmoid", "sign", "sin", "sinh", "softmax", "softplus", "sort",
    "sqrt", "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take",
    "take_along_axis", "tan", "tanh", "tensordot", "tile", "trace", "tril", "triu", "trunc",
    "unique_values", "unstack", "var", "vecdot", "where", "zeros", "zeros_like",
]  # fmt: skip

# Creation.


def _sizes(shape: Any, more: tuple[int, ...] = ()) -> tuple[int, ...]:
    return tuple(int(n) for n in ((shape, *more) if isinstance(shape, (int, np.integer)) else shape))


def full(shape: int | Sequence[int], fill_value: Number, dtype: npt.DTypeLike = None) -> Tensor:
    """Return a tensor of `shape` filled with one number, whose dtype it takes by default."""
    array = np.full(_sizes(shape), fill_value)
    if dtype is None:
        dtype = float32 if array.dtype.kind == "f" else array.dtype
    return leaf(array.astype(supported_dtype(dtype), copy=False))


def zeros(shape: int | Sequence[int], *more: int, dtype: npt.DTypeLike = None) -> Tensor:
    """Return zeros, float32 by default."""
    return leaf(np.zeros(_sizes(shape, more), supported_dtype(dtype)))


def ones(shape: int | Sequence[int], *more: int, dtype: npt.DTypeLike = None) -> Tensor:
    """Return ones, float32 by default."""
    return leaf(np.ones(_sizes(shape, more), supported_dtype(dtype)))


def empty(shape: int | Sequence[int], *more: int, dtype: npt.DTypeLike = None) -> Tensor:
    """Return a tensor whose contents mean nothing yet (zeros here), float32 by default."""
    return zeros(shape, *more, dtype=dtype)


def full_like(x: TensorLike, fill_value: Number, dtype: npt.DTypeLike = None) -> Tensor:
    """Return a tensor of x's shape and dtype filled with one number."""
    x = as_tensor(x)
    return full(x.shape, fill_value, x.dtype if dtype is None else dtype)


def zeros_like(x: TensorLike, dtype: npt.DTypeLike = None) -> Tensor:
    """Return zeros of x's shape and dtype."""
    return full_like(x, 0, dtype)


def ones_like(x: TensorLike, dtype: npt.DTypeLike = None) -> Tensor:
    """Return ones of x's shape and dtype."""
    return full_like(x, 1, dtype)


def empty_like(x: TensorLike, dtype: npt.DTypeLike = None) -> Tensor:
    """Return a tensor of x's shape and dtype whose contents mean nothing yet."""
    return zeros_like(x, dtype)


def arange(
    start: float, stop: float | None = None, step: float = 1, dtype: npt.DTypeLike = None
) -> Tensor:
    """Return start, start + step, ... below `stop`; int64 for integers, else float32."""
    array = np.arange(0 if stop is None else start, start if stop is None else stop, step)
    default = float32 if array.dtype.kind == "f" else int64
    return leaf(array.astype(supported_dtype(default if dtype is None else dtype), copy=False))


def linspace(
    start: float, stop: float, num: int, dtype: npt.DTypeLike = None, *, endpoint: bool = True
) -> Tensor:
    """Return `num` evenly spaced numbers from `start` to `stop`, float32 by default."""
    return leaf(np.linspace(start, stop, num, endpoint=endpoint).astype(supported_dtype(dtype)))


def eye(
    n_rows: int, n_cols: int | None = None, *, k: int = 0, dtype: npt.DTypeLike = None
) -> Tensor:
    """Return ones on diagonal `k` and zeros elsewhere, float32 by default."""
    return leaf(np.eye(n_rows, n_cols, k, dtype=supported_dtype(dtype)))


def _band(x: TensorLike, k: int, keep: Any) -> Tensor:
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"tril, triu: expected at least 2 axes, got shape {x.shape}.")
    rows, columns = np.ogrid[: x.shape[-2], : x.shape[-1]]
    return where(keep(columns - rows, k), x, False if x.dtype == bool_ else 0)


def tril(x: TensorLike, k: int = 0) -> Tensor:
    """Return x with zeros above diagonal `k`."""
    return _band(x, k, np.less_equal)


def triu(x: TensorLike, k: int = 0) -> Tensor:
    """Return x with zeros below diagonal `k`."""
    return _band(x, k, np.greater_equal)


def one_hot(x: TensorLike, num_classes: int, dtype: npt.DTypeLike = None) -> Tensor:
    """Return a last axis of length `num_classes` with 1 at each integer of `x` and 0 elsewhere.

    >>> one_hot([0, 2], 3)
    tensor([[1., 0., 0.],
            [0., 0., 1.]])
    """
    return astype(equal(expand_dims(x, -1), arange(num_classes)), dtype)


# Elementwise.


def positive(x: TensorLike) -> Tensor:
    """Return x itself, elementwise."""
    return as_tensor(x)


def square(x: TensorLike) -> Tensor:
    """Return x * x, elementwise."""
    return multiply(x, x)


def reciprocal(x: TensorLike) -> Tensor:
    """Return 1 / x, elementwise."""
    return divide(1.0, x)


def trunc(x: TensorLike) -> Tensor:
    """Return the integer part, toward zero, elementwise."""
    x = as_tensor(x)
    return x if x.dtype.kind != "f" else where(x < 0, ceil(x), floor(x))


def clip(
    x: TensorLike, min: TensorLike | None = None, max: TensorLike | None = None
) -> Tensor:
    """Return x kept within `min` and `max` (either may be None), elementwise."""
    x = as_tensor(x)
    if min is not None:
        x = maximum(x, min)
    return x if max is None else minimum(x, max)


def tan(x: TensorLike) -> Tensor:
    """Tangent, elementwise."""
    return sin(x) / cos(x)


def asin(x: TensorLike) -> Tensor:
    """Inverse sine, elementwise."""
    return atan2(x, sqrt((1.0 - as_tensor(x)) * (1.0 + as_tensor(x))))


def acos(x: TensorLike) -> Tensor:
    """Inverse cosine, elementwise."""
    return atan2(sqrt((1.0 - as_tensor(x)) * (1.0 + as_tensor(x))), x)


def atan(x: TensorLike) -> Tensor:
    """Inverse tangent, elementwise."""
    return atan2(x, 1.0)


def sinh(x: TensorLike) -> Tensor:
    """Hyperbolic sine, elementwise."""
    e = expm1(x)
    # Above, e + e / (e + 1) would be inf / inf; e alone is exact there.
    tail = where(e > 1e8, 1.0, e / (where(e > 1e8, 0.0, e) + 1.0))
    return (e + tail) * 0.5


def cosh(x: TensorLike) -> Tensor:
    """Hyperbolic cosine, elementwise."""
    half = exp(as_tensor(x) * 0.5)
    return half * half * 0.5 + reciprocal(half) * reciprocal(half) * 0.5


def asinh(x: TensorLike) -> Tensor:
    """Inverse hyperbolic sine, elementwise."""
    x = as_tensor(x)
    size = where(x < 0, negative(x), x)
    big = size > 1e4
    small = where(big, 1.0, size)
    near = log1p(small + small * small / (1.0 + sqrt(small * small + 1.0)))
    far = log(where(big, size, 1.0)) + math.log(2.0)
    found = where(big, far, near)
    return where(x < 0, negative(found), found)


def acosh(x: TensorLike) -> Tensor:
    """Inverse hyperbolic cosine, elementwise."""
    x = as_tensor(x)
    return log(x + sqrt(x - 1.0) * sqrt(x + 1.0))


def atanh(x: TensorLike) -> Tensor:
    """Inverse hyperbolic tangent, elementwise."""
    return (log1p(x) - log1p(negative(x))) * 0.5


def log2(x: TensorLike) -> Tensor:
    """Logarithm to base 2, elementwise."""
    return log(x) / math.log(2.0)


def log10(x: TensorLike) -> Tensor:
    """Logarithm to base 10, elementwise."""
    return log(x) / math.log(10.0)


def hypot(x: TensorLike, y: TensorLike) -> Tensor:
    """Return sqrt(x**2 + y**2) without overflow, elementwise."""
    a, b = abs(x), abs(y)
    large, small = maximum(a, b), minimum(a, b)
    ratio = small / where(large == 0, 1.0, large)
    return where(isinf(large), float("inf"), large * sqrt(ratio * ratio + 1.0))


def logaddexp(x: TensorLike, y: TensorLike) -> Tensor:
    """Return log(exp(x) + exp(y)) without overflow, elementwise."""
    x, y = as_tensor(x), as_tensor(y)
    gap = where(x == y, x * 0.0 - y * 0.0, x - y)
    gap = where(isfinite(x) & isfinite(y), x - y, where(x == y, 0.0, gap))
    top = maximum(x, y)
    return where(isinf(top) & (x == y), top, top + log1p(exp(negative(abs(gap)))))


def softplus(x: TensorLike) -> Tensor:
    """Return log(1 + exp(x)) without overflow, elementwise."""
    return relu(x) + log1p(exp(negative(abs(x))))


def copysign(x: TensorLike, y: TensorLike) -> Tensor:
    """Return |x| with the sign of y, elementwise; the sign of a zero counts."""
    minus = less(y, 0) | (equal(y, 0) & less(divide(1.0, y), 0))
    return where(minus, negative(abs(x)), abs(x))


def isnan(x: TensorLike) -> Tensor:
    """Return whether each element is not a number."""
    return not_equal(x, x)


def isinf(x: TensorLike) -> Tensor:
    """Return whether each element is infinite."""
    x = as_tensor(x)
    return equal(abs(x), float("inf")) if x.dtype.kind == "f" else zeros_like(x, bool_)


def isfinite(x: TensorLike) -> Tensor:
    """Return whether each element is neither infinite nor nan."""
    x = as_tensor(x)
    return less(abs(x), float("inf")) if x.dtype.kind == "f" else ones_like(x, bool_)


def logical_and(x: TensorLike, y: TensorLike) -> Tensor:
    """Return whether both are true (not 0), elementwise."""
    return bitwise_and(astype(x, bool_), astype(y, bool_))


def logical_or(x: TensorLike, y: TensorLike) -> Tensor:
    """Return whether one of both is true (not 0), elementwise."""
    return bitwise_or(astype(x, bool_), astype(y, bool_))


def logical_xor(x: TensorLike, y: TensorLike) -> Tensor:
    """Return whether exactly one is true (not 0), elementwise."""
    return bitwise_xor(astype(x, bool_), astype(y, bool_))


def logical_not(x: TensorLike) -> Tensor:
    """Return whether each element is false (0)."""
    return bitwise_invert(astype(x, bool_))


def masked_fill(x: TensorLike, mask: TensorLike, value: Number) -> Tensor:
    """Return x with `value` where `mask` holds."""
    return where(mask, value, x)


def gelu(x: TensorLike, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit, x * P(N(0, 1) <= x) (Hendrycks and Gimpel, 2016), elementwise.

    Args:
        x: any shape.
        approximate: "none" for the error function, "tanh" for the approximation by tanh.
    """
    x = as_tensor(x)
    if approximate == "tanh":
        inner = (x + x * x * x * 0.044715) * math.sqrt(2 / math.pi)
        return x * (tanh(inner) + 1.0) * 0.5
    if approximate != "none":
        raise ValueError(f"gelu: expected approximate 'none' or 'tanh', got {approximate!r}.")
    return x * (erf(x * math.sqrt(0.5)) + 1.0) * 0.5


# Shapes.


def expand_dims(x: TensorLike, axis: int = 0) -> Tensor:
    """Insert an axis of length 1 at `axis`."""
    x = as_tensor(x)
    (place,) = normalize_axes(axis, x.ndim + 1, "expand_dims")
    return reshape(x, (*x.shape[:place], 1, *x.shape[place:]))


def squeeze(x: TensorLike, axis: Axis = None) -> Tensor:
    """Remove axes of length 1: those named, or all."""
    x = as_tensor(x)
    if axis is None:
        return reshape(x, tuple(n for n in x.shape if n != 1))
    axes = normalize_axes(axis, x.ndim, "squeeze")
    if any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"squeeze: expected length 1 along {axes}, got shape {x.shape}.")
    return reshape(x, reduced_shape(x.shape, axes, False))


def flatten(x: TensorLike, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """Merge the axes from `start_axis` to `end_axis` into one."""
    x = as_tensor(x)
    if x.ndim == 0:
        return reshape(x, (1,))
    (first,) = normalize_axes(start_axis, x.ndim, "flatten")
    (last,) = normalize_axes(end_axis, x.ndim, "flatten")
    merged = math.prod(x.shape[first : last + 1])
    return reshape(x, (*x.shape[:first], merged, *x.shape[last + 1 :]))


def moveaxis(
    x: TensorLike, source: int | tuple[int, ...], destination: int | tuple[int, ...]
) -> Tensor:
    """Move axes to new places; the others keep their order."""
    x = as_tensor(x)
    came = normalize_axes(source, x.ndim, "moveaxis")
    goes = normalize_axes(destination, x.ndim, "moveaxis")
    if len(came) != len(goes):
        raise ValueError(f"moveaxis: expected as many places as axes, got {source}, {destination}.")
    order = [a for a in range(x.ndim) if a not in came]
    for place, axis in sorted(zip(goes, came, strict=True)):
        order.insert(place, axis)
    return permute_dims(x, order)


def swapaxes(x: TensorLike, axis1: int, axis2: int) -> Tensor:
    """Exchange two axes."""
    x = as_tensor(x)
    a, b = (normalize_axes(i, x.ndim, "swapaxes")[0] for i in (axis1, axis2))
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return permute_dims(x, order)


def stack(tensors: Sequence[TensorLike], axis: int = 0, *, dim: int | None = None) -> Tensor:
    """Join tensors of one shape along a new axis."""
    axis = axis if dim is None else dim
    parts = [as_tensor(x) for x in tensors]
    if len({x.shape for x in parts}) != 1:
        raise ValueError(
            f"stack: expected tensors of one shape, got {', '.join(str(x.shape) for x in parts)}."
        )
    return concat([expand_dims(x, axis) for x in parts], normalize_axes(
        axis, parts[0].ndim + 1, "stack")[0])


def unstack(x: TensorLike, axis: int = 0) -> tuple[Tensor, ...]:
    """Split along `axis` into a tuple of tensors without it."""
    x = moveaxis(x, axis, 0)
    return tuple(x[i] for i in range(x.shape[0]))


def broadcast_arrays(*tensors: TensorLike) -> tuple[Tensor, ...]:
    """Broadcast tensors against each other to one shape."""
    parts = [as_tensor(x) for x in tensors]
    shape = np.broadcast_shapes(*[x.shape for x in parts])
    return tuple(broadcast_to(x, shape) for x in parts)


def meshgrid(*tensors: TensorLike, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Return coordinate grids from coordinate vectors, as NumPy does."""
    parts = [reshape(x, (-1,)) for x in tensors]
    lengths = [x.shape[0] for x in parts]
    places = list(range(len(parts)))
    if indexing == "xy" and len(parts) > 1:
        lengths[0], lengths[1] = lengths[1], lengths[0]
        places[0], places[1] = 1, 0
    elif indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: expected indexing 'xy' or 'ij', got {indexing!r}.")
    grids = []
    for x, place in zip(parts, places, strict=True):
        shape = [1] * len(parts)
        shape[place] = -1
        grids.append(broadcast_to(reshape(x, shape), tuple(lengths)))
    return tuple(grids)


def roll(x: TensorLike, shift: int | tuple[int, ...], axis: Axis = None) -> Tensor:
    """Shift elements along `axis`; those that leave at one end return at the other."""
    x = as_tensor(x)
    if axis is None:
        return reshape(roll(reshape(x, (-1,)), shift, 0), x.shape)
    axes = normalize_axes(axis, x.ndim, "roll")
    shifts = (shift,) * len(axes) if isinstance(shift, int) else shift
    for a, s in zip(axes, shifts, strict=True):
        n = x.shape[a]
        if n and s % n:
            cut = n - s % n
            head = (slice(None),) * a
            x = concat([x[(*head, slice(cut, None))], x[(*head, slice(0, cut))]], a)
    return x


def repeat(x: TensorLike, repeats: int | TensorLike, axis: int | None = None) -> Tensor:
    """Repeat each element, or each slice along `axis`, `repeats` times."""
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    times = repeats if isinstance(repeats, int) else np.asarray(as_tensor(repeats).array)
    return take(x, np.repeat(np.arange(x.shape[axis]), times), axis)


def tile(x: TensorLike, repetitions: int | tuple[int, ...]) -> Tensor:
    """Repeat the whole of `x` along each axis."""
    x = as_tensor(x)
    times = (repetitions,) if isinstance(repetitions, int) else tuple(repetitions)
    ndim = builtins.max(x.ndim, len(times))
    times = (1,) * (ndim - len(times)) + times
    shape = (1,) * (ndim - x.ndim) + x.shape
    spread = reshape(x, [n for pair in zip((1,) * ndim, shape, strict=True) for n in pair])
    full_shape = tuple(n for pair in zip(times, shape, strict=True) for n in pair)
    return reshape(broadcast_to(spread, full_shape), [t * n for t, n in zip(times, shape, strict=True)])


def diagonal(x: TensorLike, offset: int = 0) -> Tensor:
    """Return diagonal `offset` of the last two axes as a last axis."""
    x = as_tensor(x)
    n, m = x.shape[-2:]
    count = builtins.max(0, builtins.min(n + builtins.min(offset, 0), m - builtins.max(offset, 0)))
    i = np.arange(count)
    return x[..., i - builtins.min(offset, 0), i + builtins.max(offset, 0)]


def trace(x: TensorLike, offset: int = 0) -> Tensor:
    """Return the sum of diagonal `offset` of the last two axes."""
    return sum(diagonal(x, offset), -1)


def diag(x: TensorLike) -> Tensor:
    """Return the square matrix with the vector `x` on its diagonal."""
    x = as_tensor(x)
    return where(np.eye(x.shape[-1], dtype=bool), expand_dims(x, -1), 0)


# Reductions.


def _count(x: Tensor, axis: Axis, owner: str) -> int:
    return math.prod(x.shape[a] for a in normalize_axes(axis, x.ndim, owner))


def _as_float(x: TensorLike) -> Tensor:
    x = as_tensor(x)
    return x if x.array.dtype.kind == "f" else astype(x, float32)


def mean(x: TensorLike, axis: Axis = None, keepdims: bool = False, **names: Any) -> Tensor:
    """Arithmetic mean over `axis`; integers are averaged in float32."""
    x = _as_float(x)
    if names:
        axis, keepdims = torch_axis(axis, keepdims, names, "mean")
    count = x.size if axis is None else _count(x, axis, "mean")
    total = sum(x, axis, keepdims)
    return multiply(total, 1.0 / count) if count else divide(total, 0.0)


def var(
    x: TensorLike,
    axis: Axis = None,
    correction: float = 0.0,
    keepdims: bool = False,
    **names: Any,
) -> Tensor:
    """Variance over `axis`: the mean squared distance from the mean.

    Args:
        x: any shape.
        axis: axes to reduce, all by default.
        correction: subtracted from the count that divides: 0 for the population's variance (the
            default, the array API's; PyTorch's is 1), 1 for the sample's.
        keepdims: keep reduced axes with length 1.
        names: `dim`, `keepdim`, as PyTorch calls them.
    """
    x = _as_float(x)
    if names:
        axis, keepdims = torch_axis(axis, keepdims, names, "var")
    distance = x - mean(x, axis, keepdims=True)
    count = _count(x, axis, "var") - correction
    total = sum(distance * distance, axis, keepdims)
    return total * (1.0 / count) if count > 0 else divide(total, 0.0)


def std(
    x: TensorLike,
    axis: Axis = None,
    correction: float = 0.0,
    keepdims: bool = False,
    **names: Any,
) -> Tensor:
    """Standard deviation over `axis`: the square root of `var`."""
    return sqrt(var(x, axis, correction, keepdims, **names))


def median(x: TensorLike, axis: int | None = None) -> Tensor:
    """Middle element over `axis`, the mean of the middle two for an even count."""
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    x = moveaxis(sort(_as_float(x), axis), axis, 0)
    n = x.shape[0]
    return (x[(n - 1) // 2] + x[n // 2]) * 0.5


def prod(x: TensorLike, axis: Axis = None, keepdims: bool = False, **names: Any) -> Tensor:
    """Product over `axis`, by halves, so that its derivative holds at zeros too."""
    x = as_tensor(x)
    if names:
        axis, keepdims = torch_axis(axis, keepdims, names, "prod")
    if x.dtype.kind != "f":
        x = astype(x, int64)
    axes = normalize_axes(axis, x.ndim, "prod")
    rest = [a for a in range(x.ndim) if a not in axes]
    kept = reduced_shape(x.shape, axes, keepdims)
    x = permute_dims(x, [*axes, *rest])
    x = reshape(x, (math.prod(x.shape[: len(axes)]), *x.shape[len(axes) :]))
    while x.shape[0] > 1:
        half = x.shape[0] // 2
        merged = x[:half] * x[half : 2 * half]
        x = concat([merged, x[2 * half :]], 0) if x.shape[0] % 2 else merged
    return reshape(x, kept) if x.shape[0] else ones(kept, dtype=x.dtype)


def cumulative_prod(x: TensorLike, axis: int | None = None, **names: Any) -> Tensor:
    """Product of the elements up to and including each, along `axis`, by doubling strides."""
    x = as_tensor(x)
    if names:
        axis, _ = torch_axis(axis, False, names, "cumulative_prod")
    if axis is None and x.ndim != 1:
        raise ValueError(f"cumulative_prod: expected axis= for shape {x.shape}, got none.")
    if x.dtype.kind != "f":
        x = astype(x, int64)
    x = moveaxis(x, axis or 0, 0)
    stride = 1
    while stride < x.shape[0]:
        x = concat([x[:stride], x[stride:] * x[:-stride]], 0)
        stride *= 2
    return moveaxis(x, 0, axis or 0)


def any(x: TensorLike, axis: Axis = None, keepdims: bool = False, **names: Any) -> Tensor:
    """Return whether an element over `axis` is true (not 0)."""
    return greater(count_nonzero(x, axis, keepdims, **names), 0)


def all(x: TensorLike, axis: Axis = None, keepdims: bool = False, **names: Any) -> Tensor:
    """Return whether every element over `axis` is true (not 0)."""
    return equal(sum(logical_not(x), axis, keepdims, **names), 0)


def count_nonzero(x: TensorLike, axis: Axis = None, keepdims: bool = False, **names: Any) -> Tensor:
    """Return how many elements over `axis` are not 0 (int64)."""
    return sum(astype(x, bool_), axis, keepdims, **names)


def diff(x: TensorLike, axis: int = -1, n: int = 1) -> Tensor:
    """Return the n-th differences between neighbours along `axis`."""
    x = moveaxis(x, axis, 0)
    for _ in range(n):
        x = x[1:] - x[:-1]
    return moveaxis(x, 0, axis)


def logsumexp(x: TensorLike, axis: Axis = None, keepdims: bool = False, **names: Any) -> Tensor:
    """Return log(sum(exp(x))) over `axis` without overflow."""
    x = _as_float(x)
    if names:
        axis, keepdims = torch_axis(axis, keepdims, names, "logsumexp")
    top = max(x.detach(), axis, keepdims=True)
    top = where(isfinite(top), top, 0.0)
    total = log(sum(exp(x - top), axis, keepdims=True)) + top
    if keepdims:
        return total
    return reshape(total, reduced_shape(x.shape, normalize_axes(axis, x.ndim, "logsumexp"), False))


def softmax(x: TensorLike, axis: int = -1, *, dim: int | None = None) -> Tensor:
    """Return exp(x) divided by its sum along `axis`: positive numbers that add up to 1."""
    x = _as_float(x)
    axis = axis if dim is None else dim
    e = exp(x - max(x.detach(), axis, keepdims=True))
    return e / sum(e, axis, keepdims=True)


def log_softmax(x: TensorLike, axis: int = -1, *, dim: int | None = None) -> Tensor:
    """Return log(softmax(x)) along `axis`, exact for small probabilities too."""
    x = _as_float(x)
    axis = axis if dim is None else dim
    x = x - max(x.detach(), axis, keepdims=True)
    return x - log(sum(exp(x), axis, keepdims=True))


def norm(x: TensorLike, axis: Axis = None, keepdims: bool = False, *, ord: float = 2) -> Tensor:
    """Return the vector norm over `axis`: (sum |x|**ord)**(1/ord), or the largest |x| for inf."""
    size = abs(_as_float(x))
    if ord == math.inf:
        return max(size, axis, keepdims)
    if ord == 1:
        return sum(size, axis, keepdims)
    if ord == 2:
        return sqrt(sum(size * size, axis, keepdims))
    return pow(sum(pow(size, float(ord)), axis, keepdims), 1.0 / ord)


# Sorting and searching.


def sort(x: TensorLike, axis: int = -1, *, descending: bool = False) -> Tensor:
    """Return `x` in ascending (or descending) order along `axis`."""
    return take_along_axis(x, argsort(x, axis, descending=descending), axis)


def gather(x: TensorLike, axis: int, index: TensorLike) -> Tensor:
    """Pick along `axis`, as PyTorch's gather: `take_along_axis` with the axis first."""
    return take_along_axis(x, index, axis)


def nonzero(x: TensorLike) -> tuple[Tensor, ...]:
    """Return the positions (int64) of the elements that are not 0, one tensor an axis."""
    x = as_tensor(x)
    tracer = TRACER.get()
    if tracer is not None:
        return tuple(tracer.nonzero(x))
    return tuple(leaf(places) for places in np.nonzero(x.array))


def searchsorted(x: TensorLike, values: TensorLike, *, side: str = "left") -> Tensor:
    """Return where `values` belong in the sorted vector `x` (int64)."""
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: expected side 'left' or 'right', got {side!r}.")
    x, values = as_tensor(x), expand_dims(values, -1)
    before = less(x, values) if side == "left" else less_equal(x, values)
    return sum(before, -1)


def unique_values(x: TensorLike) -> Tensor:
    """Return the distinct elements in ascending order."""
    x = sort(reshape(x, (-1,)))
    if x.shape[0] < 2:
        return x
    return x[concat([ones(1, dtype=bool_), not_equal(x[1:], x[:-1])])]


# Products.


def dot(x: TensorLike, y: TensorLike) -> Tensor:
    """Return the inner product of two vectors."""
    return matmul(x, y)


def outer(x: TensorLike, y: TensorLike) -> Tensor:
    """Return all products of an element of vector x and one of vector y."""
    return expand_dims(x, -1) * expand_dims(y, 0)


def vecdot(x: TensorLike, y: TensorLike, axis: int = -1) -> Tensor:
    """Return the sum of x * y along `axis`."""
    return sum(multiply(x, y), axis)


def cross(x: TensorLike, y: TensorLike, axis: int = -1) -> Tensor:
    """Return the cross product of vectors of length 3 along `axis`."""
    x, y = broadcast_arrays(x, y)
    ahead, behind = [1, 2, 0], [2, 0, 1]
    x, y = moveaxis(x, axis, 0), moveaxis(y, axis, 0)
    return moveaxis(x[ahead] * y[behind] - x[behind] * y[ahead], 0, axis)


def tensordot(
    x: TensorLike, y: TensorLike, axes: int | tuple[Sequence[int], Sequence[int]] = 2
) -> Tensor:
    """Contract axes of `x` with axes of `y`: the last of x with the first of y, or those named."""
    x, y = as_tensor(x), as_tensor(y)
    if isinstance(axes, int):
        mine, theirs = tuple(range(x.ndim - axes, x.ndim)), tuple(range(axes))
    else:
        mine = normalize_axes(tuple(axes[0]), x.ndim, "tensordot")
        theirs = normalize_axes(tuple(axes[1]), y.ndim, "tensordot")
    if [x.shape[a] for a in mine] != [y.shape[a] for a in theirs]:
        raise ValueError(
            f"tensordot: expected equal lengths along the contracted axes, got {x.shape} along "
            f"{mine} and {y.shape} along {theirs}."
        )
    left = [a for a in range(x.ndim) if a not in mine]
    right = [a for a in range(y.ndim) if a not in theirs]
    inner = math.prod(x.shape[a] for a in mine)
    rows = math.prod(x.shape[a] for a in left)
    columns = math.prod(y.shape[a] for a in right)
    out = matmul(
        reshape(permute_dims(x, [*left, *mine]), (rows, inner)),
        reshape(permute_dims(y, [*theirs, *right]), (inner, columns)),
    )
    return reshape(out, [x.shape[a] for a in left] + [y.shape[a] for a in right])


def einsum(subscripts: str, *operands: TensorLike) -> Tensor:
    """Sum products over named axes (Einstein's convention), pair by pair as matrix products.

    Args:
        subscripts: such as "bij,bjk->bik"; without "->", letters that occur once, in
            alphabetical order, are kept.
        operands: one tensor for each term.

    Raises:
        ValueError: when the subscripts do not fit the operands.

    >>> einsum("ij,j->i", [[1.0, 2.0], [3.0, 4.0]], [1.0, 1.0])
    tensor([3., 7.])
    """
    terms, result = _parse_subscripts(subscripts, len(operands))
    parts = [_reduce_term(as_tensor(x), t) for x, t in zip(operands, terms, strict=True)]
    while len(parts) > 1:
        (x, a), (y, b) = parts[0], parts[1]
        later = set(result).union(*[t for _, t in parts[2:]])
        parts[:2] = [_contract_pair(x, a, y, b, later)]
    x, term = parts[0]
    gone = tuple(i for i, c in enumerate(term) if c not in result)
    if gone:
        x, term = sum(x, gone), "".join(c for c in term if c in result)
    return permute_dims(x, [term.index(c) for c in result])


def _parse_subscripts(subscripts: str, count: int) -> tuple[list[str], str]:
    left, arrow, result = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    letters = "".join(terms)
    if not arrow:
        result = "".join(sorted(c for c in set(letters) if letters.count(c) == 1))
    wrong = [c for c in letters + result if not c.isalpha()]
    if wrong or len(terms) != count or not set(result) <= set(letters) or (
        len(set(result)) != len(result)
    ):
        raise ValueError(
            f"einsum: expected letters for each of the {count} operands and a result of distinct "
            f"letters among them, got {subscripts!r}."
        )
    return terms, result


def _reduce_term(x: Tensor, term: str) -> tuple[Tensor, str]:
    """Check one operand against its term, and take the diagonal of letters that come twice."""
    if x.ndim != len(term):
        raise ValueError(f"einsum: expected {len(term)} axes for {term!r}, got shape {x.shape}.")
    for c in dict.fromkeys(term):
        while term.count(c) > 1:
            i = term.index(c)
            j = term.index(c, i + 1)
            x = diagonal(moveaxis(x, (i, j), (-2, -1)))
            term = "".join(d for k, d in enumerate(term) if k not in (i, j)) + c
    return x, term


def _contract_pair(x: Tensor, a: str, y: Tensor, b: str, later: set[str]) -> tuple[Tensor, str]:
    sizes = dict(zip(a, x.shape, strict=True))
    for c, n in zip(b, y.shape, strict=True):
        if sizes.setdefault(c, n) != n:
            raise ValueError(f"einsum: expected one length for {c!r}, got {sizes[c]} and {n}.")
    alone_x = tuple(i for i, c in enumerate(a) if c not in b and c not in later)
    alone_y = tuple(i for i, c in enumerate(b) if c not in a and c not in later)
    if alone_x:
        x, a = sum(x, alone_x), "".join(c for i, c in enumerate(a) if i not in alone_x)
    if alone_y:
        y, b = sum(y, alone_y), "".join(c for i, c in enumerate(b) if i not in alone_y)
    batch = [c for c in a if c in b and c in later]
    inner = [c for c in a if c in b and c not in later]
    rows = [c for c in a if c not in b]
    columns = [c for c in b if c not in a]

    def lengths(letters: list[str]) -> list[int]:
        return [sizes[c] for c in letters]

    x = permute_dims(x, [a.index(c) for c in batch + rows + inner])
    y = permute_dims(y, [b.index(c) for c in batch + inner + columns])
    x = reshape(x, [*lengths(batch), math.prod(lengths(rows)), math.prod(lengths(inner))])
    y = reshape(y, [*lengths(batch), math.prod(lengths(inner)), math.prod(lengths(columns))])
    term = batch + rows + columns
    return reshape(matmul(x, y), lengths(term)), "".join(term)


# Methods: the functions above by the names that users of NumPy and of PyTorch type.


def _variadic(function: Any) -> Any:
    """Let `x.reshape(2, 3)` mean `reshape(x, (2, 3))`."""

    def method(self: Tensor, *sizes: Any) -> Tensor:
        whole = len(sizes) == 1 and not isinstance(sizes[0], (int, np.integer))
        return function(self, sizes[0] if whole else sizes)  # type: ignore[no-any-return]

    method.__name__, method.__doc__ = function.__name__, function.__doc__
    return method


def _expand(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Broadcast to `sizes`, where -1 keeps a length."""
    kept = (1,) * (len(sizes) - x.ndim) + x.shape
    return broadcast_to(x, tuple(k if n == -1 else n for n, k in zip(sizes, kept, strict=True)))


def _astype_like(x: Tensor, other: Any) -> Tensor:
    """Cast to a dtype, or to another tensor's."""
    return astype(x, other.dtype if isinstance(other, Tensor) else other)


def _transpose(x: Tensor, *axes: Any) -> Tensor:
    """Exchange two axes (PyTorch), permute all of them (NumPy), or reverse them (no argument)."""
    if len(axes) == 1:
        axes = tuple(axes[0])
    if len(axes) == 2 and x.ndim != 2:
        return swapaxes(x, *axes)
    return permute_dims(x, axes or range(x.ndim)[::-1])


_METHODS: dict[str, Any] = {
    function.__name__: function
    for function in (
        abs, acos, acosh, all, any, argmax, argmin, argsort, asin, asinh, astype, atan, atan2, atanh,
        ceil, clip, cos, cosh, count_nonzero, cumulative_prod, cumulative_sum, diagonal, diff,
        divide, dot, equal, erf, exp, expm1, flatten, flip, floor, gather, greater, greater_equal,
        isfinite, isinf, isnan, less, less_equal, log, log10, log1p, log2, log_softmax, logaddexp,
        logical_and, logical_not, logical_or, logical_xor, logsumexp, masked_fill, matmul, max,
        maximum, mean, median, min, minimum, moveaxis, multiply, negative, nonzero, norm, not_equal,
        one_hot, outer, pow, prod, reciprocal, relu, repeat, roll, round, sigmoid, sign, sin, sinh,
        softmax, sort, sqrt, square, squeeze, std, subtract, sum, swapaxes, take, take_along_axis,
        tan, tanh, tile, trace, tril, triu, trunc, var, where,
    )
}  # fmt: skip
_METHODS.pop("where")
_METHODS |= {
    "clamp": clip,
    "clone": lambda self: astype(self, self.dtype, copy=True),
    "contiguous": positive,
    "cpu": positive,
    "cumsum": cumulative_sum,
    "cumprod": cumulative_prod,
    "div": divide,
    "double": lambda self: astype(self, np.float64),
    "expand": _variadic(_expand),
    "expand_as": lambda self, other: broadcast_to(self, other.shape),
    "float": lambda self: astype(self, float32),
    "index_select": lambda self, dim, index: take(self, index, dim),
    "int": lambda self: astype(self, np.int32),
    "bool": lambda self: astype(self, bool_),
    "long": lambda self: astype(self, int64),
    "mul": multiply,
    "mm": matmul,
    "neg": negative,
    "numel": lambda self: self.size,
    "permute": _variadic(permute_dims),
    "ravel": lambda self: reshape(self, (-1,)),
    "reshape": _variadic(reshape),
    "sub": subtract,
    "add": add,
    "swapdims": swapaxes,
    "t": _transpose,
    "to": _astype_like,
    "transpose": _transpose,
    "type_as": _astype_like,
    "unbind": unstack,
    "unsqueeze": expand_dims,
    "view": _variadic(reshape),
    "where": lambda self, condition, other: where(condition, self, other),
}
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)
for _name, _getter in {
    "T": _transpose,
    "mT": matrix_transpose,
    "real": positive,
}.items():
    setattr(Tensor, _name, property(_getter))
