"""Transforms: functions of draws that know how they stretch space."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any, Self

from schuss.core import Tensor
from schuss.counts import Size
from schuss.distributions import constraints
from schuss.distributions.constraints import Constraint
from schuss.functions import reshape, sum, zeros_like

__all__ = ["ComposeTransform", "IndependentTransform", "ReshapeTransform", "Transform"]
__all__ += ["identity_transform", "summed"]


def summed(x: Tensor, axes: int) -> Tensor:
    """Return the sum over so many of the last axes."""
    return sum(x, axis=tuple(range(-axes, 0))) if axes else x


class Transform:
    """A function y = t(x) with a derivative, mostly invertible.

    Kinds of it define `_call`, `_inverse` and `log_abs_det_jacobian`.

    Args:
        cache_size: 1 to keep the last pair of x and y, so that the inverse of y is x itself.

    Attributes:
        domain: what x may be.
        codomain: what y is.
        bijective: whether each y comes from one x.
        sign: of the derivative, where it is the same everywhere.
    """

    bijective: bool = False
    domain: Constraint
    codomain: Constraint

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError(
                f"{type(self).__name__}: expected cache_size 0 or 1, got {cache_size}."
            )
        self._cache_size = cache_size
        self._inv: weakref.ref[Transform] | None = None
        self._cached_x_y: tuple[Tensor | None, Tensor | None] = None, None

    @property
    def event_dim(self) -> int:
        """How many of the last axes belong together, if as many before as after."""
        if self.domain.event_dim != self.codomain.event_dim:
            raise ValueError(f"{type(self).__name__}: use domain.event_dim or codomain.event_dim.")
        return self.domain.event_dim

    @property
    def inv(self) -> Transform:
        """The inverse."""
        found = None if self._inv is None else self._inv()
        if found is None:
            found = _Inverse(self)
            self._inv = weakref.ref(found)
        return found

    @property
    def sign(self) -> Any:
        """1 where y grows with x, -1 where it falls."""
        raise NotImplementedError(f"{type(self).__name__}: there is no sign.")

    def with_cache(self, cache_size: int = 1) -> Self:
        """Return the same transform with another cache."""
        if cache_size == self._cache_size:
            return self
        if type(self).__init__ is Transform.__init__:
            return type(self)(cache_size=cache_size)
        raise NotImplementedError(f"{type(self).__name__}: there is no with_cache.")

    def __call__(self, x: Tensor) -> Tensor:
        """Return y."""
        if not self._cache_size:
            return self._call(x)
        before, kept = self._cached_x_y
        if x is before and kept is not None:
            return kept
        y = self._call(x)
        self._cached_x_y = x, y
        return y

    def inverse_of(self, y: Tensor) -> Tensor:
        """Return the x that belongs to y."""
        if not self._cache_size:
            return self._inverse(y)
        kept, before = self._cached_x_y
        if y is before and kept is not None:
            return kept
        x = self._inverse(y)
        self._cached_x_y = x, y
        return x

    def _call(self, x: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}: there is no _call.")

    def _inverse(self, y: Tensor) -> Tensor:
        raise NotImplementedError(f"{type(self).__name__}: there is no _inverse.")

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        """Return log |dy / dx|, of x's shape without the axes of an event."""
        raise NotImplementedError(f"{type(self).__name__}: there is no log_abs_det_jacobian.")

    def forward_shape(self, shape: Sequence[int]) -> Size:
        """Return y's shape for an x of a shape."""
        return Size(shape)

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        """Return x's shape for a y of a shape."""
        return Size(shape)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Inverse(Transform):
    """The inverse of a transform."""

    def __init__(self, transform: Transform) -> None:
        super().__init__(transform._cache_size)
        self._transform = transform

    @property
    def domain(self) -> Constraint:  # type: ignore[override]  # the other's
        return self._transform.codomain

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return self._transform.domain

    @property
    def bijective(self) -> bool:  # type: ignore[override]
        return self._transform.bijective

    @property
    def sign(self) -> Any:
        return self._transform.sign

    @property
    def inv(self) -> Transform:
        return self._transform

    def with_cache(self, cache_size: int = 1) -> Any:
        return self._transform.with_cache(cache_size).inv

    def __call__(self, x: Tensor) -> Tensor:
        return self._transform.inverse_of(x)

    def inverse_of(self, y: Tensor) -> Tensor:
        return self._transform(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return -self._transform.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Sequence[int]) -> Size:
        return self._transform.inverse_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        return self._transform.forward_shape(shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Inverse) and self._transform == other._transform

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"{self._transform!r}.inv"


class ComposeTransform(Transform):
    """Transforms one after another.

    Args:
        parts: the transforms; the first is applied first.
        cache_size: as of each of them.
    """

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [p.with_cache(cache_size) if cache_size else p for p in parts]

    @property
    def _events(self) -> list[int]:
        """How many axes belong together before, between and after the parts."""
        needed = 0
        for part in reversed(self.parts):
            needed = max(part.codomain.event_dim, needed)
            needed += part.domain.event_dim - part.codomain.event_dim
            needed = max(part.domain.event_dim, needed)
        events = [needed]
        for part in self.parts:
            events.append(events[-1] + part.codomain.event_dim - part.domain.event_dim)
        return events

    @property
    def domain(self) -> Constraint:  # type: ignore[override]  # of the first
        if not self.parts:
            return constraints.real
        return _widened(self.parts[0].domain, self._events[0])

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]  # of the last
        if not self.parts:
            return constraints.real
        return _widened(self.parts[-1].codomain, self._events[-1])

    @property
    def bijective(self) -> bool:  # type: ignore[override]  # of all
        return all(part.bijective for part in self.parts)

    @property
    def sign(self) -> Any:
        found: Any = 1
        for part in self.parts:
            found = found * part.sign
        return found

    @property
    def inv(self) -> Transform:
        found = None if self._inv is None else self._inv()
        if found is None:
            found = ComposeTransform([part.inv for part in reversed(self.parts)])
            self._inv, found._inv = weakref.ref(found), weakref.ref(self)
        return found

    def with_cache(self, cache_size: int = 1) -> Any:
        if cache_size == self._cache_size:
            return self
        return ComposeTransform(self.parts, cache_size=cache_size)

    def __call__(self, x: Tensor) -> Tensor:
        for part in self.parts:
            x = part(x)
        return x

    def inverse_of(self, y: Tensor) -> Tensor:
        for part in reversed(self.parts):
            y = part.inverse_of(y)
        return y

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        if not self.parts:
            return zeros_like(x)
        between = [x]
        for part in self.parts[:-1]:
            between.append(part(between[-1]))
        between.append(y)
        found: Any = 0
        for i, part in enumerate(self.parts):
            change = part.log_abs_det_jacobian(between[i], between[i + 1])
            found = found + summed(change, self._events[i] - part.domain.event_dim)
        return found  # type: ignore[no-any-return]  # a sum of tensors

    def forward_shape(self, shape: Sequence[int]) -> Size:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return Size(shape)

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return Size(shape)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ComposeTransform) and self.parts == other.parts

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return f"ComposeTransform({self.parts})"


def _widened(constraint: Constraint, event_dim: int) -> Constraint:
    more = event_dim - constraint.event_dim
    return constraints.independent(constraint, more) if more > 0 else constraint


identity_transform = ComposeTransform([])


class IndependentTransform(Transform):
    """A transform more of whose last axes belong together: their changes are added.

    Args:
        base_transform: of the elements.
        reinterpreted_batch_ndims: how many more axes.
        cache_size: as of `Transform`.
    """

    def __init__(
        self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform.with_cache(cache_size)
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @property
    def domain(self) -> Constraint:  # type: ignore[override]  # the base's
        return constraints.independent(self.base_transform.domain, self.reinterpreted_batch_ndims)

    @property
    def codomain(self) -> Constraint:  # type: ignore[override]
        return constraints.independent(self.base_transform.codomain, self.reinterpreted_batch_ndims)

    @property
    def bijective(self) -> bool:  # type: ignore[override]
        return self.base_transform.bijective

    @property
    def sign(self) -> Any:
        return self.base_transform.sign

    def with_cache(self, cache_size: int = 1) -> Any:
        if cache_size == self._cache_size:
            return self
        count = self.reinterpreted_batch_ndims
        return IndependentTransform(self.base_transform, count, cache_size=cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return self.base_transform(x)

    def _inverse(self, y: Tensor) -> Tensor:
        return self.base_transform.inverse_of(y)

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return summed(
            self.base_transform.log_abs_det_jacobian(x, y), self.reinterpreted_batch_ndims
        )

    def forward_shape(self, shape: Sequence[int]) -> Size:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


class ReshapeTransform(Transform):
    """Events of another shape with the same elements.

    Args:
        in_shape: of an event of x.
        out_shape: of an event of y.
        cache_size: as of `Transform`.
    """

    bijective = True

    def __init__(
        self, in_shape: Sequence[int], out_shape: Sequence[int], cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = Size(in_shape), Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError(
                f"ReshapeTransform: expected shapes of as many elements, got {in_shape} and "
                f"{out_shape}."
            )
        self.domain = constraints.independent(constraints.real, len(self.in_shape))
        self.codomain = constraints.independent(constraints.real, len(self.out_shape))

    def with_cache(self, cache_size: int = 1) -> Any:
        if cache_size == self._cache_size:
            return self
        return ReshapeTransform(self.in_shape, self.out_shape, cache_size=cache_size)

    def _call(self, x: Tensor) -> Tensor:
        return reshape(x, self.forward_shape(x.shape))

    def _inverse(self, y: Tensor) -> Tensor:
        return reshape(y, self.inverse_shape(y.shape))

    def log_abs_det_jacobian(self, x: Tensor, y: Tensor) -> Tensor:
        return zeros_like(summed(x, len(self.in_shape)))

    def forward_shape(self, shape: Sequence[int]) -> Size:
        return self._changed(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape: Sequence[int]) -> Size:
        return self._changed(shape, self.out_shape, self.in_shape)

    def _changed(self, shape: Sequence[int], old: Size, new: Size) -> Size:
        kept = len(shape) - len(old)
        if kept < 0 or tuple(shape[kept:]) != tuple(old):
            raise ValueError(f"ReshapeTransform: expected shape (..., {old}), got {tuple(shape)}.")
        return Size((*shape[:kept], *new))
