"""repeatable: the same bits on any number of cores."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from schuss.modes import quietly
from schuss.threads import limit_threads

__all__ = ["repeatable"]


@contextmanager
def repeatable() -> Iterator[None]:
    """Compute the same bits on any number of cores, and leave what is not finite to the figures.

    How many threads share a product decides how its sums are rounded, so that one computes those
    that are not compiled; compiled programs give the same bits on any number.
    """
    with limit_threads(1), quietly():
        yield
