"""The last part of a training whose steps all see all rows: second-order steps, kept if better."""

from __future__ import annotations

from schuss.training.descent.learner import Learner
from schuss.training.descent.polish import Polish, can_be_polished
from schuss.training.loop.adopted import AdoptingLoop, adopt
from schuss.training.loop.context import TrainingData
from schuss.training.loop.plan import TrainingPlan
from schuss.training.runs import checkpoint

__all__ = ["epochs_to_polish", "polish"]

# The share of the epochs, and how many there have to be.
_SHARE = 0.25
_LEAST_EPOCHS = 100


def epochs_to_polish(plan: TrainingPlan, learner: Learner, data: TrainingData) -> int:
    """Return how many of the epochs are left to L-BFGS.

    They are a quarter where nothing about the rule is given and every step sees all rows, so that
    there is no noise; 0 elsewhere.
    """
    rows = len(data.training)
    is_free = learner.usual_rate and learner.finds_rate and plan.time_budget is None
    if not is_free or plan.epochs < _LEAST_EPOCHS:
        return 0
    if plan.batch(rows) < rows or not can_be_polished(learner, data.training):
        return 0
    return int(_SHARE * plan.epochs)


def polish(
    loop: AdoptingLoop, plan: TrainingPlan, learner: Learner, data: TrainingData, epochs: int
) -> str:
    """Let L-BFGS go on from where the descent ended, an epoch for each loss that it computes.

    What it finds is kept where the loss is lower, on validation rows where there are such.

    Args:
        loop: the training.
        plan: of it.
        learner: what is trained.
        data: the rows.
        epochs: that are left.

    Returns:
        What came of it, to be said.
    """
    before = checkpoint.copy_state(loop.model)
    losses = Polish(learner, data.training, eager=bool(plan.eager)).run(epochs)
    if not losses:
        return ""
    state = loop.state
    value = loop.validate({})
    if value is not None and state.best_value is not None:
        is_better = value > state.best_value if plan.higher else value < state.best_value
        if not is_better:
            loop.model.load_state_dict(before)
            return ""
    best = adopt(loop, losses, 0.0)
    state.stopped = "epochs"
    if data.validation is not None or loop.best:
        loop.best = best
    return f"then L-BFGS, as every step sees all rows: from {losses[0]:.3g} to {losses[-1]:.3g}"
