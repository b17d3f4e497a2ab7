"""Race: waves of many short descents, of which the best go on, until one is at the bottom."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from schuss.core import Array
from schuss.training.escape.rowwise import RowwiseProblem
from schuss.training.escape.side_by_side import SideBySide
from schuss.training.escape.starts import Starts

__all__ = ["Race", "RaceResult"]

# Starts of a wave; of tiny problems more, since all of them together cost hardly anything.
_STARTS, _STARTS_OF_TINY = 16, 32
_TINY_SECONDS = 3e-5
# Steps of all starts, and then of the better half; how many are taken in one call.
_FIRST_STEPS, _MORE_STEPS, _STEPS_PER_CALL = 50, 250, 5
# A descent stands still that gains no such share of its loss in so many calls.
_GAIN, _CALLS = 1e-3, 5
# At the bottom, rows cost together less than this share of what one does untrained.
_BOTTOM = 0.5
# Then it goes on as long as each call gains so much, down to this share of the untrained loss.
_POLISH_GAIN, _POLISH_CALLS, _POLISHED = 0.1, 10, 1e-6
# Waves end when so many of them found the same best loss, to this accuracy.
_SAME_WAVES, _SAME = 2, 0.01
# Seconds of work in all, counted by these figures, not by a clock: a seed decides everything.
_SECONDS = 4.0
_FLOPS, _STEP_SECONDS = 8e9, 5e-6


@dataclass
class RaceResult:
    """What came of a race.

    Args:
        vector: the weights that won.
        losses: its loss after each step.
        solved: whether it is at the bottom: all rows together cost less than one untrained.
        starts: how many there were.
        ends: losses of those that went on to the end of their wave.
    """

    vector: Array
    losses: list[float]
    solved: bool
    starts: int
    ends: list[float] = field(default_factory=list)

    @property
    def loss(self) -> float:
        """The loss of the weights that won."""
        return self.losses[-1]

    @property
    def basins(self) -> int:
        """How many losses, 1 % apart or more, the descents ended at."""
        found = 0
        last = -np.inf
        for loss in sorted(self.ends):
            if loss > last * (1.0 + _SAME) + 1e-12:
                found, last = found + 1, loss
        return max(found, 1)


@dataclass
class _Descents:
    """Descents side by side: where they are, and their losses so far, (steps, count)."""

    side_by_side: SideBySide
    losses: Array

    def take(self) -> None:
        self.losses = np.concatenate([self.losses, self.side_by_side.take(_STEPS_PER_CALL)])

    @property
    def now(self) -> Array:
        return np.where(np.isfinite(self.losses[-1]), self.losses[-1], np.inf)

    @property
    def stand_still(self) -> bool:
        """Whether none has gained anything lately."""
        back = _CALLS * _STEPS_PER_CALL
        if len(self.losses) <= back:
            return False
        before = self.losses[-1 - back]
        return bool((before - self.losses[-1] <= _GAIN * np.abs(before)).all())


class Race:
    """Races descents from many starts on the same rows.

    Args:
        problem: what is descended.
    """

    def __init__(self, problem: RowwiseProblem) -> None:
        self._problem = problem
        self._starts = Starts(problem.model)
        n, k, p = problem.rows, problem.outputs, problem.size
        flops = 2.0 * n * k * p * p + p**3 + 8.0 * n * p * (k + 1)
        #: Seconds of one step of one start, about.
        self.cost = _STEP_SECONDS + flops / _FLOPS
        count = _STARTS_OF_TINY if self.cost < _TINY_SECONDS else _STARTS
        self._many = SideBySide(problem, count)
        self._few = SideBySide(problem, count // 2)
        self._spent = 0.0

    @property
    def is_affordable(self) -> bool:
        """Whether there is time for one wave at all."""
        return self.cost * self._many.count * _FIRST_STEPS < _SECONDS

    def bottom(self, weight: Array) -> float:
        """Return the loss below which all rows together cost less than one that is untrained.

        Args:
            weight: of each row, of sum 1; rows of weight 0 do not count.
        """
        self._look_at(weight)
        return self._bottom

    def _look_at(self, weight: Array) -> None:
        self._weight = weight
        self._untrained = float(weight @ self._problem.constant_row_losses(weight))
        self._bottom = _BOTTOM * self._untrained / int(np.count_nonzero(weight))

    def run(self, first: Array, weight: Array) -> RaceResult:
        """Race until one is at the bottom, the same basin is found again, or the time is spent.

        Args:
            first: weights that are among the starts.
            weight: of each row, of sum 1; rows of weight 0 do not count.
        """
        self._look_at(weight)
        self._spent = 0.0
        result: RaceResult | None = None
        again = 0
        while True:
            found = self._wave(first, result)
            before = result
            result = found if before is None else _better(before, found)
            if before is not None and found.loss <= before.loss * (1.0 + _SAME):
                again = again + 1 if found.loss >= before.loss * (1.0 - _SAME) else 0
            if result.solved or self._spent >= _SECONDS or again >= _SAME_WAVES - 1:
                return result

    def polish(self, vector: Array, weight: Array) -> RaceResult:
        """Descend from one point alone.

        Args:
            vector: the weights there.
            weight: of each row, of sum 1.
        """
        self._look_at(weight)
        count = self._few.count
        descents = self._begin(self._few, np.repeat(vector[None], count, axis=0))
        self._descend(descents, _FIRST_STEPS)
        return self._result(descents, np.zeros((0, count)), 0)

    def _wave(self, first: Array, best: RaceResult | None) -> RaceResult:
        vectors = self._starts.draw(self._many.count)
        if best is None:
            vectors[0] = first
        else:
            # The other half goes on from the best basin so far (basin hopping).
            half = self._many.count // 2
            vectors[:half] = self._starts.change(best.vector, vectors[:half])
        descents = self._begin(self._many, vectors)
        self._descend(descents, _FIRST_STEPS)
        before = np.zeros((0, self._many.count))
        if not self._is_solved(descents):
            kept = np.argsort(descents.now, kind="stable")[: self._few.count]
            before = descents.losses[:, kept]
            many = self._many
            self._few.begin(many.vectors[kept], self._weight, many.damping[kept])
            descents = _Descents(self._few, np.zeros((0, self._few.count)))
            self._descend(descents, _MORE_STEPS)
        if self._is_solved(descents):
            self._polish(descents)
        return self._result(descents, before, self._many.count)

    def _begin(self, side_by_side: SideBySide, vectors: Array) -> _Descents:
        side_by_side.begin(vectors, self._weight)
        return _Descents(side_by_side, np.zeros((0, side_by_side.count)))

    def _take(self, descents: _Descents) -> None:
        descents.take()
        self._spent += self.cost * descents.side_by_side.count * _STEPS_PER_CALL

    def _descend(self, descents: _Descents, steps: int) -> None:
        for _ in range(steps // _STEPS_PER_CALL):
            self._take(descents)
            if self._is_solved(descents) or descents.stand_still:
                return

    def _is_solved(self, descents: _Descents) -> bool:
        return bool(descents.now.min() <= self._bottom)

    def _polish(self, descents: _Descents) -> None:
        for _ in range(_POLISH_CALLS):
            before = descents.now.min()
            if before <= _POLISHED * self._untrained:
                return
            self._take(descents)
            if descents.now.min() > (1.0 - _POLISH_GAIN) * before:
                return

    def _result(self, descents: _Descents, before: Array, starts: int) -> RaceResult:
        best = int(descents.now.argmin())
        if not np.isfinite(descents.now[best]):
            return RaceResult(descents.side_by_side.vectors[best], [np.inf], False, starts)
        trail = np.concatenate([before[:, best] if len(before) else [], descents.losses[:, best]])
        return RaceResult(
            descents.side_by_side.vectors[best],
            trail.tolist(),
            self._is_solved(descents),
            starts,
            descents.now[np.isfinite(descents.now)].tolist(),
        )


def _better(one: RaceResult, other: RaceResult) -> RaceResult:
    """Return the result with the lower loss, with what both of them saw."""
    best = min(one, other, key=lambda result: result.loss)
    return RaceResult(
        best.vector, best.losses, best.solved, one.starts + other.starts, one.ends + other.ends
    )
