"""Training: Trainer for a network of your own, train for a whole table."""

from __future__ import annotations

from schuss.training.loading import load
from schuss.training.loop.callbacks import Callback
from schuss.training.loop.fit import DivergenceError, Fit
from schuss.training.runs.interrupt import Interrupted
from schuss.training.tables.load import load_run
from schuss.training.tables.run import Predictions, Run
from schuss.training.tables.train import resume, train
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
    "load_run",
    "resume",
    "train",
]
