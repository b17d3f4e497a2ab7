"""A dictionary of parameters that are parts of the network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from schuss.core import TensorLike
from schuss.nn.module import Module, Parameter

__all__ = ["ParameterDict"]


class ParameterDict(Module):
    """A dictionary whose parameters are parts of the network.

    Args:
        parameters: names to parameters, or to tensors that become such.

    >>> from schuss import nn, ones
    >>> weights = nn.ParameterDict({"left": ones(2), "right": ones(3)})
    >>> [name for name, _ in weights.named_parameters()]
    ['left', 'right']
    """

    def __init__(
        self, parameters: Mapping[str, TensorLike] | Iterable[tuple[str, TensorLike]] = ()
    ) -> None:
        super().__init__()
        self._names: tuple[str, ...] = ()
        self.update(parameters)

    def __setitem__(self, name: str, value: TensorLike) -> None:
        made = value if isinstance(value, Parameter) else Parameter(value)
        if name in self._names:
            setattr(self, name, made)
            return
        self.register_parameter(name, made)
        self._names = (*self._names, name)

    def __getitem__(self, name: str) -> Parameter:
        if name not in self._names:
            raise KeyError(name)
        found: Parameter = getattr(self, name)
        return found

    def __delitem__(self, name: str) -> None:
        if name not in self._names:
            raise KeyError(name)
        delattr(self, name)
        self._names = tuple(other for other in self._names if other != name)

    def __len__(self) -> int:
        return len(self._names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __or__(self, other: Mapping[str, TensorLike]) -> ParameterDict:
        made = ParameterDict(self.items())
        made.update(other)
        return made

    def __ior__(self, other: Mapping[str, TensorLike]) -> ParameterDict:
        self.update(other)
        return self

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._names

    def values(self) -> Iterable[Parameter]:
        """Return the parameters."""
        return [self[name] for name in self._names]

    def items(self) -> Iterable[tuple[str, Parameter]]:
        """Return (name, parameter) pairs."""
        return [(name, self[name]) for name in self._names]

    def get(self, key: str, default: Any = None) -> Any:
        """Return a parameter, or `default` where there is none of the name."""
        return self[key] if key in self._names else default

    def setdefault(self, key: str, default: TensorLike) -> Parameter:
        """Return a parameter, set to `default` where there was none of the name."""
        if key not in self._names:
            self[key] = default
        return self[key]

    def update(self, parameters: Mapping[str, TensorLike] | Iterable[Any]) -> None:
        """Set several parameters."""
        for name, value in dict(parameters).items():
            self[name] = value

    def pop(self, key: str) -> Parameter:
        """Take a parameter out and return it."""
        found = self[key]
        del self[key]
        return found

    def popitem(self) -> tuple[str, Parameter]:
        """Take the last parameter out and return it with its name."""
        name = self._names[-1]
        return name, self.pop(name)

    def clear(self) -> None:
        """Take all parameters out."""
        for name in self._names:
            del self[name]

    def copy(self) -> ParameterDict:
        """Return a dictionary of the same parameters."""
        return ParameterDict(self.items())
