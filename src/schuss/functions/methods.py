"""Methods of Tensor: the functions by the names that users of NumPy and of PyTorch type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss.functions import aliases
from schuss.functions.creation import (
    ones,
    tril,
    triu,
    zeros,
)
from schuss.functions.elementwise import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atanh,
    clip,
    cosh,
    isfinite,
    isinf,
    isnan,
    log2,
    log10,
    logaddexp,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    masked_fill,
    positive,
    reciprocal,
    sinh,
    square,
    tan,
    trunc,
)
from schuss.functions.products import (
    dot,
    outer,
)
from schuss.functions.reductions import (
    all,
    any,
    count_nonzero,
    cumulative_prod,
    diff,
    log_softmax,
    logsumexp,
    mean,
    norm,
    prod,
    softmax,
    std,
    var,
)
from schuss.functions.shapes import (
    diagonal,
    flatten,
    moveaxis,
    one_hot,
    repeat,
    roll,
    squeeze,
    swapaxes,
    tile,
    trace,
)
from schuss.functions.sorting import gather, median, nonzero, sort
from schuss.primitives.base import astype
from schuss.primitives.contraction import matmul, matrix_transpose
from schuss.primitives.elementwise import (
    abs,
    add,
    atan2,
    ceil,
    cos,
    divide,
    equal,
    erf,
    exp,
    expm1,
    floor,
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
from schuss.primitives.movement import flip, permute_dims, reshape
from schuss.primitives.reduction import (
    argmax,
    argmin,
    broadcast_to,
    cumulative_sum,
    max,
    min,
    sum,
)
from schuss.tensor import (
    Tensor,
    bool_,
    float32,
    int64,
)


def _variadic(function: Any) -> Any:
    """Let `x.reshape(2, 3)` mean `reshape(x, (2, 3))`."""

    def method(self: Tensor, *sizes: Any) -> Tensor:
        whole = len(sizes) == 1 and type(sizes[0]) is not int
        return function(self, sizes[0] if whole else sizes)  # type: ignore[no-any-return]

    method.__name__, method.__doc__ = function.__name__, function.__doc__
    return method


def _expand(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Broadcast to `sizes`, where -1 keeps a length."""
    kept = (1,) * (len(sizes) - x.ndim) + x.shape
    return broadcast_to(x, tuple(k if n == -1 else n for n, k in zip(sizes, kept, strict=True)))


def _astype_like(x: Tensor, other: Any) -> Tensor:
    """Cast to a dtype, or to another tensor's; the only device, "cpu", is where x is."""
    if isinstance(other, str) and other == "cpu":
        return x
    return astype(x, other.dtype if isinstance(other, Tensor) else other)


def _reversed_axes(x: Tensor) -> Tensor:
    """Reverse the order of the axes."""
    return permute_dims(x, (1, 0) if x.ndim == 2 else range(x.ndim)[::-1])


_METHODS: dict[str, Any] = {
    function.__name__: function
    for function in (
        abs, acos, acosh, all, any, argmax, argmin, argsort, asin, asinh, astype, atan, atan2,
        atanh, ceil, clip, cos, cosh, count_nonzero, cumulative_prod, cumulative_sum, diagonal,
        diff, divide, dot, equal, erf, exp, expm1, flatten, flip, floor, gather, greater,
        greater_equal, isfinite, isinf, isnan, less, less_equal, log, log10, log1p, log2,
        log_softmax, logaddexp,
        logical_and, logical_not, logical_or, logical_xor, logsumexp, masked_fill, matmul, max,
        maximum, mean, median, min, minimum, moveaxis, multiply, negative, nonzero, norm, not_equal,
        one_hot, outer, pow, prod, reciprocal, relu, repeat, roll, round, sigmoid, sign, sin, sinh,
        softmax, sort, sqrt, square, squeeze, std, subtract, sum, swapaxes, take, take_along_axis,
        tan, tanh, tile, trace, tril, triu, trunc, var,
    )
}  # fmt: skip
_METHODS |= {
    "clamp": clip,
    "clone": lambda self: astype(self, self.dtype, copy=True),
    "contiguous": positive,
    "cpu": positive,
    "cumsum": cumulative_sum,
    "cumprod": cumulative_prod,
    "bmm": matmul,
    "dim": lambda self: self.ndim,
    "div": divide,
    "eq": equal,
    "ge": greater_equal,
    "gt": greater,
    "le": less_equal,
    "lt": less,
    "ne": not_equal,
    "double": lambda self: astype(self, np.float64),
    "expand": _variadic(_expand),
    "expand_as": lambda self, other: broadcast_to(self, other.shape),
    "float": lambda self: astype(self, float32),
    "index_select": aliases.index_select,
    "chunk": aliases.chunk,
    "masked_select": aliases.masked_select,
    "narrow": aliases.narrow,
    "new_ones": lambda self, *shape: ones(*shape, dtype=self.dtype),
    "new_zeros": lambda self, *shape: zeros(*shape, dtype=self.dtype),
    "repeat_interleave": aliases.repeat_interleave,
    "split": aliases.split,
    "topk": aliases.topk,
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
    "swapdims": aliases.swapdims,
    "t": aliases.transpose,
    "to": _astype_like,
    "transpose": aliases.transpose,
    "type_as": _astype_like,
    "unbind": aliases.unbind,
    "unsqueeze": aliases.unsqueeze,
    "view": _variadic(reshape),
    "where": lambda self, condition, other: where(condition, self, other),
}
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)
for _name, _getter in {
    "T": _reversed_axes,
    "mT": matrix_transpose,
    "real": positive,
}.items():
    setattr(Tensor, _name, property(_getter))
