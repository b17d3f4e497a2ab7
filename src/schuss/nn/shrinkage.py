"""Layers that set small values to something fixed, or draw them towards 0."""

from __future__ import annotations

from dataclasses import dataclass

from schuss.nn import functional
from schuss.nn.activations import forward_of
from schuss.nn.module import Module

__all__ = ["Hardshrink", "Softshrink", "Tanhshrink", "Threshold"]


@dataclass(eq=False, repr=False)
class Threshold(Module):
    """Return x where x > threshold, and `value` elsewhere.

    Args:
        threshold: up to where x is replaced.
        value: by what.

    >>> from schuss import nn, tensor
    >>> nn.Threshold(1.0, 7.0)(tensor([-1.0, 2.0])).tolist()
    [7.0, 2.0]
    """

    _shown = "threshold={0.threshold!r}, value={0.value!r}"
    forward = forward_of(functional.threshold, "threshold", "value")
    threshold: float
    value: float


@dataclass(eq=False, repr=False)
class Hardshrink(Module):
    """Return x where |x| > lambd, and 0 elsewhere.

    >>> from schuss import nn, tensor
    >>> nn.Hardshrink()(tensor([-1.0, 0.5])).tolist()
    [-1.0, 0.0]
    """

    _shown = "{0.lambd!r}"
    forward = forward_of(functional.hardshrink, "lambd")
    lambd: float = 0.5


@dataclass(eq=False, repr=False)
class Softshrink(Module):
    """Return x drawn towards 0 by lambd, and 0 where |x| <= lambd.

    >>> from schuss import nn, tensor
    >>> nn.Softshrink()(tensor([-1.0, 0.25])).tolist()
    [-0.5, 0.0]
    """

    _shown = "{0.lambd!r}"
    forward = forward_of(functional.softshrink, "lambd")
    lambd: float = 0.5


class Tanhshrink(Module):
    """Return x - tanh(x).

    >>> from schuss import nn, tensor
    >>> nn.Tanhshrink()(tensor([0.0])).tolist()
    [0.0]
    """

    forward = forward_of(functional.tanhshrink)
