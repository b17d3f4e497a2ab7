"""Tracing a call: a function run once on abstract tensors, and all that there is to know of it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from schuss.backprop import is_freed
from schuss.compiler.trace.effects import Effects
from schuss.compiler.trace.errors import SideEffectError
from schuss.compiler.trace.pytree import count_leaves, flatten, unflatten
from schuss.compiler.trace.tracer import Tracer
from schuss.core import TRACER, Array, Tensor, leaf
from schuss.errors import TraceError

__all__ = ["TracedCall", "trace_call"]


@dataclass
class TracedCall:
    """What a trace found.

    Args:
        tracer: with the graph, and what has to hold for it to be used again.
        gradients: the tensors whose `.grad` the function changes, with what it becomes.
        structure: of what the function returns.
        wanted: for each result, whether it takes part in differentiation.
        numbers: the floats among the arguments; whoever changes them changes what is read.
    """

    tracer: Tracer
    gradients: list[tuple[Tensor, Tensor | None]]
    structure: Any
    wanted: list[bool]
    numbers: list[float]


def trace_call(
    function: Callable[..., Any],
    structure: Any,
    leaves: list[Any],
    arrays: list[Array],
    numbers: list[float],
    *,
    on_demand: bool,
    memory: int | None,
) -> TracedCall:
    """Run a function on stand-ins for its arguments.

    Args:
        function: what is traced.
        structure: of its arguments and options.
        leaves: tensors, arrays and floats among them, in order.
        arrays: those of the tensors and arrays; only their shapes and dtypes count.
        numbers: the floats.
        on_demand: whether the second half of what it returns is only computed on demand.
        memory: the most bytes that the program's temporaries may take.

    Raises:
        SideEffectError: if it changes what a program could not; all is as it was before then.
    """
    tracer = Tracer()
    tracer.graph.memory = memory
    held = list(numbers)
    stand_ins = _stand_ins(tracer, leaves, arrays, held)
    args, options = unflatten(structure, iter(stand_ins))
    effects = Effects([function, args, options])
    tracer.may_reach(effects.tensors)
    given = [s for s in stand_ins if isinstance(s, Tensor)]
    token = TRACER.set(tracer)
    try:
        value = function(*args, **options)
        outputs: list[Any] = []
        returned = flatten(value, outputs, numbers=False)
        if on_demand:
            tracer.graph.on_demand = count_leaves(value[1])
        outputs = [x if isinstance(x, Tensor) else leaf(np.asarray(x)) for x in outputs]
        # Behind a loss that the function itself went back from there is no graph any more.
        wanted = [x.requires_grad and not is_freed(x) for x in outputs]
        del value
        changed = effects.settle(tracer)
        if changed is not None:
            raise SideEffectError(changed)
    except BaseException as error:
        tracer.restore()
        if isinstance(error, TraceError):
            effects.restore()
        raise
    finally:
        TRACER.reset(token)
    _take_gradients(given, leaves)
    changes = tracer.finish(outputs)
    # What nothing but the tracer holds is a constant.
    del outputs, given, stand_ins, args, options
    tracer.forsake()
    tracer.settle()
    if held:
        tracer.sources.append(lambda: tuple(held))
    return TracedCall(tracer, changes, returned, wanted, held)


def _stand_ins(
    tracer: Tracer, leaves: list[Any], arrays: list[Array], numbers: list[float]
) -> list[Any]:
    left, places = iter(arrays), iter(range(len(numbers)))
    made: list[Any] = []
    for x in leaves:
        if isinstance(x, float):
            made.append(tracer.number(functools.partial(numbers.__getitem__, next(places))))
            continue
        stand_in = tracer.argument(next(left))
        if isinstance(x, Tensor) and x.requires_grad:
            tracer.sees(x)
            stand_in.requires_grad = True
            stand_in.grad = x.grad
        made.append(stand_in)
    return made


def _take_gradients(given: list[Tensor], leaves: list[Any]) -> None:
    """Give arguments the gradients that their stand-ins got."""
    originals = [x for x in leaves if not isinstance(x, float)]
    for stand_in, original in zip(given, originals, strict=True):
        if isinstance(original, Tensor) and original.requires_grad:
            original.grad = stand_in.grad
