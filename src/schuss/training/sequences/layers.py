"""Layers over sequences of unequal lengths: what lies behind a sequence's end takes no part."""

from __future__ import annotations

import numpy as np

from schuss import functions as F
from schuss.core import Tensor, no_grad, tensor
from schuss.nn import functional
from schuss.nn.convolution import Conv1d
from schuss.nn.module import Module, Parameter

__all__ = ["MaskedBatchNorm", "SequenceBlock", "mask_of"]


def mask_of(lengths: Tensor, steps: int, stride: int = 1) -> Tensor:
    """Return 1 for each step of a sequence and 0 behind its end, (batch, 1, steps / stride).

    Args:
        lengths: of the sequences, in steps, int32 of shape (batch,).
        steps: of the longest one that there may be.
        stride: every so manieth step is left.

    >>> from schuss import tensor
    >>> mask_of(tensor([1, 3]), 4, stride=2).tolist()
    [[[1.0, 0.0]], [[1.0, 1.0]]]
    """
    places = tensor(np.arange(0, steps, stride, dtype=np.int32))
    inside = places < F.reshape(lengths, (lengths.shape[0], 1, 1))
    found: Tensor = inside.astype(np.float32)
    return found


class MaskedBatchNorm(Module):
    """Batch normalisation whose mean and variance are those of the steps that are there.

    Args:
        channels: length of axis 1.
        eps: added to the variance.
        momentum: share of the newest batch in the running figures.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = Parameter(F.ones((channels,)))
        self.bias = Parameter(F.zeros((channels,)))
        self.register_buffer("running_mean", F.zeros((channels,)))
        self.register_buffer("running_var", F.ones((channels,)))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return x normalised, 0 behind the ends.

        Args:
            x: (batch, channels, steps), 0 behind the ends.
            mask: 1 for each step that is there, else 0, (batch, 1, steps).
        """
        mean, variance = self.running_mean, self.running_var
        if self.training:
            count = F.sum(mask)
            mean = F.sum(x, axis=(0, 2)) / count
            apart = (x - F.reshape(mean, (1, -1, 1))) * mask
            variance = F.sum(apart * apart, axis=(0, 2)) / count
            with no_grad():
                for running, new in ((self.running_mean, mean), (self.running_var, variance)):
                    running.assign(running + (new.detach() - running) * self.momentum)
        factor = self.weight / F.sqrt(variance + self.eps)
        shift = self.bias - mean * factor
        found: Tensor = (x * F.reshape(factor, (1, -1, 1)) + F.reshape(shift, (1, -1, 1))) * mask
        return found


class SequenceBlock(Module):
    """Two convolutions along the steps, each normalised, added to what goes past them.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        taps: of the convolutions, an odd number.
        stride: 2 leaves every second step.
    """

    def __init__(self, inputs: int, outputs: int, taps: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = Conv1d(inputs, outputs, taps, stride, taps // 2, bias=False)
        self.bn1 = MaskedBatchNorm(outputs)
        self.conv2 = Conv1d(outputs, outputs, taps, 1, taps // 2, bias=False)
        self.bn2 = MaskedBatchNorm(outputs)
        self.past: Conv1d | None = None
        if stride != 1 or inputs != outputs:
            self.past = Conv1d(inputs, outputs, 1, stride, bias=False)
            self.bn3 = MaskedBatchNorm(outputs)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return what goes on, (batch, outputs, steps), 0 behind the ends.

        Args:
            x: (batch, inputs, steps), 0 behind the ends.
            mask: of what goes on.
        """
        y = functional.relu(self.bn1(self.conv1(x) * mask, mask))
        past = x if self.past is None else self.bn3(self.past(x) * mask, mask)
        found: Tensor = functional.relu(self.bn2(self.conv2(y) * mask, mask) + past)
        return found
