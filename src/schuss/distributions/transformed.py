"""TransformedDistribution: of what transforms make of draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schuss.core import Tensor, TensorLike, no_grad
from schuss.counts import Size
from schuss.distributions import constraints
from schuss.distributions.constraints import Constraint
from schuss.distributions.continuous import Normal
from schuss.distributions.distribution import Distribution, Independent
from schuss.distributions.joint_transforms import StickBreakingTransform
from schuss.distributions.transform import ComposeTransform, Transform, summed
from schuss.primitives.base import as_tensor

__all__ = ["LogisticNormal", "TransformedDistribution"]


class TransformedDistribution(Distribution):
    """The distribution of y = t(x) for draws x of another one.

    log p(y) = log p(x) - log |dy / dx|

    Args:
        base_distribution: of x.
        transforms: one, or several, of which the first is applied first.
        validate_args: whether values are checked.

    Raises:
        ValueError: for what are no transforms, or a base with fewer axes than they need.

    >>> from schuss import tensor
    >>> from schuss.distributions import Normal, TanhTransform
    >>> squashed = TransformedDistribution(Normal(0.0, 1.0), [TanhTransform(cache_size=1)])
    >>> squashed.log_prob(tensor(0.0))
    tensor(-0.9189385)
    """

    def __init__(
        self,
        base_distribution: Distribution,
        transforms: Transform | Sequence[Transform],
        validate_args: bool | None = None,
    ) -> None:
        given = [transforms] if isinstance(transforms, Transform) else list(transforms)
        wrong = [type(t).__name__ for t in given if not isinstance(t, Transform)]
        if wrong:
            raise ValueError(f"TransformedDistribution: expected transforms, got {wrong[0]}.")
        self.transforms = given
        whole = ComposeTransform(given)
        before = (*base_distribution.batch_shape, *base_distribution.event_shape)
        needed = whole.domain.event_dim
        if len(before) < needed:
            raise ValueError(
                f"TransformedDistribution: expected a base with at least {needed} axes, got shape "
                f"{before}."
            )
        after = whole.forward_shape(before)
        expanded = whole.inverse_shape(after)
        if expanded != before:
            kept = len(expanded) - len(base_distribution.event_shape)
            base_distribution = base_distribution.expand(expanded[:kept])
        more = needed - len(base_distribution.event_shape)
        if more > 0:
            base_distribution = Independent(base_distribution, more)
        self.base_dist = base_distribution
        grown = whole.codomain.event_dim - needed
        events = max(whole.codomain.event_dim, len(base_distribution.event_shape) + grown)
        cut = len(after) - events
        super().__init__(Size(after[:cut]), Size(after[cut:]), validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]  # as the base has it
        """Whether the base has it."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> Constraint:
        """What draws may be."""
        if not self.transforms:
            found: Constraint = self.base_dist.support
            return found
        found = self.transforms[-1].codomain
        more = len(self.event_shape) - found.event_dim
        return constraints.independent(found, more) if more > 0 else found

    def expand(self, batch_shape: Sequence[int]) -> Any:
        whole = ComposeTransform(self.transforms)
        shape = whole.inverse_shape((*batch_shape, *self.event_shape))
        kept = len(shape) - len(self.base_dist.event_shape)
        return TransformedDistribution(
            self.base_dist.expand(shape[:kept]), self.transforms, validate_args=False
        )

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        with no_grad():
            return self._forward(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self._forward(self.base_dist.rsample(sample_shape))

    def _forward(self, x: Tensor) -> Tensor:
        for transform in self.transforms:
            x = transform(x)
        return x

    def _backward(self, y: Tensor) -> Tensor:
        for transform in reversed(self.transforms):
            y = transform.inv(y)
        return y

    def log_prob(self, value: TensorLike) -> Tensor:
        y = self._value(value)
        events, change = len(self.event_shape), None
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            domain, codomain = transform.domain.event_dim, transform.codomain.event_dim
            events += domain - codomain
            step = summed(transform.log_abs_det_jacobian(x, y), events - domain)
            change = step if change is None else change + step
            y = x
        found = summed(self.base_dist.log_prob(y), events - len(self.base_dist.event_shape))
        return found if change is None else found - change

    def cdf(self, value: TensorLike) -> Tensor:
        sign = self._sign()
        found = self.base_dist.cdf(self._backward(self._value(value)))
        return found if sign is None else (found - 0.5) * sign + 0.5

    def icdf(self, value: TensorLike) -> Tensor:
        sign = self._sign()
        p = as_tensor(value)
        return self._forward(self.base_dist.icdf(p if sign is None else (p - 0.5) * sign + 0.5))

    def _sign(self) -> Any:
        """Return whether y grows with x, or falls; None where it always grows."""
        found = ComposeTransform(self.transforms).sign
        return None if isinstance(found, int) and found == 1 else found


class LogisticNormal(TransformedDistribution):
    """Probabilities that stick breaking makes of normal numbers, one class more than of these.

    Args:
        loc: the means, shape (..., classes - 1).
        scale: the standard deviations, above 0.
        validate_args: whether parameters and values are checked.
    """

    def __init__(
        self, loc: TensorLike, scale: TensorLike, validate_args: bool | None = None
    ) -> None:
        normal = Normal(loc, scale, validate_args=validate_args)
        if not normal.batch_shape:
            raise ValueError("LogisticNormal: expected loc of shape (..., classes - 1), got ().")
        super().__init__(normal, StickBreakingTransform(), validate_args)
