"""Fused compositions: functions composed of primitives that are one node where they are evaluated.

`compile` fuses a composition with what is around it. But where operations are evaluated one by
one, on small arrays each of them costs more than its arithmetic, and so does its derivative.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import update_wrapper
from typing import Any

import numpy as np

from schuss.core import TRACER, Tensor, leaf
from schuss.modes import SILENCE, quietly
from schuss.primitives.base import record

__all__ = ["FUSED", "Fused", "fused"]

# Every fused function, by its name.
FUSED: dict[str, Fused] = {}

ArrayRule = Callable[..., Any]


class Fused:
    """A composition that is one node where it is evaluated; see `fused`."""

    differentiable = True

    def __init__(
        self,
        composition: Callable[..., Tensor],
        value: Callable[..., Any],
        derivative: Sequence[ArrayRule | None] | None,
    ) -> None:
        self.name = composition.__name__.strip("_")
        if self.name in FUSED:
            raise ValueError(f"fused {self.name}: expected a new name, got one that is taken.")
        self.composition = composition
        self.value = value
        self._is_ours = str(getattr(value, "__module__", "")).startswith("schuss.")
        self.derivative = derivative and tuple([rule and _on_arrays(rule) for rule in derivative])
        update_wrapper(self, composition)
        FUSED[self.name] = self

    def __repr__(self) -> str:
        return f"<fused {self.name}>"

    def __reduce__(self) -> str:
        # By its name, as functions are pickled; update_wrapper has set the module.
        return str(self.__qualname__)  # type: ignore[attr-defined]

    def __call__(self, *inputs: Tensor, **attributes: Any) -> Tensor:
        """Evaluate as one node; in a trace, and for integers, go through the composition."""
        first = inputs[0]
        if TRACER.get() is not None or first.array.dtype.kind != "f":
            return self.composition(*inputs, **attributes)
        wanted = False
        arrays = []
        for x in inputs:
            arrays.append(x.array)
            if x.requires_grad:
                wanted = True
        if self._is_ours:
            # Cheaper than to change NumPy's state, as operations on a few numbers do it.
            filters = warnings.filters
            if not filters or filters[0] is not SILENCE.item:
                SILENCE.come_first()
            out = self.value(*arrays, **attributes)
        else:
            with quietly():
                out = self.value(*arrays, **attributes)
        if type(out) is tuple:
            attributes["kept"] = out[1:]
            out = out[0]
        return record(self, inputs, attributes, out, wanted)


def _on_arrays(rule: ArrayRule) -> Callable[..., Tensor]:
    """Return a rule of tensors that computes on their arrays, which records nothing."""

    def on_tensors(g: Tensor, y: Tensor, *inputs: Tensor, **attributes: Any) -> Tensor:
        found = rule(g.array, y.array, *[x.array for x in inputs], **attributes)
        return leaf(found if type(found) is np.ndarray else np.asarray(found))

    return on_tensors


def fused(
    *, value: Callable[..., Any], derivative: Sequence[ArrayRule | None] | None = None
) -> Callable[[Callable[..., Tensor]], Fused]:
    """Let a composition be one node where it is evaluated.

    The decorated function is the definition: it takes tensors by position and static arguments by
    name, and calls tensor functions. A trace sees it alone, and a derivative that is recorded
    itself goes back through it, so that there is nothing more to say for higher orders. It also
    takes what `value` is not for, a first tensor that is not of floats.

    Args:
        value: the same in plain NumPy, from arrays in the tensors' places; an array, or a tuple of
            that and of arrays that the derivative takes as `kept`. All floats have one dtype.
        derivative: for each tensor a rule `rule(g, y, *inputs, **attributes) -> array` in plain
            NumPy that takes the error `g` in the result `y` back to that input (an error that is
            too large by broadcasting is summed afterwards); None for one without derivative.
            Without rules every error goes back through the composition.

    >>> from schuss.core import tensor
    >>> from schuss.primitives.elementwise import exp, multiply
    >>> @fused(value=lambda x: x * np.exp(x), derivative=(lambda g, y, x: g * (y + np.exp(x)),))
    ... def example(x):
    ...     return multiply(x, exp(x))
    >>> x = tensor([0.0], requires_grad=True)
    >>> example(x).backward(); x.grad
    tensor([1.])
    >>> del FUSED["example"]
    """
    return lambda composition: Fused(composition, value, derivative)
