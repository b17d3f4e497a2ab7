"""Custom operations: nodes whose derivative a user has written, for all inputs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar, cast

from schuss.core import RECORDING, TRACER, Tensor, new_object, next_stamp
from schuss.dtypes import DEFAULTS
from schuss.modes import no_grad
from schuss.primitives.base import as_tensor, astype

__all__ = ["Custom", "custom", "with_slope"]

Composition = TypeVar("Composition", bound=Callable[..., Tensor])


class Custom:
    """What made a tensor, as the reverse pass sees it.

    Args:
        name: what errors call it.
        derivative: takes the error in the result, and the result, back to the inputs: an error,
            or None, by the position of each.
    """

    differentiable = True

    def __init__(self, name: str, derivative: Callable[[Tensor, Tensor], dict[int, Any]]) -> None:
        self.name = name
        self.derivative = ()
        self.errors = derivative


def custom(
    name: str,
    inputs: Sequence[Any],
    result: Tensor,
    derivative: Callable[[Tensor, Tensor], dict[int, Any]],
) -> Tensor:
    """Return a tensor of result's values that is recorded as made from `inputs`.

    Args:
        name: what errors call the operation.
        inputs: its arguments, tensors and others.
        result: its values, computed without being recorded.
        derivative: see `Custom`.
    """
    tracer = TRACER.get()
    some = any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
    wanted = some and RECORDING.get() and result.array.dtype.kind == "f"
    if tracer is not None and wanted:
        result = tracer.custom(name, inputs, result, derivative)
    made = new_object(Tensor)
    made.array = result.array if tracer is None else tracer.contents(result)
    made.grad = None
    made.requires_grad = wanted
    made.node = (Custom(name, derivative), tuple(inputs), {}) if made.requires_grad else None
    made.stamp = next_stamp() if made.requires_grad else 0
    return made


def with_slope(slope: Callable[..., Tensor]) -> Callable[[Composition], Composition]:
    """Let a composition of one tensor have a derivative that is not that of its parts.

    Args:
        slope: takes the error g in the result y back, `slope(g, y, x, *rest)`; written with tensor
            functions, it is right for all orders.
    """

    def decorated(composition: Composition) -> Composition:
        name = composition.__name__.strip("_")

        @wraps(composition)
        def function(x: Any, *rest: Any) -> Tensor:
            x = as_tensor(x)
            x = x if x.dtype.kind == "f" else astype(x, DEFAULTS.floating)
            with no_grad():
                result = composition(x, *rest)
            return custom(name, (x,), result, lambda g, y: {0: slope(g, y, x, *rest)})

        return cast(Composition, function)

    return decorated
