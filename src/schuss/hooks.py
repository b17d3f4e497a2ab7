"""Hooks: functions of the user's that the reverse pass calls with the error in a tensor."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from itertools import count
from types import TracebackType
from typing import Any

import numpy as np

from schuss.core import TRACER, Tensor

__all__ = ["CALLED_BY_ALL", "CHANGES", "Hooks", "RemovableHandle", "functions_of", "register_hook"]
__all__ += ["register_post_accumulate_grad_hook", "retain_grad", "run_after", "run_hooks"]

# How often hooks of tensors came or went outside of traces, which have called those that they met.
CHANGES = ctypes.c_int64(0)
# What any function may call besides what it names: the hooks of all modules.
CALLED_BY_ALL: list[Any] = []
_next_number = count().__next__


class RemovableHandle:
    """What registering a hook returns: takes the hook away again.

    Args:
        remove: takes it away; called once.
    """

    def __init__(self, remove: Callable[[], object]) -> None:
        self._remove: Callable[[], object] | None = remove

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        remove, self._remove = self._remove, None
        if remove is not None:
            remove()

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.remove()


class Hooks:
    """The hooks of one tensor."""

    # Whether a tensor ever had one: until then the reverse pass need not look.
    used = False

    def __init__(self) -> None:
        self.before: dict[int, Callable[[Tensor], Any]] = {}
        self.after: dict[int, Callable[[Tensor], Any]] = {}
        self.retains = False


def functions_of(x: Tensor) -> list[Callable[..., Any]]:
    """Return the hooks of a tensor."""
    found: Hooks | None = getattr(x, "hook", None)
    return [] if found is None else [*found.before.values(), *found.after.values()]


def _hooks_of(x: Tensor, owner: str) -> Hooks:
    if not x.requires_grad:
        raise RuntimeError(f"{owner}: expected a tensor that requires a gradient, got one without.")
    tracer = TRACER.get()
    if tracer is None:
        CHANGES.value += 1
    elif isinstance(x.array, np.ndarray):
        tracer.refuse(f"{owner}() of a tensor from outside")
    Hooks.used = True
    found: Hooks | None = getattr(x, "hook", None)
    if found is None:
        found = x.hook = Hooks()
    return found


def _registered(hooks: dict[int, Any], hook: Any) -> RemovableHandle:
    number = _next_number()
    hooks[number] = hook

    def remove() -> None:
        CHANGES.value += 1
        hooks.pop(number, None)

    return RemovableHandle(remove)


def register_hook(x: Tensor, hook: Callable[[Tensor], Tensor | None]) -> RemovableHandle:
    """Have `hook` called with the error in x whenever a reverse pass has all of it.

    Args:
        x: requires a gradient.
        hook: takes the error, of x's shape; what it returns, unless that is None, takes its place.

    Returns:
        A handle whose `remove()` takes the hook away.

    >>> from schuss import tensor
    >>> x = tensor([1.0, 2.0], requires_grad=True)
    >>> handle = x.register_hook(lambda error: 10 * error)
    >>> (x * x).sum().backward(); x.grad
    tensor([20., 40.])
    """
    return _registered(_hooks_of(x, "register_hook").before, hook)


def register_post_accumulate_grad_hook(
    x: Tensor, hook: Callable[[Tensor], object]
) -> RemovableHandle:
    """Have `hook` called with x whenever `backward` has added to `x.grad`.

    Args:
        x: a leaf that requires a gradient.
        hook: takes x; what it returns is not used.

    Raises:
        RuntimeError: for the result of an operation.
    """
    if not x.is_leaf:
        raise RuntimeError(
            "register_post_accumulate_grad_hook: expected a leaf, got a result of an operation."
        )
    return _registered(_hooks_of(x, "register_post_accumulate_grad_hook").after, hook)


def retain_grad(x: Tensor) -> None:
    """Have `backward` leave the error in a result in its `.grad`, as it does in a leaf's."""
    if not x.is_leaf:
        _hooks_of(x, "retain_grad").retains = True


def run_hooks(x: Tensor, error: Tensor) -> Tensor:
    """Call the hooks of x with the error that has arrived; return what to go on with."""
    hooks: Hooks | None = getattr(x, "hook", None)
    if hooks is None:
        return error
    for hook in list(hooks.before.values()):
        changed = hook(error)
        if changed is None:
            continue
        if not isinstance(changed, Tensor) or changed.shape != x.shape:
            got = changed.shape if isinstance(changed, Tensor) else type(changed).__name__
            raise ValueError(f"hook: expected a tensor of shape {x.shape} or None, got {got}.")
        error = changed
    if hooks.retains:
        x.grad = error if x.grad is None else x.grad + error
    return error


def run_after(x: Tensor) -> None:
    """Call the hooks that are for when the gradient of x has been added to."""
    hooks: Hooks | None = getattr(x, "hook", None)
    if hooks is not None:
        for hook in list(hooks.after.values()):
            hook(x)
