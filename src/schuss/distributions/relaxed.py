"""Relaxed distributions of classes and of truths, through whose draws gradients pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss import random
from schuss.core import Tensor, TensorLike
from schuss.distributions.discrete import Bernoulli, Categorical
from schuss.distributions.distribution import Distribution
from schuss.distributions.transformed import TransformedDistribution
from schuss.distributions.transforms import ExpTransform, SigmoidTransform
from schuss.functions import (
    broadcast_to,
    expand_dims,
    log,
    log1p,
    log_softmax,
    logsumexp,
    softplus,
    sum,
)
from schuss.functions.special import lgamma
from schuss.primitives.base import as_tensor

__all__ = [
    "ExpRelaxedCategorical",
    "LogitRelaxedBernoulli",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
]


class LogitRelaxedBernoulli(Distribution):
    """The log-odds of a relaxed truth, which is 0 or 1 as the temperature falls.

    Args:
        temperature: above 0.
        probs: the probability of 1.
        logits: or its log-odds.
    """

    has_rsample = True

    def __init__(
        self,
        temperature: TensorLike,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        self._truth = Bernoulli(probs, logits, validate_args)
        super().__init__(self._truth.batch_shape, (), validate_args)

    @property
    def probs(self) -> Tensor:
        """The probability of 1."""
        return self._truth.probs

    @property
    def logits(self) -> Tensor:
        """Its log-odds."""
        return self._truth.logits

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        logits = self.logits
        tiny = float(np.finfo(logits.array.dtype).tiny)
        uniform = random.rand(self._extended_shape(sample_shape), dtype=logits.array.dtype)
        return (log(uniform + tiny) - log1p(-uniform) + logits) / self.temperature

    def log_prob(self, value: TensorLike) -> Tensor:
        distance = self.logits - self._value(value) * self.temperature
        temperature = as_tensor(self.temperature)
        return log(temperature) + distance - 2 * softplus(distance)

    def expand(self, batch_shape: Sequence[int]) -> LogitRelaxedBernoulli:
        logits = broadcast_to(self.logits, tuple(batch_shape))
        return LogitRelaxedBernoulli(self.temperature, logits=logits)


class _Relaxed(TransformedDistribution):
    """What is relaxed, of which the base keeps the parameters."""

    base_dist: LogitRelaxedBernoulli | ExpRelaxedCategorical

    @property
    def temperature(self) -> Any:
        """How far draws are from 0 and 1."""
        return self.base_dist.temperature

    @property
    def probs(self) -> Tensor:
        """The probabilities of what is relaxed."""
        return self.base_dist.probs

    @property
    def logits(self) -> Tensor:
        """The log-odds of a number, or the logarithms of a row's probabilities."""
        return self.base_dist.logits


class RelaxedBernoulli(_Relaxed):
    """A number between 0 and 1, near one of them, through whose draws gradients pass.

    Args:
        temperature: above 0; the lower it is, the nearer.
        probs: the probability of being near 1.
        logits: or its log-odds.
    """

    def __init__(
        self,
        temperature: TensorLike,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = LogitRelaxedBernoulli(temperature, probs, logits, validate_args)
        super().__init__(base, SigmoidTransform(), validate_args)


class ExpRelaxedCategorical(Distribution):
    """The logarithms of a relaxed row of classes (Maddison et al., 2017).

    Args:
        temperature: above 0.
        probs: shape (..., classes), at least 0.
        logits: or their logarithms, up to a constant.
    """

    has_rsample = True

    def __init__(
        self,
        temperature: TensorLike,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        self.temperature = temperature
        self._classes = Categorical(probs, logits, validate_args)
        event = self._classes.param_shape[-1:]
        super().__init__(self._classes.batch_shape, event, validate_args)

    @property
    def probs(self) -> Tensor:
        """The probabilities, shape (..., classes)."""
        return self._classes.probs

    @property
    def logits(self) -> Tensor:
        """Their logarithms."""
        return self._classes.logits

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        logits = self.logits
        waits = -log1p(-random.rand(self._extended_shape(sample_shape), dtype=logits.array.dtype))
        return log_softmax((logits - log(waits)) / self.temperature, axis=-1)

    def log_prob(self, value: TensorLike) -> Tensor:
        count = self.event_shape[0]
        temperature = as_tensor(self.temperature)
        score = self.logits - self._value(value) * temperature
        score = sum(score - expand_dims(logsumexp(score, axis=-1), -1), axis=-1)
        return score + lgamma(temperature * 0 + float(count)) + (count - 1) * log(temperature)

    def expand(self, batch_shape: Sequence[int]) -> ExpRelaxedCategorical:
        logits = broadcast_to(self.logits, (*batch_shape, *self.event_shape))
        return ExpRelaxedCategorical(self.temperature, logits=logits)


class RelaxedOneHotCategorical(_Relaxed):
    """A row of numbers above 0 that add up to 1, near a single 1 where the temperature is low.

    Args:
        temperature: above 0.
        probs: shape (..., classes), at least 0.
        logits: or their logarithms, up to a constant.
    """

    def __init__(
        self,
        temperature: TensorLike,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args)
        super().__init__(base, ExpTransform(), validate_args)
