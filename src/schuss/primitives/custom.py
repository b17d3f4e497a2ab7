"""Custom operations: nodes whose derivative a user has written, for all inputs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from schuss.core import RECORDING, TRACER, Tensor, new_object, next_stamp

__all__ = ["Custom", "custom"]


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
    made = new_object(Tensor)
    made.array = result.array if tracer is None else tracer.contents(result)
    made.grad = None
    wanted = any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
    made.requires_grad = wanted and RECORDING.get() and result.dtype.kind == "f"
    made.node = (Custom(name, derivative), tuple(inputs), {}) if made.requires_grad else None
    made.stamp = next_stamp() if made.requires_grad else 0
    return made
