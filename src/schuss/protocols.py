"""What Python, NumPy and other libraries ask a tensor for: numbers, arrays, DLPack, a device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from schuss.core import RECORDING, Array, Tensor, TensorLike
from schuss.devices import require_cpu
from schuss.primitives.elementwise import floor_divide, remainder

__all__ = ["PROTOCOLS"]


def _complex(self: Tensor, /) -> complex:
    return complex(self.item())


def _round(self: Tensor, digits: int | None = None, /) -> Any:
    """Return the only element, rounded, as a Python number."""
    return round(self.item(), digits)


def _divmod(x: TensorLike, y: TensorLike, /) -> tuple[Tensor, Tensor]:
    """Return floor(x / y) and what remains."""
    return floor_divide(x, y), remainder(x, y)


def _to_device(self: Tensor, device: Any, /, *, stream: Any = None) -> Tensor:
    """Return the tensor itself, which is on the only device, "cpu"."""
    require_cpu("to_device", device)
    if stream is not None:
        raise ValueError(f"to_device: expected no stream, as the CPU has none, got {stream!r}.")
    return self


# Other libraries' memory.


def _dlpack(
    self: Tensor,
    /,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[Any, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """Return a DLPack capsule of the array.

    Args:
        self: a tensor without a gradient.
        stream: None, as the CPU has none.
        max_version: the newest version of DLPack that is understood.
        dl_device: the CPU's, (1, 0).
        copy: True to copy always, False never.

    Raises:
        BufferError: when a gradient would be lost, or the memory cannot be handed out.
    """
    if self.requires_grad:
        raise BufferError(
            "dlpack: expected a tensor without a gradient, got one that takes part in "
            "differentiation; use x.detach()."
        )
    array = np.asarray(self._values("as DLPack"))
    if not array.flags.writeable and max_version is None and copy is None:
        # Only newer versions can say that memory must not be written to.
        array = array.copy()
    return array.__dlpack__(stream=stream, max_version=max_version, dl_device=dl_device, copy=copy)


def _dlpack_device(self: Tensor, /) -> tuple[int, int]:
    """Return the number of the CPU in DLPack, and 0."""
    return (1, 0)


# NumPy's functions: they get arrays, and give arrays, where no gradient is lost.

_OF_NO_VALUES: dict[Any, Callable[[Any], Any]] = {
    np.shape: lambda x: tuple(x.shape),
    np.ndim: lambda x: x.ndim,
    np.size: lambda x: int(x.size),
}


def _refuse_gradient(name: str) -> None:
    # NumPy takes a TypeError for an older signature, and would call again.
    raise ValueError(
        f"np.{name}: expected arrays, got a tensor that takes part in differentiation, and its "
        "gradient would be lost; use Schuss's function of that name, or x.detach()."
    )


def _array_wrap(
    self: Tensor, array: Array, context: Any = None, return_scalar: bool = False
) -> Any:
    """Refuse what NumPy's elementwise functions make of a tensor where a gradient is lost."""
    inputs = () if context is None or not RECORDING.get() else context[1]
    if any(isinstance(x, Tensor) and x.requires_grad for x in inputs):
        _refuse_gradient(context[0].__name__)
    return array[()] if return_scalar else array


def _array_function(
    self: Tensor, function: Any, types: Any, args: tuple[Any, ...], options: dict[str, Any]
) -> Any:
    """Give one of NumPy's functions arrays in the place of tensors."""
    if function in _OF_NO_VALUES and len(args) == 1 and not options:
        return _OF_NO_VALUES[function](args[0])
    found: list[Tensor] = []

    def as_arrays(x: Any) -> Any:
        if isinstance(x, Tensor):
            found.append(x)
            return np.asarray(x._values(f"np.{function.__name__}"))
        if type(x) in (list, tuple):
            return type(x)([as_arrays(item) for item in x])
        return x

    given = as_arrays(args), {name: as_arrays(x) for name, x in options.items()}
    result = function(*given[0], **given[1])
    if RECORDING.get() and any(x.requires_grad for x in found) and _has_floats(result):
        _refuse_gradient(function.__name__)
    return result


def _has_floats(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(_has_floats(item) for item in x)
    return isinstance(x, (np.ndarray, np.generic)) and x.dtype.kind == "f"


PROTOCOLS: dict[str, Any] = {
    "__array_function__": _array_function,
    "__array_wrap__": _array_wrap,
    "__complex__": _complex,
    "__divmod__": _divmod,
    "__dlpack__": _dlpack,
    "__dlpack_device__": _dlpack_device,
    "__rdivmod__": lambda self, other: _divmod(other, self),
    "__round__": _round,
    "to_device": _to_device,
}
