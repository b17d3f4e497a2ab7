"""Linear maps, and changes of shape between them."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy.typing as npt

from schuss import functions as ops
from schuss.core import Tensor
from schuss.nn import init
from schuss.nn.arguments import require_counts
from schuss.nn.functional import bilinear, linear
from schuss.nn.module import Module, Parameter

__all__ = ["Bilinear", "Flatten", "Identity", "Linear", "Unflatten"]


class Linear(Module):
    """Multiply by a matrix and add a bias: y = x @ weight.T + bias.

    Both start uniform in +-1 / sqrt(in_features).

    Args:
        in_features: length of the input's last axis, at least 1.
        out_features: length of the output's last axis, at least 1.
        bias: whether to add one.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if a number of features is below 1.

    >>> from schuss import nn, ones
    >>> layer = nn.Linear(784, 10)
    >>> layer(ones((32, 784))).shape
    (32, 10)
    >>> layer(ones((32, 28, 28)))
    Traceback (most recent call last):
    ValueError: Linear: expected x of shape (..., 784), got (32, 28, 28); flatten it first.
    """

    unit_axes = MappingProxyType({"weight": (-1,)})
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        require_counts("Linear", in_features=in_features, out_features=out_features)
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(init.empty((out_features, in_features), dtype))
        self.bias = Parameter(init.empty((out_features,), dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5.0))
        if self.bias is not None:
            bound = 1.0 / math.sqrt(self.in_features)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Return x @ weight.T + bias for x of shape (..., in_features)."""
        return linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class Bilinear(Module):
    """Multiply two inputs by matrices, and add a bias: y[k] = x1 @ weight[k] @ x2 + bias[k].

    Both start uniform in +-1 / sqrt(in1_features).

    Args:
        in1_features: length of the first input's last axis, at least 1.
        in2_features: length of the second one's, at least 1.
        out_features: length of the output's last axis, at least 1.
        bias: whether to add one.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if a number of features is below 1.

    >>> from schuss import nn, ones
    >>> nn.Bilinear(3, 4, 2)(ones((5, 3)), ones((5, 4))).shape
    (5, 2)
    """

    _features = ("in1_features", "in2_features", "out_features")
    weight: Parameter
    bias: Parameter | None

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        require_counts("Bilinear", in1_features=in1_features, in2_features=in2_features)
        require_counts("Bilinear", out_features=out_features)
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        shape = (out_features, in1_features, in2_features)
        self.weight = Parameter(init.empty(shape, dtype))
        self.bias = Parameter(init.empty((out_features,), dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new values."""
        bound = 1 / math.sqrt(self.in1_features)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Return the output (..., out_features) of x1 (..., in1_features) and x2."""
        return bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the options."""
        features = ", ".join(f"{n}={getattr(self, n)}" for n in self._features)
        return f"{features}, bias={self.bias is not None}"


class Identity(Module):
    """Return the input; takes (and forgets) any arguments, to stand in for another layer.

    >>> from schuss import nn, ones
    >>> nn.Identity()(ones((2,))).tolist()
    [1.0, 1.0]
    """

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """Return x."""
        return input


class Flatten(Module):
    """Join the axes from `start_dim` to `end_dim` into one.

    Args:
        start_dim: the first axis to join.
        end_dim: the last axis to join.

    >>> from schuss import nn, ones
    >>> nn.Flatten()(ones((32, 28, 28))).shape
    (32, 784)
    """

    _shown = "start_dim={0.start_dim}, end_dim={0.end_dim}"

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        """Return x with the axes joined."""
        start = self.start_dim + input.ndim if self.start_dim < 0 else self.start_dim
        end = self.end_dim + input.ndim if self.end_dim < 0 else self.end_dim
        if not 0 <= start <= end < input.ndim:
            raise ValueError(
                f"Flatten: expected x with axes {self.start_dim} to {self.end_dim}, "
                f"got shape {input.shape}."
            )
        joined = math.prod(input.shape[start : end + 1])
        return ops.reshape(input, (*input.shape[:start], joined, *input.shape[end + 1 :]))


class Unflatten(Module):
    """Split one axis into several.

    Args:
        dim: the axis to split.
        unflattened_size: the lengths to split it into; one of them may be -1.

    >>> from schuss import nn, ones
    >>> nn.Unflatten(1, (28, 28))(ones((32, 784))).shape
    (32, 28, 28)
    """

    _shown = "dim={0.dim}, unflattened_size={0.unflattened_size}"

    def __init__(self, dim: int, unflattened_size: tuple[int, ...]) -> None:
        super().__init__()
        self.dim = dim
        self.unflattened_size = tuple(unflattened_size)

    def forward(self, input: Tensor) -> Tensor:
        """Return x with the axis split."""
        dim = self.dim + input.ndim if self.dim < 0 else self.dim
        if not 0 <= dim < input.ndim:
            raise ValueError(f"Unflatten: expected x with an axis {self.dim}, got {input.shape}.")
        return ops.reshape(
            input, (*input.shape[:dim], *self.unflattened_size, *input.shape[dim + 1 :])
        )
