"""Transformers: stacks of layers, and an encoder with a decoder.

Vaswani et al., 2017, arXiv 1706.03762.
"""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.core import Tensor, float32, tensor
from schuss.nn import functional, init
from schuss.nn.arguments import require_counts
from schuss.nn.containers import ModuleList
from schuss.nn.module import Module
from schuss.nn.normalization import LayerNorm
from schuss.nn.transformer_layers import (
    Activation,
    TransformerDecoderLayer,
    TransformerEncoderLayer,
)

__all__ = ["Transformer", "TransformerDecoder", "TransformerEncoder"]


class _Stack(Module):
    """Copies of a layer, one behind the other, and a norm behind the last."""

    def _copy(self, layer: Module, count: int, norm: Module | None) -> None:
        require_counts(type(self).__name__, num_layers=count)
        self.layers = ModuleList([copy.deepcopy(layer) for _ in range(count)])
        self.num_layers = count
        self.norm = norm

    def _run(self, x: Tensor, *arguments: Any) -> Tensor:
        for layer in self.layers:
            x = layer(x, *arguments)
        return x if self.norm is None else self.norm(x)


class TransformerEncoder(_Stack):
    """A stack of layers, copies of one.

    Args:
        encoder_layer: the one that is copied, its weights, too.
        num_layers: how many there are.
        norm: a module for the result, or None.
        enable_nested_tensor: has no effect.
        mask_check: has no effect.

    >>> from schuss import nn, ones
    >>> encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16), 2)
    >>> encoder(ones((5, 3, 8))).shape
    (5, 3, 8)
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self._copy(encoder_layer, num_layers, norm)

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Return the positions after all layers; see `TransformerEncoderLayer`."""
        return self._run(src, mask, src_key_padding_mask, bool(is_causal))


class TransformerDecoder(_Stack):
    """A stack of layers that look at a memory, copies of one.

    Args:
        decoder_layer: the one that is copied, its weights, too.
        num_layers: how many there are.
        norm: a module for the result, or None.

    >>> from schuss import nn, ones
    >>> decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16), 2)
    >>> decoder(ones((5, 3, 8)), ones((7, 3, 8))).shape
    (5, 3, 8)
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self._copy(decoder_layer, num_layers, norm)

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the positions after all layers; see `TransformerDecoderLayer`."""
        return self._run(
            tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
            bool(tgt_is_causal), memory_is_causal,
        )  # fmt: skip


class Transformer(Module):
    """An encoder, and a decoder that looks at what it made.

    Args:
        d_model: features of each position.
        nhead: heads of the attentions.
        num_encoder_layers: of the encoder.
        num_decoder_layers: of the decoder.
        dim_feedforward: features between the two linear maps of a layer.
        dropout: probability of dropping, while training.
        activation: "relu", "gelu" or a function.
        custom_encoder: a module in the encoder's place.
        custom_decoder: a module in the decoder's place.
        layer_norm_eps: added to the variances.
        batch_first: whether inputs are (batch, length, features) and not (length, batch, features).
        norm_first: whether to normalise before each part of a layer and not after it.
        bias: whether linear maps and norms have one.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if an option does not fit.

    >>> from schuss import nn, ones
    >>> model = nn.Transformer(8, 2, 1, 1, 16, batch_first=True)
    >>> model(ones((3, 7, 8)), ones((3, 5, 8))).shape
    (3, 5, 8)
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = functional.relu,
        custom_encoder: Module | None = None,
        custom_decoder: Module | None = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        options: tuple[Any, ...] = (
            d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
            norm_first, bias,
        )  # fmt: skip

        def norm() -> LayerNorm:
            return LayerNorm(d_model, layer_norm_eps, bias=bias, dtype=dtype)

        self.encoder = custom_encoder or TransformerEncoder(
            TransformerEncoderLayer(*options, dtype=dtype), num_encoder_layers, norm()
        )
        self.decoder = custom_decoder or TransformerDecoder(
            TransformerDecoderLayer(*options, dtype=dtype), num_decoder_layers, norm()
        )
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw matrices anew: uniform ones of variance 2 / (fan in + fan out)."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the positions of `tgt` after the decoder, which looks at `src` after the encoder.

        Masks and shapes are those of `TransformerEncoderLayer` and `TransformerDecoderLayer`.

        Raises:
            ValueError: if the features or the batches differ.
        """
        batch = 0 if self.batch_first else 1
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise ValueError(
                f"Transformer: expected src and tgt of {self.d_model} features, got {src.shape} "
                f"and {tgt.shape}."
            )
        if src.ndim != tgt.ndim or (src.ndim == 3 and src.shape[batch] != tgt.shape[batch]):
            raise ValueError(
                f"Transformer: expected src and tgt of one batch, got {src.shape} and {tgt.shape}."
            )
        memory = self.encoder(
            src, mask=src_mask, src_key_padding_mask=src_key_padding_mask, is_causal=src_is_causal
        )
        return self.decoder(  # type: ignore[no-any-return]  # a module's result
            tgt, memory, tgt_mask=tgt_mask, memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask, tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )  # fmt: skip

    @staticmethod
    def generate_square_subsequent_mask(
        sz: int, device: Any = None, dtype: npt.DTypeLike | None = None
    ) -> Tensor:
        """Return a causal mask of shape (sz, sz): -inf where the key is behind the query, else 0.

        >>> from schuss import nn
        >>> nn.Transformer.generate_square_subsequent_mask(2).tolist()
        [[0.0, -inf], [0.0, 0.0]]
        """
        hidden = np.triu(np.full((sz, sz), -math.inf, dtype or float32), 1)
        return tensor(hidden)
