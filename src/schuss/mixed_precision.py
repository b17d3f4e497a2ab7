"""Products in bfloat16: `autocast`, under PyTorch's name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import Token
from types import TracebackType
from typing import Any

from schuss.data_type import bfloat16, dtype
from schuss.devices import require_cpu
from schuss.modes import AUTOCAST

__all__ = ["autocast", "get_autocast_dtype", "is_autocast_enabled"]

_NAMES = ("bfloat16", bfloat16)


class autocast:  # noqa: N801  # PyTorch's name
    """Compute products and convolutions in bfloat16 inside, as a context manager or a decorator.

    Their factors and results are rounded to bfloat16, 8 significant bits, and so are the errors
    that go back through them; sums are float32's, and so is all else: weights, optimisers, norms,
    softmax, losses. Tensors stay float32, where PyTorch has bfloat16 as their dtype. Compiled, what
    is rounded takes half of the memory, and products are about twice as fast on processors with
    instructions for it (AVX-512 BF16); other processors compute the same, but no faster.

    Args:
        device_type: "cpu"; or the dtype, as in `autocast("bfloat16")`.
        dtype: bfloat16, or its name.
        enabled: False to compute as outside.
        cache_enabled: taken and without effect.

    Raises:
        ValueError: for another device.
        TypeError: for another dtype.

    >>> import schuss as ss
    >>> with autocast("bfloat16"):
    ...     (ss.tensor([[1.001]]) @ ss.tensor([[3.0]])).item()
    3.0
    """

    def __init__(
        self,
        device_type: Any = "cpu",
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        if device_type in _NAMES:
            device_type, dtype = "cpu", device_type
        self.enabled = bool(enabled)
        self._tokens: list[Token[bool]] = []
        if not self.enabled:
            return
        require_cpu("autocast", device_type)
        if dtype is not None and dtype not in _NAMES:
            raise TypeError(f"autocast: expected dtype bfloat16, got {dtype}; there is no other.")

    def __enter__(self) -> autocast:
        self._tokens.append(AUTOCAST.set(self.enabled))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        AUTOCAST.reset(self._tokens.pop())

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that computes so."""

        @functools.wraps(function)
        def wrapped(*args: Any, **options: Any) -> Any:
            with autocast(enabled=self.enabled):
                return function(*args, **options)

        return wrapped


def is_autocast_enabled(device_type: Any = "cpu") -> bool:
    """Return whether products are computed in bfloat16 here."""
    require_cpu("is_autocast_enabled", device_type)
    return AUTOCAST.get()


def get_autocast_dtype(device_type: Any = "cpu") -> dtype:
    """Return what `autocast` computes in: bfloat16."""
    require_cpu("get_autocast_dtype", device_type)
    return bfloat16
