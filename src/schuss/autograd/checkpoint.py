"""Checkpointing: what a function computed on its way is computed again when errors come back.

Chen et al., 2016, arXiv 1604.06174. Only its arguments and results are kept in between.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from schuss import random
from schuss.autograd.function import Function
from schuss.backprop import reverse
from schuss.core import RECORDING, Tensor, enable_grad, next_stamp
from schuss.modes import AUTOCAST, autocasting
from schuss.primitives.ordering import after
from schuss.trees import filled, leaves, mapped

__all__ = ["checkpoint", "checkpoint_sequential"]


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] | None = None,
    preserve_rng_state: bool = True,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Return `function(*args, **kwargs)`, and keep none of what it computes on its way.

    When the errors in its results are there, it is called once more, so that a network of n
    checkpointed blocks keeps n arguments and what one block computes, and takes about a third more
    time. Values and gradients are the same, dropout's random numbers included. What is computed
    again is what comes of the arguments: hand over activations, do not close over them. Running
    figures that the function moves (batch normalisation's) move twice, as in PyTorch.

    Args:
        function: of tensors, or nested containers of them; it has to do the same when it is
            called again.
        args: its arguments.
        use_reentrant: taken and without effect.
        context_fn: returns two contexts, for the first call and for those that compute again.
        preserve_rng_state: whether random numbers are the same again.
        determinism_check: taken and without effect.
        debug: taken and without effect.
        early_stop: taken and without effect.
        kwargs: its arguments by name.

    >>> from schuss import nn, randn
    >>> block = nn.Sequential(nn.Linear(4, 64), nn.GELU(), nn.Linear(64, 4))
    >>> y = nn.checkpoint(block, randn(8, 4))
    >>> y.sum().backward(); block[0].weight.grad.shape
    (64, 4)
    """
    first, again = (nullcontext(), nullcontext()) if context_fn is None else context_fn()
    if not RECORDING.get():
        with first:
            return function(*args, **kwargs)
    call = _Call(function, args, kwargs, again, keeps_random=preserve_rng_state)
    with first:
        found = call.run()
    results = leaves(found)
    places = [i for i, y in enumerate(results) if isinstance(y, Tensor) and y.requires_grad]
    if not places:
        return found
    call.places = places
    call.sources = _sources([results[i] for i in places], call.start)
    recorded = _Recompute.apply(call, tuple(results[i].detach() for i in places), *call.sources)
    for place, y in zip(places, recorded, strict=True):
        results[place] = y
    return results[0] if isinstance(found, Tensor) else filled(found, _present(results))


def _present(results: Sequence[Any]) -> Iterator[Any]:
    return (y for y in results if y is not None)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Return what functions give one after the other, checkpointed in so many segments.

    Args:
        functions: a `Sequential`, or a list of functions.
        segments: how many, of about equally many functions; the last one is not computed again.
        input: of the first function.
        use_reentrant: taken and without effect.
        kwargs: `preserve_rng_state`, as `checkpoint` has it.
    """
    steps = list(functions)
    size = max(len(steps) // segments, 1)
    starts = [i * size for i in range(min(segments, len(steps)))]

    def run(x: Any, start: int, end: int) -> Any:
        for step in steps[start:end]:
            x = step(x)
        return x

    for start in starts[:-1]:
        input = checkpoint(run, input, start, start + size, **kwargs)
    return run(input, starts[-1] if starts else 0, len(steps))


class _Call:
    """A call that is checkpointed.

    Attributes:
        start: what is recorded later is its own.
        sources: tensors that it was computed from, which errors go to.
        places: of the results that are recorded.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        again: Any,
        *,
        keeps_random: bool,
    ) -> None:
        self._function, self._args, self._kwargs = function, args, kwargs
        self._again = again
        self._autocast = AUTOCAST.get()
        self._key = random.copied_key() if keeps_random else None
        self.start = next_stamp()
        self.sources: list[Tensor] = []
        self.places: list[int] = []

    def run(self) -> Any:
        """Return what the function returns."""
        return self._function(*self._args, **self._kwargs)

    def recomputed(self, error: Tensor) -> list[Tensor]:
        """Return the recorded results once more, computed when an error is there."""

        def late(x: Any) -> Any:
            return after(x, error) if isinstance(x, Tensor) else x

        draws: AbstractContextManager[None] = nullcontext()
        if self._key is not None:
            draws = random.drawing_from(after(self._key, error).clone())
        with enable_grad(), autocasting(enabled=self._autocast), self._again, draws:
            args, kwargs = mapped(late, list(self._args)), mapped(late, self._kwargs)
            found = leaves(self._function(*args, **kwargs))
        return [found[place] for place in self.places]


class _Recompute(Function):
    """Results that are there, whose derivatives are those of what is computed again."""

    @staticmethod
    def forward(ctx: Any, call: _Call, results: tuple[Tensor, ...], *_: Tensor) -> Any:
        ctx.call = call
        return results

    @staticmethod
    def backward(ctx: Any, *errors: Tensor) -> Any:
        call: _Call = ctx.call
        results = call.recomputed(errors[0])
        with _unhooked(call.sources):
            arrived = reverse(
                results, errors, targets=frozenset(call.sources), retain_graph=RECORDING.get()
            )
        return (None, None, *[arrived.get(x) for x in call.sources])


@contextmanager
def _unhooked(tensors: Sequence[Tensor]) -> Iterator[None]:
    """Keep hooks of tensors from being called: the outer reverse pass calls them."""
    hooks = [getattr(x, "hook", None) for x in tensors]
    for x, hook in zip(tensors, hooks, strict=True):
        if hook is not None:
            x.hook = None
    try:
        yield
    finally:
        for x, hook in zip(tensors, hooks, strict=True):
            if hook is not None:
                x.hook = hook


def _sources(results: Sequence[Tensor], start: int) -> list[Tensor]:
    """Return the tensors with a gradient from before `start` that results were computed from."""
    found: dict[Tensor, None] = {}
    seen = set(results)
    stack = list(results)
    while stack:
        y = stack.pop()
        if y.node is None or y.stamp < start:
            found[y] = None
            continue
        for x in y.node[1]:
            if isinstance(x, Tensor) and x.requires_grad and x not in seen:
                seen.add(x)
                stack.append(x)
    return list(found)
