"""A list of parameters that are parts of the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import overload

from schuss.core import TensorLike
from schuss.nn.module import Module, Parameter

__all__ = ["ParameterList"]


class ParameterList(Module):
    """A list whose parameters are parts of the network.

    Args:
        values: parameters, or tensors that become such.

    >>> from schuss import nn, ones
    >>> weights = nn.ParameterList([ones(2), ones(3)])
    >>> [name for name, _ in weights.named_parameters()]
    ['0', '1']
    """

    def __init__(self, values: Iterable[TensorLike] = ()) -> None:
        super().__init__()
        self._length = 0
        self.extend(values)

    def append(self, value: TensorLike) -> ParameterList:
        """Add one at the end."""
        made = value if isinstance(value, Parameter) else Parameter(value)
        self.register_parameter(str(self._length), made)
        self._length += 1
        return self

    def extend(self, values: Iterable[TensorLike]) -> ParameterList:
        """Add several at the end."""
        for value in values:
            self.append(value)
        return self

    def __iadd__(self, values: Iterable[TensorLike]) -> ParameterList:
        return self.extend(values)

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Parameter]:
        return iter([self[i] for i in range(self._length)])

    @overload
    def __getitem__(self, index: int) -> Parameter: ...

    @overload
    def __getitem__(self, index: slice) -> ParameterList: ...

    def __getitem__(self, index: int | slice) -> Parameter | ParameterList:
        if isinstance(index, slice):
            return ParameterList([self[i] for i in range(*index.indices(self._length))])
        found: Parameter = getattr(self, self._name(index))
        return found

    def __setitem__(self, index: int, value: TensorLike) -> None:
        made = value if isinstance(value, Parameter) else Parameter(value)
        setattr(self, self._name(index), made)

    def _name(self, index: int) -> str:
        if not -self._length <= index < self._length:
            raise IndexError(f"ParameterList: expected an index below {self._length}, got {index}.")
        return str(index % self._length)
