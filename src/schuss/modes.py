"""How operations are evaluated here: recorded or not, at once or traced, and without warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, Token
from types import TracebackType
from typing import Any

import numpy as np
from numpy._core import umath

__all__ = ["ANOMALY", "AS_USUAL", "AUTOCAST", "FLOAT_ERRORS", "QUIET", "RECORDING", "SILENCE"]
__all__ += ["TRACER", "autocasting", "changes_python", "eagerly"]
__all__ += ["enable_grad", "is_grad_enabled", "is_plain", "mode", "no_grad", "quietly"]

# Context variables are cheaper to read than thread locals; a new thread has the default.
# Whether the reverse pass looks for errors that are not a number.
ANOMALY: ContextVar[bool] = ContextVar("schuss_anomaly", default=False)
# Whether factors of products are rounded to bfloat16.
AUTOCAST: ContextVar[bool] = ContextVar("schuss_autocast", default=False)
RECORDING: ContextVar[bool] = ContextVar("schuss_recording", default=True)
TRACER: ContextVar[Any] = ContextVar("schuss_tracer", default=None)


class _ErrorState:
    """What NumPy does about 1 / 0, log(0) and overflow, by its public interface."""

    def get(self) -> Any:
        """Return what tells one state from another."""
        return tuple(np.geterr().values())

    def set(self, state: Any) -> Any:
        """Change to another state, and return what `reset` takes."""
        scope = np.errstate(all="ignore")
        scope.__enter__()
        return scope

    def reset(self, scope: Any) -> None:
        """Go back to the state before."""
        scope.__exit__(None, None, None)


# log(0), 1 / 0 and overflow give inf and nan, as in every framework; NumPy would also warn. Its own
# context variable is set and reset in a tenth of a microsecond, np.errstate in almost a whole one.
FLOAT_ERRORS: Any = getattr(umath, "_extobj_contextvar", None) or _ErrorState()
with np.errstate(all="ignore"):
    QUIET: Any = FLOAT_ERRORS.get()
# Whoever has changed the state, to look for what is not finite, is told as they wish.
AS_USUAL: Any = Context().run(FLOAT_ERRORS.get)


class _Silence:
    """The filter that drops such warnings where they come from a line of Schuss's own.

    Operations on a few numbers look whether it is the first, which costs a tenth of changing
    NumPy's state: a test runner, or whoever asks for all warnings, puts other filters before it.
    """

    item: Any = None

    def ensure(self) -> None:
        """Put it before all others where it is not."""
        filters = warnings.filters
        if not filters or filters[0] is not self.item:
            self.come_first()

    def come_first(self) -> None:
        """Put it before all others, until they go back to what they were before."""
        warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"schuss\.")
        self.item = warnings.filters[0]


SILENCE = _Silence()
SILENCE.come_first()


@contextmanager
def quietly() -> Iterator[None]:
    """Compute with NumPy without warnings of what is not finite, unless the user has set them."""
    token = FLOAT_ERRORS.set(QUIET) if FLOAT_ERRORS.get() is AS_USUAL else None
    try:
        yield
    finally:
        if token is not None:
            FLOAT_ERRORS.reset(token)


def mode() -> tuple[bool, bool]:
    """Return what a trace depends on: whether operations are recorded, and products rounded."""
    return RECORDING.get(), AUTOCAST.get()


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


def changes_python(name: str) -> None:
    """Tell a tracer that something in Python is about to change, which a program would not do."""
    tracer = TRACER.get()
    if tracer is not None:
        tracer.side_effect(name)


@contextmanager
def eagerly() -> Iterator[None]:
    """Evaluate operations inside at once, also while a function is being traced."""
    token = TRACER.set(None)
    try:
        yield
    finally:
        TRACER.reset(token)


@contextmanager
def autocasting(*, enabled: bool) -> Iterator[None]:
    """Round factors of products to bfloat16 inside, or do not."""
    token = AUTOCAST.set(enabled)
    try:
        yield
    finally:
        AUTOCAST.reset(token)


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
