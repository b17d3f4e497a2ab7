"""Race: many short descents, round by round from the best so far, until one is at the bottom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from schuss.core import Array
from schuss.training.escape.rowwise import RowwiseProblem
from schuss.training.escape.side_by_side import FIRST_DAMPING, SideBySide
from schuss.training.escape.starts import Starts

__all__ = ["Race", "RaceResult"]

# Starts of a race; of tiny problems more, since all of them together cost hardly anything.
_STARTS, _STARTS_OF_TINY = 16, 32
_TINY_SECONDS = 1.3e-5
# Steps of all starts, and of each round after it; how many are taken in one call.
_FIRST_STEPS, _ROUND_STEPS, _STEPS_PER_CALL = 50, 100, 5
# Of a round's descents, these shares go on from where they are, and start afresh; the others start
# from this share of all, the best, each with one unit drawn anew.
_ON, _FRESH, _PARENTS = 0.25, 0.125, 0.75
# A descent stands still that gains no such share of its loss in so many calls.
_GAIN, _CALLS = 1e-3, 5
# At the bottom, rows cost together less than this share of what one does untrained.
_BOTTOM = 0.5
# Then it goes on as long as each call gains so much, down to this share of the untrained loss.
_POLISH_GAIN, _POLISH_CALLS, _POLISHED = 0.1, 10, 1e-6
# Rounds end when so many of them have not made the best loss less by this share.
_VAIN_ROUNDS, _SAME = 4, 0.01
# Seconds of work in all, counted by these figures, not by a clock: a seed decides everything.
_SECONDS = 3.0
_FLOPS, _STEP_SECONDS = 2.4e10, 5e-6


@dataclass
class RaceResult:
    """What came of a race.

    Args:
        vector: the weights that won.
        losses: its loss after each step.
        solved: whether it is at the bottom: all rows together cost less than one untrained.
        starts: how many there were.
        ends: losses of the best of them in the end.
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
class _Population:
    """Networks so far: weights (count, size), dampings (count,), and their losses, step by step."""

    vectors: Array
    damping: Array
    trails: list[list[float]]

    @property
    def losses(self) -> Array:
        return np.array([trail[-1] for trail in self.trails])

    @property
    def best(self) -> float:
        return min(trail[-1] for trail in self.trails)

    def of(self, chosen: Array) -> _Population:
        """Return those of these numbers."""
        trails = [self.trails[number] for number in chosen]
        return _Population(self.vectors[chosen], self.damping[chosen], trails)

    def sorted(self, count: int) -> _Population:
        """Return the best, the very best first."""
        return self.of(np.argsort(self.losses, kind="stable")[:count])

    def joined(self, other: _Population) -> _Population:
        """Return both."""
        return _Population(
            np.concatenate([self.vectors, other.vectors]),
            np.concatenate([self.damping, other.damping]),
            self.trails + other.trails,
        )


class Race:
    """Races descents from many starts on the same rows.

    After some steps of all starts come rounds: the best go on, others start from good ones with a
    unit drawn anew (basin hopping: Wales and Doye, 1997, Journal of Physical Chemistry A 101), or
    afresh.

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
        self._side_by_side = SideBySide(problem, count)
        self._count = count
        self._spent = 0.0

    @property
    def is_affordable(self) -> bool:
        """Whether all starts take less than two fifths of the time."""
        return self.cost * self._count * _FIRST_STEPS < 0.4 * _SECONDS

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
        """Race until one is at the bottom, none gets any better, or the time is spent.

        Args:
            first: weights that are among the starts.
            weight: of each row, of sum 1; rows of weight 0 do not count.
        """
        self._look_at(weight)
        vectors = self._starts.draw(self._count)
        vectors[0] = first
        return self._raced(self._fresh(vectors), self._count)

    def go_on(self, weight: Array) -> RaceResult:
        """Race on from where the last race ended, on rows of other weights.

        Args:
            weight: of each row, of sum 1; rows of weight 0 do not count.
        """
        self._look_at(weight)
        begun = self._found
        return self._raced(replace(begun, damping=np.full_like(begun.damping, FIRST_DAMPING)), 0)

    def _raced(self, begun: _Population, starts: int) -> RaceResult:
        self._spent = 0.0
        found, in_vain = self._descended(begun, _FIRST_STEPS), 0
        while found.best > self._bottom and in_vain < _VAIN_ROUNDS and self._spent < _SECONDS:
            before = found.best
            found = found.joined(self._descended(self._round(found), _ROUND_STEPS))
            found = found.sorted(self._count)
            starts += self._count - self._going_on
            in_vain = 0 if found.best < (1.0 - _SAME) * before else in_vain + 1
        self._found = found
        return self._result(found, starts)

    @property
    def _going_on(self) -> int:
        return int(_ON * self._count)

    def _fresh(self, vectors: Array) -> _Population:
        return _Population(
            vectors, np.full(len(vectors), FIRST_DAMPING), [[] for _ in range(len(vectors))]
        )

    def _round(self, found: _Population) -> _Population:
        """Return where the descents of a round begin."""
        best = found.sorted(int(_PARENTS * self._count))
        on = np.arange(self._going_on)
        changed = np.resize(np.arange(len(best.trails)), self._count - len(on))
        begun = best.of(np.concatenate([on, changed]))
        drawn = self._starts.draw(len(changed))
        begun.vectors[len(on) :] = self._starts.change(begun.vectors[len(on) :], drawn)
        begun.damping[len(on) :] = FIRST_DAMPING
        fresh = int(_FRESH * self._count)
        begun.vectors[-fresh:] = drawn[-fresh:]
        begun.trails[-fresh:] = [[] for _ in range(fresh)]
        return begun

    def _descended(self, begun: _Population, steps: int) -> _Population:
        """Return where these are after so many steps, fewer if one is at the bottom."""
        many = self._side_by_side
        many.begin(begun.vectors, self._weight, begun.damping)
        losses = np.zeros((0, self._count))
        for _ in range(steps // _STEPS_PER_CALL):
            losses = np.concatenate([losses, self._taken()])
            if losses[-1].min() <= self._bottom:
                losses = np.concatenate([losses, self._polished(losses[-1].min())])
                break
            if _stand_still(losses) or self._spent >= _SECONDS:
                break
        trails = [a + b for a, b in zip(begun.trails, losses.T.tolist(), strict=True)]
        return _Population(many.vectors, many.damping, trails)

    def _taken(self) -> Array:
        """Take the steps of one call; return the losses, with infinity for what is no number."""
        self._spent += self.cost * self._count * _STEPS_PER_CALL
        losses = self._side_by_side.take(_STEPS_PER_CALL)
        return np.where(np.isfinite(losses), losses, np.inf)

    def _polished(self, before: float) -> Array:
        """Go on from the bottom as long as it pays; return the losses."""
        losses = np.zeros((0, self._count))
        for _ in range(_POLISH_CALLS):
            if before <= _POLISHED * self._untrained:
                break
            losses = np.concatenate([losses, self._taken()])
            if losses[-1].min() > (1.0 - _POLISH_GAIN) * before:
                break
            before = losses[-1].min()
        return losses

    def _result(self, found: _Population, starts: int) -> RaceResult:
        best = found.sorted(1)
        ends = found.losses
        return RaceResult(
            best.vectors[0],
            best.trails[0],
            best.best <= self._bottom,
            starts,
            ends[np.isfinite(ends)].tolist(),
        )


def _stand_still(losses: Array) -> bool:
    """Whether none has gained anything lately."""
    back = _CALLS * _STEPS_PER_CALL
    if len(losses) <= back:
        return False
    with np.errstate(invalid="ignore"):
        gained = losses[-1 - back] - losses[-1] > _GAIN * np.abs(losses[-1])
    return not gained.any()
