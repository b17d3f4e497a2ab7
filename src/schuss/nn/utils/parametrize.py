"""Parametrizations: a parameter that is computed from others each time it is used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from schuss.core import Tensor, no_grad
from schuss.nn.containers import ModuleDict, ModuleList
from schuss.nn.module import Module
from schuss.nn.parameter import Parameter

__all__ = ["ParametrizationList", "cached", "is_parametrized", "register_parametrization"]
__all__ += ["remove_parametrizations", "with_properties", "without_property"]

# What was computed within `cached`, by the module and the parameter's name.
_CACHE: dict[tuple[int, str], Tensor] = {}
_CACHING = [0]


class ParametrizationList(ModuleList):
    """What computes one parameter: `original`, or `original0`, `original1`, ..., and modules.

    Args:
        module: called with the originals; what it returns goes to those that are appended.
        original: what the parameter was.
    """

    def __init__(self, module: Module, original: Tensor) -> None:
        super().__init__([module])
        inverse = getattr(module, "right_inverse", None)
        with no_grad():
            found = original if inverse is None else inverse(original)
        several = isinstance(found, tuple | list)
        self._originals = [f"original{n}" for n in range(len(found))] if several else ["original"]
        for name, value in zip(self._originals, found if several else [found], strict=True):
            if isinstance(original, Parameter):
                setattr(self, name, Parameter(value.detach(), original.requires_grad))
            else:
                self.register_buffer(name, value.detach())

    def forward(self) -> Tensor:
        """Return the parameter."""
        first, *rest = self
        value: Tensor = first(*[getattr(self, name) for name in self._originals])
        for module in rest:
            value = module(value)
        return value


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Have a parameter or buffer computed by a module each time it is used; return `module`.

    Args:
        module: has it.
        tensor_name: its name.
        parametrization: takes the original and returns the parameter. With a method
            `right_inverse` it starts from what that returns for the parameter, a tensor or several.
        unsafe: whether the parameter's shape and dtype may change.

    Raises:
        ValueError: if there is no such parameter, or its shape or dtype would change.

    >>> from schuss import nn, ones
    >>> class Symmetric(nn.Module):
    ...     def forward(self, x):
    ...         return (x + x.T) / 2
    >>> layer = register_parametrization(nn.Linear(3, 3), "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    >>> sorted(layer.state_dict())
    ['bias', 'parametrizations.weight.original']
    """
    if is_parametrized(module, tensor_name):
        before = getattr(module, tensor_name)
        held = module.parametrizations[tensor_name]
        _require_alike(before, parametrization(before), tensor_name, unsafe)
        held.append(parametrization)
        return module
    original = module.__dict__.get(tensor_name)
    if not isinstance(original, Tensor):
        raise ValueError(
            f"register_parametrization: expected a parameter or buffer of {type(module).__name__}, "
            f"got {tensor_name!r}."
        )
    made = ParametrizationList(parametrization, original)
    with no_grad():
        _require_alike(original, made(), tensor_name, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.__class__ = with_properties(type(module))
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = made
    setattr(type(module), tensor_name, property(partial(_computed, tensor_name)))
    return module


def _require_alike(before: Tensor, after: Tensor, name: str, unsafe: bool) -> None:
    if not unsafe and (before.shape, before.array.dtype) != (after.shape, after.array.dtype):
        raise ValueError(
            f"register_parametrization: expected {name} to stay {before.array.dtype} of shape "
            f"{before.shape}, got {after.array.dtype} of {after.shape}; unsafe=True allows it."
        )


def with_properties(kind: type[Module]) -> type[Module]:
    """Return a class of a module's own, for the properties that compute its parameters."""
    made = type(f"Parametrized{kind.__name__}", (kind,), {"__module__": kind.__module__})
    made.__qualname__ = made.__name__
    return made


def without_property(kind: type[Module], name: str) -> type[Module]:
    """Return a class made by `with_properties` without one of its properties."""
    parent = kind.__mro__[1]
    if name in vars(kind):
        return parent
    found = with_properties(without_property(parent, name))
    for key, value in vars(kind).items():
        if isinstance(value, property):
            setattr(found, key, value)
    return found


def _computed(name: str, module: Module) -> Tensor:
    if not _CACHING[0]:
        return module.parametrizations[name]()  # type: ignore[no-any-return]
    key = (id(module), name)
    found = _CACHE.get(key)
    if found is None:
        found = _CACHE[key] = module.parametrizations[name]()
    return found


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Return whether a module's parameter (or any) is computed."""
    held = module.__dict__.get("parametrizations")
    if not isinstance(held, ModuleDict):
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make a computed parameter one of its own again; return `module`.

    Args:
        module: has it.
        tensor_name: its name.
        leave_parametrized: whether it stays what was computed, or becomes the original again.

    Raises:
        ValueError: if it is not computed, or there are several originals to become.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(
            f"remove_parametrizations: expected a parametrized tensor, got {tensor_name!r}."
        )
    held = module.parametrizations[tensor_name]
    first = getattr(held, held._originals[0])
    if leave_parametrized:
        with no_grad():
            value = held()
    elif len(held._originals) == 1:
        value = first
    else:
        raise ValueError(
            "remove_parametrizations: there are several originals; use leave_parametrized=True."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module.parametrizations
        module.__class__ = type(module).__mro__[1]
    if isinstance(first, Parameter):
        setattr(module, tensor_name, Parameter(value.detach(), first.requires_grad))
    else:
        module.register_buffer(tensor_name, value.detach())
    return module


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parameter at most once within a block."""
    _CACHING[0] += 1
    try:
        yield
    finally:
        _CACHING[0] -= 1
        if not _CACHING[0]:
            _CACHE.clear()
