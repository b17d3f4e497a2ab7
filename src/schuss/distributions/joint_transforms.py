"""Transforms of vectors and matrices as wholes, and of parts along an axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss.core import Tensor, leaf
from schuss.counts import Size
from schuss.distributions import constraints
from schuss.distributions.constraints import Constraint
from schuss.distributions.elementwise_transforms import clipped_sigmoid
from schuss.distributions.transform import Transform, summed
from schuss.functions import (
    clip,
    concat,
    cumulative_prod,
    cumulative_sum,
    diagonal,
    exp,
    log,
    matmul,
    matrix_transpose,
    ones_like,
    softmax,
    stack,
    sum,
    tril,
    where,
)
from schuss.functions.activations import logsigmoid
from schuss.functions.matrices import cholesky

__all__ = ["CatTransform", "LowerCholeskyTransform", "PositiveDefiniteTransform"]
__all__ += ["SoftmaxTransform", "StackTransform", "StickBreakingTransform"]


class SoftmaxTransform(Transform):
    """y = softmax(x), whose inverse is taken to be log(y)."""

    domain, codomain = constraints.real_vector, constraints.simplex

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SoftmaxTransform)

    __hash__ = Transform.__hash__

    def _call(self, x: Tensor) -> Tensor:
        return softmax(x, axis=-1)

    def _inverse(self, y: Tensor) -> Tensor:
        return log(y)


class StickBreakingTransform(Transform):
    """Probabilities of one class more than there are numbers: each takes a share of the rest."""

    domain, codomain = constraints.real_vector, constraints.simplex
    bijective = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StickBreakingTransform)

    __hash__ = Transform.__hash__

    def _call(self, x: Tensor) -> Tensor:
        share = clipped_sigmoid(x - _left(x))
        rest = cumulative_prod(1 - share, axis=-1)
        one = ones_like(share[..., :1])
        return concat([share, one], axis=-1) * concat([one, rest], axis=-1)

    def _inverse(self, y: Tensor) -> Tensor:
        taken = y[..., :-1]
        rest = clip(1 - cumulative_sum(taken, axis=-1), float(np.finfo(y.array.dtype).tiny))
        return log(taken) - log(rest) + _left(taken)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        x = x - _left(x)
        return sum(logsigmoid(x) - x + log(y[..., :-1]), axis=-1)

    def forward_shape(self, shape: Sequence[int]) -> Size:
        return Size((*shape[:-1], shape[-1] + 1))

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        return Size((*shape[:-1], shape[-1] - 1))


def _left(x: Tensor) -> Tensor:
    """Return the logarithm of how many classes are left, for each number: so 0 is all alike."""
    n = x.shape[-1]
    return leaf(np.log(np.arange(n, 0, -1)).astype(x.array.dtype))


def _on_diagonal(x: Tensor) -> Tensor:
    """Return the square matrices with these diagonals."""
    return where(np.eye(x.shape[-1], dtype=bool), x[..., None], 0)


class LowerCholeskyTransform(Transform):
    """The lower triangle of a matrix, with exp of its diagonal."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LowerCholeskyTransform)

    __hash__ = Transform.__hash__

    def _call(self, x: Tensor) -> Tensor:
        return tril(x, k=-1) + _on_diagonal(exp(diagonal(x)))

    def _inverse(self, y: Tensor) -> Tensor:
        return tril(y, k=-1) + _on_diagonal(log(diagonal(y)))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return sum(diagonal(x), axis=-1)


class PositiveDefiniteTransform(Transform):
    """L @ L.T, of the L that `LowerCholeskyTransform` makes."""

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PositiveDefiniteTransform)

    __hash__ = Transform.__hash__

    def _call(self, x: Tensor) -> Tensor:
        lower = LowerCholeskyTransform()(x)
        return matmul(lower, matrix_transpose(lower))

    def _inverse(self, y: Tensor) -> Tensor:
        return LowerCholeskyTransform().inv(cholesky(y))


class _Parts(Transform):
    """Transforms of parts along an axis."""

    transforms: list[Transform]
    dim: int

    def _split(self, x: Tensor) -> list[Tensor]:
        raise NotImplementedError

    def _joined(self, parts: list[Tensor]) -> Tensor:
        raise NotImplementedError

    @property
    def bijective(self) -> bool:  # type: ignore[override]  # of all
        return all(t.bijective for t in self.transforms)

    def _call(self, x: Tensor) -> Tensor:
        parts = zip(self.transforms, self._split(x), strict=True)
        return self._joined([t(part) for t, part in parts])

    def _inverse(self, y: Tensor) -> Tensor:
        parts = zip(self.transforms, self._split(y), strict=True)
        return self._joined([t.inverse_of(part) for t, part in parts])


class CatTransform(_Parts):
    """Transforms of parts of some lengths along an axis.

    Args:
        tseq: one for each part.
        dim: the axis.
        lengths: of the parts, 1 each by default.
        cache_size: as of `Transform`.
    """

    def __init__(
        self,
        tseq: Sequence[Transform],
        dim: int = 0,
        lengths: Sequence[int] | None = None,
        cache_size: int = 0,
    ) -> None:
        super().__init__(cache_size)
        self.transforms = [t.with_cache(cache_size) if cache_size else t for t in tseq]
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        self.dim = dim

    @property
    def domain(self) -> Constraint:  # type: ignore[override]  # of the parts
        return constraints.cat([t.domain for t in self.transforms], self.dim, self.lengths)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.cat([t.codomain for t in self.transforms], self.dim, self.lengths)

    def _split(self, x: Tensor) -> list[Tensor]:
        axis, ends = self.dim % x.ndim, np.cumsum(self.lengths)
        before = (slice(None),) * axis
        pairs = zip(ends - self.lengths, ends, strict=True)
        return [x[(*before, slice(int(a), int(b)))] for a, b in pairs]

    def _joined(self, parts: list[Tensor]) -> Tensor:
        return concat(parts, axis=self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        event = self.domain.event_dim
        found = []
        for t, a, b in zip(self.transforms, self._split(x), self._split(y), strict=True):
            found.append(summed(t.log_abs_det_jacobian(a, b), event - t.domain.event_dim))
        axis = self.dim if self.dim < 0 else self.dim - x.ndim
        axis += event
        return concat(found, axis=axis) if axis < 0 else _total(found)


class StackTransform(_Parts):
    """Transforms of the slices along an axis.

    Args:
        tseq: one for each slice.
        dim: the axis.
        cache_size: as of `Transform`.
    """

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms = [t.with_cache(cache_size) if cache_size else t for t in tseq]
        self.dim = dim

    @property
    def domain(self) -> Constraint:  # type: ignore[override]  # of the slices
        return constraints.stack([t.domain for t in self.transforms], self.dim)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.stack([t.codomain for t in self.transforms], self.dim)

    def _split(self, x: Tensor) -> list[Tensor]:
        axis = self.dim % x.ndim
        before = (slice(None),) * axis
        return [x[(*before, i)] for i in range(x.shape[axis])]

    def _joined(self, parts: list[Tensor]) -> Tensor:
        return stack(parts, axis=self.dim)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        parts = zip(self.transforms, self._split(x), self._split(y), strict=True)
        return stack([t.log_abs_det_jacobian(a, b) for t, a, b in parts], axis=self.dim)


def _total(parts: list[Tensor]) -> Tensor:
    found: Any = 0
    for part in parts:
        found = found + part
    return found  # type: ignore[no-any-return]  # a sum of tensors
