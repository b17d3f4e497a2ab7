"""TableRun: a network trained on a table, with all that it takes to use it on new rows."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from schuss.core import Array, leaf
from schuss.data import (
    ColumnKind,
    Table,
    TablePreprocessor,
    TargetEncoder,
    iter_table,
    read_table,
    weight_column,
)
from schuss.data.tables.preparing.target import Task
from schuss.data.tables.preparing.weights import no_weight
from schuss.errors import DataError, FileFormatError, UsageError
from schuss.modes import quietly
from schuss.nn.module import Module
from schuss.nn.tabular import TabularMLP
from schuss.training.evaluation import cost
from schuss.training.evaluation.compiled_forward import CompiledForward
from schuss.training.evaluation.evaluate import outputs, softmax
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.metrics import confusion_matrix, measure
from schuss.training.evaluation.objective import Objective
from schuss.training.kinds.describing import classes_text, shares_text
from schuss.training.kinds.run import Figures, Predicted, Predictions, Run
from schuss.training.tables.codes import widened
from schuss.training.tables.predictions import Measured, chunks_of
from schuss.training.tables.recipe import TabularRecipe, tabular_recipe

__all__ = ["TableRun", "build_network", "network_inputs"]

# What lies no farther outside of the training rows' range, in parts of it, is nothing to tell of.
_MARGIN = 0.05


class TableRun(Run):
    """A network trained on a table, its preprocessing, and how good it is.

    Args:
        config: what the run's config.json holds.
        model: the network with its weights.
        result: what came of the training.
        folder: where the run is on disk, or None.
        history: an epoch's figures each.
    """

    model: Any

    def __init__(
        self,
        config: Mapping[str, Any],
        model: Module,
        result: Mapping[str, Any],
        folder: Path | None = None,
        history: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(config, model, result, folder, history)
        self.preprocessor = TablePreprocessor.from_config(config["preprocessing"])
        self.target = TargetEncoder.from_config(config["target_encoding"])
        self._forward: CompiledForward | None = None
        self._asked = 0
        self._lock = threading.Lock()

    # What came of it.

    @property
    def task(self) -> Task:
        """What is learned: "classification" or "regression"."""
        return self.target.task

    @property
    def classes(self) -> Array:
        """The classes in the order of the columns of `predict_proba`; empty for regression."""
        return self.target.class_array

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """What each column is, by name."""
        return self.preprocessor.kinds

    @property
    def columns(self) -> list[dict[str, str]]:
        """What became of each column: `column`, `kind` and `note`."""
        return self.preprocessor.describe()

    @property
    def goal(self) -> dict[str, Any]:
        """What was aimed at, by name: a quantity's loss, quantile and scale; a temperature.

        Of classes the temperature by which logits are divided, so that probabilities are right.
        """
        if self.task == "classification":
            calibrated = self.model.calibrated
            return {"temperature": self.model.temperature.item() if calibrated else 1.0}
        recipe = self._recipe()
        aimed = {"quantile": recipe.quantile} if recipe.value_loss == "quantile" else {}
        return {"loss": recipe.value_loss, **aimed, "target_scale": self.target.scale}

    @property
    def members(self) -> int | None:
        """Number of networks whose predictions are averaged; None for one."""
        found: int | None = self.model.members
        return found

    @property
    def seen(self) -> list[float] | None:
        """The least and the greatest value of a quantity in the training rows; None for classes."""
        found: list[float] | None = self.config.get("seen") or self.config["range"]
        return found

    def __getstate__(self) -> dict[str, Any]:
        # Native code and locks belong to a process; both are made anew where they are needed.
        return {**vars(self), "_forward": None, "_asked": 0, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())

    @property
    def target_name(self) -> str:
        """The target's column."""
        return self.target.name

    @property
    def taken_for(self) -> str:
        """What the data was taken for, where it was a file."""
        source = self.config["sources"]["data"]
        return f"took {source['path']} for a table of {source['rows']:,} rows" * bool(
            source["path"]
        )

    def description(self) -> list[tuple[str, str, str]]:
        """Return what became of each column, and the target."""
        lines = [(c["column"], c["kind"], c["note"]) for c in self.columns]
        if self.task == "regression":
            scale = ", on a log scale" if self.target.scale == "log" else ""
            return [*lines, (self.target.name, "target", f"a number (regression{scale})")]
        return [*lines, (self.target.name, "target", classes_text(self.classes))]

    def shares_text(self) -> str:
        """Return how the rows are shared out."""
        folds = self.members if self.members and not self.shares["validation"] else None
        return shares_text("rows", self.shares, folds)

    # Using it.

    def predict(self, rows: Any) -> Array:
        """Return the class, or the value, of each row.

        Args:
            rows: a path, a frame, columns by name, or an array with the columns in their order.

        Values keep to those of the training rows, but where a line carries them, which goes on:
        `predict_table` tells which were cut, and which lie beyond.

        Returns:
            Labels in their original type, or float64 values in the target's unit, shape (rows,).

        Raises:
            DataError: if a column is missing or a value unreadable.
        """
        return self.predict_table(self._table(rows)).labels

    def predict_proba(self, rows: Any) -> Array:
        """Return the probability of each class, float64 of shape (rows, classes).

        Raises:
            UsageError: if the run predicts values.
            DataError: if a column is missing or a value unreadable.
        """
        found = self.predict_table(self._table(rows)).probabilities
        if found is None:
            raise UsageError(
                f"predict_proba: this run predicts the value of {self.target.name!r}, not "
                "classes; use predict."
            )
        return found

    def predict_table(self, table: Table) -> Predictions:
        """Predict the rows of a table, such as one chunk of a file larger than memory."""
        with quietly():
            return self._predictions(self._outputs(table))

    def evaluate(self, data: Any) -> Figures:
        """Return figures on rows that have the target, by name; None where one is undefined.

        Args:
            data: a path, a frame, or anything else that `train` takes; rows without a target
                are left out.

        Raises:
            DataError: if the target is missing, or a class was never learned.
        """
        if isinstance(data, (str, os.PathLike)):
            return self.figures(self.chunks(data))
        return self.figures(self._table(data))

    def figures(self, tables: Table | Iterable[Table]) -> Figures:
        """Return figures on the rows of a table, or of its chunks one after the other.

        See `evaluate`; the chunks need not fit into memory together.
        """
        with quietly():
            chunks = self.pieces(tables) if isinstance(tables, Table) else tables
            return self._figures([self._measured(chunk) for chunk in chunks])

    def confusion_of(self, table: Table) -> Array:
        """Return how many rows of each class (a row) are taken for each (a column), int64."""
        with quietly():
            found = confusion_matrix(np.empty(0, np.int64), np.empty((0, self.target.n_outputs)))
            for part in map(self._measured, self.pieces(table)):
                found += confusion_matrix(part.y, part.output)
        return found

    def _measured(self, table: Table) -> Measured:
        """Return what is measured of a table's rows: all that is learned of them."""
        there = self.target.present(table)
        table = table if there.all() else table.take(np.flatnonzero(there))
        return self.measured_by(table, self._outputs(table))

    def measured_by(self, table: Table, output: Array) -> Measured:
        """Return what is measured of outputs, by a table with the target of each."""
        y, _ = self.target.encode(table)
        column = self.config["options"].get("sample_weight")
        weight = weight_column(table, column, part=True) if column in table else None
        raw = self.target.values(table)[0] if self.task == "regression" else y
        return Measured(table.source, y, raw, output, weight)

    def _figures(self, parts: Sequence[Measured]) -> Figures:
        y, output = (np.concatenate([getattr(p, name) for p in parts]) for name in ("y", "output"))
        if not len(y):
            raise DataError(
                f"{parts[0].source}: the target {self.target.name!r} is missing in every row; "
                "there is nothing to compare with."
            )
        weight = self._weight(parts)
        recipe = self._recipe()
        objective = Objective(recipe.loss)
        each = None if weight is None else leaf(weight)
        loss = objective(leaf(output), leaf(y), each).item()
        figures: Figures = {
            "loss": loss if weight is None else loss / float(weight.mean(dtype=np.float64))
        }
        predicted = self._predictions(output)
        metrics = recipe.metrics(self.config.get("class_factors"))
        if predicted.probabilities is not None:
            return figures | measure(metrics, y, predicted.probabilities, weight)
        raw = np.concatenate([part.raw for part in parts])
        return figures | measure(metrics, raw, predicted.labels, weight)

    def _weight(self, parts: Sequence[Measured]) -> Array | None:
        found = [part.weight for part in parts if part.weight is not None]
        if len(found) < len(parts):
            return None
        weight: Array = np.concatenate(found)
        if not weight.any():
            column = self.config["options"]["sample_weight"]
            raise no_weight(parts[0].source, column)
        return weight

    def _recipe(self) -> TabularRecipe:
        """Return the recipe, as far as it decides what is measured."""
        names = ("label_smoothing", "value_loss", "quantile")
        return tabular_recipe(self.task, **{n: self.config["recipe"].get(n) for n in names})

    def stream(self, data: Any, **reading: Any) -> Iterator[Predicted]:
        """Yield the rows of a table with predictions, a chunk at a time."""
        numeric = [name for name, kind in self.kinds.items() if kind.kind == "numeric"]
        for chunk in iter_table(data, **reading):
            found = self.predict_table(self.aligned(chunk))
            whole = {name: kind for name, kind in chunk.declared.items() if "int" in kind}
            yield Predicted(chunk.columns, found, numeric, whole, chunk.originals)

    def measured(self, data: Any, **reading: Any) -> tuple[Figures, int, int]:
        """Return figures on a table, how many rows it has, and how many without the target."""
        rows = without = 0

        def chunks() -> Iterator[Table]:
            nonlocal rows, without
            for table in self.chunks(data, **reading):
                all_rows, without_target = self.counted(table)
                rows += all_rows
                without += without_target
                yield table

        return self.figures(chunks()), rows, without

    # How it does that.

    def chunks(self, data: Any, **reading: Any) -> Iterator[Table]:
        """Yield a table's rows as the network learned from them, some at a time."""
        return map(self.aligned, iter_table(data, **reading))

    def pieces(self, table: Table) -> Iterable[Table]:
        """Cut a table into parts that take little memory, each of which is measured for itself."""
        return chunks_of(table)

    def counted(self, table: Table) -> tuple[int, int]:
        """Return how many examples a table has, and how many of them are without the target."""
        return table.rows, int((~self.target.present(table)).sum())

    def _table(self, rows: Any) -> Table:
        return self.aligned(read_table(self._one_row(rows)))

    def _one_row(self, rows: Any) -> Any:
        """Take a flat sequence of as many values as there are columns as a single row."""
        if isinstance(rows, (list, np.ndarray)) and np.ndim(np.asarray(rows, dtype=object)) == 1:
            count = len(self.preprocessor.kinds)
            flat = len(rows) == count > 1 and not any(isinstance(v, Mapping) for v in rows)
            return np.asarray(rows, dtype=object)[None, :] if flat else rows
        return rows

    def aligned(self, table: Table) -> Table:
        """Make a table as the network learned from: values that mean missing, names of columns.

        The columns of a plain array get the names that the network learned, by their order.
        """
        reading = self.config["sources"]["data"].get("reading", {})
        table = table.with_missing(reading.get("na_values", ()))
        known = list(self.preprocessor.kinds)
        targets = ("target", self.target.name)
        features = [name for name in table.names if name in known or name not in targets]
        unnamed = features == [f"x{k}" for k in range(len(features))]
        if not unnamed or any(name in known for name in features) or len(features) != len(known):
            return table
        names = {"target": self.target.name, **dict(zip(features, known, strict=True))}
        renamed = {names.get(old, old): values for old, values in table.columns.items()}
        return Table(renamed, source=table.source)

    def _outputs(self, table: Table) -> Array:
        inputs = network_inputs(*self.preprocessor.transform(table))
        rows = Examples(inputs, np.zeros(table.rows, np.int64))
        if not table.rows:
            return np.empty((0, self.target.n_outputs), np.float32)
        return outputs(self.model, rows, forward=self._native(table.rows))

    def _native(self, rows: int) -> CompiledForward | None:
        """Return the network as native code, once so many rows were asked for that it pays."""
        if rows < cost.BATCH_ROWS:
            return None
        with self._lock:
            self._asked += rows
            worth = cost.outputs_are_worth_compiling(self.model, self._asked, 1)
            if self._forward is None and worth:
                self._forward = CompiledForward(self.model)
            return self._forward

    def _predictions(self, output: Array) -> Predictions:
        if self.task == "classification":
            chances = softmax(output)
            return Predictions(self.target.decode(chances.argmax(axis=1)), chances)
        low, high = self.config["range"]
        raw = self.target.decode(output[:, 0])
        values = np.clip(raw, low, high)
        least, most = self.target.quantity.standardised(np.array(self.seen))
        margin = _MARGIN * (most - least)
        y = self.target.quantity.standardised(values)
        beyond = (y < least - margin) | (y > most + margin)
        return Predictions(values, None, raw != values, beyond)


def network_inputs(numeric: Array, categories: Array) -> tuple[Any, ...]:
    """Return what the network is called with: codes only where there are columns of them."""
    return (numeric, widened(categories)) if categories.shape[1] else (numeric,)


def build_network(config: Mapping[str, Any]) -> TabularMLP:
    """Make the network that a config describes; its weights come from elsewhere.

    Raises:
        FileFormatError: if the description is damaged.
    """
    try:
        return TabularMLP(**config)
    except (TypeError, ValueError) as error:
        raise FileFormatError(f"run: the network's description is damaged ({error}).") from None
