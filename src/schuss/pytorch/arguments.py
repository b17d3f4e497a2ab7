"""Arguments as PyTorch takes them: numbers in tensors, and tensors without axes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from schuss.core import Tensor, TensorLike, leaf
from schuss.functions import reshape
from schuss.primitives.base import as_tensor, operand, promote

__all__ = ["as_pair", "of_numbers_too", "whole"]


def as_pair(x: TensorLike, y: TensorLike) -> tuple[Tensor, Tensor]:
    """Return both as tensors of one dtype; a number takes on that of a tensor where it can."""
    if isinstance(x, Tensor) and isinstance(y, Tensor) and x.array.dtype is y.array.dtype:
        return x, y
    if isinstance(x, Tensor) and x.array.dtype.kind == "f" and isinstance(y, (int, float)):
        return x, leaf(np.asarray(y, x.array.dtype))
    a, b = promote(operand(x), operand(y))
    if not isinstance(a, Tensor):
        return leaf(np.asarray(a, b.dtype)), b
    return a, b if isinstance(b, Tensor) else leaf(np.asarray(b, a.array.dtype))


def whole(number: Any) -> Any:
    """Return an axis or a count as a Python integer; what is none stays, to be refused."""
    if type(number) is int or number is None or isinstance(number, bool):
        return number
    try:
        return operator.index(number)
    except TypeError:
        return number


def of_numbers_too(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function along an axis take a tensor without axes, as one of a single element."""

    @wraps(function)
    def along(input: Any, *arguments: Any, **options: Any) -> Any:
        x = as_tensor(input)
        if x.array.shape:
            return function(x, *arguments, **options)
        lifted = [
            reshape(a, (1,)) if isinstance(a, Tensor) and not a.array.shape else a
            for a in arguments
        ]
        return _flat(function(reshape(x, (1,)), *lifted, **options))

    return along


def _flat(result: Any) -> Any:
    if isinstance(result, tuple):
        parts = [_flat(part) for part in result]
        return type(result)(*parts) if hasattr(result, "_fields") else tuple(parts)
    return reshape(result, ()) if result.ndim else result
