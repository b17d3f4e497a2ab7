"""A diagnosis of what a Trainer trains, on a part of its rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.inspect import Diagnosis, diagnose
from schuss.nn.module import Module
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.objective import Objective
from schuss.training.loop.fit import Fit

__all__ = ["diagnose_on", "has_hardly_learned"]

# So many rows tell it; more would only take longer.
_ROWS = 1024
# A training is stuck whose loss is more than this share of its first epoch's, after so many.
_HARDLY, _EPOCHS = 0.9, 10


def diagnose_on(model: Module, objective: Any, rows: Examples) -> Diagnosis:
    """Diagnose a network on rows, of many on some that lie evenly among them.

    Args:
        model: the network.
        objective: an `Objective`, or what makes one.
        rows: with targets.
    """
    loss = objective if isinstance(objective, Objective) else Objective(objective)
    rows = rows.spread(_ROWS)
    inputs = [np.asarray(x[np.arange(len(rows))]) for x in rows.inputs]
    return diagnose(model, loss, inputs, rows.y)


def has_hardly_learned(fit: Fit) -> bool:
    """Whether the loss is about what it was in the first epoch."""
    if len(fit.history) < _EPOCHS:
        return False
    first, last = (fit.history[i]["train_loss"] for i in (0, -1))
    return bool(first > 0.0 and last > _HARDLY * first)
