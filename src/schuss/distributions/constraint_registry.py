"""Which transform takes all real numbers to where a constraint wants them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schuss.distributions import constraints, transforms
from schuss.distributions.constraints import Constraint
from schuss.distributions.transform import Transform

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]

Factory = Callable[[Any], Transform]


class ConstraintRegistry:
    """Transforms to constraints: called with one, the transform whose results it holds for.

    >>> from schuss import tensor
    >>> transform_to(constraints.positive)(tensor(0.0))
    tensor(1.)
    """

    def __init__(self) -> None:
        self._factories: dict[Any, Factory] = {}

    def register(self, constraint: Any, factory: Factory | None = None) -> Any:
        """Let `factory` make the transform to a kind of constraint, given one; or a decorator.

        Args:
            constraint: a class of constraints, or one of a kind.
            factory: takes the constraint; None for a decorator of it.
        """
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        if not isinstance(constraint, Constraint) and not (
            isinstance(constraint, type) and issubclass(constraint, Constraint)
        ):
            raise TypeError(f"register: expected a constraint or its class, got {constraint!r}.")
        self._factories[_kind(constraint)] = factory
        return factory

    def __call__(self, constraint: Constraint) -> Transform:
        factory = self._factories.get(_kind(constraint))
        if factory is None:
            raise NotImplementedError(
                f"expected a constraint with a transform, got {constraint!r}; register one."
            )
        return factory(constraint)


def _kind(constraint: Any) -> Any:
    """Return what constraints that are alike have in common."""
    if isinstance(constraint, type):
        return constraint
    return constraint if constraint.is_single else type(constraint)


biject_to, transform_to = ConstraintRegistry(), ConstraintRegistry()


def _register(constraint: Any, *registries: ConstraintRegistry) -> Callable[[Factory], Factory]:
    def registered(factory: Factory) -> Factory:
        for registry in registries or (biject_to, transform_to):
            registry.register(constraint, factory)
        return factory

    return registered


@_register(constraints.real)
def _to_real(constraint: Constraint) -> Transform:
    return transforms.identity_transform


@_register(constraints.greater_than)
@_register(constraints.greater_than_eq)
def _to_greater_than(constraint: Any) -> Transform:
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.lower_bound, 1)]
    )


@_register(constraints.less_than)
def _to_less_than(constraint: Any) -> Transform:
    return transforms.ComposeTransform(
        [transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)]
    )


@_register(constraints.interval)
@_register(constraints.half_open_interval)
def _to_interval(constraint: Any) -> Transform:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, int | float) and isinstance(high, int | float) and (low, high) == (0, 1):
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform(
        [transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)]
    )


@_register(constraints.simplex, biject_to)
def _bijection_to_simplex(constraint: Constraint) -> Transform:
    return transforms.StickBreakingTransform()


@_register(constraints.simplex, transform_to)
def _to_simplex(constraint: Constraint) -> Transform:
    return transforms.SoftmaxTransform()


@_register(constraints.lower_cholesky)
def _to_lower_cholesky(constraint: Constraint) -> Transform:
    return transforms.LowerCholeskyTransform()


@_register(constraints.positive_definite)
@_register(constraints.positive_semidefinite)
def _to_positive_definite(constraint: Constraint) -> Transform:
    return transforms.PositiveDefiniteTransform()


def _of_parts(registry: ConstraintRegistry) -> None:
    """Register the constraints that are made of others."""

    @_register(constraints.independent, registry)
    def independent(constraint: Any) -> Transform:
        base = registry(constraint.base_constraint)
        return transforms.IndependentTransform(base, constraint.reinterpreted_batch_ndims)

    @_register(constraints.cat, registry)
    def cat(constraint: Any) -> Transform:
        parts = [registry(c) for c in constraint.cseq]
        return transforms.CatTransform(parts, constraint.dim, constraint.lengths)

    @_register(constraints.stack, registry)
    def stack(constraint: Any) -> Transform:
        return transforms.StackTransform([registry(c) for c in constraint.cseq], constraint.dim)


_of_parts(biject_to)
_of_parts(transform_to)
