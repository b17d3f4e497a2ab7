"""The gamma distribution and what is made of it: beta and Dirichlet's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from schuss import random
from schuss.core import Tensor, TensorLike, no_grad
from schuss.distributions.constraints import (
    Constraint,
    independent,
    nonnegative,
    positive,
    simplex,
    unit_interval,
)
from schuss.distributions.distribution import Distribution, broadcast_parameters
from schuss.distributions.gamma_slope import log_slope
from schuss.functions import (
    all,
    argmax,
    broadcast_to,
    clip,
    exp,
    expand_dims,
    log,
    max,
    one_hot,
    stack,
    sum,
    take_along_axis,
    where,
)
from schuss.functions.reductions import as_float
from schuss.functions.special import digamma, lgamma
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.custom import custom

__all__ = ["Beta", "Chi2", "Dirichlet", "Gamma", "log_of_gamma"]

# Each try is accepted with a probability of at least .95: all of them fail once in 10^15.
_TRIES = 12


def log_of_gamma(alpha: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return logarithms of draws from the gamma distribution of rate 1; gradients go to alpha.

    Args:
        alpha: the concentration, above 0.
        shape: of the draws, to which alpha broadcasts.
    """
    alpha = broadcast_to(alpha, shape)
    with no_grad():
        drawn = _log_draws(alpha, shape)
    return custom("gamma", (alpha,), drawn, lambda g, y: {0: g * log_slope(alpha, y)})


def _log_draws(alpha: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return logarithms of draws.

    All tries of the method of Marsaglia and Tsang (2000) are drawn at once, and the first that is
    accepted is taken. The logarithm is exact where alpha is so small that the draw is not.

    Args:
        alpha: the concentration, of that shape.
        shape: of the draws.
    """
    dtype = alpha.array.dtype
    # Below 1, a draw for alpha + 1 times a uniform number to the power 1 / alpha.
    small = alpha < 1
    d = where(small, alpha + 1, alpha) - 1 / 3
    normal = random.randn((_TRIES, *shape), dtype=dtype)
    uniform = 1 - random.rand((_TRIES, *shape), dtype=dtype)
    root = 1 + normal / (3 * d**0.5)
    cube = where(root > 0, root, 1.0) ** 3
    bound = 0.5 * normal * normal + d * (1 - cube + log(cube))
    accepted = (root > 0) & (log(uniform) < bound)
    first = expand_dims(argmax(where(accepted, 1, 0), axis=0), 0)
    logarithm = log(d) + log(take_along_axis(cube, first, axis=0)[0])
    boost = log(1 - random.rand(shape, dtype=dtype)) / alpha
    return logarithm + where(small, boost, 0.0)


class Gamma(Distribution):
    """The gamma distribution.

    Args:
        concentration: the shape alpha, above 0.
        rate: 1 / scale, above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {
        "concentration": positive,
        "rate": positive,
    }
    support = nonnegative
    has_rsample = True

    def __init__(
        self, concentration: TensorLike, rate: TensorLike, validate_args: bool | None = None
    ) -> None:
        self.concentration, self.rate = broadcast_parameters(concentration, rate)
        super().__init__(self.concentration.shape, (), validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = (
            exp(log_of_gamma(self.concentration, self._extended_shape(sample_shape))) / self.rate
        )
        return clip(drawn, float(np.finfo(drawn.array.dtype).tiny))

    def log_prob(self, value: TensorLike) -> Tensor:
        a, b = self.concentration, self.rate
        value = astype(self._value(value), b.array.dtype)
        return a * log(b) + (a - 1) * log(value) - b * value - lgamma(a)

    def entropy(self) -> Tensor:
        a = self.concentration
        return a - log(self.rate) + lgamma(a) + (1 - a) * digamma(a)

    def expand(self, batch_shape: Sequence[int]) -> Gamma:
        shape = tuple(batch_shape)
        a, b = broadcast_to(self.concentration, shape), broadcast_to(self.rate, shape)
        return Gamma(a, b, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.concentration / self.rate

    @property
    def mode(self) -> Tensor:
        return clip((self.concentration - 1) / self.rate, 0)

    @property
    def variance(self) -> Tensor:
        return self.concentration / (self.rate * self.rate)


class Chi2(Gamma):
    """The chi-squared distribution: of a sum of squares of standard normal numbers.

    Args:
        df: how many there are, above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"df": positive}

    def __init__(self, df: TensorLike, validate_args: bool | None = None) -> None:
        (self.df,) = broadcast_parameters(df)
        super().__init__(self.df / 2, 0.5, validate_args)

    def expand(self, batch_shape: Sequence[int]) -> Chi2:
        return Chi2(broadcast_to(self.df, tuple(batch_shape)), validate_args=False)


class Dirichlet(Distribution):
    """Dirichlet's distribution, of probabilities that add up to 1.

    Args:
        concentration: shape (..., classes), above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {
        "concentration": independent(positive, 1)
    }
    support = simplex
    has_rsample = True

    def __init__(self, concentration: TensorLike, validate_args: bool | None = None) -> None:
        self.concentration = as_float(as_tensor(concentration))
        if self.concentration.ndim < 1:
            raise ValueError("Dirichlet: expected concentration of shape (..., classes), got ().")
        shape = self.concentration.shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = log_of_gamma(self.concentration, self._extended_shape(sample_shape))
        parts = exp(drawn - max(drawn.detach(), axis=-1, keepdims=True))
        return parts / sum(parts, axis=-1, keepdims=True)

    def log_prob(self, value: TensorLike) -> Tensor:
        value = self._value(value)
        a = self.concentration
        return (
            sum((a - 1) * log(value), axis=-1) + lgamma(sum(a, axis=-1)) - sum(lgamma(a), axis=-1)
        )

    def entropy(self) -> Tensor:
        a = self.concentration
        total, k = sum(a, axis=-1), a.shape[-1]
        rest = (k - total) * digamma(total) + sum((a - 1) * digamma(a), axis=-1)
        return sum(lgamma(a), axis=-1) - lgamma(total) - rest

    def expand(self, batch_shape: Sequence[int]) -> Dirichlet:
        shape = (*batch_shape, *self.event_shape)
        return Dirichlet(broadcast_to(self.concentration, shape), validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.concentration / sum(self.concentration, axis=-1, keepdims=True)

    @property
    def mode(self) -> Tensor:
        a = self.concentration
        above = clip(a - 1, 0)
        # Where all are below 1 the density is infinite at every corner: the first one.
        corner = astype(one_hot(argmax(above, axis=-1), a.shape[-1]), a.array.dtype)
        has_corner = all(a < 1, axis=-1, keepdims=True)
        total = where(has_corner, 1.0, sum(above, axis=-1, keepdims=True))
        return where(has_corner, corner, above / total)

    @property
    def variance(self) -> Tensor:
        mean = self.mean
        return mean * (1 - mean) / (sum(self.concentration, axis=-1, keepdims=True) + 1)


class Beta(Distribution):
    """The beta distribution, of numbers from 0 to 1.

    Args:
        concentration1: alpha, above 0.
        concentration0: beta, above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {
        "concentration1": positive,
        "concentration0": positive,
    }
    support = unit_interval
    has_rsample = True

    def __init__(
        self,
        concentration1: TensorLike,
        concentration0: TensorLike,
        validate_args: bool | None = None,
    ) -> None:
        self.concentration1, self.concentration0 = broadcast_parameters(
            concentration1, concentration0
        )
        super().__init__(self.concentration1.shape, (), validate_args)
        both = stack([self.concentration1, self.concentration0], axis=-1)
        self.dirichlet = Dirichlet(both, validate_args=False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.dirichlet.rsample(sample_shape)[..., 0]

    def log_prob(self, value: TensorLike) -> Tensor:
        value = self._value(value)
        return self.dirichlet.log_prob(stack([value, 1 - value], axis=-1))

    def entropy(self) -> Tensor:
        return self.dirichlet.entropy()

    def expand(self, batch_shape: Sequence[int]) -> Beta:
        shape = tuple(batch_shape)
        a = broadcast_to(self.concentration1, shape)
        return Beta(a, broadcast_to(self.concentration0, shape), validate_args=False)

    @property
    def mean(self) -> Tensor:
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def mode(self) -> Tensor:
        return self.dirichlet.mode[..., 0]

    @property
    def variance(self) -> Tensor:
        a, b = self.concentration1, self.concentration0
        return a * b / ((a + b) * (a + b) * (a + b + 1))
