"""How many threads are used: by eager matrix products, and by compiled programs."""

from __future__ import annotations

import math
import operator
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["get_num_threads", "limit_threads", "program_threads", "set_num_threads", "usable_cores"]

_CGROUPS = Path("/sys/fs/cgroup")

_controller: Any = None
_chosen_threads: int | None = None

# The limits that hold now, with the Python threads that set them: BLAS has one number for the whole
# process. And what each library was told to use without them.
_LIMITS_LOCK = threading.RLock()
_limits: list[tuple[int, int]] = []
_unlimited: dict[str, int] = {}


def _blas() -> Any:
    """Return the handle on the BLAS libraries that are loaded, NumPy's among them."""
    global _controller
    if _controller is None:
        import numpy  # noqa: F401  # its BLAS has to be loaded before it is looked for
        from threadpoolctl import ThreadpoolController

        found = ThreadpoolController().select(user_api="blas")
        # Compiled programs have a BLAS of their own, which each of their threads calls alone.
        eager = [p for p in (x["filepath"] for x in found.info()) if "scipy_openblas32" not in p]
        _controller = found.select(filepath=eager)
    return _controller


@cache
def usable_cores() -> int:
    """Return how many cores this process may use: a container's share of them counts."""
    affinity = getattr(os, "sched_getaffinity", None)
    mine = len(affinity(0)) if affinity else os.cpu_count() or 1
    share = _share_of_cores(_CGROUPS)
    return mine if share is None else max(1, min(mine, math.ceil(share)))


def _share_of_cores(groups: Path) -> float | None:
    """Return how many cores' time the kernel grants, or None where it says nothing of it."""
    ways = [["cpu.max"], ["cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"]]
    for names in ways:
        try:
            words = [word for name in names for word in (groups / name).read_text().split()]
            quota, period = (float(word) for word in words)
        except (OSError, ValueError):
            # There is no such file, or it says "max".
            continue
        if quota > 0 and period > 0:
            return quota / period
    return None


def set_num_threads(n: int) -> None:
    """Let eager matrix products and compiled programs use at most `n` threads, from now on.

    Args:
        n: at least 1; more than the processor's cores make it slower.

    Raises:
        ValueError: for less than 1.
    """
    if operator.index(n) < 1:
        raise ValueError(f"set_num_threads: expected at least 1 thread, got {n}.")
    global _chosen_threads
    _chosen_threads = operator.index(n)
    with _LIMITS_LOCK:
        _unlimited.update(dict.fromkeys(_unlimited, _chosen_threads))
        for library in _libraries():
            _use_threads(library, min([_chosen_threads, *(most for _, most in _limits)]))


def program_threads() -> int:
    """Return how many threads compiled programs may use.

    As many as `set_num_threads` was told; before that, one for each usable core, but no more than
    the environment's OMP_NUM_THREADS, which NumPy's matrix products follow, too.
    """
    return _default_threads() if _chosen_threads is None else _chosen_threads


@cache
def _default_threads() -> int:
    # There may be a number for each level of nested threads: 4,2.
    outermost = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    limit = int(outermost) if outermost.isdecimal() else 0
    return min(limit, usable_cores()) if limit > 0 else usable_cores()


def get_num_threads() -> int:
    """Return how many threads matrix products may use.

    >>> get_num_threads() >= 1
    True
    """
    return max((library["num_threads"] for library in _blas().info()), default=1)


@contextmanager
def limit_threads(n: int) -> Iterator[None]:
    """Use at most `n` threads within a `with` block; what was set before holds again after it.

    Where such blocks overlap in several Python threads, the least number holds in all of them,
    and what was set before comes back after the last.

    Small products are slower on many threads than on one, far slower when a core is busy with
    something else, since the threads wait for each other by spinning.

    >>> with limit_threads(1):
    ...     get_num_threads()
    1
    """
    held = threading.get_ident(), n
    with _LIMITS_LOCK:
        if not _limits:
            _unlimited.update({x.filepath: x.get_num_threads() for x in _libraries()})
        _limits.append(held)
        _apply_limits()
    try:
        yield
    finally:
        with _LIMITS_LOCK:
            _limits.remove(held)
            _apply_limits()
            if not _limits:
                _unlimited.clear()


def _libraries() -> list[Any]:
    found: list[Any] = _blas().lib_controllers
    return found


def _apply_limits() -> None:
    """Tell BLAS the least of the limits, or what holds without them."""
    mine = any(thread == threading.get_ident() for thread, _ in _limits)
    for library in _libraries():
        most = [_unlimited.get(library.filepath, 1)]
        # With OpenMP each Python thread has a number of its own.
        if mine or getattr(library, "threading_layer", "") != "openmp":
            most += [limit for _, limit in _limits]
        _use_threads(library, min(most))


def _use_threads(library: Any, n: int) -> None:
    """Tell a library the number of threads, where it uses another one."""
    if library.get_num_threads() == n:
        return
    # threadpoolctl lets only one Python thread set it, unless told that the matter is settled.
    settle = getattr(library, "clear_controlling_thread", lambda force: None)
    settle(force=True)
    library.set_num_threads(n)
    settle(force=True)
