"""Where a network is and of which dtype, by PyTorch's names: on the CPU, and of floats."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from schuss.core import Tensor
from schuss.devices import require_cpu

__all__ = ["cpu", "cuda", "half", "to"]

M = TypeVar("M", bound=Any)


def to(
    self: M,
    *to: Any,
    dtype: Any = None,
    device: Any = None,
    non_blocking: bool = False,
    memory_format: Any = None,
) -> M:
    """Cast to a float dtype, or to a tensor's; stay on the only device; return the module.

    Raises:
        ValueError: for another device than "cpu".
        TypeError: for a dtype that is not a float one.

    >>> from schuss import nn
    >>> nn.Linear(2, 1).to("cpu", "float64").weight.dtype
    schuss.float64
    """
    require_cpu("to", device)
    for item in to:
        if isinstance(item, Tensor):
            dtype = item.array.dtype
        elif _is_dtype(item):
            dtype = item
        elif not isinstance(item, bool):
            require_cpu("to", item)
    if dtype is not None:
        self.astype(dtype)
    return self


def _is_dtype(item: Any) -> bool:
    try:
        return item is not None and np.dtype(item).kind != "V"
    except TypeError:
        return False


def cpu(self: M) -> M:
    """Return the module."""
    return self


def cuda(self: M, device: Any = "cuda") -> M:
    """Refuse: there is no other device than the CPU.

    Raises:
        ValueError: unless the device is "cpu".
    """
    require_cpu("cuda", device if isinstance(device, str) else "cuda")
    return self


def half(self: M) -> M:
    """Refuse: there are no 16 bit floats.

    Raises:
        TypeError: always.
    """
    raise TypeError("half: expected float32 or float64, got 16 bit floats; there are none.")
