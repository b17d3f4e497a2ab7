"""Parameter: a tensor that a module owns and that training changes."""

from __future__ import annotations

from schuss.core import Tensor, TensorLike

__all__ = ["Parameter"]


class Parameter(Tensor):
    """A tensor that a module owns and that training changes.

    Args:
        data: what `schuss.tensor` takes; it is copied.
        requires_grad: False for a parameter that stays as it is.

    >>> Parameter([1.0, 2.0])
    tensor([1., 2.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: TensorLike, requires_grad: bool = True) -> None:
        # An integer is a number here, not the length of an axis.
        given = float(data) if isinstance(data, int) else data
        super().__init__(given, requires_grad=requires_grad)
