"""Training: Trainer for a network of your own, train for data of any kind.

Names are loaded from their modules when they are first used: the command line asks the kinds of
data for their options, and computes nothing then.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schuss.training.finding import find_lr as find_lr
    from schuss.training.kinds.load import load_run as load_run
    from schuss.training.kinds.run import Predictions as Predictions
    from schuss.training.kinds.run import Run as Run
    from schuss.training.kinds.train import resume as resume
    from schuss.training.kinds.train import train as train
    from schuss.training.loading import load as load
    from schuss.training.loop.callbacks import Callback as Callback
    from schuss.training.loop.fit import DivergenceError as DivergenceError
    from schuss.training.loop.fit import Fit as Fit
    from schuss.training.runs.interrupt import Interrupted as Interrupted
    from schuss.training.trainer import Trainer as Trainer

_PLACES = {
    "Callback": "loop.callbacks",
    "DivergenceError": "loop.fit",
    "Fit": "loop.fit",
    "Interrupted": "runs.interrupt",
    "Predictions": "kinds.run",
    "Run": "kinds.run",
    "Trainer": "trainer",
    "find_lr": "finding",
    "load": "loading",
    "load_run": "kinds.load",
    "resume": "kinds.train",
    "train": "kinds.train",
}

__all__ = [
    "Callback",
    "DivergenceError",
    "Fit",
    "Interrupted",
    "Predictions",
    "Run",
    "Trainer",
    "find_lr",
    "load",
    "load_run",
    "resume",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
