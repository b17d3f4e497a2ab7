"""Attention: scaled dot products, and with projections for several heads."""

from __future__ import annotations

import math

from schuss import functions as ops
from schuss.core import Tensor
from schuss.functions.attention import attention, attention_weights, causal_mask
from schuss.nn.functional._checks import require_floating, require_same_dtype, require_tensors
from schuss.nn.functional.layers import dropout

__all__ = ["scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return softmax(query @ key.T * scale + mask) @ value.

    Vaswani et al., 2017, arXiv 1706.03762. A query that may see nothing gets zeros. Of long
    sequences, it is computed block by block of queries, in memory that grows with their length
    and not with its square; not with dropout, or a mask that wants a gradient.

    Args:
        query: floats of shape (..., heads, queries, features).
        key: shape (..., heads, keys, features), of the same dtype.
        value: shape (..., heads, keys, values), of the same dtype.
        attn_mask: broadcasts to (..., heads, queries, keys): bools, True where a query sees a key,
            or floats that are added.
        dropout_p: probability of dropping a weight; at all times, not only while training.
        is_causal: whether query i sees the keys up to i alone; without attn_mask.
        scale: of the products; 1 / sqrt(features) by default.
        enable_gqa: whether several heads of queries may share one of keys and values.

    Returns:
        A tensor of shape (..., heads, queries, values).

    Raises:
        ValueError: if shapes do not fit, or a mask comes beside is_causal.
        TypeError: if a dtype does not.

    >>> import schuss as ss
    >>> q = k = ss.zeros((1, 2, 4))
    >>> scaled_dot_product_attention(q, k, ss.tensor([[[1.0], [3.0]]])).tolist()
    [[[2.0], [2.0]]]
    """
    _require(query, key, value, attn_mask, is_causal)
    if enable_gqa:
        key, value = (_shared(query, x) for x in (key, value))
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    query = query * factor
    if not dropout_p:
        return attention(query, key, value, attn_mask, is_causal=is_causal)
    mask = causal_mask(query.shape[-2], key.shape[-2]) if is_causal else attn_mask
    return ops.matmul(dropout(attention_weights(query, key, mask), dropout_p), value)


def _shared(query: Tensor, x: Tensor) -> Tensor:
    """Repeat heads of keys or values until there are as many as of queries."""
    heads, own = query.shape[-3], x.shape[-3]
    if heads % own:
        raise ValueError(
            f"scaled_dot_product_attention: expected a number of heads that divides {heads}, got "
            f"{own} of keys or values."
        )
    return ops.repeat(x, heads // own, x.ndim - 3)


def _require(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool
) -> None:
    owner = "scaled_dot_product_attention"
    require_tensors(owner, query=query, key=key, value=value)
    require_floating(owner, "query", query)
    for name, x in (("key", key), ("value", value)):
        if x.array.dtype != query.array.dtype:
            raise TypeError(
                f"{owner}: expected {name} of {query.array.dtype}, got {x.array.dtype}."
            )
    shapes = f"query {query.shape}, key {key.shape} and value {value.shape}"
    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise ValueError(f"{owner}: expected two axes or more each, got {shapes}.")
    if query.shape[-1] != key.shape[-1] or key.shape[-2] != value.shape[-2]:
        raise ValueError(
            f"{owner}: expected features of key as of query, and as many values as keys, got "
            f"{shapes}."
        )
    if mask is None:
        return
    require_tensors(owner, attn_mask=mask)
    if is_causal:
        raise ValueError(f"{owner}: expected attn_mask or is_causal, got both.")
    if mask.array.dtype.kind != "b":
        require_same_dtype(owner, "attn_mask", mask, query)
