"""The number of a tensor's elements, which PyTorch's users call for the lengths of its axes."""

from __future__ import annotations

from typing import Any

__all__ = ["Count", "counted"]


class Count(int):
    """A number of elements; called, the lengths of all axes, or of one of them.

    >>> from schuss.core import tensor
    >>> x = tensor([[1.0, 2.0, 3.0]])
    >>> x.size, x.size(), x.size(1)
    (3, (1, 3), 3)
    """

    shape: tuple[int, ...]

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
    found.shape = array.shape
    return found
