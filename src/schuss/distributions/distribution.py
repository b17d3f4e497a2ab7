"""What all distributions have, and `Independent`, which makes axes of a batch part of an event."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, TypeVar

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.core import Array, Tensor, TensorLike, leaf, no_grad
from schuss.counts import Size
from schuss.distributions.constraints import Constraint, independent, is_dependent, real
from schuss.dtypes import DEFAULTS
from schuss.functions import broadcast_to, exp, logical_not, sqrt, sum
from schuss.functions.reductions import as_float
from schuss.primitives.base import as_tensor, astype, result_dtype
from schuss.primitives.checks import ValueCheck, require

__all__ = ["Distribution", "Independent", "Shape", "broadcast_parameters", "one_of_two"]

Shape = tuple[int, ...]
D = TypeVar("D", bound="Distribution")


@dataclass(frozen=True)
class _Constrained(ValueCheck):
    """Values have to be as a constraint says, which may depend on the tensors after them."""

    owner: str
    what: str
    words: str
    constraint: Constraint = field(repr=False, compare=False)

    def require(self, *arrays: Array) -> None:
        """Raise ValueError where they are not."""
        if not self._holds(*map(leaf, arrays)).array.all():
            raise ValueError(
                f"{self.owner}: expected {self.what} {self.words} everywhere, got "
                f"{leaf(arrays[0])}."
            )

    def refused(self, *tensors: Tensor) -> Tensor:
        """Return where they are not."""
        return logical_not(self._holds(*tensors))

    def _holds(self, value: Tensor, *others: Tensor) -> Tensor:
        constraint = self.constraint.with_tensors(iter(others)) if others else self.constraint
        return as_tensor(constraint.check(value))


class Distribution:
    """A distribution, or a batch of them.

    Attributes:
        has_rsample: whether `rsample` draws in a way that gradients pass through.
    """

    has_rsample: ClassVar[bool] = False
    #: Of each parameter, what its values may be.
    arg_constraints: ClassVar[Mapping[str, Constraint]] = MappingProxyType({})
    #: What draws may be.
    support: Any = real
    _validate_args = True

    def __init__(
        self, batch_shape: Shape = (), event_shape: Shape = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            for name, constraint in self.arg_constraints.items():
                if name in self.__dict__ and not is_dependent(constraint):
                    self._expect(f"parameter {name}", self.__dict__[name], constraint)

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Set whether parameters and values are checked where nothing else is said."""
        Distribution._validate_args = value

    @property
    def batch_shape(self) -> Size:
        """Shape of the parameters, broadcast."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """Shape of one draw from one of the distributions."""
        return self._event_shape

    def _expect(self, what: str, value: Any, constraint: Constraint) -> None:
        """Raise ValueError for values that may not be."""
        if isinstance(value, Tensor):
            check = _Constrained(type(self).__name__, what, constraint.words, constraint)
            require(check, value, *constraint.tensors())

    def _validate_sample(self, value: Tensor) -> None:
        """Raise ValueError for a value that the distribution does not have."""
        self._expect("values", value, self.support)

    def _value(self, value: TensorLike) -> Tensor:
        """Return a value whose probability is asked for, once it is known to have one."""
        found = as_tensor(value)
        if self._validate_args:
            self._validate_sample(found)
        return found

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return draws of shape sample_shape + batch_shape + event_shape, without a gradient."""
        with no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        """Return draws through which gradients pass to the parameters."""
        raise NotImplementedError(
            f"{type(self).__name__}: expected draws without a gradient, as there is no "
            "reparametrisation; use sample() and log_prob()."
        )

    def log_prob(self, value: TensorLike) -> Tensor:
        """Return the logarithm of the density, or of the probability, of `value`."""
        raise NotImplementedError(f"{type(self).__name__}: there is no log_prob.")

    def entropy(self) -> Tensor:
        """Return the entropy in nats, of batch_shape."""
        raise NotImplementedError(f"{type(self).__name__}: there is no entropy in closed form.")

    def cdf(self, value: TensorLike) -> Tensor:
        """Return the probability of at most `value`."""
        raise NotImplementedError(f"{type(self).__name__}: there is no cdf in closed form.")

    def icdf(self, value: TensorLike) -> Tensor:
        """Return the quantile that belongs to a probability."""
        raise NotImplementedError(f"{type(self).__name__}: there is no icdf in closed form.")

    def expand(self: D, batch_shape: Sequence[int]) -> D:
        """Return the distribution with its parameters broadcast to a batch shape."""
        raise NotImplementedError(f"{type(self).__name__}: there is no expand.")

    @property
    def mean(self) -> Tensor:
        """The mean."""
        raise NotImplementedError(f"{type(self).__name__}: there is no mean.")

    @property
    def mode(self) -> Tensor:
        """The likeliest value."""
        raise NotImplementedError(f"{type(self).__name__}: there is no mode.")

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError(f"{type(self).__name__}: there is no variance.")

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return sqrt(self.variance)

    def perplexity(self) -> Tensor:
        """Return exp(entropy)."""
        return exp(self.entropy())

    def _extended_shape(self, sample_shape: Sequence[int] = ()) -> Size:
        """Return the shape of draws."""
        given = (sample_shape,) if isinstance(sample_shape, int) else tuple(sample_shape)
        return Size((*given, *self.batch_shape, *self.event_shape))

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}: {value if value.size == 1 else value.shape}"
            for name in self.arg_constraints
            if isinstance(value := self.__dict__.get(name), Tensor)
        )
        return f"{type(self).__name__}({shown})"


def broadcast_parameters(*parameters: TensorLike) -> list[Tensor]:
    """Return float parameters of one shape and dtype; numbers take the tensors' dtype."""
    plain = [isinstance(p, int | float) for p in parameters]
    tensors = [
        as_tensor(p) if is_plain else as_float(as_tensor(p))
        for p, is_plain in zip(parameters, plain, strict=True)
    ]
    strong = [t.array.dtype for t, is_plain in zip(tensors, plain, strict=True) if not is_plain]
    dtype = result_dtype(*strong) if strong else DEFAULTS.floating
    shape = np.broadcast_shapes(*[t.shape for t in tensors])
    # Numbers get their dtype at once: on the way through another they would lose digits.
    given = [
        leaf(np.array(p, dtype)) if is_plain else astype(t, dtype)
        for p, t, is_plain in zip(parameters, tensors, plain, strict=True)
    ]
    return [broadcast_to(t, shape) for t in given]


def one_of_two(owner: str, **given: Any) -> tuple[str, Any]:
    """Return which of two parameters was given, and its value."""
    there = [(name, value) for name, value in given.items() if value is not None]
    if len(there) != 1:
        raise ValueError(f"{owner}: expected one of {' and '.join(given)}, got {len(there)}.")
    return there[0]


class Independent(Distribution):
    """A batch of distributions as one of more axes, whose values are independent.

    Args:
        base_distribution: has at least as many axes of a batch.
        reinterpreted_batch_ndims: how many of them, from the last, belong to an event.
    """

    def __init__(
        self,
        base_distribution: Distribution,
        reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:
        shape = base_distribution.batch_shape
        if not 0 <= reinterpreted_batch_ndims <= len(shape):
            raise ValueError(
                f"Independent: expected 0 to {len(shape)} axes of the batch shape {shape}, got "
                f"{reinterpreted_batch_ndims}."
            )
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        kept = len(shape) - reinterpreted_batch_ndims
        event = (*shape[kept:], *base_distribution.event_shape)
        super().__init__(shape[:kept], event, validate_args)

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]  # as the base has it
        """Whether the base has it."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> Constraint:
        """What draws may be."""
        found: Constraint = self.base_dist.support
        count = self.reinterpreted_batch_ndims
        return independent(found, count) if count else found

    def _summed(self, x: Tensor) -> Tensor:
        count = self.reinterpreted_batch_ndims
        return sum(x, axis=tuple(range(-count, 0))) if count else x

    def sample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: TensorLike) -> Tensor:
        return self._summed(self.base_dist.log_prob(value))

    def entropy(self) -> Tensor:
        return self._summed(self.base_dist.entropy())

    def expand(self, batch_shape: Sequence[int]) -> Independent:
        count = self.reinterpreted_batch_ndims
        event = self.event_shape[:count]
        return Independent(self.base_dist.expand((*batch_shape, *event)), count)

    @property
    def mean(self) -> Tensor:
        return self.base_dist.mean

    @property
    def mode(self) -> Tensor:
        return self.base_dist.mode

    @property
    def variance(self) -> Tensor:
        return self.base_dist.variance

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"
