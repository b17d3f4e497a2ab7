"""Rescue: looks now and then whether a network of any size is stuck, and gets it going again."""

from __future__ import annotations

import math
from typing import Any, Protocol

from schuss import random
from schuss.core import Tensor
from schuss.inspect.layers import MANY_DEAD
from schuss.training.descent.learner import Learner
from schuss.training.escape.repairs import repair
from schuss.training.escape.stage import Escape, EscapeOptions, Unsuited
from schuss.training.loop.context import TrainingData
from schuss.training.loop.state import LoopState
from schuss.training.runs import checkpoint

__all__ = ["Rescue", "make_escape"]

# It looks after these shares of the epochs: there has to be time left for it to pay.
_LOOKS = (0.1, 0.25, 0.5)
# So many rows tell what is wrong; more would only take longer.
_ROWS = 1024
# What has learned has a loss below this share of the first step's.
_HARDLY = 0.9


class _Loop(Protocol):
    """What is needed of the training loop."""

    state: LoopState
    best: dict[str, Tensor]

    def note(self, text: str) -> None:
        """Say something, and keep it with the run."""


class Rescue:
    """Repairs a network where it is stuck while it descends, and says what that has gained.

    The weights from before are the result if no later epoch is better.

    Args:
        learner: what is trained.
        data: the rows.
        epochs: of the whole training.
        seed: decides what is drawn.
        why_not_raced: what forbids a race from many starts, where one was asked for.
    """

    def __init__(
        self,
        learner: Learner,
        data: TrainingData,
        *,
        epochs: int,
        seed: int,
        why_not_raced: str = "",
    ) -> None:
        self._learner = learner
        self._data = data
        self._looks = {math.ceil(share * epochs) for share in _LOOKS} - {epochs}
        self._seed = seed
        self._why_not_raced = why_not_raced

    def instead(self, loop: _Loop) -> bool:
        """Return that it does not replace the descent."""
        if self._why_not_raced:
            loop.note(f"no race from many starts: {self._why_not_raced}")
        return False

    def after_epoch(self, loop: _Loop, record: dict[str, Any]) -> bool:
        """Look whether the network is stuck, and repair it; return whether that was done.

        Args:
            loop: whose epoch is done.
            record: the epoch's figures.
        """
        state = loop.state
        figure = self._best_figure(state)
        if state.epoch not in self._looks or figure is None:
            return False
        has_learned = record["train_loss"] < _HARDLY * state.first_loss
        if has_learned and not (record.get("dead_units") or 0.0) >= MANY_DEAD:
            return False
        model, objective = self._learner.model, self._learner.objective
        before = checkpoint.copy_state(model)
        with random.drawing_from(random.new_key(self._seed + state.epoch)):
            rows = self._data.training.spread(_ROWS)
            done = repair(model, objective, rows, has_learned=has_learned)
        if not done:
            return False
        if not loop.best:
            loop.best = before
        state.rescues = [*state.rescues, f"in epoch {state.epoch} {done}"]
        state.rescued_epoch, state.rescued_from, state.waited = state.epoch, figure, 0
        return True

    def after(self, loop: _Loop) -> None:
        """Say what was done, and what it has gained."""
        state = loop.state
        if not state.rescues:
            return
        kept = state.best_epoch
        gain = f"no later epoch is better, and the weights of epoch {kept} are kept"
        if kept > state.rescued_epoch:
            now = self._best_figure(state)
            gain = f"{self._figure_name} {state.rescued_from:.4g} before and {now:.4g} after it"
        loop.note(f"was stuck: {', '.join(state.rescues)}; {gain}")

    @property
    def _figure_name(self) -> str:
        return "training loss" if self._data.validation is None else "best on validation rows"

    def _best_figure(self, state: LoopState) -> float | None:
        """Return what the best epoch so far was chosen by."""
        if self._data.validation is not None:
            return state.best_value
        found: float | None = state.best_figures.get("train_loss")
        return found


def make_escape(
    options: EscapeOptions, learner: Learner, data: TrainingData, epochs: int
) -> Escape | Rescue | None:
    """Return what gets a training out of where it is stuck, or None where that is off.

    Args:
        options: whether there is to be any.
        learner: what is trained; a small network is raced from many starts.
        data: the rows.
        epochs: of the whole training.
    """
    if not options.is_on:
        return None
    try:
        return Escape(
            learner, data.training, data.validation, seed=options.seed, is_final=data.is_final
        )
    except Unsuited as error:
        why = str(error) if options.escape is True else ""
        return Rescue(learner, data, epochs=epochs, seed=options.seed, why_not_raced=why)
