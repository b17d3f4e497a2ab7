"""Loading once by several threads, and forking while other threads hold locks or compile."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

__all__ = ["ForkSafeLock", "no_fork_inside", "once"]

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


class _NoFork:
    """A context that no fork begins in: LLVM's own locks would stay closed in the child."""

    def __init__(self) -> None:
        self._inside = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def before_fork(self) -> None:
        """Wait until nobody is inside, and let nobody in."""
        self._changed.acquire()
        self._changed.wait_for(lambda: not self._inside, timeout=_LONGEST_WAIT)

    def after_fork(self) -> None:
        """Let others in again, in the parent."""
        self._changed.release()

    def renew(self) -> None:
        """Be free, in the child."""
        self._inside = 0
        self._changed = threading.Condition()


# Seconds; whoever forks from inside must not wait for ever.
_LONGEST_WAIT = 30.0
no_fork_inside = _NoFork()


def _renew_all() -> None:
    no_fork_inside.renew()
    for lock in list(_locks):
        lock.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=no_fork_inside.before_fork,
        after_in_parent=no_fork_inside.after_fork,
        after_in_child=_renew_all,
    )


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
            with lock, no_fork_inside:
                if args not in known:
                    known[args] = function(*args)
        return known[args]

    return wrapped  # type: ignore[return-value]  # as the function itself
