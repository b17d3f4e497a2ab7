"""How operations are evaluated here: recorded for a gradient or not, at once or traced."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any

__all__ = ["RECORDING", "TRACER", "eagerly", "enable_grad", "is_grad_enabled", "is_plain"]
__all__ += ["no_grad"]

# Context variables are cheaper to read than thread locals; a new thread has the default.
RECORDING: ContextVar[bool] = ContextVar("schuss_recording", default=True)
TRACER: ContextVar[Any] = ContextVar("schuss_tracer", default=None)


def is_plain() -> bool:
    """Return whether operations are evaluated alone: neither recorded here nor traced."""
    return not RECORDING.get() and TRACER.get() is None


class _GradMode:
    """Set whether operations are recorded, as a context manager or a decorator."""

    enabled: bool
    _tokens: list[Token[bool]]

    def __new__(cls, function: Any = None) -> Any:
        """Return the mode, or with a function given, as by `@no_grad`, that function in it."""
        mode = super().__new__(cls)
        mode._tokens = []
        return mode if function is None else mode(function)

    def __enter__(self) -> None:
        self._tokens.append(RECORDING.set(self.enabled))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        RECORDING.reset(self._tokens.pop())

    def __call__(self, function: Any) -> Any:
        from functools import wraps

        @wraps(function)
        def wrapped(*args: Any, **options: Any) -> Any:
            with type(self)():
                return function(*args, **options)

        return wrapped


@contextmanager
def eagerly() -> Iterator[None]:
    """Evaluate operations inside at once, also while a function is being traced."""
    token = TRACER.set(None)
    try:
        yield
    finally:
        TRACER.reset(token)


class no_grad(_GradMode):  # noqa: N801  # the field's name
    """Do not record operations inside: no gradients, less memory.

    >>> from schuss import tensor
    >>> x = tensor([1.0], requires_grad=True)
    >>> with no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    enabled = False


class enable_grad(_GradMode):  # noqa: N801  # the field's name
    """Record operations inside, also within `no_grad`."""

    enabled = True


def is_grad_enabled() -> bool:
    """Return whether operations are being recorded here."""
    return RECORDING.get()
