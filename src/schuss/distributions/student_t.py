"""Student's t distribution."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from schuss import random
from schuss.core import Tensor, TensorLike
from schuss.distributions.constraints import Constraint, positive, real
from schuss.distributions.distribution import Distribution, broadcast_parameters
from schuss.distributions.gamma import Chi2
from schuss.functions import broadcast_to, log, log1p, sqrt, where
from schuss.functions.special import digamma, lgamma

__all__ = ["StudentT"]


class StudentT(Distribution):
    """Student's t distribution: of a normal number over the root of a mean of squares of others.

    Args:
        df: how many squares, above 0.
        loc: the middle.
        scale: what is multiplied by, above 0.
    """

    arg_constraints: ClassVar[Mapping[str, Constraint]] = {
        "df": positive,
        "loc": real,
        "scale": positive,
    }
    has_rsample = True

    def __init__(
        self,
        df: TensorLike,
        loc: TensorLike = 0.0,
        scale: TensorLike = 1.0,
        validate_args: bool | None = None,
    ) -> None:
        self.df, self.loc, self.scale = broadcast_parameters(df, loc, scale)
        super().__init__(self.df.shape, (), validate_args)
        self._chi2 = Chi2(self.df, validate_args=False)

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        normal = random.randn(self._extended_shape(sample_shape), dtype=self.loc.array.dtype)
        squares = self._chi2.rsample(sample_shape)
        return self.loc + self.scale * normal / sqrt(squares / self.df)

    def log_prob(self, value: TensorLike) -> Tensor:
        z = (self._value(value) - self.loc) / self.scale
        n = self.df
        constant = log(self.scale) + 0.5 * log(n * math.pi) + lgamma(n / 2) - lgamma((n + 1) / 2)
        return -0.5 * (n + 1) * log1p(z * z / n) - constant

    def entropy(self) -> Tensor:
        n = self.df
        beta = lgamma(n / 2) + lgamma(n * 0 + 0.5) - lgamma((n + 1) / 2)
        change = 0.5 * (n + 1) * (digamma((n + 1) / 2) - digamma(n / 2))
        return log(self.scale) + change + 0.5 * log(n) + beta

    def expand(self, batch_shape: Sequence[int]) -> StudentT:
        shape = tuple(batch_shape)
        df, loc, scale = (broadcast_to(p, shape) for p in (self.df, self.loc, self.scale))
        return StudentT(df, loc, scale, validate_args=False)

    @property
    def mean(self) -> Tensor:
        return where(self.df <= 1, math.nan, self.loc)

    @property
    def mode(self) -> Tensor:
        return self.loc

    @property
    def variance(self) -> Tensor:
        n = self.df
        finite = self.scale * self.scale * n / where(n > 2, n - 2, 1.0)
        return where(n > 2, finite, where(n > 1, math.inf, math.nan))
