"""The matrix product, from which every other contraction is composed."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import TRACER, Array, Tensor, TensorLike, float32, int64
from schuss.lowering.kinds import Kernel
from schuss.modes import AUTOCAST, SILENCE, autocasting
from schuss.primitives import bfloat16
from schuss.primitives.base import (
    NO_ATTRIBUTES,
    Primitive,
    Spec,
    apply,
    as_tensor,
    astype,
    promote,
    record,
)
from schuss.primitives.batching import batch_product
from schuss.primitives.elementwise import add
from schuss.primitives.fused import fused
from schuss.primitives.movement import permute_dims, reshape


def matrix_transpose(x: TensorLike) -> Tensor:
    """Swap the last two axes."""
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"matrix_transpose: expected at least 2 axes, got shape {x.shape}.")
    if x.ndim == 2:
        return permute_dims(x, (1, 0))
    return permute_dims(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _product(x: Array, y: Array) -> Any:
    # For two matrices `dot` is the same product with half of matmul's overhead.
    return x.dot(y) if x.ndim == 2 and y.ndim == 2 else np.matmul(x, y)


def _product_shape(x: Spec, y: Spec) -> Spec:
    batch = np.broadcast_shapes(x[0][:-2], y[0][:-2])
    return (*batch, x[0][-2], y[0][-1]), np.result_type(x[1], y[1])


_matmul = Primitive(
    "matmul",
    value=_product,
    shape=_product_shape,
    derivative=(
        lambda g, z, x, y: matmul(g, matrix_transpose(y)),
        lambda g, z, x, y: matmul(matrix_transpose(x), g),
    ),
    batch=batch_product,
    lower=Kernel("matmul", is_row_major=True),
)


@fused(
    value=lambda x, y: x.dot(y.reshape(-1, 1)).reshape(-1),
    derivative=(
        lambda g, z, x, y: g.reshape(-1, 1).dot(y.reshape(1, -1)),
        lambda g, z, x, y: x.T.dot(g.reshape(-1, 1)).reshape(-1),
    ),
)
def _matvec(x: Tensor, y: Tensor) -> Tensor:
    return reshape(matmul(x, reshape(y, (y.size, 1))), x.shape[:1])


def matmul(x: TensorLike, y: TensorLike) -> Tensor:
    """Matrix product over the last axis of x and the last but one of y, batched over the rest.

    Args:
        x: shape (..., n, k), or (k,).
        y: shape (..., k, m), or (k,).

    Returns:
        Shape (..., n, m), without n or m where the input has one axis.

    Raises:
        ValueError: when the inner lengths differ or an input has no axes.
    """
    if not isinstance(x, Tensor) or not isinstance(y, Tensor):
        x, y = as_tensor(x), as_tensor(y)
    if x.array.dtype is not y.array.dtype:
        x, y = map(as_tensor, promote(x, y))
    if x.array.dtype.kind == "b":
        x, y = astype(x, int64), astype(y, int64)
    if AUTOCAST.get() and x.array.dtype is float32:
        x, y = bfloat16.rounded(x), bfloat16.rounded(y)
        return bfloat16.rounded(exact_matmul(x, y))
    a, b = x.array.shape, y.array.shape
    if not a or not b or a[-1] != b[-2 if len(b) > 1 else 0]:
        raise ValueError(
            f"matmul: expected x of shape (..., n, k) and y of shape (..., k, m), got {a} and {b}."
        )
    if len(a) == 2 and len(b) == 2:
        if TRACER.get() is not None:
            return apply(_matmul, (x, y), NO_ATTRIBUTES)
        SILENCE.ensure()
        out = x.array.dot(y.array)
        return record(_matmul, (x, y), NO_ATTRIBUTES, out, x.requires_grad or y.requires_grad)
    if len(a) == 1:
        out = matmul(reshape(x, (1, a[0])), y)
        return reshape(out, out.shape[:-1] if len(b) == 1 else (*out.shape[:-2], out.shape[-1]))
    if len(b) == 1:
        if len(a) == 2:
            return _matvec(x, y)
        out = matmul(x, reshape(y, (b[0], 1)))
        return reshape(out, out.shape[:-1])
    if len(b) == 2 and len(a) > 2:
        # One large product instead of a small one for each of the leading indices.
        rows = int(np.prod(a[:-1]))
        return reshape(matmul(reshape(x, (rows, a[-1])), y), (*a[:-1], b[-1]))
    return apply(_matmul, (x, y), NO_ATTRIBUTES)


def exact_matmul(x: TensorLike, y: TensorLike) -> Tensor:
    """Return matmul(x, y), whose factors are not rounded within `autocast` either."""
    if not AUTOCAST.get():
        return matmul(x, y)
    with autocasting(enabled=False):
        return matmul(x, y)


def _linear_value(x: Array, weight: Array, bias: Array) -> Any:
    out = x.dot(weight.T)
    return np.add(out, bias, out)


@fused(
    value=_linear_value,
    derivative=(
        lambda g, y, x, weight, bias: g.dot(weight),
        lambda g, y, x, weight, bias: x.T.dot(g).T,
        lambda g, y, x, weight, bias: g,
    ),
)
def linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return x @ weight.T + bias.

    Args:
        x: floats of shape (rows, features).
        weight: shape (outputs, features), of x's dtype.
        bias: shape (outputs,), of x's dtype.
    """
    return add(matmul(x, matrix_transpose(weight)), bias)


matmul.primitive = _matmul  # type: ignore[attr-defined]
