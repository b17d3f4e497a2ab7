"""Finds the learning rate before a training's first step, within a share of its time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss import random
from schuss.core import enable_grad
from schuss.modes import quietly
from schuss.nn.module import Module
from schuss.optim.schedules import BY_PROGRESS
from schuss.training.descent.defaults import SCHEDULE, set_decay
from schuss.training.descent.learner import Learner
from schuss.training.descent.step_size.curve import RateCurve
from schuss.training.descent.step_size.search import Budget, find
from schuss.training.descent.step_size.survey import rate_curve
from schuss.training.descent.step_size.trials import Trials
from schuss.training.descent.steppers import Stepper
from schuss.training.evaluation.examples import Examples
from schuss.training.loop.plan import TrainingPlan, seed_for

__all__ = ["find_rate_curve", "find_step_size", "step_seconds", "trials_of"]

# The share of a training's steps that the search may cost.
_SHARE = 0.12
# Where the first rate is somebody's, which may be off by any factor, it takes so many steps, up to
# this share.
_FEWEST_STEPS, _LARGEST_SHARE = 160, 0.35
_STEP_SECONDS, _EAGER_STEP_SECONDS = 1e-5, 2e-3
_STEP_RATE = 3e10
# Steps whose time is taken, after as many that may compile.
_TIMED_STEPS = 16


def trials_of(
    learner: Learner,
    stepper: Stepper,
    training: Examples,
    plan: TrainingPlan,
    left_out: Sequence[int] = (),
) -> Trials:
    """Return what takes steps on the training rows and leaves no trace."""
    return Trials(
        learner,
        stepper,
        rows=len(training),
        batch=plan.batch(len(training)),
        seed=seed_for(plan.step_seed, "step size"),
        left_out=left_out,
    )


def find_step_size(
    learner: Learner,
    stepper: Stepper,
    training: Examples,
    plan: TrainingPlan,
    steps: int,
    left_out: Sequence[int] = (),
    *,
    validated: bool,
) -> str:
    """Set the learning rate and the weight decay where they are to be found.

    Args:
        learner: what is trained.
        stepper: takes its steps.
        training: the rows.
        plan: of the training.
        steps: of all epochs.
        left_out: rows that are not learned.
        validated: whether there are validation rows.

    Returns:
        What was chosen and why, to be said; nothing where the learning rate was given.
    """
    said = ""
    if learner.finds_rate:
        learner.put_weights(training=True)
        trials = trials_of(learner, stepper, training, plan, left_out)
        with trials.without_trace():
            if plan.time_budget is not None:
                trials.run(lambda share: 1e-3, 2 * _TIMED_STEPS)
                steps = min(steps, max(int(plan.time_budget / trials.seconds_per_step), 1))
                trials.steps = 0
            numbers = float(np.size(training.y)) if validated else math.inf
            budget = _budget(steps, numbers, usual=learner.usual_rate)
            shape = learner.schedule.functions.get("lr", BY_PROGRESS[SCHEDULE])
            choice = find(trials, budget, shape, usual=learner.usual_rate)
        for group in learner.optimizer.param_groups:
            group["lr"] = group["initial_lr"] = group["lr"] * choice.factor
        rule = type(learner.optimizer).__name__
        said = f"learning rate {learner.schedule.lr:.2g} with {rule} ({choice.why})"
    if learner.sets_decay:
        set_decay(learner.optimizer, int(np.size(training.y)), steps)
    return said


def find_rate_curve(
    learner: Learner, stepper: Stepper, training: Examples, plan: TrainingPlan, steps: int
) -> RateCurve:
    """Return how short trainings end, by their learning rate; nothing changes.

    Args:
        learner: what would be trained.
        stepper: takes its steps.
        training: the rows.
        plan: of the training.
        steps: of all epochs.
    """
    random.manual_seed(plan.step_seed)
    learner.model.train()
    learner.put_weights(training=True)
    shape = learner.schedule.functions.get("lr", BY_PROGRESS[SCHEDULE])
    rate, rule = learner.schedule.lr, type(learner.optimizer).__name__
    trials = trials_of(learner, stepper, training, plan)
    with enable_grad(), quietly(), trials.without_trace():
        return rate_curve(trials, steps, shape, rate=rate, rule=rule)


def _budget(steps: int, numbers: float, *, usual: bool) -> Budget:
    """Return what the search for a training of so many steps may cost."""
    least = 0.0 if usual else min(_FEWEST_STEPS, _LARGEST_SHARE * steps)
    return Budget(int(max(_SHARE * steps, least)), steps, numbers)


def step_seconds(model: Module, training: Examples, plan: TrainingPlan) -> float:
    """Return what a step is taken to cost, by its size alone, on the safe side."""
    places = max(map(_places, training.inputs))
    batch = min(plan.batch(len(training)), len(training))
    work = 6.0 * batch * places * sum(p.size for p in model.parameters())
    return (_EAGER_STEP_SECONDS if plan.eager else _STEP_SECONDS) + work / _STEP_RATE


def _places(x: Any) -> int:
    """Return how many places a row has at which weights are used: pixels, letters, times."""
    shape: tuple[int, ...] = np.shape(x[:1])[1:]
    if getattr(x, "dtype", np.dtype(float)).kind in "iu":
        return max(math.prod(shape), 1)
    return max(math.prod(shape[1:]) if len(shape) > 2 else math.prod(shape[:-1]), 1)
