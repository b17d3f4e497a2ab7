"""Activation layers; the functions are in `schuss.nn.functional`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import ClassVar

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
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softplus",
    "Softsign",
    "Tanh",
]


@dataclass(eq=False, repr=False)
class _Activation(Module):
    """A function of x and of options, which are the fields of a subclass."""

    _function: ClassVar[Callable[..., Tensor]]

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of x, of the same shape."""
        return self._function(x, *(getattr(self, option.name) for option in fields(self)))

    def extra_repr(self) -> str:
        """Return the options."""
        return ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self))


class ReLU(_Activation):
    """Return max(x, 0).

    >>> from schuss import nn, tensor
    >>> nn.ReLU()(tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    _function = staticmethod(functional.relu)


class ReLU6(_Activation):
    """Return min(max(x, 0), 6).

    >>> from schuss import nn, tensor
    >>> nn.ReLU6()(tensor([-1.0, 8.0])).tolist()
    [0.0, 6.0]
    """

    _function = staticmethod(functional.relu6)


class SELU(_Activation):
    """Return scale * elu(x, alpha), with the constants of arXiv 1706.02515.

    >>> from schuss import nn, tensor
    >>> nn.SELU()(tensor([0.0])).tolist()
    [0.0]
    """

    _function = staticmethod(functional.selu)


class SiLU(_Activation):
    """Return x * sigmoid(x), also called swish.

    >>> from schuss import nn, tensor
    >>> nn.SiLU()(tensor([0.0])).tolist()
    [0.0]
    """

    _function = staticmethod(functional.silu)


class Mish(_Activation):
    """Return x * tanh(softplus(x)); arXiv 1908.08681.

    >>> from schuss import nn, tensor
    >>> nn.Mish()(tensor([0.0])).tolist()
    [0.0]
    """

    _function = staticmethod(functional.mish)


class Sigmoid(_Activation):
    """Return 1 / (1 + exp(-x)).

    >>> from schuss import nn, tensor
    >>> nn.Sigmoid()(tensor([0.0])).tolist()
    [0.5]
    """

    _function = staticmethod(functional.sigmoid)


class LogSigmoid(_Activation):
    """Return log(1 / (1 + exp(-x))).

    >>> from schuss import nn, tensor
    >>> nn.LogSigmoid()(tensor([-1000.0])).tolist()
    [-1000.0]
    """

    _function = staticmethod(functional.logsigmoid)


class Tanh(_Activation):
    """Return the hyperbolic tangent.

    >>> from schuss import nn, tensor
    >>> nn.Tanh()(tensor([0.0])).tolist()
    [0.0]
    """

    _function = staticmethod(functional.tanh)


class Hardswish(_Activation):
    """Return x * hardsigmoid(x); arXiv 1905.02244.

    >>> from schuss import nn, tensor
    >>> nn.Hardswish()(tensor([0.0, 4.0])).tolist()
    [0.0, 4.0]
    """

    _function = staticmethod(functional.hardswish)


class Hardsigmoid(_Activation):
    """Return x / 6 + 1/2 limited to [0, 1].

    >>> from schuss import nn, tensor
    >>> nn.Hardsigmoid()(tensor([0.0, 4.0])).tolist()
    [0.5, 1.0]
    """

    _function = staticmethod(functional.hardsigmoid)


class Softsign(_Activation):
    """Return x / (1 + |x|).

    >>> from schuss import nn, tensor
    >>> nn.Softsign()(tensor([3.0])).tolist()
    [0.75]
    """

    _function = staticmethod(functional.softsign)


@dataclass(eq=False, repr=False)
class LeakyReLU(_Activation):
    """Return x where x > 0, and negative_slope * x elsewhere.

    Args:
        negative_slope: slope below 0.

    >>> from schuss import nn, tensor
    >>> nn.LeakyReLU(0.5)(tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    _function = staticmethod(functional.leaky_relu)
    negative_slope: float = 0.01


@dataclass(eq=False, repr=False)
class ELU(_Activation):
    """Return x where x > 0, and alpha * (exp(x) - 1) elsewhere; arXiv 1511.07289.

    Args:
        alpha: minus the limit towards minus infinity.

    >>> from schuss import nn, tensor
    >>> nn.ELU()(tensor([-1000.0, 2.0])).tolist()
    [-1.0, 2.0]
    """

    _function = staticmethod(functional.elu)
    alpha: float = 1.0


@dataclass(eq=False, repr=False)
class CELU(_Activation):
    """Return x where x > 0, and alpha * (exp(x / alpha) - 1) elsewhere; arXiv 1704.07483.

    Args:
        alpha: minus the limit towards minus infinity, not 0.

    >>> from schuss import nn, tensor
    >>> nn.CELU(2.0)(tensor([-1000.0, 2.0])).tolist()
    [-2.0, 2.0]
    """

    _function = staticmethod(functional.celu)
    alpha: float = 1.0


@dataclass(eq=False, repr=False)
class GELU(_Activation):
    """Return x * Phi(x), with Phi the standard normal distribution; arXiv 1606.08415.

    Args:
        approximate: "none" for the error function, "tanh" for the approximation.

    >>> from schuss import nn, tensor
    >>> nn.GELU()(tensor([0.0])).tolist()
    [0.0]
    """

    _function = staticmethod(functional.gelu)
    approximate: str = "none"


@dataclass(eq=False, repr=False)
class Hardtanh(_Activation):
    """Return x limited to [min_val, max_val].

    Args:
        min_val: smallest value.
        max_val: largest value, above min_val.

    >>> from schuss import nn, tensor
    >>> nn.Hardtanh()(tensor([-3.0, 0.5])).tolist()
    [-1.0, 0.5]
    """

    _function = staticmethod(functional.hardtanh)
    min_val: float = -1.0
    max_val: float = 1.0


@dataclass(eq=False, repr=False)
class Softplus(_Activation):
    """Return log(1 + exp(beta * x)) / beta.

    Args:
        beta: sharpness, not 0.
        threshold: where beta * x is above it, x itself.

    >>> from schuss import nn, tensor
    >>> nn.Softplus()(tensor([1000.0])).tolist()
    [1000.0]
    """

    _function = staticmethod(functional.softplus)
    beta: float = 1.0
    threshold: float = 20.0


@dataclass(eq=False, repr=False)
class Softmax(_Activation):
    """Return exp(x) / sum(exp(x)) along one axis.

    Args:
        dim: the axis that sums to 1.

    >>> from schuss import nn, tensor
    >>> nn.Softmax()(tensor([1000.0, 1000.0])).tolist()
    [0.5, 0.5]
    """

    _function = staticmethod(functional.softmax)
    dim: int = -1


@dataclass(eq=False, repr=False)
class LogSoftmax(_Activation):
    """Return x - log(sum(exp(x))) along one axis.

    Args:
        dim: the axis of the classes.

    >>> from schuss import nn, tensor
    >>> nn.LogSoftmax()(tensor([0.0, 1000.0])).tolist()
    [-1000.0, 0.0]
    """

    _function = staticmethod(functional.log_softmax)
    dim: int = -1


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

    def forward(self, x: Tensor) -> Tensor:
        """Return the activation of x, of the same shape."""
        return functional.prelu(x, self.weight)
