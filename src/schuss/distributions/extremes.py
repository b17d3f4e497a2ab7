"""Distributions of extremes, of times until something fails, and with heavy tails."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from schuss.core import Tensor, TensorLike
from schuss.distributions.constraints import (
    Constraint,
    greater_than_eq,
    nonnegative,
    positive,
    real,
)
from schuss.distributions.continuous import Normal
from schuss.distributions.scalar import Scalar
from schuss.functions import atan, exp, expm1, full_like, log, log1p, tan, where, zeros_like
from schuss.functions.special import lgamma
from schuss.primitives.base import as_tensor

__all__ = ["EULER", "Cauchy", "Gumbel", "HalfCauchy", "HalfNormal", "Pareto", "Weibull"]

EULER = 0.57721566490153286060  # Euler's constant


class Cauchy(Scalar):
    """Cauchy's distribution: of the ratio of two centred normal numbers.

    Args:
        loc: the median.
        scale: half of the width at half of the density's height, above 0.
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
        z = (self._value(value) - self.loc) / self.scale
        return -math.log(math.pi) - log(self.scale) - log1p(z * z)

    def entropy(self) -> Tensor:
        return math.log(4 * math.pi) + log(self.scale)

    def cdf(self, value: TensorLike) -> Tensor:
        return atan((self._value(value) - self.loc) / self.scale) / math.pi + 0.5

    def icdf(self, value: TensorLike) -> Tensor:
        return tan(math.pi * (as_tensor(value) - 0.5)) * self.scale + self.loc

    @property
    def mean(self) -> Tensor:
        return full_like(self.loc, math.nan)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return full_like(self.loc, math.inf)


class _Half(Scalar):
    """The size of a number whose distribution is symmetric around 0.

    Args:
        scale: of the number, above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"scale": positive}
    support = nonnegative
    _parameters = ("scale",)
    _whole: ClassVar[type[Normal] | type[Cauchy]]
    scale: Tensor

    def __init__(self, scale: TensorLike, validate_args: bool | None = None) -> None:
        super().__init__(scale, validate_args=validate_args)
        self.base_dist = self._whole(zeros_like(self.scale), self.scale, validate_args=False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = self.base_dist.rsample(sample_shape)
        return where(drawn < 0, -drawn, drawn)

    def log_prob(self, value: TensorLike) -> Tensor:
        value = self._value(value)
        return where(value >= 0, self.base_dist.log_prob(value) + math.log(2), -math.inf)

    def entropy(self) -> Tensor:
        return self.base_dist.entropy() - math.log(2)

    def cdf(self, value: TensorLike) -> Tensor:
        return 2 * self.base_dist.cdf(self._value(value)) - 1

    def icdf(self, value: TensorLike) -> Tensor:
        return self.base_dist.icdf((as_tensor(value) + 1) / 2)

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.scale)


class HalfNormal(_Half):
    """The distribution of |x| for a normal x around 0.

    Args:
        scale: the standard deviation of x, above 0.
    """

    _whole = Normal

    @property
    def mean(self) -> Tensor:
        return self.scale * math.sqrt(2 / math.pi)

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale * (1 - 2 / math.pi)


class HalfCauchy(_Half):
    """The distribution of |x| for an x of Cauchy's distribution around 0.

    Args:
        scale: the median, above 0.
    """

    _whole = Cauchy

    @property
    def mean(self) -> Tensor:
        return full_like(self.scale, math.inf)

    @property
    def variance(self) -> Tensor:
        return full_like(self.scale, math.inf)


class Gumbel(Scalar):
    """Gumbel's distribution: of the largest of many numbers.

    Args:
        loc: the mode.
        scale: how far it spreads, above 0.
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
        # 1 - u is above 0 for u in [0, 1).
        waits = -log1p(-self._uniform(sample_shape, self.loc))
        return self.loc - self.scale * log(waits)

    def log_prob(self, value: TensorLike) -> Tensor:
        z = (self.loc - self._value(value)) / self.scale
        return z - exp(z) - log(self.scale)

    def entropy(self) -> Tensor:
        return log(self.scale) + (1 + EULER)

    def cdf(self, value: TensorLike) -> Tensor:
        return exp(-exp((self.loc - self._value(value)) / self.scale))

    def icdf(self, value: TensorLike) -> Tensor:
        return self.loc - self.scale * log(-log(as_tensor(value)))

    @property
    def mean(self) -> Tensor:
        return self.loc + self.scale * EULER

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        return self.scale * self.scale * (math.pi**2 / 6)


class Weibull(Scalar):
    """Weibull's distribution: of the time until the first of many parts fails.

    Args:
        scale: lambda, above 0.
        concentration: the shape k, above 0; 1 gives the exponential distribution.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {
        "scale": positive,
        "concentration": positive,
    }
    support = positive
    _parameters = ("scale", "concentration")
    scale: Tensor
    concentration: Tensor

    def __init__(
        self, scale: TensorLike, concentration: TensorLike, validate_args: bool | None = None
    ) -> None:
        super().__init__(scale, concentration, validate_args=validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(self._uniform(sample_shape, self.scale))

    def log_prob(self, value: TensorLike) -> Tensor:
        k = self.concentration
        distance = log(self._value(value)) - log(self.scale)
        return log(k) - log(self.scale) + (k - 1) * distance - exp(k * distance)

    def entropy(self) -> Tensor:
        k = self.concentration
        return EULER * (1 - 1 / k) + log(self.scale / k) + 1

    def cdf(self, value: TensorLike) -> Tensor:
        return -expm1(-((self._value(value) / self.scale) ** self.concentration))

    def icdf(self, value: TensorLike) -> Tensor:
        return self.scale * (-log1p(-as_tensor(value))) ** (1 / self.concentration)

    def _moment(self, order: int) -> Tensor:
        """Return the mean of (x / scale)^order."""
        return exp(lgamma(1 + order / self.concentration))

    @property
    def mean(self) -> Tensor:
        return self.scale * self._moment(1)

    @property
    def mode(self) -> Tensor:
        k = self.concentration
        return self.scale * ((k - 1) / k) ** (1 / k)

    @property
    def variance(self) -> Tensor:
        first = self._moment(1)
        return self.scale * self.scale * (self._moment(2) - first * first)


class Pareto(Scalar):
    """Pareto's distribution: of what is above a threshold, by a power.

    Args:
        scale: the threshold, above 0.
        alpha: the power, above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"scale": positive, "alpha": positive}
    _parameters = ("scale", "alpha")
    scale: Tensor
    alpha: Tensor

    def __init__(
        self, scale: TensorLike, alpha: TensorLike, validate_args: bool | None = None
    ) -> None:
        super().__init__(scale, alpha, validate_args=validate_args)
        self.support = greater_than_eq(self.scale)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.icdf(self._uniform(sample_shape, self.scale))

    def log_prob(self, value: TensorLike) -> Tensor:
        a = self.alpha
        return log(a) + a * log(self.scale) - (a + 1) * log(self._value(value))

    def entropy(self) -> Tensor:
        return log(self.scale / self.alpha) + (1 + 1 / self.alpha)

    def cdf(self, value: TensorLike) -> Tensor:
        return 1 - (self.scale / self._value(value)) ** self.alpha

    def icdf(self, value: TensorLike) -> Tensor:
        return self.scale * exp(-log1p(-as_tensor(value)) / self.alpha)

    @property
    def mean(self) -> Tensor:
        a = self.alpha
        return where(a > 1, a * self.scale / where(a > 1, a - 1, 1.0), math.inf)

    @property
    def mode(self) -> Tensor:
        return self.scale

    @property
    def variance(self) -> Tensor:
        a = self.alpha
        room = where(a > 2, (a - 1) * (a - 1) * (a - 2), 1.0)
        return where(a > 2, self.scale * self.scale * a / room, math.inf)
