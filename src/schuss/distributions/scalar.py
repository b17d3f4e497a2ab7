"""Distributions whose parameters have one value for each of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

from schuss import random
from schuss.core import Tensor, TensorLike
from schuss.distributions.distribution import Distribution, broadcast_parameters
from schuss.functions import broadcast_to

__all__ = ["Scalar"]

D = TypeVar("D", bound="Scalar")


class Scalar(Distribution):
    """A distribution whose parameters have one value for each of a batch."""

    has_rsample = True
    _parameters: ClassVar[tuple[str, ...]]

    def __init__(self, *parameters: TensorLike, validate_args: bool | None = None) -> None:
        found = broadcast_parameters(*parameters)
        for name, value in zip(self._parameters, found, strict=True):
            setattr(self, name, value)
        super().__init__(found[0].shape, (), validate_args)

    def expand(self: D, batch_shape: Sequence[int]) -> D:
        parameters = [
            broadcast_to(getattr(self, name), tuple(batch_shape)) for name in self._parameters
        ]
        return type(self)(*parameters, validate_args=False)

    def _uniform(self, sample_shape: Sequence[int], like: Tensor) -> Tensor:
        return random.rand(self._extended_shape(sample_shape), dtype=like.array.dtype)
