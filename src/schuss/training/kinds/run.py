"""Run: a trained network with all that it takes to use it on new data; what all kinds have."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from schuss.core import Array
from schuss.errors import UsageError
from schuss.nn.module import Module
from schuss.training.runs.bundle import write_bundle

__all__ = ["Figures", "Predicted", "Predictions", "Run"]

Figures: TypeAlias = "dict[str, float | None]"


@dataclass(frozen=True, repr=False)
class Predictions:
    """What a run says of some rows.

    Args:
        labels: classes in their original type, or values in the target's unit, shape (rows,).
        probabilities: float64 of shape (rows, classes), or None for values.
        cut: which values were cut to the range where predictions may lie, bool of shape (rows,);
            or None for classes.
        beyond: which values lie farther than a twentieth of their range outside of those of the
            training rows, likewise.
    """

    labels: Array
    probabilities: Array | None
    cut: Array | None = None
    beyond: Array | None = None

    def __repr__(self) -> str:
        classes = "" if self.probabilities is None else f" of {self.probabilities.shape[1]} classes"
        return f"Predictions({len(self.labels):,} rows{classes})"


@dataclass(frozen=True)
class Predicted:
    """Some rows of a stream with what a run says of them, as a file of predictions holds it.

    Args:
        columns: the rows' own, by name.
        found: what the run says.
        numeric: own columns whose text is numbers.
        whole: own columns of whole numbers, with Arrow's type of each.
        originals: the rows as lines of JSON, where they came so.
        more: columns that follow the predictions, by name.
    """

    columns: Mapping[str, Any]
    found: Predictions
    numeric: Iterable[str] = ()
    whole: Mapping[str, str] = field(default_factory=dict)
    originals: Any = None
    more: Mapping[str, Array] = field(default_factory=dict)


class Run(ABC):
    """A trained network, what prepares data for it, and how good it is.

    Made by `train`, `resume` and `load`.

    Args:
        config: what the run's config.json holds.
        model: the network with its weights.
        result: what came of the training.
        folder: where the run is on disk, or None.
        history: an epoch's figures each.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        model: Module,
        result: Mapping[str, Any],
        folder: Path | None = None,
        history: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        self.config = dict(config)
        self.model = model
        self.folder = folder
        self.history = [dict(record) for record in history]
        self.result = dict(result)

    @property
    @abstractmethod
    def task(self) -> str:
        """What is learned: "classification" or "regression"."""

    @property
    @abstractmethod
    def classes(self) -> Array:
        """The classes in the order of the columns of `predict_proba`; empty for regression."""

    @property
    @abstractmethod
    def target_name(self) -> str:
        """What is learned is called so."""

    @property
    def next_data(self) -> tuple[str, str]:
        """What new data, and data to test on, may be called in an example."""
        return "new.csv", "test.csv"

    @property
    def notes(self) -> list[str]:
        """What was inferred and what the user should know, a sentence each."""
        return [*self.config["notes"], *self.result.get("notes", [])]

    @property
    def shares(self) -> dict[str, int]:
        """Number of examples to train, validate and test with."""
        return dict(self.config["shares"])

    @property
    @abstractmethod
    def goal(self) -> dict[str, Any]:
        """What was aimed at, by name."""

    @property
    def seen(self) -> list[float] | None:
        """The least and the greatest value of a quantity in the training rows; None for classes."""
        return None

    @property
    def finished(self) -> bool:
        """Whether training came to its end; `resume` goes on where it did not."""
        return bool(self.result.get("finished", False))

    @property
    def seconds(self) -> float:
        """Time spent training, in seconds."""
        return float(self.result.get("seconds", 0.0))

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return int(self.result.get("epochs", 0))

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights these are, from 1; 0 before the first."""
        return int(self.result.get("epoch", 0))

    @property
    def validation(self) -> Figures:
        """Figures on the validation examples, by name; None where one is undefined."""
        return dict(self.result.get("validation") or {})

    @property
    def test(self) -> Figures:
        """Figures on the test examples, by name; None where one is undefined."""
        return dict(self.result.get("test") or {})

    @property
    def confusion(self) -> list[list[int]] | None:
        """How many held-out examples of each class (a row) were taken for each (a column)."""
        found: list[list[int]] | None = self.result.get("confusion")
        return found

    def __repr__(self) -> str:
        share = "test" if self.test else "validation"
        name = "accuracy" if self.task == "classification" else "rmse"
        value = (self.test or self.validation).get(name)
        shown = "" if value is None else f", {share} {name} {value:.4g}"
        where = f", folder={str(self.folder)!r}" if self.folder else ""
        return f"Run({self.task} of {self.target_name!r}{shown}, epochs={self.epochs}{where})"

    @property
    def taken_for(self) -> str:
        """What the data was taken for, as a line; empty where that was told before."""
        return ""

    @abstractmethod
    def description(self) -> list[tuple[str, str, str]]:
        """Return what was made of the data, as lines of three words for a person."""

    @abstractmethod
    def shares_text(self) -> str:
        """Return how the examples are shared out, as a line for a person."""

    @abstractmethod
    def predict(self, rows: Any) -> Array:
        """Return the class, or the value, of each example."""

    @abstractmethod
    def predict_proba(self, rows: Any) -> Array:
        """Return the probability of each class, float64 of shape (examples, classes)."""

    @abstractmethod
    def evaluate(self, data: Any) -> Figures:
        """Return figures on examples that have the target, by name."""

    @abstractmethod
    def stream(self, data: Any, **reading: Any) -> Iterator[Predicted]:
        """Yield what a file or folder holds with predictions, a part at a time.

        Args:
            data: its path.
            reading: options of how a table is read.
        """

    @abstractmethod
    def measured(self, data: Any, **reading: Any) -> tuple[Figures, int, int]:
        """Return figures on a file or folder, on how many examples, and on how many without target.

        Args:
            data: its path.
            reading: options of how a table is read.
        """

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write network and preprocessing into one file, which `load` reads.

        Args:
            path: where to, such as "iris.schuss"; an existing file is replaced.

        Raises:
            DataError: if the file cannot be written.
        """
        target = Path(path)
        if target.is_dir():
            raise UsageError(f"save: expected a file, got the folder {target}; name a file in it.")
        write_bundle(
            target, self.model.state_dict(), "model", {"config": self.config, **self.result}
        )
