"""SoundNetwork: a residual network over the spectrograms of short recordings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from schuss import functions as F
from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.activations import ReLU
from schuss.nn.containers import Sequential
from schuss.nn.convolution import Conv2d
from schuss.nn.dropout import Dropout
from schuss.nn.linear import Linear
from schuss.nn.module import Module
from schuss.nn.normalization import BatchNorm2d
from schuss.nn.vision.residual import ResidualBlock
from schuss.training.items.mixing import mixed
from schuss.training.sound.features import TOP_DB
from schuss.training.sound.warping import DRAWS, SoundChanges, SoundInput

__all__ = ["SoundNetwork"]


class SoundNetwork(Module):
    """Spectrograms to logits: a convolution, three stages of residual blocks, a mean.

    While training, spectrograms come with the random numbers by which they are changed and mixed.
    In evaluation the probabilities are the means over voices of several vocal tracts (Jaitly and
    Hinton, 2013), and logits are divided by a temperature.

    Args:
        classes: number of logits.
        format: of the spectrograms, with their low_hz, high_hz, mels, frames and window.
        bands: frequency bands that the convolutions see.
        width: channels of the first stage, of which the next ones have two and four times as many.
        dropout: share of the last channels left out while training.
        tracts: factors of the frequencies to average over in evaluation.
        changes: those of `SoundChanges` that are not the usual ones.
    """

    def __init__(
        self,
        classes: int,
        format: Mapping[str, Any],
        *,
        bands: int = 24,
        width: int = 32,
        dropout: float = 0.2,
        tracts: tuple[float, ...] = (0.93, 1.0, 1.075),
        changes: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._size = (format["mels"], format["frames"])
        self.input = SoundInput(
            format["low_hz"],
            format["sample_rate"] / 2.0,
            *self._size,
            bands=bands,
            window=format["window"],
            top_db=TOP_DB,
            changes=SoundChanges(**(changes or {})),
        )
        self._tracts = tuple(tracts)
        self.stem = Sequential(Conv2d(1, width, 5, 2, 2, bias=False), BatchNorm2d(width), ReLU())
        self.stages = Sequential(
            ResidualBlock(width, width),
            ResidualBlock(width, 2 * width, 2),
            ResidualBlock(2 * width, 4 * width, 2),
        )
        self.dropout = Dropout(dropout)
        self.head = Linear(4 * width, classes)
        self.register_buffer("temperature", F.ones(()))

    def pictures(self, x: Tensor) -> Tensor:
        """Return what the convolutions see, (batch, 1, bands, window); see `forward`."""
        mels, frames = self._size
        size = mels * frames
        spectrograms = F.reshape(x[:, :size], (x.shape[0], mels, frames))
        if x.shape[1] == size:
            return self.input.view(spectrograms)
        return self.input.changed(spectrograms, x[:, size : size + DRAWS])

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits, (batch, classes); of a mixed batch, also the share of each example.

        Args:
            x: (batch, mels * frames); or, while training, with the draws of each behind it.
        """
        if self.training:
            pictures, size = self.pictures(x), self._size[0] * self._size[1]
            if x.shape[1] == size:
                return self._logits(pictures)
            pictures, share = mixed(pictures, x[:, size + DRAWS])
            return self._logits(pictures), share
        mels, frames = self._size
        spectrograms = F.reshape(x, (x.shape[0], mels, frames))
        found = [
            functional.log_softmax(self._logits(self.input.view(spectrograms, tract)), 1)
            for tract in self._tracts
        ]
        mean: Tensor = F.logsumexp(F.stack(found), axis=0) / self.temperature
        return mean

    def _logits(self, pictures: Tensor) -> Tensor:
        y = F.mean(self.stages(self.stem(pictures)), axis=(2, 3))
        found: Tensor = self.head(self.dropout(y))
        return found

    def calibrate(self, temperature: float) -> None:
        """Divide the logits of evaluation by a temperature above 0."""
        self.temperature.assign(np.array(temperature, self.temperature.dtype))
