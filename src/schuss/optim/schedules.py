"""Schedules as pure functions in closed form, of the step number or of the progress.

Those of the step take its number (or the epoch's), counted from 0, and the base learning rate, and
return the learning rate there. `warm_up` goes in front of any of them:

>>> schedule = warm_up(lambda step: cosine(step, 0.1, total=100), steps=10)
>>> [round(schedule(step), 4) for step in (0, 5, 10, 60, 110)]
[0.0091, 0.0545, 0.1, 0.05, 0.0]

Those of the progress, the share of all steps that is done, in [0, 1], return what to multiply the
base value with. `BY_PROGRESS` holds those that have a name.

>>> [round(BY_PROGRESS["warm_cosine"](t), 4) for t in (0.0, 0.025, 0.05, 0.525, 1.0)]
[0.0, 0.5, 1.0, 0.5, 0.0]
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

__all__ = [
    "BY_PROGRESS",
    "constant",
    "cosine",
    "cosine_log_cycles",
    "cosine_restarts",
    "exponential",
    "flat_then_cosine",
    "linear",
    "multi_step",
    "one_cycle",
    "polynomial",
    "since_restart",
    "step_decay",
    "warm_up",
    "warmup_stable_decay",
]

Schedule = Callable[[float], float]


def constant(step: int, base: float, *, factor: float = 1.0, total: int = 0) -> float:
    """Return factor * base before step `total`, and base from there on.

    >>> [constant(step, 1.0, factor=0.5, total=2) for step in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """
    return base * factor if step < total else base


def step_decay(step: int, base: float, *, step_size: int, gamma: float = 0.1) -> float:
    """Return base * gamma^floor(step / step_size).

    >>> [step_decay(step, 8.0, step_size=2, gamma=0.5) for step in range(5)]
    [8.0, 8.0, 4.0, 4.0, 2.0]
    """
    return base * gamma ** (step // step_size)


def multi_step(step: int, base: float, *, milestones: Sequence[int], gamma: float = 0.1) -> float:
    """Return base * gamma^(number of milestones reached); milestones in ascending order.

    >>> [multi_step(step, 8.0, milestones=[1, 3], gamma=0.5) for step in range(4)]
    [8.0, 4.0, 4.0, 2.0]
    """
    return base * gamma ** bisect_right(milestones, step)


def exponential(step: int, base: float, *, gamma: float) -> float:
    """Return base * gamma^step.

    >>> [exponential(step, 8.0, gamma=0.5) for step in range(3)]
    [8.0, 4.0, 2.0]
    """
    return base * gamma**step


def linear(
    step: float, base: float, *, start: float = 1.0 / 3.0, end: float = 1.0, total: float = 5
) -> float:
    """Return base times a factor that goes straight from `start` to `end` in `total` steps.

    >>> [linear(step, 8.0, start=0.5, total=4) for step in (0, 2, 4, 9)]
    [4.0, 6.0, 8.0, 8.0]
    """
    return base * (start + (end - start) * min(step, total) / total)


def polynomial(step: int, base: float, *, total: int, power: float = 1.0) -> float:
    """Return base * (1 - step / total)^power, and 0 from step `total` on.

    >>> [polynomial(step, 8.0, total=4, power=2.0) for step in (0, 2, 4, 9)]
    [8.0, 2.0, 0.0, 0.0]
    """
    return float(base * (1.0 - min(step, total) / total) ** power)


def cosine(step: float, base: float, *, total: float, minimum: float = 0.0) -> float:
    """Return minimum + (base - minimum) * (1 + cos(pi * step / total)) / 2.

    After step `total` it rises again. Loshchilov and Hutter, 2016, arXiv 1608.03983.

    >>> [round(cosine(step, 8.0, total=4), 4) for step in (0, 2, 4)]
    [8.0, 4.0, 0.0]
    """
    return minimum + (base - minimum) * (1.0 + math.cos(math.pi * step / total)) / 2.0


def cosine_restarts(
    step: float, base: float, *, first: int, growth: int = 1, minimum: float = 0.0
) -> float:
    """Return a cosine that starts anew after `first` steps, then after first * growth, ...

    Loshchilov and Hutter, 2016, arXiv 1608.03983.

    >>> [round(cosine_restarts(step, 8.0, first=2, growth=2), 4) for step in (0, 1, 2, 4, 6)]
    [8.0, 4.0, 8.0, 4.0, 8.0]
    """
    into, length = since_restart(step, first=first, growth=growth)
    return cosine(into, base, total=length, minimum=minimum)


def since_restart(step: float, *, first: int, growth: int) -> tuple[float, int]:
    """Return how many steps ago the cycle of `cosine_restarts` began, and how long it is.

    >>> [since_restart(step, first=2, growth=2) for step in (1, 2, 7)]
    [(1, 2), (0, 4), (1, 8)]
    """
    if growth == 1:
        return step % first, first
    cycle = int(math.log(step / first * (growth - 1) + 1, growth)) if step >= first else 0
    begun = first * (growth**cycle - 1) // (growth - 1)
    # The logarithm may be off by a rounding at the very start of a cycle.
    if step - begun >= first * growth**cycle:
        begun += first * growth**cycle
        cycle += 1
    elif step < begun:
        cycle -= 1
        begun -= first * growth**cycle
    return step - begun, first * growth**cycle


def one_cycle(
    step: int,
    highest: float,
    *,
    total: int,
    rising: float = 0.3,
    start: float | None = None,
    end: float | None = None,
    three_phases: bool = False,
    straight: bool = False,
) -> float:
    """Return a rise from `start` to `highest` and a fall to `end`.

    Smith and Topin, 2017, arXiv 1708.07120. Momentum is often run the other way round: use the
    same function with its lowest value as `highest`.

    Args:
        step: from 0 to total - 1.
        highest: value at the top.
        total: number of steps of the whole cycle.
        rising: share of the steps in the rise, in [0, 1].
        start: first value; highest / 25 by default.
        end: last value; start / 10^4 by default.
        three_phases: fall to `start` as fast as it rose, and then to `end`.
        straight: along straight lines instead of cosines.

    >>> [round(one_cycle(step, 1.0, total=11, start=0.0, end=0.0), 2) for step in (0, 1, 2, 10)]
    [0.0, 0.4, 0.96, 0.0]
    """
    start = highest / 25.0 if start is None else start
    end = start / 1e4 if end is None else end
    top = rising * total - 1.0
    fall = [(2.0 * top, start), (total - 1.0, end)] if three_phases else [(total - 1.0, end)]
    return _piecewise(step, start, [(top, highest), *fall], straight=straight)


def _piecewise(
    x: float, start: float, phases: Sequence[tuple[float, float]], *, straight: bool = False
) -> float:
    """Return the value at x of half cosine waves, or lines, from `start` through (x, value)."""
    begun, value = 0.0, start
    for finished, goal in phases:
        if x <= finished or (finished, goal) == phases[-1]:
            break
        begun, value = finished, goal
    share = (x - begun) / (finished - begun) if finished != begun else 1.0
    if straight:
        return (goal - value) * share + value
    return goal + (value - goal) / 2.0 * (math.cos(math.pi * share) + 1.0)


def warm_up(schedule: Schedule, *, steps: float, start: float | None = None) -> Schedule:
    """Return `schedule` delayed by `steps`, with a straight rise to its first value before.

    Args:
        schedule: step number to learning rate.
        steps: length of the rise.
        start: factor of the first value at step 0; 1 / (steps + 1) by default.

    Returns:
        Step number to learning rate.

    >>> schedule = warm_up(lambda step: 1.0, steps=3)
    >>> [schedule(step) for step in range(5)]
    [0.25, 0.5, 0.75, 1.0, 1.0]
    """
    first = 1.0 / (steps + 1) if start is None else start

    def delayed(step: float) -> float:
        if step < steps:
            return linear(step, schedule(0), start=first, total=steps)
        return schedule(step - steps)

    return delayed


def warmup_stable_decay(
    step: float,
    base: float,
    *,
    total: float,
    rising: float = 0.0,
    falling: float = 0.0,
    minimum: float = 0.0,
    shape: str = "sqrt",
) -> float:
    """Return a straight rise to base, base for most of the steps, and a fall to `minimum`.

    In the fall base - (base - minimum) * f(t) at its share t, f(t) being t ("linear"), sqrt(t)
    ("sqrt") or (1 - cos(pi * t)) / 2 ("cosine"). Hu et al., 2024, arXiv 2404.06395; the root:
    Haegele et al., 2024, arXiv 2405.18392.

    Args:
        step: from 0.
        base: the value between rise and fall.
        total: number of steps; after it, the value stays `minimum`.
        rising: number of steps of the rise, which starts at 1 / (rising + 1) of base.
        falling: number of steps of the fall.
        minimum: the last value.
        shape: "linear", "sqrt" or "cosine".

    >>> values = [warmup_stable_decay(s, 8.0, total=8, rising=3, falling=4) for s in range(9)]
    >>> [round(value, 3) for value in values]
    [2.0, 4.0, 6.0, 8.0, 8.0, 4.0, 2.343, 1.072, 0.0]
    """
    if step < rising:
        return linear(step, base, start=1.0 / (rising + 1.0), total=rising)
    left = total - step
    if left >= falling and left > 0:
        return base
    share = min(1.0, 1.0 - left / falling) if falling else 1.0
    return base - (base - minimum) * FALLS[shape](share)


FALLS: dict[str, Schedule] = {
    "linear": lambda share: share,
    "sqrt": math.sqrt,
    "cosine": lambda share: (1.0 - math.cos(math.pi * share)) / 2.0,
}


def cosine_log_cycles(progress: float, *, cycles: int = 4) -> float:
    r"""Return RealMLP's learning rate factor: waves from 0 to 1 and back, each twice as long.

    .. math:: \frac{1}{2} (1 - \cos(2 \pi \log_2(1 + (2^{c} - 1) t)))

    Args:
        progress: t, share of the steps that is done, in [0, 1].
        cycles: c, number of waves.

    >>> [round(cosine_log_cycles(t), 3) for t in (0.0, 1 / 15, 1.0)]
    [0.0, 0.0, 0.0]
    """
    wave = math.log2(1.0 + (2.0**cycles - 1.0) * progress)
    return 0.5 * (1.0 - math.cos(2.0 * math.pi * wave))


def flat_then_cosine(progress: float) -> float:
    """Return 1 for the first half, then a half cosine wave down to 0.

    >>> [round(flat_then_cosine(t), 3) for t in (0.0, 0.5, 0.75, 1.0)]
    [1.0, 1.0, 0.5, 0.0]
    """
    return 1.0 if progress < 0.5 else cosine(2.0 * progress - 1.0, 1.0, total=1.0)


BY_PROGRESS: dict[str, Schedule] = {
    "constant": lambda progress: 1.0,
    "linear": lambda progress: linear(progress, 1.0, start=1.0, end=0.0, total=1.0),
    "cosine": lambda progress: cosine(progress, 1.0, total=1.0),
    # A straight rise in the first 5 %.
    "warm_cosine": warm_up(lambda t: cosine(t, 1.0, total=0.95), steps=0.05, start=0.0),
    # A straight rise in the first 5 %, a fall by the root in the last 20 %.
    "warmup_stable_decay": lambda progress: (
        progress / 0.05
        if progress < 0.05
        else warmup_stable_decay(progress, 1.0, total=1.0, falling=0.2)
    ),
    # From 1/25 to 1 in the first 30 %, then to almost 0 (Smith, arXiv 1708.07120).
    "one_cycle": lambda progress: _piecewise(
        progress, 1.0 / 25.0, [(0.3, 1.0), (1.0, 1e-4 / 25.0)]
    ),
}
