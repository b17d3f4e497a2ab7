"""Batcher: evaluates operations on batches where a function sees single elements of them."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from schuss.core import RECORDING, TRACER, Array, Tensor, leaf, new_object, next_stamp
from schuss.lowering.kinds import Elementwise, HostCall
from schuss.primitives.base import apply
from schuss.primitives.batching import aligned, batch_elementwise, batch_one_by_one
from schuss.primitives.checks import ValueCheck, require
from schuss.primitives.custom import custom
from schuss.primitives.reduction import broadcast_to, sum_to
from schuss.primitives.storage import write
from schuss.primitives.views import SAME_MEMORY, memory_of, origin_of, origins_of

__all__ = ["Batched", "Batcher"]


class Batched:
    """Stands for the array of a tensor: one element of a batch, whichever.

    Args:
        whole: the batch, whose first axis counts the elements.
        owner: the batcher.
    """

    __slots__ = ("dtype", "ndim", "owner", "shape", "size", "whole")

    def __init__(self, whole: Tensor, owner: Batcher) -> None:
        self.whole = whole
        self.owner = owner
        self.shape: tuple[int, ...] = whole.shape[1:]
        self.dtype = whole.array.dtype
        self.ndim = len(self.shape)
        self.size = int(np.prod(self.shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self.owner.refuse("the values of a tensor")

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self.owner.refuse(f".{name}")


class Batcher:
    """What operations are given to within `vmap`: it has them done on whole batches.

    It stands where a tracer does, and what it has done goes to the tracer outside of it, if there
    is one: another `vmap`, or `compile`.

    Args:
        size: of the batch.
        randomness: "different" for each element, "same" for all, or "error".
    """

    # The layer or rule that a compiled program shows; the tracer outside knows it.
    scope = ""

    def __init__(self, size: int, randomness: str) -> None:
        self.size = size
        self.randomness = randomness
        self.outer = TRACER.get()
        self._made: list[weakref.ref[Tensor]] = []
        # Tensors that were assigned to, so that what shares their memory is another one now.
        self._rewritten: dict[int, Tensor] = {}

    @contextmanager
    def outside(self) -> Iterator[None]:
        """Evaluate operations as they are outside."""
        token = TRACER.set(self.outer)
        try:
            yield
        finally:
            TRACER.reset(token)

    def batch(self, whole: Tensor) -> Tensor:
        """Return the tensor that stands for one element of a batch."""
        made = new_object(Tensor)
        made.array = Batched(whole, self)  # type: ignore[assignment]  # in the place of an array
        made.grad = None
        made.node = None
        # Whoever differentiates within has to know that somebody outside does.
        made.requires_grad = whole.requires_grad
        made.stamp = 0
        self._made.append(weakref.ref(made))
        return made

    def tensors(self) -> list[Tensor]:
        """Return the tensors made here that are still there."""
        return [x for x in [made() for made in self._made] if x is not None]

    def _current(self, x: Tensor) -> Tensor:
        """Return what a tensor is now that what it is a view of may have been assigned to."""
        origin = origin_of(x)
        if origin is None or origin[1] is None or id(origins_of(x)[0]) not in self._rewritten:
            return x
        base = self._current(origin[1])
        if origin[0] is SAME_MEMORY:
            return base
        token = RECORDING.set(False)
        try:
            return self.apply(origin[0], (base,), origin[2])
        finally:
            RECORDING.reset(token)

    def whole(self, x: Any) -> Tensor | None:
        """Return the batch that a tensor is one element of, or None for what is outside of it."""
        if self._rewritten and isinstance(x, Tensor):
            x = self._current(x)
        array: Any = x.array if isinstance(x, Tensor) else None
        return array.whole if type(array) is Batched and array.owner is self else None

    def apply(self, primitive: Any, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Tensor:
        """Apply a primitive to whole batches; return the tensor for one element of the result."""
        wholes = [self.whole(x) for x in inputs]
        batched = [whole is not None for whole in wholes]
        is_random = primitive.name == "random_uniform"
        if not any(batched) and not (is_random and self.randomness != "same"):
            with self.outside():
                return apply(primitive, inputs, attributes)
        attributes = {name: value for name, value in attributes.items() if name != "sparse"}
        parts = [x if whole is None else whole for x, whole in zip(inputs, wholes, strict=True)]
        with self.outside():
            if is_random:
                whole = self._drawn(primitive, parts, attributes)
            else:
                whole = _rule_of(primitive, parts)(primitive, self.size, batched, parts, attributes)
        made = self.batch(whole)
        tensors = [x for x in inputs if isinstance(x, Tensor)]
        if primitive.differentiable and RECORDING.get() and any(x.requires_grad for x in tensors):
            made.requires_grad = True
            made.node = (primitive, inputs, attributes)
            made.stamp = next_stamp()
        return made

    def _drawn(self, primitive: Any, inputs: list[Any], attributes: dict[str, Any]) -> Tensor:
        if self.randomness == "error":
            raise RuntimeError(
                "vmap: expected a function that draws no random numbers; say whether elements draw "
                "their own, randomness='different', or all the same, randomness='same'."
            )
        shape = (self.size, *attributes["shape"])
        return apply(primitive, tuple(inputs), {**attributes, "shape": shape})

    def custom(
        self,
        name: str,
        inputs: Sequence[Any],
        result: Tensor,
        derivative: Callable[[Tensor, Tensor], dict[int, Any]],
    ) -> Tensor:
        """Return a result whose batch is recorded outside, with the derivative of each element."""
        whole = self.whole(result)
        if whole is None:
            return result
        wholes = [self.whole(x) for x in inputs]
        parts = [x if batch is None else batch for x, batch in zip(inputs, wholes, strict=True)]

        def of_batches(g: Tensor, y: Tensor) -> dict[int, Any]:
            outer, self.outer = self.outer, TRACER.get()
            token = TRACER.set(self)
            try:
                errors = derivative(self.batch(g), self.batch(y))
                return {
                    place: self._error_of_batch(error, inputs[place])
                    for place, error in errors.items()
                    if isinstance(inputs[place], Tensor)
                }
            finally:
                TRACER.reset(token)
                self.outer = outer

        with self.outside():
            return self.batch(custom(name, parts, whole, of_batches))

    def _error_of_batch(self, error: Any, x: Tensor) -> Tensor | None:
        """Return the errors in an input for the whole batch; the reverse pass sums shared ones."""
        if error is None:
            return None
        error = sum_to(error, x.array.shape)
        whole = self.whole(error)
        with self.outside():
            return broadcast_to(error, (self.size, *error.shape)) if whole is None else whole

    # What else is asked of a tracer.

    def contents(self, x: Tensor) -> Any:
        """Return what stands for the array of `x`, as it is now."""
        x = self._current(x)
        if self.whole(x) is not None or self.outer is None:
            return x.array
        return self.outer.contents(x)

    def memory(self, x: Tensor) -> Array:
        """Return an array that lies in memory as `x` does."""
        whole = self.whole(x)
        with self.outside():
            array = memory_of(x if whole is None else whole)
        if whole is None:
            return array
        return array[0] if len(array) else np.zeros(x.shape, x.array.dtype)

    def assign(self, tensor: Tensor, value: Any) -> None:
        """Give a tensor other contents."""
        whole = self.whole(value)
        if whole is not None and self.whole(tensor) is None:
            raise RuntimeError(
                "vmap: a tensor from outside cannot become one element of a batch; build a new one."
            )
        if whole is None and self.whole(tensor) is not None:
            value = value if isinstance(value, Tensor) else leaf(np.array(value))
            with self.outside():
                whole = broadcast_to(value, (self.size, *tensor.shape))
        if whole is not None:
            tensor.array = Batched(whole, self)  # type: ignore[assignment]
        elif self.outer is not None:
            self.outer.assign(tensor, value)
        else:
            write("assign", tensor, value.array if isinstance(value, Tensor) else np.array(value))
        tensor.stamp = next_stamp()
        self._rewritten[id(tensor)] = tensor

    def check(self, check: ValueCheck, tensors: Sequence[Tensor]) -> None:
        """Have the values of whole batches checked."""
        wholes = [self.whole(x) for x in tensors]
        parts = [x if whole is None else whole for x, whole in zip(tensors, wholes, strict=True)]
        with self.outside():
            require(check, *aligned([whole is not None for whole in wholes], parts))

    def refuse(self, what: str) -> NoReturn:
        """Refuse to give a value away."""
        raise RuntimeError(
            f"vmap: {what} is not known, as it stands for a whole batch; use schuss.where in the "
            "place of if, and keep numbers tensors."
        )

    def selected(self, x: Tensor, mask: Tensor) -> NoReturn:
        """Refuse what a mask picks."""
        self.nonzero(mask)

    def nonzero(self, x: Tensor) -> NoReturn:
        """Refuse what has a shape that depends on values."""
        raise RuntimeError(
            "vmap: the shape of what a boolean mask picks depends on values; use schuss.where."
        )

    def call(self, module: Any, *args: Any, **options: Any) -> Any:
        """Return what a module's `forward` returns."""
        return module.forward(*args, **options)

    @contextmanager
    def within(self, scope: str) -> Iterator[None]:
        """Do what a tracer notes."""
        yield

    def backward_scope(self, y: Tensor) -> str:
        """Return what a tracer notes."""
        return ""

    def attribute(self, module: Any, name: str) -> Any:
        """Return a number of a module's."""
        return getattr(module, name) if self.outer is None else self.outer.attribute(module, name)

    def writes(self, owner: str, x: Tensor) -> None:
        """Take it that a tensor is changed in place."""
        if self.whole(x) is None and self.outer is not None:
            self.outer.writes(owner, x)

    def records(self, x: Tensor) -> None:
        """Take it that a tensor was given contents that take part in differentiation."""

    def side_effect(self, name: str) -> None:
        """Take it that something in Python changes, unless a compiled function is traced."""
        if self.outer is not None:
            self.outer.side_effect(name)

    def options(self, group: dict[str, Any], check: Any) -> NoReturn:
        """Refuse an optimiser's step."""
        self.refuse("an optimiser's step")

    def sees(self, tensor: Tensor) -> None:
        """Take it that the gradient of a tensor changes."""
        if self.outer is not None:
            self.outer.sees(tensor)


def _rule_of(primitive: Any, inputs: list[Any]) -> Callable[..., Tensor]:
    """Return the batching rule of a primitive."""
    if primitive.batch is not None:
        return primitive.batch  # type: ignore[no-any-return]
    if isinstance(primitive.lower, Elementwise):
        return batch_elementwise
    if isinstance(primitive.lower, HostCall) and len(inputs) == 1:
        # NumPy's functions of matrices take any number of leading axes.
        return lambda primitive, size, batched, inputs, attributes: apply(
            primitive, tuple(inputs), attributes
        )
    return batch_one_by_one
