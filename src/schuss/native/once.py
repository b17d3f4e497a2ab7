"""Loading once, whichever of several threads is the first; and locks that a fork leaves open."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

__all__ = ["ForkSafeLock", "once"]

Function = TypeVar("Function", bound=Callable[..., Any])


class ForkSafeLock:
    """A reentrant lock that is free in a forked child, whoever held it in the parent.

    The thread that held it is not there in the child, and would never let go of it.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        _locks.add(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def renew(self) -> None:
        """Be free."""
        self._lock = threading.RLock()


_locks: weakref.WeakSet[ForkSafeLock] = weakref.WeakSet()


def _renew_all() -> None:
    for lock in _locks:
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_all)


def once(function: Function) -> Function:
    """Let a function compute its result for the same arguments once, on one thread at a time.

    What `functools.cache` computed twice would be thrown away once: machine code that another
    thread is in.
    """
    known: dict[Any, Any] = {}
    lock = ForkSafeLock()

    @wraps(function)
    def wrapped(*args: Any) -> Any:
        if args not in known:
            with lock:
                if args not in known:
                    known[args] = function(*args)
        return known[args]

    return wrapped  # type: ignore[return-value]  # as the function itself
