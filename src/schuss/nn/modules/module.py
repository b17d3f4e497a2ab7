"""Hooks that are called with every module, before the module's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schuss.hooks import RemovableHandle
from schuss.nn.hooks import EVERYWHERE
from schuss.nn.module import Module

__all__ = ["Module", "register_module_forward_hook", "register_module_forward_pre_hook"]
__all__ += ["register_module_full_backward_hook", "register_module_full_backward_pre_hook"]


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Have `hook(module, args)` called before every module's `forward`.

    Args:
        hook: what it returns, unless that is None, is taken for the arguments.

    Returns:
        A handle whose `remove()` takes the hook away.
    """
    return EVERYWHERE.register("before", hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Have `hook(module, args, output)` called after every module's `forward`.

    Args:
        hook: what it returns, unless that is None, is taken for the output.
        with_kwargs: whether it is `hook(module, args, kwargs, output)`.
        always_call: taken and without effect: an error in `forward` is an error.

    >>> import schuss as ss
    >>> from schuss import nn
    >>> seen = []
    >>> handle = register_module_forward_hook(lambda m, args, y: seen.append(type(m).__name__))
    >>> _ = nn.Sequential(nn.Linear(2, 3), nn.ReLU())(ss.ones((1, 2))); handle.remove(); seen
    ['Linear', 'ReLU', 'Sequential']
    """
    return EVERYWHERE.register("after", hook, with_kwargs=with_kwargs)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Have `hook(module, grad_output)` called when the errors in a module's outputs have arrived.

    Args:
        hook: takes a tuple of them; what it returns, unless that is None, takes their place.
    """
    return EVERYWHERE.register("backward_before", hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Have `hook(module, grad_input, grad_output)` called on the way back through every module.

    Args:
        hook: takes tuples of the errors; what it returns, unless that is None, takes the place of
            those in the inputs.
    """
    return EVERYWHERE.register("backward", hook)
