"""find_lr: the curve of learning rates for a table or a folder, as `train` would train on it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from schuss.errors import UsageError
from schuss.training.descent.step_size.curve import RateCurve
from schuss.training.kinds.train import train
from schuss.training.loop.callbacks import Callback

__all__ = ["find_lr"]


class _FoundError(Exception):
    """The curve is there, and nothing is trained."""

    def __init__(self, curve: RateCurve) -> None:
        self.curve = curve


class _Instead(Callback):
    """Finds the curve in the place of a training."""

    def on_begin(self, loop: Any) -> None:
        raise _FoundError(loop.rate_curve())


def find_lr(data: Any, target: Any = None, **options: Any) -> RateCurve:
    """Return how short trainings on data end, by their learning rate.

    From far too small to too big, each rate is tried for some steps, from the same weights on the
    same rows. `print(curve)` draws it, `curve.save("curve.svg")` writes a picture.

    Args:
        data: as `train` takes it.
        target: likewise.
        options: likewise, but for `out`, `overwrite`, `callbacks`, `quiet` and `on_start`.

    Raises:
        UsageError: if options are out of range or contradict each other.
        DataError: if the data cannot be used.

    >>> curve = find_lr("iris", epochs=20)
    >>> curve.low <= curve.best <= curve.high
    True
    """
    for name in ("out", "overwrite", "callbacks", "quiet", "on_start"):
        if name in options:
            raise UsageError(f"find_lr: expected no {name}; nothing is trained or saved.")
    with tempfile.TemporaryDirectory(prefix="schuss-") as folder:
        try:
            train(
                data,
                target,
                **options,
                out=Path(folder) / "run",
                quiet=True,
                callbacks=[_Instead()],
            )
        except _FoundError as found:
            return found.curve
    raise UsageError("find_lr: nothing was to be trained; give at least one epoch.")
