"""The survey that draws a curve of learning rates: many short trainings, and what they say."""

from __future__ import annotations

import math
from collections.abc import Callable

from schuss.training.descent.step_size.curve import RateCurve
from schuss.training.descent.step_size.search import (
    RUNG,
    corrected,
    least_between,
    progress,
    race,
    range_test,
)
from schuss.training.descent.step_size.trials import Trials

__all__ = ["rate_curve"]

# Rates whose loss is that much of the whole way above the best are right, too.
_RIGHT = 0.1
# Rates that are looked at below and above the one to begin with.
_BELOW, _ABOVE = 6, 5
_TEST_STEPS = 100
_SHORTEST, _LONGEST = 32, 200


def rate_curve(
    trials: Trials, training: int, shape: Callable[[float], float], *, rate: float, rule: str
) -> RateCurve:
    """Train for a short while at rates from far too small to too big.

    Args:
        trials: takes the steps, within `without_trace`.
        training: steps of the whole training.
        shape: the schedule of the learning rate, by the progress in [0, 1).
        rate: the learning rate of the first group that factors multiply.
        rule: name of the optimizer.
    """
    test = range_test(trials, _TEST_STEPS, low=1e-6, high=1e5)
    horizon = min(max(training // 6, _SHORTEST), _LONGEST)
    middle = test.best or 1.0
    scores: dict[float, float] = {}
    for rung in range(-_BELOW, _ABOVE + 1):
        factor = middle * RUNG**rung
        scores[factor] = race(trials, factor, horizon, shape)
        if rung > 0 and not math.isfinite(scores[factor]):
            break
    low, high = _zone(scores)
    gained = progress(trials.first_loss, min(scores.values()))
    best = least_between(scores) * corrected(horizon, training, gained)
    return RateCurve(
        [rate * factor for factor in scores],
        list(scores.values()),
        rate * low,
        rate * high,
        rate * min(max(best, low), high),
        horizon,
        training,
        rule,
    )


def _zone(scores: dict[float, float]) -> tuple[float, float]:
    """Return between which factors a score is little above the best, along straight lines."""
    factors, values = list(scores), list(scores.values())
    best = min(range(len(values)), key=lambda k: values[k])
    worst = max((v for v in values if math.isfinite(v)), default=math.inf)
    limit = values[best] + _RIGHT * (min(values[0], worst) - values[best])

    def crossing(inside: int, outside: int) -> float:
        if not math.isfinite(values[outside]):
            return math.sqrt(factors[inside] * factors[outside])
        share = (limit - values[inside]) / (values[outside] - values[inside])
        return factors[inside] * math.exp(share * math.log(factors[outside] / factors[inside]))

    low, high = factors[0], factors[-1]
    for k in range(best, 0, -1):
        if not values[k - 1] <= limit:
            low = crossing(k, k - 1)
            break
    for k in range(best, len(values) - 1):
        if not values[k + 1] <= limit:
            high = crossing(k, k + 1)
            break
    return low, high
