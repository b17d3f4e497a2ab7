"""Function: an operation whose forward and backward passes the user writes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from itertools import accumulate
from typing import Any

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.core import RECORDING, Tensor, leaf, no_grad
from schuss.functions import concat, reshape
from schuss.primitives.base import astype, result_dtype
from schuss.primitives.custom import custom

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What the forward pass of a `Function` leaves to its backward pass.

    Attributes:
        needs_input_grad: for each argument whether it takes part in differentiation.
    """

    def __init__(self, needs_input_grad: tuple[bool, ...]) -> None:
        self.needs_input_grad = needs_input_grad
        self.to_save: tuple[Any, ...] = ()
        self.non_differentiable: tuple[Tensor, ...] = ()
        self.outputs: tuple[Any, ...] = ()

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep arguments or results for the backward pass, where they are `ctx.saved_tensors`."""
        self.to_save = tensors

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """What `save_for_backward` has kept."""
        return tuple(self.outputs[x.place] if isinstance(x, _Output) else x for x in self.to_save)

    def mark_non_differentiable(self, *outputs: Tensor) -> None:
        """Say that these results have no derivative."""
        self.non_differentiable = outputs

    def set_materialize_grads(self, value: bool) -> None:
        """Taken and without effect: errors that did not arrive are zeros."""

    def mark_dirty(self, *args: Tensor) -> None:
        """Refuse what changes its arguments."""
        raise NotImplementedError(
            "Function: a forward pass may not change its arguments; return new tensors."
        )


class _Output:
    """Stands for a result among the tensors that were saved: kept itself, it would keep itself."""

    def __init__(self, place: int) -> None:
        self.place = place


class Function:
    """An operation with a derivative of one's own.

    A subclass has static methods `forward(ctx, *args)` (or `forward(*args)` and
    `setup_context(ctx, inputs, output)`) and `backward(ctx, *errors)`, which takes the error in
    each result and returns one for each argument, None for what has none. It is called by
    `Subclass.apply(...)`. Within `compile` both are traced.

    >>> from schuss import autograd, exp, tensor
    >>> class Exp(autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         y = exp(x)
    ...         ctx.save_for_backward(y)
    ...         return y
    ...     @staticmethod
    ...     def backward(ctx, error):
    ...         (y,) = ctx.saved_tensors
    ...         return error * y
    >>> x = tensor([0.0, 1.0], requires_grad=True)
    >>> Exp.apply(x).sum().backward(); round(x.grad[1].item(), 4)
    2.7183
    """

    @staticmethod
    def forward(*args: Any, **options: Any) -> Any:
        """Compute the results; a subclass must define it."""
        raise NotImplementedError("Function: expected a static method forward(ctx, *args).")

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: Any) -> Any:
        """Keep what the backward pass needs, where `forward` takes no ctx."""
        raise NotImplementedError("Function: expected a static method setup_context.")

    @staticmethod
    def backward(ctx: Any, *errors: Any) -> Any:
        """Take the errors in the results back to the arguments; a subclass must define it."""
        raise NotImplementedError("Function: expected a static method backward(ctx, *errors).")

    @classmethod
    def apply(cls, *args: Any) -> Any:
        """Compute the results, recorded with the class's own derivative."""
        recording = RECORDING.get()
        needs = tuple(recording and isinstance(x, Tensor) and x.requires_grad for x in args)
        ctx = FunctionCtx(needs)
        with no_grad():
            if cls.setup_context is Function.setup_context:
                found = cls.forward(ctx, *args)
            else:
                found = cls.forward(*args)
                cls.setup_context(ctx, args, found)
        results = found if isinstance(found, tuple) else (found,)
        differentiable = [
            place
            for place, y in enumerate(results)
            if isinstance(y, Tensor)
            and y.array.dtype.kind == "f"
            and not any(y is other for other in ctx.non_differentiable)
        ]
        if not any(needs) or not differentiable:
            return found
        ctx.to_save = tuple(_stand_in(x, args, results) for x in ctx.to_save)
        recorded = _Recorded(cls, ctx, args, results, differentiable)
        outputs = recorded.outputs()
        return outputs if isinstance(found, tuple) else outputs[0]


def _stand_in(x: Any, args: Sequence[Any], results: Sequence[Any]) -> Any:
    if any(x is argument for argument in args):
        return x
    return next((_Output(place) for place, y in enumerate(results) if x is y), x)


class _Recorded:
    """One call of a `Function`: its results with their derivative.

    A node of the computation has one result. Where there are several, that one holds them all end
    to end, and they are parts of it.
    """

    def __init__(
        self,
        kind: type[Function],
        ctx: FunctionCtx,
        args: tuple[Any, ...],
        results: tuple[Any, ...],
        differentiable: list[int],
    ) -> None:
        self._kind = kind
        self._ctx = ctx
        self._args = args
        # What stays of the results: those that are not recorded, and the others' shapes.
        self._results = [None if i in differentiable else y for i, y in enumerate(results)]
        self._specs = {i: (results[i].shape, results[i].dtype) for i in differentiable}
        with no_grad():
            self._whole = self._joined([results[i] for i in differentiable])

    def _joined(self, results: list[Tensor]) -> Tensor:
        if len(results) == 1:
            return results[0]
        dtype = result_dtype(*[y.array.dtype for y in results])
        return concat([reshape(astype(y, dtype), (-1,)) for y in results])

    def _parts(self, whole: Tensor) -> dict[int, Tensor]:
        """Return the parts of what holds all results, or the errors in them, by their place."""
        if len(self._specs) == 1:
            return dict.fromkeys(self._specs, whole)
        sizes = [math.prod(shape) for shape, _ in self._specs.values()]
        ends = accumulate(sizes)
        return {
            place: astype(reshape(whole[end - size : end], shape), dtype)
            for (place, (shape, dtype)), size, end in zip(
                self._specs.items(), sizes, ends, strict=True
            )
        }

    def _with_parts(self, whole: Tensor) -> tuple[Any, ...]:
        parts = self._parts(whole)
        return tuple(parts.get(i, y) for i, y in enumerate(self._results))

    def outputs(self) -> tuple[Any, ...]:
        """Return the results, recorded."""
        name = self._kind.__name__
        whole, self._whole = self._whole, None  # type: ignore[assignment]  # to let it go
        return self._with_parts(custom(name, self._args, whole, self._errors))

    def _errors(self, error: Tensor, whole: Tensor) -> dict[int, Tensor | None]:
        """Take the error in what holds all results back to the arguments."""
        ctx = self._ctx
        ctx.outputs = self._with_parts(whole)
        parts = self._parts(error)
        errors = [parts[i] if i in parts else _zeros_like(y) for i, y in enumerate(self._results)]
        try:
            found = self._kind.backward(ctx, *errors)
        finally:
            ctx.outputs = ()
        given = list(found) if isinstance(found, tuple | list) else [found]
        name = self._kind.__name__
        if len(given) < len(self._args) or any(x is not None for x in given[len(self._args) :]):
            raise RuntimeError(
                f"{name}.backward: expected an error for each of {len(self._args)} arguments, got "
                f"{len(given)}; return None for what has none."
            )
        for x in given:
            if x is not None and not isinstance(x, Tensor):
                raise TypeError(
                    f"{name}.backward: expected tensors or None, got {type(x).__name__}."
                )
        return dict(enumerate(given[: len(self._args)]))


def _zeros_like(y: Any) -> Any:
    return leaf(np.zeros(y.shape, y.array.dtype)) if isinstance(y, Tensor) else None


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a `backward` whose results cannot be differentiated again: to do so is an error.

    >>> from schuss.autograd import Function
    >>> class Twice(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x + x
    ...     @staticmethod
    ...     @once_differentiable
    ...     def backward(ctx, error):
    ...         return error + error
    """

    @wraps(backward)
    def wrapped(ctx: Any, *errors: Any) -> Any:
        with no_grad():
            found = backward(ctx, *errors)

        def refuse(*_: Tensor) -> Any:
            raise RuntimeError(
                "once_differentiable: expected one derivative, got a second one of a backward that "
                "is marked as differentiable once."
            )

        used = [*errors, *(x for x in ctx.saved_tensors if isinstance(x, Tensor))]
        given = found if isinstance(found, tuple) else (found,)
        marked = tuple(
            custom("once_differentiable", used, x, refuse) if isinstance(x, Tensor) else x
            for x in given
        )
        return marked if isinstance(found, tuple) else marked[0]

    return wrapped
