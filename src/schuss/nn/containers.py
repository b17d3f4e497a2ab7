"""Modules that hold modules: Sequential, ModuleList, ModuleDict and DataParallel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import index as as_index
from typing import Any, overload

from schuss.devices import require_cpu
from schuss.nn.module import Module

__all__ = ["DataParallel", "ModuleDict", "ModuleList", "Sequential"]


def _require_module(owner: Module, name: str, module: object) -> None:
    if not isinstance(module, Module):
        raise TypeError(
            f"{type(owner).__name__}: expected a Module for part {name!r}, got "
            f"{type(module).__name__}; wrap a function in a Module of your own."
        )


class _Container(Module):
    """Parts by name."""

    def _parts(self) -> dict[str, Module]:
        return {k: v for k, v in self.__dict__.items() if isinstance(v, Module)}

    def __len__(self) -> int:
        return len(self._parts())


class _Indexed(_Container):
    """Parts in an order, named 0, 1, 2, ... unless they were given names."""

    def _replace_parts(self, parts: Mapping[str, Module]) -> None:
        for name, module in parts.items():
            _require_module(self, name, module)
        for name in self._parts():
            del self.__dict__[name]
        for name, module in parts.items():
            self.register_module(name, module)

    def _name_at(self, position: int) -> str:
        names = list(self._parts())
        place = as_index(position)
        if not -len(names) <= place < len(names):
            raise IndexError(
                f"{type(self).__name__}: expected an index from {-len(names)} to "
                f"{len(names) - 1}, got {place}."
            )
        return names[place]

    def __iter__(self) -> Iterator[Module]:
        return iter(self._parts().values())

    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            chosen = list(self._parts().items())[position]
            result = type(self)()
            result._replace_parts(self._renamed(chosen))
            return result
        return self.__dict__[self._name_at(position)]

    def __setitem__(self, position: int, module: Module) -> None:
        name = self._name_at(position)
        _require_module(self, name, module)
        self.__dict__[name] = module

    def __delitem__(self, position: int | slice) -> None:
        items = list(self._parts().items())
        if isinstance(position, slice):
            del items[position]
        else:
            name = self._name_at(position)
            items = [item for item in items if item[0] != name]
        self._replace_parts(self._renamed(items))

    def _renamed(self, items: list[tuple[str, Module]]) -> dict[str, Module]:
        """Number the parts afresh where their names are numbers; keep names that were given."""
        return {
            str(i) if name.isdecimal() else name: module for i, (name, module) in enumerate(items)
        }

    def append(self, module: Module) -> Any:
        """Add a part at the end; return the container."""
        name = str(len(self))
        _require_module(self, name, module)
        self.register_module(name, module)
        return self

    def extend(self, modules: Iterable[Module]) -> Any:
        """Add parts at the end; return the container."""
        for module in modules:
            self.append(module)
        return self

    def insert(self, position: int, module: Module) -> Any:
        """Add a part before `position`; return the container."""
        items = list(self._parts().items())
        items.insert(position, (str(len(items)), module))
        self._replace_parts(self._renamed(items))
        return self

    def pop(self, position: int = -1) -> Module:
        """Take a part out and return it."""
        module: Module = self[position]
        del self[position]
        return module


class Sequential(_Indexed):
    """Parts that each take the output of the one before.

    Args:
        *parts: modules, or one dictionary of names to modules.

    Raises:
        TypeError: if a part is not a module.

    >>> from schuss import nn, ones
    >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    >>> model(ones((2, 4))).shape
    (2, 3)
    >>> len(model[:2])
    2
    >>> list(nn.Sequential({"first": nn.Linear(1, 1, bias=False)}).state_dict())
    ['first.weight']
    """

    @overload
    def __init__(self, *parts: Module) -> None: ...
    @overload
    def __init__(self, parts: Mapping[str, Module], /) -> None: ...

    def __init__(self, *parts: Any) -> None:
        super().__init__()
        if len(parts) == 1 and isinstance(parts[0], Mapping):
            self._replace_parts(parts[0])
        else:
            self._replace_parts({str(i): part for i, part in enumerate(parts)})

    def forward(self, x: Any) -> Any:
        """Apply the parts one after the other."""
        for part in self._parts().values():
            x = part(x)
        return x


class ModuleList(_Indexed):
    """A list whose modules are parts of the network.

    Args:
        modules: the modules to start with.

    >>> from schuss import nn
    >>> layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])
    >>> len(list(layers.parameters()))
    6
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        super().__init__()
        self._replace_parts({str(i): module for i, module in enumerate(modules)})

    def __iadd__(self, modules: Iterable[Module]) -> ModuleList:
        self.extend(modules)
        return self


class ModuleDict(_Container):
    """A dictionary whose modules are parts of the network.

    Args:
        modules: names to modules.

    >>> from schuss import nn
    >>> heads = nn.ModuleDict({"age": nn.Linear(2, 1), "kind": nn.Linear(2, 3)})
    >>> sorted(heads.keys())
    ['age', 'kind']
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]] = ()) -> None:
        super().__init__()
        self.update(modules)

    def __getitem__(self, name: str) -> Module:
        return self._parts()[name]

    def __setitem__(self, name: str, module: Module) -> None:
        _require_module(self, name, module)
        if name in self._parts():
            self.__dict__[name] = module
        else:
            self.register_module(name, module)

    def __delitem__(self, name: str) -> None:
        del self._parts()[name]
        del self.__dict__[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts())

    def __contains__(self, name: object) -> bool:
        return name in self._parts()

    def keys(self) -> Iterable[str]:
        """Return the names."""
        return self._parts().keys()

    def values(self) -> Iterable[Module]:
        """Return the modules."""
        return self._parts().values()

    def items(self) -> Iterable[tuple[str, Module]]:
        """Return (name, module) pairs."""
        return self._parts().items()

    def update(self, modules: Mapping[str, Module] | Iterable[tuple[str, Module]]) -> None:
        """Set several parts."""
        for name, module in dict(modules).items():
            self[name] = module

    def pop(self, name: str) -> Module:
        """Take a part out and return it."""
        module = self[name]
        del self[name]
        return module

    def clear(self) -> None:
        """Take all parts out."""
        for name in list(self):
            del self[name]


class DataParallel(Module):
    """A module by itself, as `module`: what PyTorch's makes of it where there is no other device.

    Args:
        module: is called.
        device_ids: None, or none.
        output_device: "cpu" or None.
        dim: without effect.

    Raises:
        ValueError: for other devices.
    """

    module: Module

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        _require_module(self, "module", module)
        for place in (*(device_ids or ()), output_device):
            require_cpu("DataParallel", f"cuda:{place}" if isinstance(place, int) else place)
        self.module = module

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Return what the module does."""
        return self.module(*inputs, **kwargs)
