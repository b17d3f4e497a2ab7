"""Dropout layers."""

from __future__ import annotations

from schuss.core import TRACER, Tensor
from schuss.nn import functional
from schuss.nn.module import Module

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class Dropout(Module):
    """While training, zero each element with probability p and divide the others by 1 - p.

    Srivastava et al., 2014, Journal of Machine Learning Research 15.

    Args:
        p: probability of zeroing, in [0, 1].

    Raises:
        ValueError: if p is outside of [0, 1].

    >>> from schuss import nn, ones
    >>> nn.Dropout(0.5).eval()(ones((2,))).tolist()
    [1.0, 1.0]
    """

    _shown = "p={0.p}"
    live_numbers = ("p",)

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"Dropout: expected p from 0 to 1, got {p}.")
        self.p = p

    def forward(self, input: Tensor) -> Tensor:
        """Return x, or while training x with elements dropped."""
        tracer = TRACER.get()
        p = self.p if tracer is None else tracer.attribute(self, "p")
        return functional.dropout(input, p, self.training)


class _OfChannels(Module):
    """What the other kinds have in common."""

    _shown = "p={0.p}"

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"{type(self).__name__}: expected p from 0 to 1, got {p}.")
        self.p = p


class Dropout1d(_OfChannels):
    """While training, zero each channel of sequences with probability p; divide others by 1 - p.

    Args:
        p: probability of zeroing, in [0, 1].

    Raises:
        ValueError: if p is outside of [0, 1].

    >>> from schuss import nn, ones
    >>> nn.Dropout1d()(ones((2, 3, 4))).shape
    (2, 3, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, length), or without batch."""
        return functional.dropout1d(input, self.p, self.training)


class Dropout2d(_OfChannels):
    """While training, zero each channel of pictures with probability p; divide others by 1 - p.

    Args:
        p: probability of zeroing, in [0, 1].

    Raises:
        ValueError: if p is outside of [0, 1].

    >>> from schuss import nn, ones
    >>> nn.Dropout2d()(ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, height, width)."""
        return functional.dropout2d(input, self.p, self.training)


class Dropout3d(_OfChannels):
    """While training, zero each channel of volumes with probability p; divide others by 1 - p.

    Args:
        p: probability of zeroing, in [0, 1].

    Raises:
        ValueError: if p is outside of [0, 1].

    >>> from schuss import nn, ones
    >>> nn.Dropout3d()(ones((2, 3, 4, 4, 4))).shape
    (2, 3, 4, 4, 4)
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, depth, height, width), or without batch."""
        return functional.dropout3d(input, self.p, self.training)


class AlphaDropout(_OfChannels):
    """While training, set elements to SELU's lowest value at random; keep mean and variance.

    Klambauer et al., 2017, arXiv 1706.02515.

    Args:
        p: probability of setting, in [0, 1].

    Raises:
        ValueError: if p is outside of [0, 1].

    >>> from schuss import nn, ones
    >>> nn.AlphaDropout().eval()(ones((1, 2))).tolist()
    [[1.0, 1.0]]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return x, or while training x with elements set."""
        return functional.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_OfChannels):
    """While training, set channels to SELU's lowest value at random; keep mean and variance.

    Klambauer et al., 2017, arXiv 1706.02515.

    Args:
        p: probability of setting, in [0, 1].

    Raises:
        ValueError: if p is outside of [0, 1].

    >>> from schuss import nn, ones
    >>> nn.FeatureAlphaDropout().eval()(ones((1, 2))).tolist()
    [[1.0, 1.0]]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return x, or while training x with channels set."""
        return functional.feature_alpha_dropout(input, self.p, self.training)
