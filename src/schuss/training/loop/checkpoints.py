"""When the training loop writes checkpoints, and how it is restored from one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from time import perf_counter
from typing import Any

from schuss.core import Tensor
from schuss.errors import DataError, FileFormatError
from schuss.training.descent.learner import Learner
from schuss.training.descent.weight_average import WeightAverage
from schuss.training.loop.rollback import Rollback
from schuss.training.loop.state import LoopState
from schuss.training.runs import checkpoint
from schuss.training.runs.bundle import well_formed
from schuss.training.runs.folder import RunFolder

__all__ = ["Checkpoints", "read_history"]

# Saving takes at most one part in so many of the time.
_COST_SHARE = 20.0


class Checkpoints:
    """Saves everything that decides the rest of a training, and restores it.

    Args:
        folder: the run's folder.
        learner: what is trained.
        average: the running average of its weights.
        rollback: its last good state.
        layout: what must be the same for a checkpoint to fit, by name.
        least_seconds: least time between two of them.
    """

    def __init__(
        self,
        folder: RunFolder | None,
        learner: Learner,
        average: WeightAverage,
        rollback: Rollback,
        layout: Mapping[str, Any],
        least_seconds: float,
    ) -> None:
        self._folder = folder
        self._learner = learner
        self._average = average
        self._rollback = rollback
        self._layout = dict(layout)
        self._least_seconds = least_seconds
        self._due = perf_counter() + least_seconds if folder is not None else math.inf

    @property
    def due(self) -> bool:
        """Whether it is time for one."""
        return perf_counter() >= self._due

    def save(self, state: LoopState, best: Mapping[str, Tensor], seconds: float) -> None:
        """Write a checkpoint, and the best weights so far; nothing where there is no folder."""
        if self._folder is None:
            return
        before = perf_counter()
        model, optimizer = self._learner.model, self._learner.optimizer
        # Nothing goes back once it has ended.
        good, values = ({}, {}) if state.stopped else self._rollback.state_dict(state.best_epoch)
        header = {
            **asdict(state),
            "seconds": seconds,
            "layout": self._layout,
            "optimizer": checkpoint.optimizer_header(optimizer),
            "schedule": self._learner.schedule.state_dict(),
            "good": values,
        }
        tensors = checkpoint.snapshot(model, best, self._average.state_dict(), optimizer)
        tensors |= checkpoint.with_prefix("good", good)
        self._folder.write_checkpoint(state.step, tensors, header)
        if state.best_epoch:
            self._folder.write_model(
                best or model.state_dict(), {"epoch": state.best_epoch, "finished": False}
            )
        now = perf_counter()
        self._due = now + max(self._least_seconds, _COST_SHARE * (now - before))

    def restore(self) -> tuple[LoopState, dict[str, Tensor]]:
        """Go back to the newest checkpoint, or to the run's first weights where there is none.

        Returns:
            Where the training was, and the best weights.

        Raises:
            FileFormatError: if the checkpoint is of another training.
        """
        folder, learner = self._folder, self._learner
        assert folder is not None
        folder.remove_leftovers()
        found, notes = folder.read_checkpoint()
        if found is None:
            self._begin_as_saved()
            return LoopState(notes=notes), {}
        arrays, header = found
        with well_formed(folder.path):
            self._check_layout(header["layout"])
            state = LoopState.from_header(header)
            best = checkpoint.restore(arrays, header["optimizer"], learner.model, learner.optimizer)
            self._average.load_state_dict(checkpoint.part("average", arrays))
            learner.schedule.load_state_dict(header["schedule"])
            good = checkpoint.part("good", arrays)
            self._rollback.load_state_dict(good, header["good"], best, state.best_epoch)
        state.notes += notes
        return state, best

    def _check_layout(self, given: Mapping[str, Any]) -> None:
        differing = [name for name, value in self._layout.items() if given.get(name) != value]
        if given != self._layout:
            raise FileFormatError(
                f"the checkpoint was made with other {', '.join(differing)}; resume with the same "
                "data and options."
            )

    def _begin_as_saved(self) -> None:
        """Take the weights that the run began with, where they are still there."""
        assert self._folder is not None
        with suppress(DataError):
            arrays, header = self._folder.read_model()
            if header.get("epoch") == 0:
                self._learner.model.load_state_dict(arrays)


def read_history(folder: RunFolder, state: LoopState) -> list[dict[str, Any]]:
    """Return the epochs' figures; those of the best one are in the checkpoint, too."""
    history = folder.read_metrics(state.history, state.notes)
    best = state.best_figures
    if best.get("epoch") == state.best_epoch and best["epoch"] not in [
        record["epoch"] for record in history
    ]:
        history = sorted([*history, best], key=lambda record: record["epoch"])
    return history
