"""Callbacks: the user's own code that runs while training."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

from schuss.nn.module import Module
from schuss.optim import Optimizer

__all__ = ["Callback", "RunningLoop", "as_callbacks", "watches_steps"]


class RunningLoop(Protocol):
    """What a callback may see of the training loop, and do to it."""

    model: Module
    optimizer: Optimizer
    history: list[dict[str, Any]]

    @property
    def epoch(self) -> int:
        """Epochs done."""

    @property
    def step(self) -> int:
        """Steps done."""

    @property
    def seconds(self) -> float:
        """Time spent so far."""

    def stop(self) -> None:
        """End training after this epoch."""


class Callback:
    """Base of callbacks; override what is needed.

    Each method gets the running loop: its `model` and `optimizer`, `epoch` and `step` (from 0),
    `history`, `seconds`, and `stop()`, which ends training after the epoch.

    >>> class Count(Callback):
    ...     epochs = 0
    ...     def on_epoch(self, loop):
    ...         self.epochs += 1
    """

    def on_begin(self, loop: RunningLoop) -> None:
        """Training starts or goes on."""

    def on_step(self, loop: RunningLoop) -> None:
        """A step is done."""

    def on_epoch(self, loop: RunningLoop) -> None:
        """An epoch is done; its figures are the last of `loop.history`."""

    def on_end(self, loop: RunningLoop) -> None:
        """Training is over, and the best weights are back in the model."""


def watches_steps(callback: Callback) -> bool:
    """Return whether a callback wants to be called after each step."""
    return getattr(callback.on_step, "__func__", None) is not Callback.on_step


class _Function(Callback):
    def __init__(self, function: Callable[[dict[str, Any]], object]) -> None:
        self.function = function

    def on_epoch(self, loop: RunningLoop) -> None:
        self.function(dict(loop.history[-1]))


def as_callbacks(given: Iterable[Any]) -> list[Callback]:
    """Return callbacks; a plain function is called with each epoch's figures.

    Raises:
        TypeError: for anything else.
    """
    found: list[Callback] = []
    for one in given:
        if isinstance(one, Callback):
            found.append(one)
        elif callable(one):
            found.append(_Function(one))
        else:
            raise TypeError(
                f"Trainer: expected callbacks to be functions or schuss.training.Callback, got "
                f"{type(one).__name__}."
            )
    return found
