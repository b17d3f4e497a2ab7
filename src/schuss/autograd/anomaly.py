"""Looking for the operation that turns errors into what is not a number."""

from __future__ import annotations

from types import TracebackType

from schuss.hooks import CHANGES
from schuss.modes import ANOMALY

__all__ = ["detect_anomaly", "set_detect_anomaly"]


class set_detect_anomaly:  # noqa: N801  # PyTorch's name
    """Have the reverse pass raise an error where a derivative is nan, from now on or in a block.

    Compiled functions are traced again, and look as well.

    Args:
        mode: whether to look.
        check_nan: False to look for nothing.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._before = ANOMALY.get()
        _set(bool(mode and check_nan))

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _set(self._before)


def _set(mode: bool) -> None:
    if mode != ANOMALY.get():
        ANOMALY.set(mode)
        CHANGES.value += 1


class detect_anomaly:  # noqa: N801  # PyTorch's name
    """Have the reverse pass raise an error, in a block, where a derivative is nan.

    >>> from schuss import autograd, tensor
    >>> x = tensor(0.0, requires_grad=True)
    >>> with autograd.detect_anomaly():
    ...     (x.sqrt() * 0.0).backward()
    Traceback (most recent call last):
    RuntimeError: detect_anomaly: expected numbers as errors, got nan from the derivative of ...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._looks = check_nan

    def __enter__(self) -> None:
        self._inside = set_detect_anomaly(self._looks)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._inside.__exit__(kind, error, trace)
