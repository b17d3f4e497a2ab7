"""MixtureSameFamily: one of several distributions of a kind, by chance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schuss.core import Tensor, TensorLike, no_grad
from schuss.distributions.discrete import Categorical
from schuss.distributions.distribution import Distribution
from schuss.functions import broadcast_to, expand_dims, logsumexp, reshape, sum, take_along_axis
from schuss.primitives.base import as_tensor

__all__ = ["MixtureSameFamily"]


class MixtureSameFamily(Distribution):
    """A mixture: p(x) = sum over k of w_k * p_k(x).

    Args:
        mixture_distribution: a `Categorical`, whose classes are the components.
        component_distribution: the components, along the last axis of its batch.

    Raises:
        ValueError: if their shapes do not go together.
    """

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Distribution,
        validate_args: bool | None = None,
    ) -> None:
        owner = "MixtureSameFamily"
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(
                f"{owner}: expected a Categorical to mix by, got "
                f"{type(mixture_distribution).__name__}."
            )
        if not isinstance(component_distribution, Distribution):
            raise ValueError(
                f"{owner}: expected a distribution of components, got "
                f"{type(component_distribution).__name__}."
            )
        count = mixture_distribution._num_events
        shape = component_distribution.batch_shape
        if not shape or shape[-1] != count:
            raise ValueError(
                f"{owner}: expected components of batch shape (..., {count}), got {shape}."
            )
        try:
            np.broadcast_shapes(mixture_distribution.batch_shape, shape[:-1])
        except ValueError:
            raise ValueError(
                f"{owner}: expected batch shapes that can be broadcast, got "
                f"{mixture_distribution.batch_shape} and {shape[:-1]}."
            ) from None
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        self._event_ndims = len(component_distribution.event_shape)
        self.support = component_distribution.support
        super().__init__(shape[:-1], component_distribution.event_shape, validate_args)

    @property
    def mixture_distribution(self) -> Categorical:
        """What chooses the component."""
        return self._mixture_distribution

    @property
    def component_distribution(self) -> Distribution:
        """The components."""
        return self._component_distribution

    def _of_components(self, x: TensorLike) -> Tensor:
        """Return x with an axis for the components."""
        return expand_dims(as_tensor(x), axis=-1 - self._event_ndims)

    def _weights(self) -> Tensor:
        """Return the probabilities of components, with the axes of an event."""
        probs = self._mixture_distribution.probs
        return reshape(probs, (*probs.shape, *[1] * self._event_ndims))

    @property
    def mean(self) -> Tensor:
        """The mean."""
        axis = -1 - self._event_ndims
        return sum(self._weights() * self._component_distribution.mean, axis=axis)

    @property
    def variance(self) -> Tensor:
        """The variance: the mean of the components', and that of their means."""
        axis, parts = -1 - self._event_ndims, self._component_distribution
        within = sum(self._weights() * parts.variance, axis=axis)
        away = parts.mean - self._of_components(self.mean)
        return within + sum(self._weights() * away * away, axis=axis)

    def cdf(self, value: TensorLike) -> Tensor:
        found = self._component_distribution.cdf(self._of_components(value))
        return sum(found * self._mixture_distribution.probs, axis=-1)

    def log_prob(self, value: TensorLike) -> Tensor:
        x = self._of_components(self._value(value))
        found = self._component_distribution.log_prob(x)
        return logsumexp(found + self._mixture_distribution.logits, axis=-1)

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            chosen = self._mixture_distribution.sample(sample_shape)
            drawn = self._component_distribution.sample(sample_shape)
            axis = drawn.ndim - 1 - self._event_ndims
            places = reshape(chosen, (*chosen.shape, 1, *[1] * self._event_ndims))
            places = broadcast_to(places, (*drawn.shape[:axis], 1, *drawn.shape[axis + 1 :]))
            return take_along_axis(drawn, places, axis=axis)[(*[slice(None)] * axis, 0)]

    def expand(self, batch_shape: Sequence[int]) -> MixtureSameFamily:
        shape = tuple(batch_shape)
        count = self._mixture_distribution._num_events
        return MixtureSameFamily(
            self._mixture_distribution.expand(shape),
            self._component_distribution.expand((*shape, count)),
        )
