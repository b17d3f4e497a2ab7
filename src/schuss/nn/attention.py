"""Attention of several heads."""

from __future__ import annotations

import numpy.typing as npt

from schuss import functions as ops
from schuss.core import Tensor
from schuss.nn import functional, init
from schuss.nn.arguments import require_counts
from schuss.nn.linear import Linear
from schuss.nn.module import Module, Parameter

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Let queries look at keys and take their values, each head in a part of the features.

    head = softmax(q @ k.T / sqrt(width)) @ v of projections q, k, v; the heads side by side are
    projected once more. Vaswani et al., 2017, arXiv 1706.03762.

    Args:
        embed_dim: features of the queries and of the result.
        num_heads: of embed_dim / num_heads features each.
        dropout: probability of dropping a weight while training.
        bias: whether the projections add one.
        add_bias_kv: whether to learn a key and a value more.
        add_zero_attn: whether to add a key and a value of zeros.
        kdim: features of the keys; embed_dim by default.
        vdim: features of the values; embed_dim by default.
        batch_first: whether inputs and result are (batch, length, features) and not (length, batch,
            features).
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if embed_dim is not a multiple of num_heads, or a number is below 1.

    >>> from schuss import nn, ones
    >>> attention = nn.MultiheadAttention(8, 2, batch_first=True)
    >>> x = ones((3, 5, 8))
    >>> out, weights = attention(x, x, x)
    >>> out.shape, weights.shape
    ((3, 5, 8), (3, 5, 5))
    """

    in_proj_weight: Parameter | None
    q_proj_weight: Parameter | None
    k_proj_weight: Parameter | None
    v_proj_weight: Parameter | None
    in_proj_bias: Parameter | None
    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        kdim, vdim = embed_dim if kdim is None else kdim, embed_dim if vdim is None else vdim
        require_counts(
            "MultiheadAttention", embed_dim=embed_dim, num_heads=num_heads, kdim=kdim, vdim=vdim
        )
        if embed_dim % num_heads:
            raise ValueError(
                f"MultiheadAttention: expected embed_dim to be a multiple of {num_heads} heads, "
                f"got {embed_dim}."
            )
        self.embed_dim = embed_dim
        self.kdim, self.vdim = kdim, vdim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        self.add_zero_attn = add_zero_attn
        is_packed = kdim == vdim == embed_dim

        def matrix(rows: int, columns: int) -> Parameter:
            return Parameter(init.empty((rows, columns), dtype))

        self.in_proj_weight = matrix(3 * embed_dim, embed_dim) if is_packed else None
        self.q_proj_weight = None if is_packed else matrix(embed_dim, embed_dim)
        self.k_proj_weight = None if is_packed else matrix(embed_dim, kdim)
        self.v_proj_weight = None if is_packed else matrix(embed_dim, vdim)
        self.in_proj_bias = Parameter(init.empty((3 * embed_dim,), dtype)) if bias else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype=dtype)
        more = (1, 1, embed_dim)
        self.bias_k = Parameter(init.empty(more, dtype)) if add_bias_kv else None
        self.bias_v = Parameter(init.empty(more, dtype)) if add_bias_kv else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new values: uniform ones of variance 2 / (fan in + fan out), and biases of 0."""
        for weight in (
            self.in_proj_weight,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
        ):
            if weight is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return what the queries take, and the weights of the keys, or None.

        Args:
            query: shape (queries, batch, embed_dim), (batch, queries, embed_dim) with batch_first,
                or without batch.
            key: likewise, of `kdim` features.
            value: likewise, of `vdim` features.
            key_padding_mask: shape (batch, keys): True for keys that no query sees, or floats that
                are added to the products.
            need_weights: whether to return the weights, which takes time and memory.
            attn_mask: shape (queries, keys) or (batch * heads, queries, keys), likewise.
            average_attn_weights: whether the weights are the heads' mean, of shape (batch, queries,
                keys), or have an axis of heads behind batch.
            is_causal: says that attn_mask is the causal one, which can then be left unread.
        """
        is_turned = self.batch_first and query.ndim == 3
        if is_turned:
            turned = {id(x): ops.swapaxes(x, 0, 1) for x in (query, key, value)}
            query, key, value = (turned[id(x)] for x in (query, key, value))
        out, weights = functional.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            self.training,
            key_padding_mask,
            need_weights,
            attn_mask,
            self.in_proj_weight is None,
            self.q_proj_weight,
            self.k_proj_weight,
            self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return ops.swapaxes(out, 0, 1) if is_turned else out, weights

    def extra_repr(self) -> str:
        """Return the options."""
        return f"{self.embed_dim}, {self.num_heads}, batch_first={self.batch_first}"
