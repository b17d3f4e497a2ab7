"""Distributions of counts: of events, of successes, of failures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np

from schuss import random
from schuss.core import Tensor, TensorLike, leaf, no_grad
from schuss.distributions.constraints import (
    Constraint,
    half_open_interval,
    integer_interval,
    nonnegative,
    nonnegative_integer,
    real,
    unit_interval,
)
from schuss.distributions.distribution import Distribution, broadcast_parameters, one_of_two
from schuss.distributions.gamma import log_of_gamma
from schuss.distributions.scalar import Scalar
from schuss.functions import (
    abs,
    argmax,
    broadcast_to,
    clip,
    cumulative_sum,
    exp,
    expand_dims,
    floor,
    log,
    log1p,
    sigmoid,
    softplus,
    sum,
    take_along_axis,
    where,
    zeros_like,
)
from schuss.functions.special import lgamma
from schuss.primitives.base import astype

__all__ = ["Binomial", "Geometric", "NegativeBinomial", "Poisson"]

S = TypeVar("S", bound="_Successes")


def _times_log(x: Tensor, y: Tensor) -> Tensor:
    """Return x log(y), which is 0 where x is 0."""
    return where(x == 0, 0.0, x * log(where((x == 0) & (y == 0), 1.0, y)))


# Products of so many uniform numbers are below e^-10 but for one draw in 10^15.
_FACTORS = 48
_TRIES = 16


def _drawn_counts(rate: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return draws of Poisson's distribution."""
    rate = broadcast_to(rate, shape)
    is_small = rate < 10
    few = _few_counts(where(is_small, rate, 1.0), shape)
    return where(is_small, few, _many_counts(where(is_small, 10.0, rate), shape))


def _few_counts(rate: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return draws for rates up to 10: how many waiting times fit into 1."""
    waits = -log1p(-random.rand((_FACTORS, *shape), dtype=rate.array.dtype))
    return sum(astype(cumulative_sum(waits, axis=0) < rate, rate.array.dtype), axis=0)


def _many_counts(rate: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return draws for rates of 10 and more, by transformed rejection (Hormann, 1993).

    All tries are drawn at once, and the first that is accepted is taken.
    """
    uniform = random.rand((_TRIES, *shape), dtype=rate.array.dtype) - 0.5
    other = 1 - random.rand((_TRIES, *shape), dtype=rate.array.dtype)
    b = 0.931 + 2.53 * rate**0.5
    a = -0.059 + 0.02483 * b
    room = 0.5 - abs(uniform)
    room = where(room > 0, room, 1e-9)
    k = floor((2 * a / room + b) * uniform + rate + 0.43)
    inside = (k >= 0) & ((room >= 0.013) | (other <= room))
    k = where(inside, k, 0.0)
    height = log(other) + log(1.1239 + 1.1328 / (b - 3.4)) - log(a / (room * room) + b)
    is_below = height <= k * log(rate) - rate - lgamma(k + 1)
    surely = (room >= 0.07) & (other <= 0.9277 - 3.6224 / (b - 2))
    accepted = inside & (surely | is_below)
    first = expand_dims(argmax(where(accepted, 1, 0), axis=0), 0)
    return take_along_axis(k, first, axis=0)[0]


class Poisson(Scalar):
    """Poisson's distribution: of how many events there are, each independent of the others.

    Args:
        rate: how many there are in the mean, at least 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"rate": nonnegative}
    support: Any = nonnegative_integer
    has_rsample = False
    _parameters = ("rate",)
    rate: Tensor

    def __init__(self, rate: TensorLike, validate_args: bool | None = None) -> None:
        super().__init__(rate, validate_args=validate_args)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return _drawn_counts(self.rate, self._extended_shape(sample_shape))

    rsample = Distribution.rsample

    def log_prob(self, value: TensorLike) -> Tensor:
        value = self._value(value)
        return _times_log(value, self.rate) - self.rate - lgamma(value + 1)

    @property
    def mean(self) -> Tensor:
        return self.rate

    @property
    def mode(self) -> Tensor:
        return floor(self.rate)

    @property
    def variance(self) -> Tensor:
        return self.rate


class _Successes(Distribution):
    """A distribution of how trials end, each of which succeeds with a probability.

    Args:
        count: of trials, or of failures; None where there is none.
        probs: the probability of success.
        logits: or its log-odds.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"probs": unit_interval, "logits": real}
    support: Any = nonnegative_integer
    _probs: Tensor | None = None
    _logits: Tensor | None = None

    def __init__(
        self,
        count: TensorLike | None,
        probs: TensorLike | None,
        logits: TensorLike | None,
        validate_args: bool | None,
    ) -> None:
        name, value = one_of_two(type(self).__name__, probs=probs, logits=logits)
        given = broadcast_parameters(value, *[] if count is None else [count])
        setattr(self, f"_{name}", given[0])
        if count is not None:
            self.total_count = given[1]
        super().__init__(given[0].shape, (), validate_args)
        if self._validate_args:
            self._expect(f"parameter {name}", given[0], self.arg_constraints[name])

    @property
    def probs(self) -> Tensor:
        """The probability of success."""
        return sigmoid(self.logits) if self._probs is None else self._probs

    @property
    def logits(self) -> Tensor:
        """Its log-odds."""
        if self._logits is not None:
            return self._logits
        eps = float(np.finfo(self.probs.array.dtype).eps)
        probs = clip(self.probs, eps, 1 - eps)
        return log(probs) - log1p(-probs)

    def expand(self: S, batch_shape: Sequence[int]) -> S:
        name = "logits" if self._probs is None else "probs"
        found: dict[str, Any] = {name: getattr(self, name)}
        if "total_count" in self.__dict__:
            found["total_count"] = self.total_count
        shape = tuple(batch_shape)
        return type(self)(
            **{k: broadcast_to(v, shape) for k, v in found.items()}, validate_args=False
        )


class Geometric(_Successes):
    """The distribution of how many trials fail before the first that succeeds.

    Args:
        probs: the probability of success, above 0.
        logits: or its log-odds.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"probs": unit_interval, "logits": real}

    def __init__(
        self,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(None, probs, logits, validate_args)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            probs = self.probs
            uniform = random.rand(self._extended_shape(sample_shape), dtype=probs.array.dtype)
            return floor(log1p(-uniform) / log1p(-probs))

    def log_prob(self, value: TensorLike) -> Tensor:
        value = self._value(value)
        probs = where((self.probs == 1) & (value == 0), 0.0, self.probs)
        return value * log1p(-probs) + log(self.probs)

    def entropy(self) -> Tensor:
        return (softplus(self.logits) - self.probs * self.logits) / self.probs

    @property
    def mean(self) -> Tensor:
        return 1 / self.probs - 1

    @property
    def mode(self) -> Tensor:
        return zeros_like(self.probs)

    @property
    def variance(self) -> Tensor:
        return (1 / self.probs - 1) / self.probs


class Binomial(_Successes):
    """The distribution of how many of some trials succeed.

    Args:
        total_count: how many trials there are.
        probs: the probability of success.
        logits: or its log-odds.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {
        "total_count": nonnegative_integer,
        "probs": unit_interval,
        "logits": real,
    }

    def __init__(
        self,
        total_count: TensorLike = 1,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(total_count, probs, logits, validate_args)
        # A number is known while a trace is made, too.
        self._most = total_count if isinstance(total_count, int | float) else None
        self.support = integer_interval(0, self.total_count)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            counts = self.total_count.numpy() if self._most is None else self._most
            most = int(np.max(counts, initial=0))
            shape = self._extended_shape(sample_shape)
            trials = random.rand((most, *shape), dtype=self.probs.array.dtype)
            number = np.arange(most, dtype=np.float64).reshape(-1, *[1] * len(shape))
            succeed = (trials < self.probs) & (leaf(number) < self.total_count)
            return sum(astype(succeed, self.probs.array.dtype), axis=0)

    def log_prob(self, value: TensorLike) -> Tensor:
        value, n, logits = self._value(value), self.total_count, self.logits
        ways = lgamma(n + 1) - lgamma(value + 1) - lgamma(n - value + 1)
        return ways + value * logits - n * softplus(logits)

    @property
    def mean(self) -> Tensor:
        return self.total_count * self.probs

    @property
    def mode(self) -> Tensor:
        found = floor((self.total_count + 1) * self.probs)
        return where(found > self.total_count, self.total_count, found)

    @property
    def variance(self) -> Tensor:
        return self.total_count * self.probs * (1 - self.probs)


class NegativeBinomial(_Successes):
    """The distribution of how many trials succeed before some have failed.

    Args:
        total_count: how many fail, at least 0; any real number.
        probs: the probability of success, below 1.
        logits: or its log-odds.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {
        "total_count": nonnegative,
        "probs": half_open_interval(0.0, 1.0),
        "logits": real,
    }

    def __init__(
        self,
        total_count: TensorLike,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(total_count, probs, logits, validate_args)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            shape = self._extended_shape(sample_shape)
            rate = exp(log_of_gamma(self.total_count, shape) + self.logits)
            return _drawn_counts(rate, shape)

    def log_prob(self, value: TensorLike) -> Tensor:
        value, n, logits = self._value(value), self.total_count, self.logits
        unnormalized = -n * softplus(logits) - value * softplus(-logits)
        # Nothing fails and nothing succeeds: the logarithms of both gamma functions are infinite.
        is_nothing = n + value == 0
        count = where(is_nothing, 1.0, n)
        ways = lgamma(count + value) - lgamma(1 + value) - lgamma(count)
        return unnormalized + where(is_nothing, 0.0, ways)

    @property
    def mean(self) -> Tensor:
        return self.total_count * exp(self.logits)

    @property
    def mode(self) -> Tensor:
        return clip(floor((self.total_count - 1) * exp(self.logits)), 0)

    @property
    def variance(self) -> Tensor:
        return self.mean / sigmoid(-self.logits)
