"""Parameter: a tensor that a module owns and that training changes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from schuss.core import Tensor, TensorLike, to_array
from schuss.devices import require_cpu
from schuss.dtypes import DEFAULTS, supported_dtype

__all__ = ["Parameter", "UninitializedParameter", "is_lazy"]


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
        array = to_array(data)
        if array.dtype.kind != "f" and isinstance(data, (list, tuple, int)):
            array = array.astype(DEFAULTS.floating)
        self._fill(array, requires_grad)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return a copy of the values, without the gradient, as PyTorch has it."""
        return self._twin(memo)


class UninitializedParameter(Parameter):
    """A parameter whose shape and values come later; optimizers can be given it before.

    Args:
        requires_grad: False for a parameter that will stay as it is.
        device: "cpu" or None.
        dtype: float32 (default) or float64.
    """

    __slots__ = ()

    def __init__(
        self, requires_grad: bool = True, device: object = None, dtype: npt.DTypeLike | None = None
    ) -> None:
        require_cpu("UninitializedParameter", device)
        super().__init__(np.zeros((0,), supported_dtype(dtype)), requires_grad)

    def materialize(
        self, shape: Any, device: object = None, dtype: npt.DTypeLike | None = None
    ) -> None:
        """Become a parameter of a shape, with zeros; or of another tensor, with its values."""
        require_cpu("UninitializedParameter", device)
        if isinstance(shape, Tensor):
            self.array = shape.array
        else:
            kept = self.array.dtype if dtype is None else supported_dtype(dtype)
            self.array = np.zeros(tuple(shape), kept)
        self.__class__ = Parameter  # type: ignore[assignment]  # that is what is meant


def is_lazy(param: object) -> bool:
    """Return whether a parameter has no values yet."""
    return isinstance(param, UninitializedParameter)
