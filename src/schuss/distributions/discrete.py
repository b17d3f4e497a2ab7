"""Distributions of classes and of truths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from schuss import random
from schuss.core import Tensor, TensorLike, int64, leaf, no_grad
from schuss.counts import Size
from schuss.distributions.constraints import (
    Constraint,
    boolean,
    integer_interval,
    real,
    real_vector,
    simplex,
    unit_interval,
    weights,
)
from schuss.distributions.constraints import one_hot as one_hot_rows
from schuss.distributions.distribution import Distribution, one_of_two
from schuss.functions import (
    argmax,
    broadcast_to,
    clip,
    exp,
    expand_dims,
    log,
    log1p,
    log_softmax,
    one_hot,
    sigmoid,
    softplus,
    sum,
    take_along_axis,
    where,
)
from schuss.functions.reductions import as_float
from schuss.primitives.base import as_tensor, astype

__all__ = ["Bernoulli", "Categorical", "OneHotCategorical"]
__all__ += ["OneHotCategoricalStraightThrough"]


def _bounded(probs: Tensor) -> Tensor:
    """Keep probabilities off 0 and 1, so that their logarithms are finite."""
    eps = float(np.finfo(probs.array.dtype).eps)
    return clip(probs, eps, 1 - eps)


class Bernoulli(Distribution):
    """1 with a probability, else 0.

    Args:
        probs: the probability of 1.
        logits: or its log-odds.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"probs": unit_interval, "logits": real}
    support = boolean

    def __init__(
        self,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, value = one_of_two("Bernoulli", probs=probs, logits=logits)
        given = as_float(as_tensor(value))
        setattr(self, f"_{name}", given)
        super().__init__(given.shape, (), validate_args)
        if self._validate_args:
            self._expect(f"parameter {name}", given, self.arg_constraints[name])

    @property
    def probs(self) -> Tensor:
        """The probability of 1."""
        found: Tensor | None = self.__dict__.get("_probs")
        return sigmoid(self.logits) if found is None else found

    @property
    def logits(self) -> Tensor:
        """Its log-odds."""
        found: Tensor | None = self.__dict__.get("_logits")
        if found is not None:
            return found
        probs = _bounded(self.probs)
        return log(probs) - log1p(-probs)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            probs = self.probs
            drawn = random.rand(self._extended_shape(sample_shape), dtype=probs.array.dtype)
            return astype(drawn < probs, probs.array.dtype)

    def log_prob(self, value: TensorLike) -> Tensor:
        logits = self.logits
        value = self._value(value)
        floats = value if value.array.dtype.kind == "f" else astype(value, logits.array.dtype)
        return floats * logits - softplus(logits)

    def entropy(self) -> Tensor:
        logits = self.logits
        return softplus(logits) - self.probs * logits

    def expand(self, batch_shape: Sequence[int]) -> Bernoulli:
        name = "probs" if "_probs" in self.__dict__ else "logits"
        given = broadcast_to(getattr(self, name), tuple(batch_shape))
        return Bernoulli(**{name: given}, validate_args=False)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return 0 and 1 along a first axis, over the batch where `expand`."""
        return _enumerated(2, self.batch_shape, self.logits.array.dtype, expand)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def mode(self) -> Tensor:
        probs = self.probs
        return where(probs == 0.5, np.nan, astype(probs > 0.5, probs.array.dtype))

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    def __repr__(self) -> str:
        return f"Bernoulli(batch_shape={self.batch_shape})"


class Categorical(Distribution):
    """A class out of several.

    Args:
        probs: shape (..., classes), at least 0; they need not add up to 1.
        logits: or their logarithms, up to a constant.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {"probs": simplex, "logits": real_vector}

    def __init__(
        self,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        name, value = one_of_two("Categorical", probs=probs, logits=logits)
        given = as_float(as_tensor(value))
        if given.ndim < 1:
            raise ValueError(f"Categorical: expected {name} of shape (..., classes), got ().")
        super().__init__(given.shape[:-1], (), validate_args)
        if self._validate_args:
            self._expect(f"parameter {name}", given, weights if name == "probs" else real_vector)
        if name == "probs":
            self._probs = given / sum(given, axis=-1, keepdims=True)
        else:
            self._logits = log_softmax(given, axis=-1)
        count = self._num_events = given.shape[-1]
        self.support = integer_interval(0, count - 1)

    @property
    def probs(self) -> Tensor:
        """The probabilities, shape (..., classes)."""
        found: Tensor | None = self.__dict__.get("_probs")
        return exp(self.logits) if found is None else found

    @property
    def logits(self) -> Tensor:
        """Their logarithms."""
        found: Tensor | None = self.__dict__.get("_logits")
        return log(_bounded(self.probs)) if found is None else found

    @property
    def param_shape(self) -> tuple[int, ...]:
        """Shape of the parameters."""
        return (*self.batch_shape, self._num_events)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            logits = where(self.probs > 0, self.logits, -np.inf)
            drawn = self._extended_shape(sample_shape)
            shape = (*drawn[: len(drawn) - len(self.event_shape)], self._num_events)
            # The largest of the logits with Gumbel's noise has the probabilities of the softmax.
            waits = -log1p(-random.rand(shape, dtype=logits.array.dtype))
            return argmax(logits - log(waits), axis=-1)

    def log_prob(self, value: TensorLike) -> Tensor:
        return self._log_prob_of(self._value(value))

    def _log_prob_of(self, classes: Tensor) -> Tensor:
        value = astype(classes, int64)
        count = self._num_events
        shape = np.broadcast_shapes(value.shape, self.batch_shape)
        logits = broadcast_to(self.logits, (*shape, count))
        picked = take_along_axis(logits, expand_dims(broadcast_to(value, shape), -1), axis=-1)
        return picked[..., 0]

    def entropy(self) -> Tensor:
        lowest = float(np.finfo(self.logits.array.dtype).min)
        return -sum(clip(self.logits, lowest) * self.probs, axis=-1)

    def expand(self, batch_shape: Sequence[int]) -> Categorical:
        name = "probs" if "_probs" in self.__dict__ else "logits"
        given = broadcast_to(getattr(self, name), (*batch_shape, self._num_events))
        return type(self)(**{name: given}, validate_args=False)

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all classes along a first axis, over the batch where `expand`."""
        return _enumerated(self._num_events, self.batch_shape, int64, expand)

    @property
    def mean(self) -> Tensor:
        return leaf(np.full(self.batch_shape, np.nan, self.logits.array.dtype))

    @property
    def variance(self) -> Tensor:
        return self.mean

    @property
    def mode(self) -> Tensor:
        return argmax(self.logits, axis=-1)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._num_events} classes, batch_shape={self.batch_shape})"


class OneHotCategorical(Categorical):
    """A class out of several, as a row of zeros with a 1 in its place."""

    def __init__(
        self,
        probs: TensorLike | None = None,
        logits: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        super().__init__(probs, logits, validate_args)
        self._event_shape, self.support = Size((self._num_events,)), one_hot_rows

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return astype(
            one_hot(super().sample(sample_shape), self._num_events), self.logits.array.dtype
        )

    def log_prob(self, value: TensorLike) -> Tensor:
        return self._log_prob_of(argmax(self._value(value), axis=-1))

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """Return all rows along a first axis, over the batch where `expand`."""
        rows = one_hot(super().enumerate_support(expand), self._num_events)
        return astype(rows, self.logits.array.dtype)

    @property
    def mean(self) -> Tensor:
        return self.probs

    @property
    def variance(self) -> Tensor:
        return self.probs * (1 - self.probs)

    @property
    def mode(self) -> Tensor:
        return astype(one_hot(super().mode, self._num_events), self.logits.array.dtype)


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """`OneHotCategorical` whose draws have the gradient of the probabilities.

    Bengio, Léonard and Courville, 2013, arXiv 1308.3432.
    """

    has_rsample = True

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        probs = self.probs
        return self.sample(sample_shape) + (probs - probs.detach())


def _enumerated(count: int, batch_shape: tuple[int, ...], dtype: Any, expand: bool) -> Tensor:
    values = np.arange(count, dtype=dtype).reshape(count, *(1,) * len(batch_shape))
    return leaf(np.array(np.broadcast_to(values, (count, *batch_shape))) if expand else values)
