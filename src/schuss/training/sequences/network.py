"""SequenceNetwork: convolutions along the steps, then a recurrent layer over what they found.

Ordóñez and Roggen, "Deep Convolutional and LSTM Recurrent Neural Networks for Multimodal Wearable
Activity Recognition", Sensors 16(1), 2016, with the residual blocks of Wang, Yan and Oates, "Time
Series Classification from Scratch with Deep Neural Networks", arXiv 1611.06455.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schuss import functions as F
from schuss.core import Array, Tensor
from schuss.nn import functional
from schuss.nn.containers import ModuleList
from schuss.nn.convolution import Conv1d
from schuss.nn.dropout import Dropout
from schuss.nn.embedding import Embedding
from schuss.nn.linear import Linear
from schuss.nn.module import Module
from schuss.nn.recurrent import GRU
from schuss.training.sequences.layers import MaskedBatchNorm, SequenceBlock, mask_of

__all__ = ["SequenceNetwork"]

_MOST_EMBEDDED = 8


class SequenceNetwork(Module):
    """Sequences to logits, or to a value each.

    Steps go through a convolution and stages of residual blocks, each but the first of which
    leaves every second step; a gated recurrent layer reads what is left in its order. The answer
    is made of means and maxima over the steps, and of where the recurrent layer ends. Steps behind
    a sequence's end have no share in it.

    Args:
        numbers: of each step.
        out_features: number of classes, or 1 for a value.
        cardinalities: number of codes of each category column.
        widths: channels of each stage.
        taps: of the convolutions.
        recurrent: features of the recurrent layer; 0 for none.
        dropout: share of the features left out before the last layer while training.
        calibrated: whether logits are divided by a temperature in evaluation.
    """

    def __init__(
        self,
        numbers: int,
        out_features: int,
        *,
        cardinalities: Sequence[int] = (),
        widths: Sequence[int] = (32, 64, 96),
        taps: int = 5,
        recurrent: int = 64,
        dropout: float = 0.2,
        calibrated: bool = False,
    ) -> None:
        super().__init__()
        self.calibrated = calibrated
        sizes = [min(_MOST_EMBEDDED, -(-count // 2)) for count in cardinalities]
        self.embeddings = ModuleList(
            [Embedding(count, size) for count, size in zip(cardinalities, sizes, strict=True)]
        )
        first = widths[0]
        # One channel more is 1 where a step is, so that a step of zeros is not the end.
        self.stem = Conv1d(numbers + sum(sizes) + 1, first, taps + 2, 1, taps // 2 + 1, bias=False)
        self.norm = MaskedBatchNorm(first)
        inputs = [first, *widths[:-1]]
        self.stages = ModuleList(
            [
                SequenceBlock(one, other, taps, 1 if k == 0 else 2)
                for k, (one, other) in enumerate(zip(inputs, widths, strict=True))
            ]
        )
        last = widths[-1]
        self.gru = GRU(last, recurrent, batch_first=True) if recurrent else None
        self.dropout = Dropout(dropout)
        self.head = Linear(2 * last + 2 * recurrent, out_features)
        if calibrated:
            self.register_buffer("temperature", F.ones(()))

    def forward(self, numbers: Tensor, lengths: Tensor, codes: Tensor | None = None) -> Tensor:
        """Return logits or values, (batch, out_features).

        Args:
            numbers: (batch, steps, numbers), float32; what lies behind the ends has no influence.
            lengths: steps of each sequence, at least 1, int32 of shape (batch,).
            codes: of categories, (batch, steps, columns), int32; None where there are none.
        """
        mask = mask_of(lengths, numbers.shape[1])
        parts = [numbers]
        if codes is not None:
            parts += [embed(codes[:, :, k]) for k, embed in enumerate(self.embeddings)]
        parts.append(F.permute_dims(mask, (0, 2, 1)))
        x = F.permute_dims(F.concat(parts, axis=2), (0, 2, 1)) * mask
        x = functional.relu(self.norm(self.stem(x) * mask, mask))
        for k, stage in enumerate(self.stages):
            mask = mask_of(lengths, numbers.shape[1], 2**k)
            x = stage(x, mask)
        found: Tensor = self.head(self.dropout(self._pooled(x, mask)))
        if self.calibrated and not self.training:
            found = found / self.temperature
        return found

    def _pooled(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the features of whole sequences, (batch, features)."""
        count = F.sum(mask, axis=2)
        # (After the last ReLU nothing is below the zeros behind the end.)
        parts = [F.sum(x, axis=2) / count, F.max(x, axis=2)]
        if self.gru is not None:
            states, _ = self.gru(F.permute_dims(x, (0, 2, 1)))
            there = F.permute_dims(mask, (0, 2, 1))
            after = F.concat([there[:, 1:], F.zeros((x.shape[0], 1, 1))], axis=1)
            parts += [F.sum(states * there, axis=1) / count]
            parts += [F.sum(states * (there - after), axis=1)]
        pooled: Tensor = F.concat(parts, axis=1)
        return pooled

    def calibrate(self, temperature: float, biases: Array) -> None:
        """Divide the logits of evaluation by a temperature, and then add the classes' biases.

        These, (out_features,), go into the last layer, which has such already.
        """
        self.temperature.assign(np.array(temperature, self.temperature.dtype))
        assert self.head.bias is not None
        moved = self.head.bias.array + temperature * biases
        self.head.bias.assign(moved.astype(self.head.bias.dtype))
