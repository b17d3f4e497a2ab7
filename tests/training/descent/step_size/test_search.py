from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from schuss.training.descent.step_size.search import Budget, find, range_test


class Bowl:
    """Trials whose losses follow a parabola in the logarithm of the rate, and fail above 100."""

    def __init__(self, best: float) -> None:
        self.best = best
        self.steps = 0
        # Nearly all of it can be gained.
        self.first_loss = 1000.0

    def run(
        self,
        factor: Callable[[float], float],
        steps: int,
        *,
        cycle: int | None = None,
        fails: bool = True,
    ) -> list[Any]:
        losses = []
        for k in range(steps):
            rate = max(factor(k / steps), 1e-30)
            peak = max(rate, max((factor(j / steps) for j in range(steps)), default=rate))
            distance = math.log10(peak if self._flat(factor) else rate) - math.log10(self.best)
            losses.append(math.nan if distance > 2.0 else 1.0 + 0.1 * min(distance, 2.0) ** 2)
            self.steps += 1
            if fails and math.isnan(losses[-1]):
                break
        return losses

    @staticmethod
    def _flat(factor: Callable[[float], float]) -> bool:
        return factor(0.2) == factor(0.7)


@pytest.mark.parametrize("best", [1e-4, 0.02, 1.0, 40.0, 1e4])
def test_it_finds_the_best_rate_wherever_it_begins(best: float) -> None:
    trials: Any = Bowl(best)
    choice = find(trials, Budget(800, 800), lambda share: 1.0, usual=False)
    # What is raced for a sixth of the steps is corrected for the rest.
    corrected = best * (choice.horizon / 800) ** 0.2
    assert choice.factor == pytest.approx(corrected, rel=0.3)
    assert choice.steps == trials.steps <= 960


def test_few_steps_are_spent_on_what_is_usual_and_its_neighbours() -> None:
    trials: Any = Bowl(1.0)
    choice = find(trials, Budget(40, 1000), lambda share: 1.0, usual=True)
    assert choice.factor == pytest.approx(1.0)
    assert choice.test is None
    assert trials.steps <= 40
    too_few: Any = Bowl(1.0)
    assert find(too_few, Budget(6, 1000), lambda share: 1.0, usual=True).factor == 1.0
    assert too_few.steps == 0


def test_where_every_rate_fails_the_smallest_is_taken() -> None:
    trials: Any = Bowl(1e-200)
    choice = find(trials, Budget(400, 1000), lambda share: 1.0, usual=False)
    assert choice.factor == min(choice.races)
    assert "failed" in choice.why


def test_a_range_test_is_least_where_the_rate_is_best() -> None:
    trials: Any = Bowl(0.1)
    found = range_test(trials, 100, low=1e-4, high=1e4)
    assert found.best == pytest.approx(0.1 / 2.5, rel=0.3)
    assert len(found.losses) < 100


def test_what_is_best_is_not_lowered_where_a_race_has_gained_little() -> None:
    slow: Any = Bowl(1.0)
    slow.first_loss = 1.05
    choice = find(slow, Budget(800, 8000), lambda share: 1.0, usual=False)
    assert choice.factor == pytest.approx(1.0, rel=0.3)
    quick: Any = Bowl(1.0)
    lowered = find(quick, Budget(800, 8000), lambda share: 1.0, usual=False)
    assert lowered.factor < 0.7 * choice.factor
