"""Weight norm under its older name, whose parameters are called weight_g and weight_v."""

from __future__ import annotations

from functools import partial

from schuss.core import Tensor, no_grad
from schuss.nn.module import Module
from schuss.nn.parameter import Parameter
from schuss.nn.utils.parametrizations import norm_except
from schuss.nn.utils.parametrize import with_properties, without_property

__all__ = ["remove_weight_norm", "weight_norm"]


def _weight(name: str, dim: int | None, module: Module) -> Tensor:
    g: Tensor = getattr(module, f"{name}_g")
    v: Tensor = getattr(module, f"{name}_v")
    return v * (g / norm_except(v, dim))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Have a weight learned as its length g and its direction v; return `module`.

    Args:
        module: has the weight.
        name: of the weight.
        dim: the axis along which each has a length of its own; None for a single one.

    Raises:
        ValueError: if there is no such parameter.
    """
    original = module.__dict__.get(name)
    if not isinstance(original, Parameter):
        raise ValueError(
            f"weight_norm: expected the name of a parameter of {type(module).__name__}, got "
            f"{name!r}."
        )
    with no_grad():
        length = norm_except(original, dim)
    delattr(module, name)
    module.__class__ = with_properties(type(module))
    module.register_parameter(f"{name}_g", Parameter(length.detach()))
    module.register_parameter(f"{name}_v", Parameter(original.detach()))
    setattr(type(module), name, property(partial(_weight, name, dim)))
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make a weight a parameter of its own again; return `module`.

    Raises:
        ValueError: if it has no weight norm.
    """
    if f"{name}_g" not in module.__dict__:
        raise ValueError(f"remove_weight_norm: expected a weight with weight norm, got {name!r}.")
    with no_grad():
        value = getattr(module, name)
    for part in ("g", "v"):
        delattr(module, f"{name}_{part}")
    module.__class__ = without_property(type(module), name)
    setattr(module, name, Parameter(value.detach()))
    return module
