"""Value checks: what functions ask of values, which a trace has none of.

Evaluated at once, a check raises its error on the spot. In a trace it is recorded: the compiled
program looks at every call, and raises the same error before it has changed anything.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from schuss.core import TRACER, Array, Tensor, no_grad
from schuss.primitives.logic import bitwise_invert, bitwise_or, greater_equal, less

__all__ = ["Condition", "InBounds", "ValueCheck", "outside", "require"]


class ValueCheck(ABC):
    """What is asked of values; a frozen dataclass, whose fields decide what it asks and says."""

    @abstractmethod
    def require(self, *arrays: Array) -> None:
        """Raise where the values are refused."""

    @abstractmethod
    def refused(self, *tensors: Tensor) -> Tensor:
        """Return booleans, true where `require` would raise."""


def require(check: ValueCheck, *tensors: Tensor) -> None:
    """Raise the check's error where the tensors' values are refused, or have the program do so."""
    tracer = TRACER.get()
    if tracer is None:
        check.require(*[x.array for x in tensors])
        return
    with no_grad():
        tracer.check(check, tensors)


def outside(x: Tensor, low: int, high: int) -> Tensor:
    """Return where integers are below `low`, or not below `high`."""
    return bitwise_or(less(x, low), greater_equal(x, high))


@dataclass(frozen=True)
class Condition(ValueCheck):
    """A condition has to hold everywhere.

    Args:
        error: what is raised else, of the class.
        message: of the error, which tells conditions apart.
        holds: takes arrays as well as tensors, and returns booleans.
    """

    error: type[Exception]
    message: str
    holds: Callable[..., Any] = field(repr=False, compare=False)

    def require(self, *arrays: Array) -> None:
        """Raise the error where the condition does not hold."""
        if not self.holds(*arrays).all():
            raise self.error(self.message)

    def refused(self, *tensors: Tensor) -> Tensor:
        """Return where it does not hold."""
        return bitwise_invert(self.holds(*tensors))


@dataclass(frozen=True)
class InBounds(ValueCheck):
    """Indices have to name what is there; negative ones count from the end.

    Args:
        owner: whom the error names.
        shape: of what is indexed.
        axis: that the indices pick from.
    """

    owner: str
    shape: tuple[int, ...]
    axis: int

    def require(self, *arrays: Array) -> None:
        """Raise IndexError, in NumPy's words."""
        (indices,) = arrays
        n = self.shape[self.axis]
        wrong = (indices < -n) | (indices >= n)
        if wrong.any():
            raise IndexError(
                f"{self.owner}: index {indices[wrong][0]} is out of bounds for axis {self.axis} "
                f"with size {n} (shape {self.shape})."
            )

    def refused(self, *tensors: Tensor) -> Tensor:
        """Return where an index names nothing."""
        (indices,) = tensors
        n = self.shape[self.axis]
        return outside(indices, -n, n)
