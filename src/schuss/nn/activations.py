"""Activation layers; the functions are in `schuss.nn.functional`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy.typing as npt

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.init import constant_, empty
from schuss.nn.module import Module, Parameter

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "SELU",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softsign",
    "Tanh",
    "forward_of",
]


def forward_of(function: Callable[..., Tensor], *options: str) -> Callable[[Any, Tensor], Tensor]:
    """Return the `forward` of a layer that is a function of x and of its attributes `options`."""
    if not options:

        def forward(self: Module, input: Tensor) -> Tensor:
            """Return the activation of x, of the same shape."""
            return function(input)

    else:
        get = attrgetter(*options)

        def forward(self: Module, input: Tensor) -> Tensor:
            """Return the activation of x, of the same shape."""
            return function(input, get(self)) if len(options) == 1 else function(input, *get(self))

    return forward


class ReLU(Module):
    """Return max(x, 0).

    >>> from schuss import nn, tensor
    >>> nn.ReLU()(tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    forward = forward_of(functional.relu)


class ReLU6(Module):
    """Return min(max(x, 0), 6).

    >>> from schuss import nn, tensor
    >>> nn.ReLU6()(tensor([-1.0, 8.0])).tolist()
    [0.0, 6.0]
    """

    forward = forward_of(functional.relu6)


class SELU(Module):
    """Return scale * elu(x, alpha), with the constants of arXiv 1706.02515.

    >>> from schuss import nn, tensor
    >>> nn.SELU()(tensor([0.0])).tolist()
    [0.0]
    """

    forward = forward_of(functional.selu)


class SiLU(Module):
    """Return x * sigmoid(x), also called swish.

    >>> from schuss import nn, tensor
    >>> nn.SiLU()(tensor([0.0])).tolist()
    [0.0]
    """

    forward = forward_of(functional.silu)


class Mish(Module):
    """Return x * tanh(softplus(x)); arXiv 1908.08681.

    >>> from schuss import nn, tensor
    >>> nn.Mish()(tensor([0.0])).tolist()
    [0.0]
    """

    forward = forward_of(functional.mish)


class Sigmoid(Module):
    """Return 1 / (1 + exp(-x)).

    >>> from schuss import nn, tensor
    >>> nn.Sigmoid()(tensor([0.0])).tolist()
    [0.5]
    """

    forward = forward_of(functional.sigmoid)


class LogSigmoid(Module):
    """Return log(1 / (1 + exp(-x))).

    >>> from schuss import nn, tensor
    >>> nn.LogSigmoid()(tensor([-1000.0])).tolist()
    [-1000.0]
    """

    forward = forward_of(functional.logsigmoid)


class Tanh(Module):
    """Return the hyperbolic tangent.

    >>> from schuss import nn, tensor
    >>> nn.Tanh()(tensor([0.0])).tolist()
    [0.0]
    """

    forward = forward_of(functional.tanh)


class Hardswish(Module):
    """Return x * hardsigmoid(x); arXiv 1905.02244.

    >>> from schuss import nn, tensor
    >>> nn.Hardswish()(tensor([0.0, 4.0])).tolist()
    [0.0, 4.0]
    """

    forward = forward_of(functional.hardswish)


class Hardsigmoid(Module):
    """Return x / 6 + 1/2 limited to [0, 1].

    >>> from schuss import nn, tensor
    >>> nn.Hardsigmoid()(tensor([0.0, 4.0])).tolist()
    [0.5, 1.0]
    """

    forward = forward_of(functional.hardsigmoid)


class Softsign(Module):
    """Return x / (1 + |x|).

    >>> from schuss import nn, tensor
    >>> nn.Softsign()(tensor([3.0])).tolist()
    [0.75]
    """

    forward = forward_of(functional.softsign)


@dataclass(eq=False, repr=False)
class LeakyReLU(Module):
    """Return x where x > 0, and negative_slope * x elsewhere.

    Args:
        negative_slope: slope below 0.

    >>> from schuss import nn, tensor
    >>> nn.LeakyReLU(0.5)(tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    _shown = "negative_slope={0.negative_slope!r}"
    forward = forward_of(functional.leaky_relu, "negative_slope")
    negative_slope: float = 0.01


@dataclass(eq=False, repr=False)
class RReLU(Module):
    """Return x where x > 0, and elsewhere a slope times x that is drawn anew for each element.

    In evaluation the slope is the mean of both bounds. Xu et al., 2015, arXiv 1505.00853.

    Args:
        lower: lowest slope.
        upper: highest slope.

    >>> from schuss import nn, tensor
    >>> nn.RReLU(0.25, 0.75).eval()(tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    _shown = "lower={0.lower!r}, upper={0.upper!r}"
    lower: float = 1.0 / 8.0
    upper: float = 1.0 / 3.0

    def forward(self, input: Tensor) -> Tensor:
        """Return x of any shape, rectified with random slopes."""
        return functional.rrelu(input, self.lower, self.upper, self.training)


@dataclass(eq=False, repr=False)
class ELU(Module):
    """Return x where x > 0, and alpha * (exp(x) - 1) elsewhere; arXiv 1511.07289.

    Args:
        alpha: minus the limit towards minus infinity.

    >>> from schuss import nn, tensor
    >>> nn.ELU()(tensor([-1000.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    _shown = "alpha={0.alpha!r}"
    forward = forward_of(functional.elu, "alpha")
    alpha: float = 1.0


@dataclass(eq=False, repr=False)
class CELU(Module):
    """Return x where x > 0, and alpha * (exp(x / alpha) - 1) elsewhere; arXiv 1704.07483.

    Args:
        alpha: minus the limit towards minus infinity, not 0.

    >>> from schuss import nn, tensor
    >>> nn.CELU(2.0)(tensor([-1000.0, 2.0])).tolist()
    [-2.0, 2.0]
    """

    _shown = "alpha={0.alpha!r}"
    forward = forward_of(functional.celu, "alpha")
    alpha: float = 1.0


@dataclass(eq=False, repr=False)
class GELU(Module):
    """Return x * Phi(x), with Phi the standard normal distribution; arXiv 1606.08415.

    Args:
        approximate: "none" for the error function, "tanh" for the approximation.

    >>> from schuss import nn, tensor
    >>> nn.GELU()(tensor([0.0])).tolist()
    [0.0]
    """

    _shown = "approximate={0.approximate!r}"
    forward = forward_of(functional.gelu, "approximate")
    approximate: str = "none"


@dataclass(eq=False, repr=False)
class Hardtanh(Module):
    """Return x limited to [min_val, max_val].

    Args:
        min_val: smallest value.
        max_val: largest value, above min_val.

    >>> from schuss import nn, tensor
    >>> nn.Hardtanh()(tensor([-3.0, 0.5])).tolist()
    [-1.0, 0.5]
    """

    _shown = "min_val={0.min_val!r}, max_val={0.max_val!r}"
    forward = forward_of(functional.hardtanh, "min_val", "max_val")
    min_val: float = -1.0
    max_val: float = 1.0


@dataclass(eq=False, repr=False)
class Softplus(Module):
    """Return log(1 + exp(beta * x)) / beta.

    Args:
        beta: sharpness, not 0.
        threshold: where beta * x is above it, x itself.

    >>> from schuss import nn, tensor
    >>> nn.Softplus()(tensor([1000.0])).tolist()
    [1000.0]
    """

    _shown = "beta={0.beta!r}, threshold={0.threshold!r}"
    forward = forward_of(functional.softplus, "beta", "threshold")
    beta: float = 1.0
    threshold: float = 20.0


@dataclass(eq=False, repr=False)
class Softmax(Module):
    """Return exp(x) / sum(exp(x)) along one axis.

    Args:
        dim: the axis that sums to 1; by default the first of inputs with 1 or 3 axes, the second of
            others.

    >>> from schuss import nn, tensor
    >>> nn.Softmax()(tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """

    _shown = "dim={0.dim!r}"
    forward = forward_of(functional.softmax, "dim")
    dim: int | None = None


@dataclass(eq=False, repr=False)
class Softmin(Module):
    """Return softmax(-x) along one axis.

    Args:
        dim: the axis that sums to 1; by default the first of inputs with 1 or 3 axes, the second of
            others.

    >>> from schuss import nn, tensor
    >>> nn.Softmin()(tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """

    _shown = "dim={0.dim!r}"
    forward = forward_of(functional.softmin, "dim")
    dim: int | None = None


@dataclass(eq=False, repr=False)
class LogSoftmax(Module):
    """Return x - log(sum(exp(x))) along one axis.

    Args:
        dim: the axis of the classes; by default the first of inputs with 1 or 3 axes, the second of
            others.

    >>> from schuss import nn, tensor
    >>> nn.LogSoftmax()(tensor([0.0, 1000.0])).tolist()
    [-1000.0, 0.0]
    """

    _shown = "dim={0.dim!r}"
    forward = forward_of(functional.log_softmax, "dim")
    dim: int | None = None


class PReLU(Module):
    """Return x where x > 0, and weight * x elsewhere, with a learned weight.

    He et al., 2015, arXiv 1502.01852. Leave it out of weight decay.

    Args:
        num_parameters: 1, or the number of channels (axis 1).
        init: the weight's starting value.
        dtype: float32 (default) or float64.

    >>> from schuss import nn, tensor
    >>> nn.PReLU()(tensor([-1.0, 2.0])).tolist()
    [-0.25, 2.0]
    """

    _shown = "num_parameters={0.num_parameters}"
    weight: Parameter

    def __init__(
        self, num_parameters: int = 1, init: float = 0.25, *, dtype: npt.DTypeLike | None = None
    ) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(empty((num_parameters,), dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to its starting value."""
        constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        """Return the activation of x, of the same shape."""
        return functional.prelu(input, self.weight)
