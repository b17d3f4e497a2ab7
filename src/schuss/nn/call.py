"""functional_call: a module called with other parameters than its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schuss.core import Tensor
from schuss.nn.module import Module

__all__ = ["functional_call"]


def functional_call(
    module: Module, parameters: Mapping[str, Tensor], *args: Any, **options: Any
) -> Any:
    """Return module(*args, **options) with `parameters` in the place of its own.

    This makes a network a function of its weights, for `schuss.grad`, `hvp` and the like. The
    module is as before afterwards (save for running figures that the call itself moves).

    Args:
        module: the network.
        parameters: dotted names of parameters or buffers to the tensors to use.
        *args: arguments of the module.
        **options: keyword arguments of the module.

    Returns:
        What the module returns.

    Raises:
        ValueError: if a name is none of the module's, or a shape differs.

    >>> import schuss as ss
    >>> from schuss import nn
    >>> layer = nn.Linear(2, 1, bias=False)
    >>> x = ss.tensor([[1.0, 2.0]])
    >>> loss = lambda w: nn.functional_call(layer, {"weight": w}, x).sum()
    >>> ss.grad(loss)(ss.tensor([[0.0, 0.0]])).tolist()
    [[1.0, 2.0]]
    """
    owners = dict(module.named_modules(remove_duplicate=False))
    held: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, tensor in parameters.items():
            path, _, attribute = name.rpartition(".")
            owner = owners.get(path)
            own = None if owner is None else owner.__dict__.get(attribute)
            if owner is None or not isinstance(own, Tensor):
                raise ValueError(
                    f"functional_call: expected names of parameters or buffers of "
                    f"{type(module).__name__}, got {name!r}."
                )
            if own.shape != tensor.shape:
                raise ValueError(
                    f"functional_call: expected {name} of shape {own.shape}, got {tensor.shape}."
                )
            held.append((owner.__dict__, attribute, own))
            owner.__dict__[attribute] = tensor
        return module(*args, **options)
    finally:
        for place, attribute, own in reversed(held):
            place[attribute] = own
