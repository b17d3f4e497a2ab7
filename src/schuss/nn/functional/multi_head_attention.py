"""Attention of several heads, with projections of queries, keys, values and of the result."""

from __future__ import annotations

import math

from schuss import functions as ops
from schuss.core import Tensor
from schuss.nn.functional._checks import require_tensors
from schuss.nn.functional.attention import scaled_dot_product_attention
from schuss.nn.functional.layers import dropout, linear

__all__ = ["multi_head_attention_forward"]

_OWNER = "MultiheadAttention"


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return what `nn.MultiheadAttention` computes, and the weights of the keys, if wanted.

    Args:
        query: shape (queries, batch, embed_dim), or without batch.
        key: shape (keys, batch, features), or without batch.
        value: shape (keys, batch, features), or without batch.
        embed_dim_to_check: what embed_dim has to be.
        num_heads: how many parts of embed_dim attend for themselves.
        in_proj_weight: the projections of query, key and value, shape (3 * embed_dim, embed_dim).
        in_proj_bias: shape (3 * embed_dim,), or None.
        bias_k: a key more, shape (1, 1, embed_dim), or None.
        bias_v: its value.
        add_zero_attn: whether to add a key and a value of zeros.
        dropout_p: probability of dropping a weight while training.
        out_proj_weight: of the projection of the result, shape (embed_dim, embed_dim).
        out_proj_bias: shape (embed_dim,), or None.
        training: whether to drop.
        key_padding_mask: shape (batch, keys): True for keys that no query sees, or floats that are
            added to the products.
        need_weights: whether to return the weights, too.
        attn_mask: shape (queries, keys) or (batch * heads, queries, keys), likewise.
        use_separate_proj_weight: whether the next three take the place of in_proj_weight.
        q_proj_weight: shape (embed_dim, embed_dim).
        k_proj_weight: shape (embed_dim, features of key).
        v_proj_weight: shape (embed_dim, features of value).
        static_k: projected keys, shape (batch * heads, keys, head), in the place of those of `key`.
        static_v: projected values, likewise.
        average_attn_weights: whether the weights returned are the heads' mean.
        is_causal: whether attn_mask, which has to be there, is the causal one.

    Returns:
        A tensor of query's shape; and the weights of shape (batch, queries, keys), with an axis of
        heads behind batch where they are not averaged, or None.

    Raises:
        ValueError: if shapes do not fit.
        TypeError: if a dtype does not.
    """
    require_tensors(_OWNER, query=query, key=key, value=value)
    is_batched = query.ndim == 3
    _require_shapes(query, key, value, embed_dim_to_check, num_heads)
    if is_causal and attn_mask is None:
        raise ValueError(f"{_OWNER}: expected attn_mask beside is_causal, got None.")
    batch = query.shape[1] if is_batched else 1
    width = query.shape[-1] // num_heads
    weights = (q_proj_weight, k_proj_weight, v_proj_weight) if use_separate_proj_weight else None
    q, k, v = _projected(query, key, value, in_proj_weight, weights, in_proj_bias)
    if not is_batched:
        q, k, v = (ops.expand_dims(x, axis=1) for x in (q, k, v))
    if bias_k is not None and bias_v is not None:
        k = ops.concat([k, ops.broadcast_to(bias_k, (1, *k.shape[1:]))], axis=0)
        v = ops.concat([v, ops.broadcast_to(bias_v, (1, *v.shape[1:]))], axis=0)
    q = _split(q, num_heads)
    k = _split(k, num_heads) if static_k is None else _unjoined(static_k, batch, num_heads, width)
    v = _split(v, num_heads) if static_v is None else _unjoined(static_v, batch, num_heads, width)
    more = (bias_k is not None and static_k is None) + add_zero_attn
    if add_zero_attn:
        nothing = ops.zeros((*k.shape[:2], 1, width), dtype=k.array.dtype)
        k, v = ops.concat([k, nothing], axis=2), ops.concat([v, nothing], axis=2)
    is_hint = is_causal and key_padding_mask is None and not need_weights and not more
    mask = None
    if not is_hint:
        mask = _joined_mask(attn_mask, key_padding_mask, q, k.shape[2] - more, more)
    p = dropout_p if training else 0.0
    if need_weights:
        scores = ops.matmul(q * math.sqrt(1.0 / width), ops.matrix_transpose(k))
        shares = dropout(ops.softmax(scores if mask is None else scores + mask, -1), p)
        out = ops.matmul(shares, v)
    else:
        out = scaled_dot_product_attention(q, k, v, mask, p, is_hint)
    joined = ops.reshape(ops.permute_dims(out, (2, 0, 1, 3)), (*query.shape[:1], batch, -1))
    result = linear(joined, out_proj_weight, out_proj_bias)
    result = result if is_batched else ops.squeeze(result, axis=1)
    if not need_weights:
        return result, None
    shares = ops.mean(shares, 1) if average_attn_weights else shares
    return result, shares if is_batched else ops.squeeze(shares, axis=0)


def _require_shapes(query: Tensor, key: Tensor, value: Tensor, width: int, heads: int) -> None:
    shapes = f"query {query.shape}, key {key.shape} and value {value.shape}"
    if query.ndim not in (2, 3) or not query.ndim == key.ndim == value.ndim:
        raise ValueError(
            f"{_OWNER}: expected query, key and value of shape (length, batch, features), all with "
            f"or all without batch, got {shapes}."
        )
    if query.shape[-1] != width or width % heads:
        raise ValueError(
            f"{_OWNER}: expected query of {width} features, in {heads} heads of one width, got "
            f"{shapes}."
        )
    if key.shape[:-1] != value.shape[:-1] or (query.ndim == 3 and query.shape[1] != key.shape[1]):
        raise ValueError(
            f"{_OWNER}: expected as many values as keys, and one batch for all, got {shapes}."
        )


def _projected(
    query: Tensor, key: Tensor, value: Tensor, packed: Tensor | None,
    separate: tuple[Tensor | None, ...] | None, bias: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Return projections of the three; what is one tensor is multiplied once."""
    width = query.shape[-1]

    def part(x: Tensor | None, first: int, last: int) -> Tensor | None:
        return None if x is None else x[first * width : last * width]

    if separate is not None:
        given = zip((query, key, value), separate, strict=True)
        q, k, v = [
            linear(x, w, part(bias, i, i + 1)) for i, (x, w) in enumerate(given) if w is not None
        ]
        return q, k, v
    assert packed is not None
    if query is key and key is value:
        both = linear(query, packed, bias)
        return both[..., :width], both[..., width : 2 * width], both[..., 2 * width :]
    q = linear(query, packed[:width], part(bias, 0, 1))
    if key is value:
        both = linear(key, packed[width:], part(bias, 1, 3))
        return q, both[..., :width], both[..., width:]
    k = linear(key, packed[width : 2 * width], part(bias, 1, 2))
    return q, k, linear(value, packed[2 * width :], part(bias, 2, 3))


def _split(x: Tensor, heads: int) -> Tensor:
    """Return (length, batch, features) as (batch, heads, length, width)."""
    length, batch, features = x.shape
    return ops.permute_dims(ops.reshape(x, (length, batch, heads, features // heads)), (1, 2, 0, 3))


def _unjoined(x: Tensor, batch: int, heads: int, width: int) -> Tensor:
    """Return (batch * heads, length, width) as (batch, heads, length, width)."""
    if x.ndim != 3 or x.shape[0] != batch * heads or x.shape[2] != width:
        raise ValueError(
            f"{_OWNER}: expected static_k and static_v of shape ({batch * heads}, keys, {width}), "
            f"got {x.shape}."
        )
    return ops.reshape(x, (batch, heads, x.shape[1], width))


def _joined_mask(
    attn_mask: Tensor | None, key_padding_mask: Tensor | None, q: Tensor, keys: int, more: int
) -> Tensor | None:
    """Return what is added to products of shape (batch, heads, queries, keys), or None."""
    batch, heads, queries, _ = q.shape
    found = None
    if attn_mask is not None:
        found = _added("attn_mask", attn_mask, q, keys, more)
        if found.ndim == 3 and found.shape[0] == batch * heads:
            found = ops.reshape(found, (batch, heads, *found.shape[1:]))
        if found.ndim == 3 or found.shape[-2] != queries:
            raise ValueError(
                f"{_OWNER}: expected attn_mask of shape (queries, keys) or (batch * heads, "
                f"queries, keys) with {queries} queries, got {attn_mask.shape}."
            )
    if key_padding_mask is not None:
        padding = _added("key_padding_mask", key_padding_mask, q, keys, more)
        if padding.size != batch * (keys + more) or padding.ndim > 2:
            raise ValueError(
                f"{_OWNER}: expected key_padding_mask of shape (batch, keys), got "
                f"{key_padding_mask.shape}."
            )
        padding = ops.reshape(padding, (batch, 1, 1, keys + more))
        found = padding if found is None else found + padding
    return found


def _added(name: str, mask: Tensor, q: Tensor, keys: int, more: int) -> Tensor:
    """Return a mask as floats, with 0 for `more` keys that have been added at the end."""
    require_tensors(_OWNER, **{name: mask})
    if not mask.ndim or mask.shape[-1] != keys:
        raise ValueError(f"{_OWNER}: expected {name} for {keys} keys, got shape {mask.shape}.")
    if mask.array.dtype.kind == "b":
        mask = ops.astype(ops.where(mask, -math.inf, 0.0), q.array.dtype)
    elif mask.array.dtype.kind == "f":
        mask = ops.astype(mask, q.array.dtype)
    else:
        raise TypeError(
            f"{_OWNER}: expected {name} of bool or {q.array.dtype}, got {mask.array.dtype}."
        )
    if not more:
        return mask
    return ops.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, more)])
