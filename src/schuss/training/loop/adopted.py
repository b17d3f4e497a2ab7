"""Adopted epochs: passes that a race took, as a training's history and state have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from schuss.core import Tensor
from schuss.nn.module import Module
from schuss.training.loop.state import LoopState
from schuss.training.runs import checkpoint

__all__ = ["ESCAPED", "adopt"]

#: Why a training ended whose weights are those of a race.
ESCAPED = "escaped"


class AdoptingLoop(Protocol):
    """What the training loop gives for that."""

    state: LoopState
    history: list[dict[str, Any]]
    best: dict[str, Tensor]
    model: Module

    @property
    def seconds(self) -> float:
        """Time spent so far."""

    def validate(self, record: dict[str, Any]) -> float | None:
        """Add the figures on the validation rows, and return the one that chooses the epoch."""

    def tell(self, record: dict[str, Any]) -> None:
        """Show and keep the figures of an epoch that is done."""


def adopt(loop: AdoptingLoop, losses: Sequence[float], lr: float) -> dict[str, Tensor]:
    """Count a pass for each loss, the last of which is the best epoch; return its weights.

    Args:
        loop: whose model has the weights already.
        losses: on the training rows, after each pass.
        lr: what the records say.
    """
    state = loop.state
    for number, loss in enumerate(losses, start=1):
        state.step += 1
        record = {
            "epoch": state.epoch + 1,
            "step": state.step,
            "seconds": round(loop.seconds, 4),
            "lr": lr,
            "train_loss": loss,
        }
        if number == len(losses):
            state.best_value = loop.validate(record)
        loop.history.append(record)
        state.begin_epoch()
        loop.tell(record)
    state.best_epoch, state.waited = state.epoch, 0
    state.best_figures = dict(loop.history[-1])
    state.stopped = ESCAPED
    return checkpoint.copy_state(loop.model)
