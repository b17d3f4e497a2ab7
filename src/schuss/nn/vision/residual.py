"""ResidualNetwork, the default network for pictures.

He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", arXiv 1512.03385, with the
shortcuts of He et al., "Bag of Tricks for Image Classification", arXiv 1812.01187 (ResNet-D).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schuss import functions as F
from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.activations import ReLU
from schuss.nn.containers import Sequential
from schuss.nn.convolution import Conv2d
from schuss.nn.linear import Linear
from schuss.nn.module import Module
from schuss.nn.normalization import BatchNorm2d
from schuss.nn.pooling import AvgPool2d
from schuss.primitives.movement import flip, permute_dims

__all__ = ["ResidualBlock", "ResidualNetwork"]


class ResidualBlock(Module):
    """Two convolutions, each normalised, added to what goes past them.

    Args:
        inputs: channels that come in.
        outputs: channels that go out.
        stride: 2 halves height and width.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = BatchNorm2d(outputs)
        self.conv2 = Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = BatchNorm2d(outputs)
        past: list[Module] = []
        if stride != 1:
            past.append(AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
        if stride != 1 or inputs != outputs:
            past += [Conv2d(inputs, outputs, 1, bias=False), BatchNorm2d(outputs)]
        self.past = Sequential(*past)

    def forward(self, x: Tensor) -> Tensor:
        """Return what goes on, (batch, outputs, height, width)."""
        y = functional.relu(self.bn1(self.conv1(x)))
        return functional.relu(self.bn2(self.conv2(y)) + self.past(x))


class ResidualNetwork(Module):
    """Pictures to logits: a convolution, stages of residual blocks, a mean over what is left.

    Each stage but the first halves height and width. In evaluation logits are divided by a
    temperature, and where `mirror` is set they are the mean over a picture and its mirror image.

    Args:
        channels: of a picture.
        classes: number of logits.
        widths: channels of each stage.
        blocks: residual blocks of each stage.
        stride: of the first convolution.
        mean: subtracted from each channel.
        std: what that is divided by.
        mirror: whether to average over mirror images in evaluation.

    >>> from schuss import tensor
    >>> network = ResidualNetwork(3, 10, widths=(8, 16))
    >>> network(tensor(np.zeros((2, 8, 8, 3), np.float32))).shape
    (2, 10)
    """

    def __init__(
        self,
        channels: int,
        classes: int,
        *,
        widths: Sequence[int] = (32, 64, 128, 256),
        blocks: int = 1,
        stride: int = 1,
        mean: Sequence[float] = (0.0,),
        std: Sequence[float] = (1.0,),
        mirror: bool = False,
    ) -> None:
        super().__init__()
        self.mirror = mirror
        self.register_buffer("mean", F.full((channels, 1, 1), 0.0), persistent=False)
        self.register_buffer("scale", F.full((channels, 1, 1), 1.0), persistent=False)
        self.mean.assign(np.resize(np.array(mean, np.float32), (channels, 1, 1)))
        self.scale.assign(np.resize(1.0 / np.array(std, np.float32), (channels, 1, 1)))
        self.register_buffer("temperature", F.ones(()))
        self.stem = Sequential(
            Conv2d(channels, widths[0], 3, stride, 1, bias=False), BatchNorm2d(widths[0]), ReLU()
        )
        stages: list[Module] = []
        before = widths[0]
        for stage, width in enumerate(widths):
            for block in range(blocks):
                halves = stage > 0 and block == 0
                stages.append(ResidualBlock(before, width, 2 if halves else 1))
                before = width
        self.stages = Sequential(*stages)
        self.head = Linear(before, classes)

    def forward(self, pictures: Tensor) -> Tensor:
        """Return logits, (batch, classes).

        Args:
            pictures: (batch, height, width, channels), as they lie in files; or, in evaluation,
                (batch, views, height, width, channels), whose logits are averaged.
        """
        if pictures.ndim == 5:
            views = pictures.shape[1]
            found: Tensor = self.forward(pictures.reshape((-1, *pictures.shape[2:])))
            return F.mean(found.reshape((-1, views, found.shape[1])), axis=1)
        x = (permute_dims(pictures, (0, 3, 1, 2)) - self.mean) * self.scale
        if self.training:
            return self.logits(x)
        y: Tensor = self.logits(x)
        if self.mirror:
            y = (y + self.logits(flip(x, 3))) * 0.5
        answer: Tensor = y / self.temperature
        return answer

    def logits(self, x: Tensor) -> Tensor:
        """Return logits of normalised pictures, (batch, channels, height, width)."""
        y = self.stages(self.stem(x))
        found: Tensor = self.head(F.mean(y, axis=(2, 3)))
        return found

    def calibrate(self, temperature: float) -> None:
        """Divide the logits of evaluation by a temperature above 0."""
        self.temperature.assign(np.array(temperature, self.temperature.dtype))
