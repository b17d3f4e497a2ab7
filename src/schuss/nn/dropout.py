"""Dropout layer."""

from __future__ import annotations

from schuss.core import TRACER, Tensor
from schuss.nn.functional import dropout
from schuss.nn.module import Module

__all__ = ["Dropout"]


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
        return dropout(input, p, self.training)
