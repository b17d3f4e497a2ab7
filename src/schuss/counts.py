"""The lengths of a tensor's axes, and the number of its elements, which may be called for them."""

from __future__ import annotations

from math import prod
from typing import Any, SupportsIndex, overload

__all__ = ["Count", "Size", "counted", "lengths_in"]


class Size(tuple[int, ...]):
    """The lengths of axes: a tuple that knows how many elements that makes.

    >>> Size([2, 3, 4]).numel(), Size([2, 3, 4])[1:].numel()
    (24, 12)
    """

    __slots__ = ()

    def numel(self) -> int:
        """Return the number of elements."""
        return prod(self)

    @overload
    def __getitem__(self, index: SupportsIndex) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> Size: ...

    def __getitem__(self, index: SupportsIndex | slice) -> int | Size:
        found = tuple.__getitem__(self, index)
        return Size(found) if isinstance(found, tuple) else found


class Count(int):
    """A number of elements; called, the lengths of all axes, or of one of them.

    >>> from schuss.core import tensor
    >>> x = tensor([[1.0, 2.0, 3.0]])
    >>> x.size, x.size(), x.size(1)
    (3, (1, 3), 3)
    """

    shape: Size

    def __call__(self, dim: int | None = None) -> Any:
        """Return the lengths of all axes, or of axis `dim`.

        Raises:
            IndexError: for an axis that is not there.
        """
        if dim is None:
            return self.shape
        if not -len(self.shape) <= dim < len(self.shape):
            raise IndexError(f"size: expected an axis of shape {self.shape}, got {dim}.")
        return self.shape[dim]

    def __reduce__(self) -> Any:
        return int, (int(self),)


def counted(array: Any) -> Count:
    """Return the number of an array's elements."""
    found = Count(array.size)
    found.shape = Size(array.shape)
    return found


def lengths_in(data: tuple[Any, ...]) -> tuple[int, ...] | None:
    """Return the lengths of axes that a constructor was given in the place of data, if it was.

    >>> lengths_in((2, 3)), lengths_in((Size([4]),)), lengths_in(([4],)), lengths_in(())
    ((2, 3), (4,), None, (0,))
    """
    if len(data) == 1 and isinstance(data[0], Size):
        return data[0]
    whole = all(isinstance(n, int) and not isinstance(n, bool) for n in data)
    return (data or (0,)) if whole else None
