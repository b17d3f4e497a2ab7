"""Distributions of real numbers: a place and a scale, or an interval."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from schuss import random
from schuss.core import Tensor, TensorLike
from schuss.distributions.constraints import Constraint, interval, nonnegative, positive, real
from schuss.distributions.scalar import Scalar
from schuss.functions import abs, clip, erf, exp, expm1, log, log1p, sign, where, zeros_like
from schuss.functions.error_functions import ndtri
from schuss.primitives.base import as_tensor

__all__ = ["Exponential", "Laplace", "LogNormal", "Normal", "Uniform"]


class Normal(Scalar):
    """The normal distribution.

    Args:
        loc: the mean.
        scale: the standard deviation, above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"loc": real, "scale": positive}
    _parameters = ("loc", "scale")
    loc: Tensor
    scale: Tensor

    def __init__(
        self, loc: TensorLike, scale: TensorLike, validate_args: bool | None = None
    ) -> None:
        super().__init__(loc, scale, validate_args=validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = random.randn(self._extended_shape(sample_shape), dtype=self.loc.array.dtype)
        return self.loc + drawn * self.scale

    def log_prob(self, value: TensorLike) -> Tensor:
        distance = self._value(value) - self.loc
        squares = distance * distance / (2 * self.variance)
        return -squares - log(self.scale) - 0.5 * math.log(2 * math.pi)

    def entropy(self) -> Tensor:
        return 0.5 + 0.5 * math.log(2 * math.pi) + log(self.scale)

    def cdf(self, value: TensorLike) -> Tensor:
        return 0.5 * (1 + erf((self._value(value) - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value: TensorLike) -> Tensor:
        return self.loc + self.scale * ndtri(as_tensor(value))

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def stddev(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale


class LogNormal(Scalar):
    """The distribution of exp(x) for a normal x.

    Args:
        loc: the mean of the logarithm.
        scale: its standard deviation, above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"loc": real, "scale": positive}
    support = positive
    _parameters = ("loc", "scale")
    loc: Tensor
    scale: Tensor

    def __init__(
        self, loc: TensorLike, scale: TensorLike, validate_args: bool | None = None
    ) -> None:
        super().__init__(loc, scale, validate_args=validate_args)
        self.base_dist = Normal(self.loc, self.scale, validate_args=False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return exp(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: TensorLike) -> Tensor:
        logarithm = log(self._value(value))
        return self.base_dist.log_prob(logarithm) - logarithm

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() + self.loc

    def cdf(self, value: TensorLike) -> Tensor:
        return self.base_dist.cdf(log(self._value(value)))

    def icdf(self, value: TensorLike) -> Tensor:
        return exp(self.base_dist.icdf(value))

    @property
    def mean(self) -> Tensor:
        return exp(self.loc + 0.5 * self.scale * self.scale)

    @property
    def mode(self) -> Tensor:
        return exp(self.loc - self.scale * self.scale)

    @property
    def variance(self) -> Tensor:
        square = self.scale * self.scale
        return expm1(square) * exp(2 * self.loc + square)


class Laplace(Scalar):
    """The Laplace distribution.

    Args:
        loc: the mean.
        scale: the mean distance from it, above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"loc": real, "scale": positive}
    _parameters = ("loc", "scale")
    loc: Tensor
    scale: Tensor

    def __init__(
        self, loc: TensorLike, scale: TensorLike, validate_args: bool | None = None
    ) -> None:
        super().__init__(loc, scale, validate_args=validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(self._uniform(sample_shape, self.loc))

    def log_prob(self, value: TensorLike) -> Tensor:
        return -log(2 * self.scale) - abs(self._value(value) - self.loc) / self.scale

    def entropy(self) -> Tensor:
        return 1 + log(2 * self.scale)

    def cdf(self, value: TensorLike) -> Tensor:
        z = (self._value(value) - self.loc) / self.scale
        return 0.5 - 0.5 * sign(z) * expm1(-abs(z))

    def icdf(self, value: TensorLike) -> Tensor:
        middle = as_tensor(value) - 0.5
        return self.loc - self.scale * sign(middle) * log1p(-2 * abs(middle))

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        return 2 * self.scale * self.scale


class Exponential(Scalar):
    """The exponential distribution.

    Args:
        rate: 1 / mean, above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"rate": positive}
    support = nonnegative
    _parameters = ("rate",)
    rate: Tensor

    def __init__(self, rate: TensorLike, validate_args: bool | None = None) -> None:
        super().__init__(rate, validate_args=validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(self._uniform(sample_shape, self.rate))

    def log_prob(self, value: TensorLike) -> Tensor:
        return log(self.rate) - self.rate * self._value(value)

    def entropy(self) -> Tensor:
        return 1 - log(self.rate)

    def cdf(self, value: TensorLike) -> Tensor:
        return -expm1(-self.rate * self._value(value))

    def icdf(self, value: TensorLike) -> Tensor:
        return -log1p(-as_tensor(value)) / self.rate

    @property
    def mean(self) -> Tensor:
        return 1 / self.rate

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.rate)

    @property
    def variance(self) -> Tensor:
        return 1 / (self.rate * self.rate)


class Uniform(Scalar):
    """The uniform distribution on [low, high).

    Args:
        low: where it begins.
        high: where it ends, above `low`.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"low": real, "high": real}
    _parameters = ("low", "high")
    low: Tensor
    high: Tensor

    def __init__(
        self, low: TensorLike, high: TensorLike, validate_args: bool | None = None
    ) -> None:
        super().__init__(low, high, validate_args=validate_args)
        low, high = self.low, self.high
        if self._validate_args:
            self._expect("high - low", high - low, positive)
        self.support = interval(low, high)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(self._uniform(sample_shape, self.low))

    def log_prob(self, value: TensorLike) -> Tensor:
        value = self._value(value)
        inside = (value >= self.low) & (value < self.high)
        return where(inside, -log(self.high - self.low), -math.inf)

    def entropy(self) -> Tensor:
        return log(self.high - self.low)

    def cdf(self, value: TensorLike) -> Tensor:
        return clip((self._value(value) - self.low) / (self.high - self.low), 0, 1)

    def icdf(self, value: Any) -> Tensor:
        return self.low + as_tensor(value) * (self.high - self.low)

    @property
    def mean(self) -> Tensor:
        return (self.low + self.high) / 2

    @property
    def mode(self) -> Tensor:
        return math.nan * self.high

    @property
    def variance(self) -> Tensor:
        width = self.high - self.low
        return width * width / 12
