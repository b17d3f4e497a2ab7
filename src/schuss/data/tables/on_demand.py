"""OnDemand: columns by name that are made each time they are asked for, and held by nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy.typing as npt

__all__ = ["OnDemand"]


class OnDemand(Mapping[str, npt.NDArray[Any]]):
    """Columns by name, of which no more than the one in use is in memory.

    Args:
        makers: What makes each.

    >>> import numpy as np
    >>> columns = OnDemand({"a": lambda: np.arange(2)})
    >>> columns["a"] is columns["a"]
    False
    """

    def __init__(self, makers: Mapping[str, Callable[[], npt.NDArray[Any]]]) -> None:
        """Hold what makes the columns; see the class."""
        self.makers = dict(makers)

    def __getitem__(self, name: str) -> npt.NDArray[Any]:
        """Make a column."""
        return self.makers[name]()

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self.makers)

    def __len__(self) -> int:
        """Return the number of columns."""
        return len(self.makers)
