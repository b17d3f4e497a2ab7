"""Changes in place, by PyTorch's names, for parameters and other leaves; never recorded.

`p -= rate * p.grad` changes the parameter itself inside `no_grad`, as a hand-written step of
descent needs it. Where operations are recorded, `y += x` gives the name `y` to a new tensor, which
takes part in differentiation like `y + x`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import RECORDING, TRACER, Number, Tensor, TensorLike, to_array
from schuss.functions.elementwise import clip
from schuss.primitives.elementwise import add, divide, multiply, pow, subtract
from schuss.primitives.reduction import broadcast_to

__all__ = ["add_", "clamp_", "copy_", "div_", "mul_", "pow_", "sub_"]


def _replaced(owner: str, x: Tensor, result: Tensor) -> Tensor:
    """Give `x` the contents of `result`.

    Raises:
        ValueError: where one of them takes part in differentiation, or the shape would change.
        TypeError: where the dtype of `x` cannot hold the result.
    """
    if x.node is not None or (RECORDING.get() and (x.requires_grad or result.requires_grad)):
        raise ValueError(
            f"{owner}: this tensor takes part in differentiation and cannot be changed in place; "
            "build a new one, or change a parameter inside no_grad()."
        )
    if result.shape != x.shape:
        raise ValueError(
            f"{owner}: expected a result of shape {x.shape}, got {result.shape}; build a new one."
        )
    if "bif".index(result.dtype.kind) > "bif".index(x.dtype.kind):
        raise TypeError(
            f"{owner}: expected a result that {x.dtype} holds, got {result.dtype}; cast it first."
        )
    return x.assign(result.detach())


def copy_(x: Tensor, value: TensorLike) -> Tensor:
    """Replace the contents by those of `value`, broadcast to x's shape."""
    if isinstance(value, Tensor) and TRACER.get() is not None:
        return x.assign(broadcast_to(value.detach(), x.shape))
    return x.assign(np.broadcast_to(to_array(value), x.shape).copy())


def add_(x: Tensor, other: TensorLike, *, alpha: Number = 1) -> Tensor:
    """Add `alpha * other` in place.

    >>> from schuss.core import tensor
    >>> x = tensor([1.0, 2.0])
    >>> add_(x, 1.0, alpha=0.5) is x, x.tolist()
    (True, [1.5, 2.5])
    """
    return _replaced("add_", x, add(x, other if alpha == 1 else multiply(other, alpha)))


def sub_(x: Tensor, other: TensorLike, *, alpha: Number = 1) -> Tensor:
    """Subtract `alpha * other` in place."""
    return _replaced("sub_", x, subtract(x, other if alpha == 1 else multiply(other, alpha)))


def mul_(x: Tensor, other: TensorLike) -> Tensor:
    """Multiply in place."""
    return _replaced("mul_", x, multiply(x, other))


def div_(x: Tensor, other: TensorLike) -> Tensor:
    """Divide in place."""
    return _replaced("div_", x, divide(x, other))


def pow_(x: Tensor, exponent: TensorLike) -> Tensor:
    """Raise to a power in place."""
    return _replaced("pow_", x, pow(x, exponent))


def clamp_(x: Tensor, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """Limit to the range from `min` to `max` in place."""
    return _replaced("clamp_", x, clip(x, min, max))


def _augmented(sign: str, function: Any) -> Any:
    """Return what `x += y` and the like do."""

    def method(self: Tensor, other: TensorLike) -> Tensor:
        result: Tensor = function(self, other)
        if RECORDING.get() or self.node is not None:
            return result
        return _replaced(sign, self, result)

    return method


AUGMENTED: dict[str, Any] = {
    "__iadd__": _augmented("+=", add),
    "__isub__": _augmented("-=", subtract),
    "__imul__": _augmented("*=", multiply),
    "__itruediv__": _augmented("/=", divide),
    "__ipow__": _augmented("**=", pow),
}
