"""The search for a learning rate: a range test, then races of neighbouring rates."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from schuss.training.descent.step_size.trials import Trials, has_failed

__all__ = ["RUNG", "Budget", "Choice", "RangeTest", "corrected", "find", "least_between"]
__all__ += ["progress", "race", "range_test", "tail"]

# Rates that are raced lie so far apart: two a power of ten.
RUNG = math.sqrt(10.0)
# The best rate for t steps with a decayed end falls about as t to minus this power, where it is
# the gradients' noise that limits it. (0.25 to 0.3 for large language models, in Bjorck et al.,
# "Scaling Optimal LR Across Token Horizons", arXiv 2409.19913.)
_HORIZON_POWER = 0.2
# So many numbers are learned by heart within the usual number of epochs, the fewer the sooner.
_FEW_NUMBERS = 800.0
# How much better a rate has to be for each rung that it is off a usual one, as a share.
_UNUSUAL = 0.05
# A rate that rises while it is tried does best a little above where a constant one does.
_PAST_THE_BEST = 2.5
_BELOW_THE_EDGE = 10.0
# It takes so few batches in turn that each mean is over all of them, and falls by so much.
CYCLE = 4
_CREDIBLE = 0.02
# Fewer steps show nothing.
_SHORTEST_TEST, _LONGEST_TEST = 20, 48
_SHORTEST_RACE = 16
# A race is this share of the whole training at most.
_LONGEST_SHARE = 1.0 / 6.0
# Races that a budget is meant for; and where it is small, without a range test.
_RACES = 4
_FEW_RACES, _SHORTEST_FEW = 3, 8
_USUAL_STEPS = 1000.0
_TOO_FEW = "a usual one; there are too few steps to try others"
# Further than so many rungs from a rate that is known to be usual, the range test is not believed.
_TRUST = 3


@dataclass(frozen=True)
class Budget:
    """What a search may cost.

    Args:
        steps: of the search in all.
        training: steps of the training that it is for.
        numbers: how many numbers there are to be learned, where it matters how rows do that are
            not learned; infinite elsewhere.
    """

    steps: int
    training: int
    numbers: float = math.inf


@dataclass(frozen=True)
class RangeTest:
    """The losses of one trial whose learning rate rises evenly in its logarithm.

    Args:
        factors: what the first learning rate was multiplied with, step by step.
        losses: of these steps.
    """

    factors: list[float]
    losses: list[float]

    @property
    def smooth(self) -> list[float]:
        """The losses, each averaged with its neighbours: over all batches, each once."""
        losses, half = self.losses, CYCLE // 2
        return [float(np.mean(losses[max(k - half, 0) : k + half])) for k in range(1, len(losses))]

    @property
    def edge(self) -> int:
        """How many steps were taken before the smoothed loss rose far above where it began."""
        smooth = self.smooth
        highest = max(smooth[: max(len(smooth) // 4, 1)], default=0.0)
        highest += 0.5 * abs(highest)
        return next((k for k, loss in enumerate(smooth) if not loss <= highest), len(smooth))

    @property
    def best(self) -> float | None:
        """A factor of which to expect most; None where the losses tell nothing.

        Where the smoothed loss is least, if that is below all of the first quarter, when the rate
        was too small to do anything; or else well below where it rises.
        """
        smooth, edge = self.smooth, self.edge
        if edge < 3:
            return None
        k = int(np.argmin(smooth[:edge]))
        quiet = float(np.mean(smooth[CYCLE // 2 : max(len(smooth) // 4, CYCLE)]))
        if k >= len(smooth) // 4 and smooth[k] < quiet - _CREDIBLE * abs(quiet):
            return self.factors[k] / _PAST_THE_BEST
        return self.factors[edge] / _BELOW_THE_EDGE if edge < len(smooth) else None


@dataclass
class Choice:
    """What a search chose, and why.

    Args:
        factor: what the first learning rates are multiplied with.
        why: in a few words.
        test: the range test, where there was one.
        races: the score of each factor that was raced.
        horizon: steps of a race.
        steps: steps that the search took.
    """

    factor: float
    why: str
    test: RangeTest | None = None
    races: dict[float, float] = field(default_factory=dict)
    horizon: int = 0
    steps: int = 0


def range_test(trials: Trials, steps: int, *, low: float, high: float) -> RangeTest:
    """Let the rate rise from `low` to `high` times the first in so many steps, until it fails."""

    def factor(share: float) -> float:
        return float(low * (high / low) ** share)

    losses = trials.run(factor, steps, cycle=CYCLE)
    factors = [factor(k / steps) for k in range(len(losses))]
    return RangeTest(factors, losses)


def find(trials: Trials, budget: Budget, shape: Callable[[float], float], *, usual: bool) -> Choice:
    """Search for what to multiply the learning rates with.

    A range test says where to begin. From there neighbouring rates are raced, each a whole
    training in small, with its schedule to the end, as long as one does better than the last; a
    parabola through the best three says where between them the best lies. What is best for a
    short training is too large for a long one, so it is lowered by how much longer that is.

    Args:
        trials: takes the steps.
        budget: how many.
        shape: the schedule of the learning rate, by the progress in [0, 1).
        usual: whether the first rates are usual ones for such networks, and no guess of somebody.
    """
    # What is usual is so for about a thousand steps.
    begin = (_USUAL_STEPS / budget.training) ** _HORIZON_POWER if usual else 1.0
    begin = min(max(begin, 1.0 / RUNG), RUNG)
    if usual and budget.steps < _RACES * _SHORTEST_TEST:
        return _few(trials, budget, begin, shape)
    if budget.steps < _SHORTEST_TEST:
        return Choice(1.0, _TOO_FEW)
    length = min(max(budget.steps // 4, _SHORTEST_TEST), _LONGEST_TEST)
    low, high = (1e-2, 1e3) if usual else (1e-6, 1e5)
    test = range_test(trials, length, low=low, high=high)
    usually = begin
    begin = test.best or begin
    if usual:
        begin = usually * min(max(begin / usually, RUNG**-_TRUST), RUNG**_TRUST)
    horizon = (budget.steps - trials.steps) // _RACES
    horizon = min(horizon, max(int(_LONGEST_SHARE * budget.training), _SHORTEST_RACE))
    if horizon < _SHORTEST_RACE:
        return Choice(begin, "by a range test", test, steps=trials.steps)
    anchor = usually if usual else None
    races = _race(trials, begin, horizon, budget.steps + horizon, shape, anchor)
    choice = _decided(races, horizon, budget, trials.first_loss)
    choice.test, choice.steps = test, trials.steps
    return choice


def _few(trials: Trials, budget: Budget, begin: float, shape: Callable[[float], float]) -> Choice:
    """Race what is usual and its neighbours alone."""
    horizon = budget.steps // _FEW_RACES
    if horizon < _SHORTEST_FEW:
        return Choice(begin, _TOO_FEW)
    races = _race(trials, begin, horizon, _FEW_RACES * horizon, shape, begin)
    # So short a race says only whether what is usual is far off, or whether few rows are learned
    # by heart.
    budget = Budget(budget.steps, budget.training if _overfits(budget) else horizon, budget.numbers)
    choice = _decided(races, horizon, budget, trials.first_loss)
    choice.steps = trials.steps
    return choice


def _decided(races: dict[float, float], horizon: int, budget: Budget, first: float) -> Choice:
    """Return what the races say of the whole training."""
    if not any(map(math.isfinite, races.values())):
        return Choice(min(races), "every rate that was tried failed", None, races, horizon)
    best = least_between(races)
    why = f"best of {len(races)} rates in races of {horizon} steps"
    gained = progress(first, min(races.values()))
    factor = best * corrected(horizon, budget.training, gained, _overfits(budget))
    return Choice(factor, why, None, races, horizon)


def _race(
    trials: Trials,
    begin: float,
    horizon: int,
    most: int,
    shape: Callable[[float], float],
    usual: float | None,
) -> dict[float, float]:
    """Return scores of factors around `begin`, going on while they improve and steps are left.

    Where they hardly differ, as on a plateau, it goes towards the `usual` one.
    """
    scores: dict[int, float] = {}

    def score(rung: int) -> float:
        if rung not in scores:
            factor = begin * RUNG**rung
            found = race(trials, factor, horizon, shape)
            if usual is not None and math.isfinite(found):
                found += _UNUSUAL * abs(found) * abs(math.log(factor / usual, RUNG))
            scores[rung] = found
        return scores[rung]

    rung = 0
    while _affords(trials, horizon, most) and score(rung + 1) < score(rung):
        rung += 1
    while rung <= 0 and _affords(trials, horizon, most):
        # Lower while that is better, or nothing has gone well.
        if score(rung - 1) >= score(rung) and math.isfinite(score(rung)):
            break
        rung -= 1
    return {begin * RUNG**rung: scores[rung] for rung in sorted(scores)}


def race(trials: Trials, factor: float, horizon: int, shape: Callable[[float], float]) -> float:
    """Return what a training of so many steps ends with, its schedule and all."""
    return tail(trials.run(lambda share: factor * shape(share), horizon), horizon)


def _affords(trials: Trials, horizon: int, most: int) -> bool:
    return trials.steps + horizon <= most


def progress(first: float, last: float) -> float:
    """Return which share of the first loss is gone, in [0, 1].

    >>> progress(2.0, 0.5), progress(2.0, 3.0)
    (0.75, 0.0)
    """
    return min(max((first - last) / (abs(first) + 1e-300), 0.0), 1.0)


def _overfits(budget: Budget) -> float:
    """Return how much few rows count, from 0 for many to 1."""
    return max(1.0 - budget.numbers / _FEW_NUMBERS, 0.0)


def corrected(horizon: int, training: int, gained: float, overfits: float = 0.0) -> float:
    """Return by what the best rate of a race is multiplied for the whole training.

    A race whose loss is still near the first one is not limited by noise, but by how far it came:
    what was best for it is not too large for a longer one.

    Args:
        horizon: steps of the race.
        training: steps of the whole training.
        gained: `progress` of the best race.
        overfits: 1 where there is so little to learn that the training is not to go further than
            the race, only in smaller steps; 0 where there is much.

    >>> corrected(100, 100, 1.0), round(corrected(100, 3200, 1.0), 6), corrected(100, 3200, 0.0)
    (1.0, 0.5, 1.0)
    """
    power = _HORIZON_POWER * gained**2
    power += (1.0 - power) * overfits
    return float((horizon / max(training, horizon)) ** power)


def tail(losses: Sequence[float], steps: int) -> float:
    """Return the mean of a race's last quarter; infinite where it did not get there.

    >>> tail([4.0, 3.0, 2.0, 1.0], 4), tail([4.0, 3.0], 4)
    (1.0, inf)
    """
    if len(losses) < steps or has_failed(losses):
        return math.inf
    return float(np.mean(losses[-max(steps // 4, 1) :]))


def least_between(scores: dict[float, float]) -> float:
    """Return where a parabola through the best score and its neighbours is least.

    Beside one that failed, as far away from it as a parabola could say.
    """
    factors = sorted(scores)
    k = min(range(len(factors)), key=lambda i: scores[factors[i]])
    if not 0 < k < len(factors) - 1:
        return factors[k]
    left, middle, right = (scores[factors[i]] for i in (k - 1, k, k + 1))
    bend = left - 2.0 * middle + right
    shift = 0.5 * (left - right) / bend if bend > 0.0 else 0.0
    if not math.isfinite(bend):
        shift = -0.5 if math.isfinite(left) else 0.5
    return float(factors[k] * RUNG ** min(max(shift, -0.5), 0.5))
