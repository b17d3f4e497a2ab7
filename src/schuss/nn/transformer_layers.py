"""Layers of transformers: attention, and a small network for each position.

Vaswani et al., 2017, arXiv 1706.03762.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy.typing as npt

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.attention import MultiheadAttention
from schuss.nn.dropout import Dropout
from schuss.nn.linear import Linear
from schuss.nn.module import Module
from schuss.nn.normalization import LayerNorm

__all__ = ["Activation", "TransformerDecoderLayer", "TransformerEncoderLayer"]

Activation = str | Callable[[Tensor], Tensor]


class _Layer(Module):
    """What the layers have in common: a small network for each position, and its norm."""

    def _make(
        self, d_model: int, nhead: int, dim_feedforward: int, dropout: float,
        activation: Activation, eps: float, batch_first: bool, norm_first: bool, bias: bool,
        dtype: npt.DTypeLike | None, attentions: tuple[str, ...],
    ) -> None:  # fmt: skip
        """Make the parts, in PyTorch's order."""
        for name in attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout, bias, batch_first=batch_first, dtype=dtype
            )
            setattr(self, name, attention)
        self.activation: Callable[[Tensor], Tensor] = self._function(activation)
        self.linear1 = Linear(d_model, dim_feedforward, bias, dtype=dtype)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, dtype=dtype)
        self.norm_first = norm_first
        count = len(attentions) + 1
        for i in range(1, count + 1):
            setattr(self, f"norm{i}", LayerNorm(d_model, eps, bias=bias, dtype=dtype))
        for i in range(1, count + 1):
            setattr(self, f"dropout{i}", Dropout(dropout))

    def _function(self, activation: Activation) -> Callable[[Tensor], Tensor]:
        if callable(activation):
            return activation
        if activation not in ("relu", "gelu"):
            raise ValueError(
                f"{type(self).__name__}: expected activation 'relu', 'gelu' or a function, got "
                f"{activation!r}."
            )
        return getattr(functional, activation)  # type: ignore[no-any-return]  # by its name

    def _added(self, x: Tensor, part: Callable[[Tensor], Tensor], place: int) -> Tensor:
        """Add what a part makes of x, normalised before or after."""
        norm, drop = getattr(self, f"norm{place}"), getattr(self, f"dropout{place}")
        if self.norm_first:
            return x + drop(part(norm(x)))  # type: ignore[no-any-return]  # a module's result
        return norm(x + drop(part(x)))  # type: ignore[no-any-return]  # a module's result

    def _feed_forward(self, x: Tensor) -> Tensor:
        hidden = self.dropout(self.activation(self.linear1(x)))
        return self.linear2(hidden)  # type: ignore[no-any-return]  # a module's result


class TransformerEncoderLayer(_Layer):
    """Let each position look at all others, then map each for itself; both are added to it.

    x = norm1(x + attention(x)), then norm2(x + linear2(activation(linear1(x)))); with norm_first
    x + attention(norm1(x)) and so on.

    Args:
        d_model: features of each position.
        nhead: heads of the attention.
        dim_feedforward: features between the two linear maps.
        dropout: probability of dropping, while training.
        activation: "relu", "gelu" or a function.
        layer_norm_eps: added to the variances.
        batch_first: whether x is (batch, length, features) and not (length, batch, features).
        norm_first: whether to normalise before each part and not after it.
        bias: whether linear maps and norms have one.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if an option does not fit.

    >>> from schuss import nn, ones
    >>> layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    >>> layer(ones((3, 5, 8))).shape
    (3, 5, 8)
    """

    self_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = functional.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self._make(
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, dtype, ("self_attn",),
        )  # fmt: skip

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the positions after the layer.

        Args:
            src: shape (length, batch, d_model), or as batch_first says, or without batch.
            src_mask: for the attention, shape (length, length): True for what is not seen, or
                floats that are added.
            src_key_padding_mask: shape (batch, length), likewise.
            is_causal: says that src_mask is the causal one.
        """

        def attend(x: Tensor) -> Tensor:
            return self.self_attn(  # type: ignore[no-any-return]  # a module's result
                x, x, x, src_key_padding_mask, False, src_mask, is_causal=is_causal
            )[0]

        return self._added(self._added(src, attend, 1), self._feed_forward, 2)


class TransformerDecoderLayer(_Layer):
    """Let each position look at others, then at a memory, then map each for itself.

    Args:
        d_model: features of each position.
        nhead: heads of the attentions.
        dim_feedforward: features between the two linear maps.
        dropout: probability of dropping, while training.
        activation: "relu", "gelu" or a function.
        layer_norm_eps: added to the variances.
        batch_first: whether x is (batch, length, features) and not (length, batch, features).
        norm_first: whether to normalise before each part and not after it.
        bias: whether linear maps and norms have one.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if an option does not fit.

    >>> from schuss import nn, ones
    >>> layer = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)
    >>> layer(ones((3, 5, 8)), ones((3, 7, 8))).shape
    (3, 5, 8)
    """

    self_attn: MultiheadAttention
    multihead_attn: MultiheadAttention

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = functional.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self._make(
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias, dtype, ("self_attn", "multihead_attn"),
        )  # fmt: skip

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the positions after the layer.

        Args:
            tgt: shape (length, batch, d_model), or as batch_first says, or without batch.
            memory: what is looked at, likewise.
            tgt_mask: for the first attention, shape (length, length): True for what is not seen, or
                floats that are added.
            memory_mask: for the second one, shape (length, length of memory).
            tgt_key_padding_mask: shape (batch, length), likewise.
            memory_key_padding_mask: shape (batch, length of memory), likewise.
            tgt_is_causal: says that tgt_mask is the causal one.
            memory_is_causal: says that memory_mask is.
        """

        def attend(x: Tensor) -> Tensor:
            return self.self_attn(  # type: ignore[no-any-return]  # a module's result
                x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal
            )[0]

        def remember(x: Tensor) -> Tensor:
            return self.multihead_attn(  # type: ignore[no-any-return]  # a module's result
                x, memory, memory, memory_key_padding_mask, False, memory_mask,
                is_causal=memory_is_causal,
            )[0]  # fmt: skip

        x = self._added(self._added(tgt, attend, 1), remember, 2)
        return self._added(x, self._feed_forward, 3)
