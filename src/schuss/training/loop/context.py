"""What a training loop works on, and what is around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schuss.training.evaluation.examples import Examples
from schuss.training.loop.callbacks import Callback
from schuss.training.loop.progress import Display
from schuss.training.runs.folder import RunFolder
from schuss.training.runs.interrupt import StopRequest

__all__ = ["RunContext", "TrainingData"]


@dataclass(frozen=True)
class TrainingData:
    """The rows of a training.

    Args:
        training: rows to learn from.
        validation: rows to choose the best epoch by, or None for the last.
        is_final: whether the validation rows are learned, too, once a race has been judged by them.
    """

    training: Examples
    validation: Examples | None
    is_final: bool = False


@dataclass(frozen=True)
class RunContext:
    """What is around a training: where it is saved, who sees it, and who may stop it.

    Args:
        folder: the run's folder, or None.
        display: shows the progress.
        callbacks: of the user's own.
        stop_request: tells of Ctrl-C and its kin.
    """

    folder: RunFolder | None
    display: Display
    callbacks: Sequence[Callback]
    stop_request: StopRequest
