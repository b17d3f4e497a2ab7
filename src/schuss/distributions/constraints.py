"""What values of parameters and draws may be, by the names of `torch.distributions.constraints`."""

from __future__ import annotations

import builtins
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self

from schuss.core import Tensor, TensorLike
from schuss.functions import abs, all, concat, diagonal, full, matrix_transpose, sum, tril
from schuss.functions import stack as stacked
from schuss.functions.matrices import eigvalsh

__all__ = ["Constraint", "boolean", "cat", "dependent", "dependent_property", "greater_than"]
__all__ += ["greater_than_eq", "half_open_interval", "independent", "integer_interval", "interval"]
__all__ += ["is_dependent", "less_than", "lower_cholesky", "lower_triangular", "multinomial"]
__all__ += ["nonnegative", "nonnegative_integer", "one_hot", "positive", "positive_definite"]
__all__ += ["positive_integer", "positive_semidefinite", "real", "real_vector", "simplex", "square"]
__all__ += ["stack", "symmetric", "unit_interval"]


class Constraint:
    """What a value may be.

    Attributes:
        is_discrete: whether these are separate values.
        event_dim: how many of a value's last axes are checked together.
        words: what errors say.
    """

    is_discrete: bool = False
    event_dim: int = 0
    words: str = "as its constraint has it"
    #: Whether it is told from others of its class by what it is.
    is_single: bool = False
    #: Which attributes may be tensors, and which constraints that hold such.
    _parts: tuple[str, ...] = ()

    def check(self, value: Tensor) -> Tensor:
        """Return booleans of value's shape, but for the last event_dim axes."""
        raise NotImplementedError(f"{type(self).__name__}: there is no check.")

    def tensors(self) -> list[Tensor]:
        """Return the tensors that it depends on."""
        found = [getattr(self, name) for name in self._parts]
        nested = [x.tensors() if isinstance(x, Constraint) else [x] for x in found]
        return [x for part in nested for x in part if isinstance(x, Tensor)]

    def with_tensors(self, tensors: Iterator[Tensor]) -> Self:
        """Return one that depends on other tensors."""
        twin = copy.copy(self)
        for name in self._parts:
            part = getattr(self, name)
            if isinstance(part, Constraint):
                setattr(twin, name, part.with_tensors(tensors))
            elif isinstance(part, Tensor):
                setattr(twin, name, next(tensors))
        return twin

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _Dependent(Constraint):
    """Says that it depends on other parameters; called, with what is known of it.

    Args:
        is_discrete: as of constraints.
        event_dim: as of constraints.
    """

    def __init__(self, *, is_discrete: bool = False, event_dim: int = 0) -> None:
        self.is_discrete, self.event_dim = is_discrete, event_dim

    def __call__(self, *, is_discrete: bool = False, event_dim: int = 0) -> _Dependent:
        return _Dependent(is_discrete=is_discrete, event_dim=event_dim)

    def check(self, value: Tensor) -> Tensor:
        raise ValueError("constraints.dependent: cannot tell by itself; ask an instance's.")


class dependent_property(property, _Dependent):  # noqa: N801  # PyTorch's name
    """A property that is a constraint, and says of the class that it depends on its parameters."""

    def __init__(
        self, fn: Callable[..., Any] | None = None, *, is_discrete: bool = False, event_dim: int = 0
    ) -> None:
        property.__init__(self, fn)
        _Dependent.__init__(self, is_discrete=is_discrete, event_dim=event_dim)

    def __call__(self, fn: Callable[..., Any]) -> dependent_property:  # type: ignore[override]  # a decorator
        return dependent_property(fn, is_discrete=self.is_discrete, event_dim=self.event_dim)


def is_dependent(constraint: Any) -> bool:
    """Return whether a constraint depends on parameters that it does not know."""
    return isinstance(constraint, _Dependent)


class _Simple(Constraint):
    """A condition on each element, or on the last axes."""

    is_single = True

    def __init__(
        self,
        words: str,
        holds: Callable[[Tensor], Tensor],
        event_dim: int = 0,
        discrete: bool = False,
    ) -> None:
        self.words, self._holds = words, holds
        self.event_dim, self.is_discrete = event_dim, discrete

    def check(self, value: Tensor) -> Tensor:
        return self._holds(value)


def _every(holds: Tensor, axes: int) -> Tensor:
    return all(holds, axis=tuple(range(-axes, 0))) if axes else holds


class greater_than(Constraint):  # noqa: N801  # PyTorch's names, here and below
    """Numbers above a bound."""

    _parts = ("lower_bound",)

    def __init__(self, lower_bound: TensorLike) -> None:
        self.lower_bound = lower_bound
        self.words = f"above {_said(lower_bound)}"

    def check(self, value: Tensor) -> Tensor:
        return value > self.lower_bound


class greater_than_eq(Constraint):  # noqa: N801
    """Numbers of at least a bound."""

    _parts = ("lower_bound",)

    def __init__(self, lower_bound: TensorLike) -> None:
        self.lower_bound = lower_bound
        self.words = f"of at least {_said(lower_bound)}"

    def check(self, value: Tensor) -> Tensor:
        return value >= self.lower_bound


class less_than(Constraint):  # noqa: N801
    """Numbers below a bound."""

    _parts = ("upper_bound",)

    def __init__(self, upper_bound: TensorLike) -> None:
        self.upper_bound = upper_bound
        self.words = f"below {_said(upper_bound)}"

    def check(self, value: Tensor) -> Tensor:
        return value < self.upper_bound


class interval(Constraint):  # noqa: N801
    """Numbers from one bound to another, both included."""

    _parts = ("lower_bound", "upper_bound")

    def __init__(self, lower_bound: TensorLike, upper_bound: TensorLike) -> None:
        self.lower_bound, self.upper_bound = lower_bound, upper_bound
        self.words = f"from {_said(lower_bound, 'low')} to {_said(upper_bound, 'high')}"

    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value <= self.upper_bound)


class half_open_interval(interval):  # noqa: N801
    """Numbers from one bound to another, which is left out."""

    def check(self, value: Tensor) -> Tensor:
        return (value >= self.lower_bound) & (value < self.upper_bound)


class integer_interval(interval):  # noqa: N801
    """Whole numbers from one bound to another, both included."""

    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & super().check(value)


class _WholeFrom(greater_than_eq):
    """Whole numbers of at least a bound."""

    is_discrete = True

    def check(self, value: Tensor) -> Tensor:
        return (value % 1 == 0) & super().check(value)


class multinomial(Constraint):  # noqa: N801
    """Counts along the last axis that add up to at most a bound."""

    is_discrete, event_dim = True, 1
    _parts = ("upper_bound",)

    def __init__(self, upper_bound: TensorLike) -> None:
        self.upper_bound = upper_bound
        self.words = f"counts, of together at most {_said(upper_bound)},"

    def check(self, value: Tensor) -> Tensor:
        return all(value >= 0, axis=-1) & (sum(value, axis=-1) <= self.upper_bound)


class independent(Constraint):  # noqa: N801
    """A constraint on each element that is checked along more axes together.

    Args:
        base_constraint: on the elements.
        reinterpreted_batch_ndims: how many more of the last axes.
    """

    _parts = ("base_constraint",)

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.words = base_constraint.words
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value: Tensor) -> Tensor:
        return _every(self.base_constraint.check(value), self.reinterpreted_batch_ndims)


class _Joined(Constraint):
    """Constraints on parts along an axis."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0) -> None:
        self.cseq, self.dim = list(cseq), dim
        self.words = ", ".join(c.words for c in self.cseq)
        self.is_discrete = builtins.any(c.is_discrete for c in self.cseq)
        self.event_dim = max(c.event_dim for c in self.cseq)

    def tensors(self) -> list[Tensor]:
        return [x for c in self.cseq for x in c.tensors()]

    def with_tensors(self, tensors: Iterator[Tensor]) -> Self:
        twin = copy.copy(self)
        twin.cseq = [c.with_tensors(tensors) for c in self.cseq]
        return twin


class cat(_Joined):  # noqa: N801
    """Constraints on parts of some lengths along an axis.

    Args:
        cseq: one for each part.
        dim: the axis.
        lengths: of the parts, 1 each by default.
    """

    def __init__(
        self, cseq: Sequence[Constraint], dim: int = 0, lengths: Sequence[int] | None = None
    ) -> None:
        super().__init__(cseq, dim)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)

    def check(self, value: Tensor) -> Tensor:
        axis, start, found = self.dim % value.ndim, 0, []
        for constraint, length in zip(self.cseq, self.lengths, strict=True):
            part = value[(*[slice(None)] * axis, slice(start, start + length))]
            found.append(constraint.check(part))
            start += length
        return concat(found, axis=self.dim)


class stack(_Joined):  # noqa: N801
    """Constraints on the slices along an axis."""

    def check(self, value: Tensor) -> Tensor:
        axis = self.dim % value.ndim
        slices = [value[(*[slice(None)] * axis, i)] for i in range(value.shape[axis])]
        found = [c.check(x) for c, x in zip(self.cseq, slices, strict=True)]
        return stacked(found, axis=self.dim)


def _said(bound: Any, name: str = "its bound") -> str:
    return name if isinstance(bound, Tensor) else f"{bound:g}"


def _is_simplex(x: Tensor) -> Tensor:
    return all(x >= 0, axis=-1) & (abs(sum(x, axis=-1) - 1) < 1e-6)


def _are_weights(x: Tensor) -> Tensor:
    return all(x >= 0, axis=-1) & (sum(x, axis=-1) > 0)


def _is_one_hot(x: Tensor) -> Tensor:
    return all((x == 0) | (x == 1), axis=-1) & (sum(x, axis=-1) == 1)


def _is_lower(x: Tensor) -> Tensor:
    return _every(tril(x) == x, 2)


def _is_lower_cholesky(x: Tensor) -> Tensor:
    return _is_lower(x) & all(diagonal(x) > 0, axis=-1)


def _is_square(x: Tensor) -> Tensor:
    return full(x.shape[:-2], x.shape[-1] == x.shape[-2])


def _is_symmetric(x: Tensor) -> Tensor:
    if x.shape[-1] != x.shape[-2]:
        return _is_square(x)
    turned = matrix_transpose(x)
    return _every(abs(x - turned) <= 1e-6 + 1e-5 * abs(turned), 2)


def _is_positive_definite(x: Tensor) -> Tensor:
    found = _is_symmetric(x)
    return found & all(eigvalsh(x) > 0, axis=-1) if x.shape[-1] == x.shape[-2] else found


def _is_positive_semidefinite(x: Tensor) -> Tensor:
    found = _is_symmetric(x)
    return found & all(eigvalsh(x) >= 0, axis=-1) if x.shape[-1] == x.shape[-2] else found


dependent = _Dependent()
real = _Simple("a number", lambda x: x == x)
boolean = _Simple("0 or 1", lambda x: (x == 0) | (x == 1), discrete=True)
one_hot = _Simple("one 1 among zeros", _is_one_hot, 1, discrete=True)
positive, nonnegative = greater_than(0.0), greater_than_eq(0.0)
nonnegative_integer, positive_integer = _WholeFrom(0), _WholeFrom(1)
unit_interval = interval(0.0, 1.0)
real_vector = independent(real, 1)
#: What can be divided by its sum: what `Categorical` takes as probabilities.
weights = _Simple("of at least 0, not all of them 0,", _are_weights, 1)
simplex = _Simple("of at least 0, of sum 1,", _is_simplex, 1)
square = _Simple("a square matrix", _is_square, 2)
symmetric = _Simple("a symmetric matrix", _is_symmetric, 2)
lower_triangular = _Simple("a lower triangle", _is_lower, 2)
lower_cholesky = _Simple("a lower triangle with a diagonal above 0", _is_lower_cholesky, 2)
positive_definite = _Simple("a positive-definite matrix", _is_positive_definite, 2)
positive_semidefinite = _Simple("a positive-semidefinite matrix", _is_positive_semidefinite, 2)
