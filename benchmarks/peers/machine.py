"""The machine: its name, its versions, and its rates of arithmetic and of memory."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import metadata

import numpy as np

PACKAGES = ("numpy", "torch", "jax", "tinygrad", "scikit-learn")


def cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1


def processor() -> str:
    try:
        with open("/proc/cpuinfo") as lines:
            names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def describe() -> str:
    """The machine and the versions, in two lines."""
    import schuss

    found = [f"schuss {schuss.__version__}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            found.append(f"{package} (not installed)")
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"{processor()}, {cores()} cores{load}; {platform.platform()}, "
        f"Python {platform.python_version()}\n{', '.join(found)}"
    )


def foreign_seconds() -> float:
    """The processor's time that other programs have taken so far; 0 where nobody says."""
    try:
        with open("/proc/stat") as lines:
            fields = [int(x) for x in lines.readline().split()[1:]]
    except (OSError, ValueError):
        return 0.0
    # Everything but idle and waiting for disks; guests are within the user's.
    busy = sum(fields[:3]) + sum(fields[5:8])
    return busy / os.sysconf("SC_CLK_TCK") - time.process_time()


def best(function: Callable[[], object], seconds: float = 0.15) -> float:
    """The least time of a call, of as many as fit into `seconds`, five at least."""
    function()
    times: list[float] = []
    while sum(times) < seconds or len(times) < 5:
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def sgemm_rate(shapes: tuple[tuple[int, int, int], ...] = ()) -> float:
    """The best rate of float32 matrix products on all cores, in operations a second.

    Args:
        shapes: (m, n, k) to try; None for square ones of several sizes.
    """
    chosen = shapes or tuple((n, n, n) for n in (512, 1024, 2048))
    rates = []
    for m, n, k in chosen:
        rng = np.random.default_rng(0)
        a = rng.normal(size=(m, k)).astype(np.float32)
        b = rng.normal(size=(k, n)).astype(np.float32)
        out = np.empty((m, n), np.float32)
        rates += [2 * m * n * k / best(product) for product in _products(a, b, out)]
    return max(rates)


def _products(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> list[Callable[[], object]]:
    found: list[Callable[[], object]] = [lambda: np.matmul(a, b, out=out)]
    try:
        import torch
    except ImportError:
        return found
    torch.set_num_threads(cores())
    x, y, z = (torch.from_numpy(array) for array in (a, b, out))
    return [*found, lambda: torch.matmul(x, y, out=z)]


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(cores())


def copy_bandwidth(footprint: int) -> float:
    """The bytes a second that copying reads and writes on all cores, within so many bytes."""
    half = max(footprint // 8, 1024)
    source, target = np.ones(half, np.float32), np.zeros(half, np.float32)
    alone = best(lambda: np.copyto(target, source))
    parts = list(zip(np.array_split(target, cores()), np.array_split(source, cores()), strict=True))

    def together() -> None:
        for job in [_pool().submit(np.copyto, into, out) for into, out in parts]:
            job.result()

    return 2 * source.nbytes / min(alone, best(together))
