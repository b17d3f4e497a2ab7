"""Pace: how far a training is, by its steps, or by its time where that is limited."""

from __future__ import annotations

from collections.abc import Callable

from schuss.training.loop.state import LoopState

__all__ = ["Pace"]

# After so much of the budget, the speed is measured anew.
_SHARE_BETWEEN_LOOKS = 0.02


class Pace:
    """The progress of a training from 0 to 1, which its schedules follow.

    Without a budget it is the share of all steps that is done, and no clock has a say. With one,
    the steps that fit into what is left of it are counted anew now and then, from the time that
    the last ones took, and the progress runs evenly to 1 over these. What was decided is in the
    state, and so in every checkpoint: a resumed run goes on with the rest of its time.

    Args:
        total: steps of all epochs, which are never exceeded.
        budget: seconds to train in, or None.
        state: where the training is; what is decided is written there.
        seconds: returns the time spent so far, in earlier parts of a resumed run too.
    """

    def __init__(
        self, total: int, budget: float | None, state: LoopState, seconds: Callable[[], float]
    ) -> None:
        self.total = total
        self._budget = budget
        self._state = state
        self._seconds = seconds

    @property
    def _planned(self) -> int:
        return self._state.planned_steps or self.total

    def progress(self, step: int) -> float:
        """Return the progress before a step, counted from 0: in [0, 1)."""
        if self._budget is None:
            return step / self.total
        state = self._state
        left = max(self._planned - state.pace_step, 1)
        share = min((step - state.pace_step) / left, 1.0)
        return state.pace_progress + (1.0 - state.pace_progress) * share

    @property
    def steps_left(self) -> int:
        """Steps before the time is up, as far as can be told."""
        return max(self._planned - self._state.step, 0)

    @property
    def is_up(self) -> bool:
        """Whether the budget is spent, but for the time that a last validation takes."""
        if self._budget is None or not self._state.step:
            return False
        spent = self._seconds() + self._state.validation_seconds
        return not self.steps_left or spent >= self._budget

    def look(self) -> None:
        """Count the steps that fit into what is left, if the last time was long enough ago."""
        state, now = self._state, self._seconds()
        if self._budget is None:
            return
        if not state.pace_step:
            # The first steps took as long as compiling them, which says nothing of the next.
            self._begin_anew(now)
            return
        since, steps = now - state.pace_seconds, state.step - state.pace_step
        if since < _SHARE_BETWEEN_LOOKS * self._budget or not steps:
            return
        left = self._budget - state.validation_seconds - now
        self._begin_anew(now)
        more = max(int(left * steps / since), 0)
        state.planned_steps = min(state.step + more, self.total)

    def _begin_anew(self, now: float) -> None:
        state = self._state
        state.pace_progress = self.progress(state.step)
        state.pace_step, state.pace_seconds = state.step, now
