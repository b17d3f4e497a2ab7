"""Hooks of modules: functions that are called around `forward`, and with errors on the way back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from schuss.backprop import mark
from schuss.core import Tensor
from schuss.hooks import CALLED_BY_ALL, CHANGES, RemovableHandle, register_hook

__all__ = ["EVERYWHERE", "Hookable", "call_with_hooks"]


@dataclass(frozen=True)
class _Hook:
    """A function, and whether it takes and returns keyword arguments too."""

    function: Callable[..., Any]
    with_kwargs: bool = False


@dataclass(frozen=True)
class _Hooks:
    """The hooks of one module, by when they are called; replaced as a whole when one changes."""

    before: tuple[_Hook, ...] = ()
    after: tuple[_Hook, ...] = ()
    backward_before: tuple[_Hook, ...] = ()
    backward: tuple[_Hook, ...] = ()


class _Everywhere:
    """The hooks of all modules, which come before each one's own."""

    hooks = _Hooks()
    used = False

    def register(
        self, when: str, hook: Callable[..., Any], *, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Have a function called with every module."""
        added = _Hook(hook, with_kwargs)

        def change(held: tuple[_Hook, ...]) -> None:
            self.hooks = replace(self.hooks, **{when: held})
            self.used = self.hooks != _Hooks()
            CALLED_BY_ALL[:] = [self.hooks]
            CHANGES.value += 1

        def held() -> tuple[_Hook, ...]:
            found: tuple[_Hook, ...] = getattr(self.hooks, when)
            return found

        change((*held(), added))
        return RemovableHandle(lambda: change(tuple(h for h in held() if h is not added)))


EVERYWHERE = _Everywhere()


class Hookable:
    """What a module has for hooks."""

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Have `hook(module, args)` called before `forward`.

        Args:
            hook: what it returns, unless that is None, is taken for the arguments.
            prepend: whether it comes before those that are there.
            with_kwargs: whether it is `hook(module, args, kwargs)`, and returns both.

        Returns:
            A handle whose `remove()` takes the hook away.
        """
        return self._registered("before", _Hook(hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Have `hook(module, args, output)` called after `forward`.

        Args:
            hook: what it returns, unless that is None, is taken for the output.
            prepend: whether it comes before those that are there.
            with_kwargs: whether it is `hook(module, args, kwargs, output)`.
            always_call: taken and without effect: an error in `forward` is an error.

        Returns:
            A handle whose `remove()` takes the hook away.

        >>> from schuss import nn, ones
        >>> layer, seen = nn.Linear(2, 3), []
        >>> handle = layer.register_forward_hook(lambda m, args, y: seen.append(y.shape))
        >>> _ = layer(ones((4, 2))); seen
        [(4, 3)]
        """
        return self._registered("after", _Hook(hook, with_kwargs), prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Have `hook(module, grad_output)` called when the errors in the outputs have arrived.

        Args:
            hook: takes a tuple of them; what it returns, unless that is None, takes their place.
            prepend: whether it comes before those that are there.
        """
        return self._registered("backward_before", _Hook(hook), prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Have `hook(module, grad_input, grad_output)` called on the way back.

        Args:
            hook: takes tuples of the errors in the inputs and in the outputs, None for what has
                none; what it returns, unless that is None, takes the place of those in the inputs.
            prepend: whether it comes before those that are there.
        """
        return self._registered("backward", _Hook(hook), prepend)

    register_backward_hook = register_full_backward_hook

    def _registered(self, when: str, hook: _Hook, prepend: bool) -> RemovableHandle:
        def change(held: tuple[_Hook, ...]) -> None:
            hooks = self.__dict__.get("_hooks", _Hooks())
            self.__dict__["_hooks"] = replace(hooks, **{when: held})
            CHANGES.value += 1

        def held() -> tuple[_Hook, ...]:
            found: tuple[_Hook, ...] = getattr(self.__dict__.get("_hooks", _Hooks()), when)
            return found

        change((hook, *held()) if prepend else (*held(), hook))
        return RemovableHandle(lambda: change(tuple(h for h in held() if h is not hook)))


def call_with_hooks(
    module: Any, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Return what `forward` returns, with the module's hooks called around it."""
    hooks: _Hooks = module.__dict__.get("_hooks", _Hooks())
    if EVERYWHERE.used:
        parts = ("before", "after", "backward_before", "backward")
        every = EVERYWHERE.hooks
        hooks = _Hooks(**{name: getattr(every, name) + getattr(hooks, name) for name in parts})
    for hook in hooks.before:
        changed = hook.function(module, args, *((kwargs,) if hook.with_kwargs else ()))
        if changed is None:
            continue
        if hook.with_kwargs:
            if not isinstance(changed, tuple) or len(changed) != 2:
                raise RuntimeError(
                    f"{type(module).__name__}: expected a forward pre-hook with kwargs to return "
                    "None or (args, kwargs)."
                )
            args, kwargs = changed
        else:
            args = changed if isinstance(changed, tuple) else (changed,)
    watched = _Backward(module, hooks, args) if hooks.backward or hooks.backward_before else None
    given = args if watched is None else watched.args
    result = forward(*given, **kwargs)
    for hook in hooks.after:
        more = (kwargs,) if hook.with_kwargs else ()
        changed = hook.function(module, args, *more, result)
        result = result if changed is None else changed
    return result if watched is None else watched.outputs(result)


class _Backward:
    """One call of a module whose errors are shown to hooks.

    Stand-ins of inputs and outputs collect the errors: those in all outputs arrive before those in
    the inputs.
    """

    def __init__(self, module: Any, hooks: _Hooks, args: tuple[Any, ...]) -> None:
        self._module = module
        self._hooks = hooks
        self.args = tuple(mark(x) if _wants(x) else x for x in args)
        self._by_input: list[Any] = [None] * len(args)
        self._by_output: list[Any] = []
        self._awaited = sum(map(_wants, args))

    def outputs(self, result: Any) -> Any:
        """Return the module's result, of which the errors are collected."""
        is_many = isinstance(result, tuple | list)
        values = list(result) if is_many else [result]
        self._by_output = [None] * len(values)
        self._outputs_awaited = sum(map(_wants, values))
        for place, y in enumerate(values):
            if _wants(y):
                shown = mark(y)
                register_hook(shown, partial(self._of_output, place))
                # Hooks that are put on the output itself come first, and may change the error.
                values[place] = mark(shown)
        for place, x in enumerate(self.args):
            if _wants(x):
                register_hook(x, partial(self._of_input, place))
        return type(result)(values) if is_many else values[0]

    def _of_output(self, place: int, error: Tensor) -> Tensor:
        self._by_output[place] = error
        self._outputs_awaited -= 1
        if self._outputs_awaited == 0:
            self._all_outputs()
        changed: Tensor = self._by_output[place]
        return changed

    def _all_outputs(self) -> None:
        for hook in self._hooks.backward_before:
            changed = hook.function(self._module, tuple(self._by_output))
            if changed is not None:
                several = changed if isinstance(changed, tuple) else (changed,)
                self._refuse_late(several, self._by_output)
                self._by_output = list(several)
        if self._awaited == 0:
            self._all_inputs()

    def _of_input(self, place: int, error: Tensor) -> Tensor:
        self._by_input[place] = error
        self._awaited -= 1
        if self._awaited == 0:
            self._all_inputs()
        changed: Tensor = self._by_input[place]
        return changed

    def _all_inputs(self) -> None:
        for hook in self._hooks.backward:
            errors = tuple(self._by_input), tuple(self._by_output)
            changed = hook.function(self._module, *errors)
            if changed is not None:
                several = changed if isinstance(changed, tuple) else (changed,)
                self._refuse_late(several, self._by_input)
                self._by_input = list(several)

    def _refuse_late(self, changed: tuple[Any, ...], errors: list[Any]) -> None:
        """Raise for a change of several errors: those that came first have gone on."""
        if len(changed) != len(errors):
            raise RuntimeError(
                f"{type(self._module).__name__}: expected a backward hook to return None or "
                f"{len(errors)} errors, got {len(changed)}."
            )
        if sum(error is not None for error in errors) > 1:
            raise NotImplementedError(
                f"{type(self._module).__name__}: a backward hook may change the error of a single "
                "input or output; use register_hook on the tensors."
            )


def _wants(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad
