"""Training: the loop, its run folder, and the whole job from a table to a network."""

from __future__ import annotations

from schuss.training.callbacks import Callback
from schuss.training.interrupt import Interrupted
from schuss.training.job import resume, train
from schuss.training.plan import DivergenceError, Fit
from schuss.training.run import Predictions, Run, load
from schuss.training.trainer import Trainer

__all__ = [
    "Callback",
    "DivergenceError",
    "Fit",
    "Interrupted",
    "Predictions",
    "Run",
    "Trainer",
    "load",
    "resume",
    "train",
]
