"""Spectral norm under its older name, whose parameter is called weight_orig."""

from __future__ import annotations

from functools import partial
from typing import Any

from schuss import functions as ops
from schuss.core import Tensor, no_grad
from schuss.nn.module import Module
from schuss.nn.parameter import Parameter
from schuss.nn.utils.parametrize import with_properties, without_property
from schuss.nn.utils.power_iteration import (
    as_matrix,
    first_vectors,
    iterate,
    largest_singular_value,
    rows_axis,
)

__all__ = ["remove_spectral_norm", "spectral_norm"]


def _weight(name: str, dim: int, module: Module) -> Tensor:
    weight, u, v = (getattr(module, f"{name}_{part}") for part in ("orig", "u", "v"))
    computed: Tensor = weight / largest_singular_value(as_matrix(weight, dim), u, v)
    return computed


def _iterate(
    name: str, times: int, eps: float, dim: int, module: Module, inputs: tuple[Any, ...]
) -> None:
    """Bring the vectors nearer to the first singular ones, before a call while training."""
    if module.training:
        weight, u, v = (getattr(module, f"{name}_{part}") for part in ("orig", "u", "v"))
        iterate(ops.matrix_transpose(as_matrix(weight, dim)), v, u, times, eps)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Have a weight divided by its largest singular value before each call; return `module`.

    Miyato et al., 2018, arXiv 1802.05957. `parametrizations.spectral_norm` does the same.

    Args:
        module: has the weight.
        name: of the weight.
        n_power_iterations: how often the value is brought nearer, at each call while training.
        eps: smallest length to divide by.
        dim: the axis that is the rows of a matrix; 0 by default, 1 for transposed convolutions.

    Raises:
        ValueError: if there is no such parameter, or no iteration is asked for.
    """
    original = module.__dict__.get(name)
    if not isinstance(original, Parameter):
        raise ValueError(
            f"spectral_norm: expected the name of a parameter of {type(module).__name__}, got "
            f"{name!r}."
        )
    if n_power_iterations < 1:
        raise ValueError(
            f"spectral_norm: expected n_power_iterations >= 1, got {n_power_iterations}."
        )
    if dim is None:
        dim = rows_axis(module)
    delattr(module, name)
    module.__class__ = with_properties(type(module))
    module.register_parameter(f"{name}_orig", original)
    with no_grad():
        vectors = first_vectors(as_matrix(original, dim), eps)
    for part, vector in zip("uv", vectors, strict=True):
        module.register_buffer(f"{name}_{part}", vector)
    setattr(type(module), name, property(partial(_weight, name, dim)))
    hook = partial(_iterate, name, n_power_iterations, eps, dim)
    handle = module.register_forward_pre_hook(hook)
    module.__dict__[f"_{name}_spectral_norm"] = handle
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make a weight a parameter of its own again; return `module`.

    Raises:
        ValueError: if it has no spectral norm.
    """
    handle = module.__dict__.pop(f"_{name}_spectral_norm", None)
    if handle is None:
        raise ValueError(
            f"remove_spectral_norm: expected a weight with spectral norm, got {name!r}."
        )
    handle.remove()
    with no_grad():
        value = getattr(module, name)
    for part in ("orig", "u", "v"):
        delattr(module, f"{name}_{part}")
    module.__class__ = without_property(type(module), name)
    setattr(module, name, Parameter(value.detach()))
    return module
