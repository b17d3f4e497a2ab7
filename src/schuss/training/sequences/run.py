"""SequenceRun: a network trained on sequences, with all that it takes to use it on new ones."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.data import Table, iter_table, read_table
from schuss.data.tables.reading.concatenate import concatenate
from schuss.messages import say
from schuss.modes import quietly
from schuss.training.evaluation.compiled_forward import CompiledForward
from schuss.training.evaluation.evaluate import outputs
from schuss.training.evaluation.examples import Examples
from schuss.training.kinds.describing import shares_text
from schuss.training.kinds.run import Predicted
from schuss.training.sequences.grouping import Grouped, SequenceColumns
from schuss.training.sequences.inputs import SequenceFormat
from schuss.training.tables.predictions import Measured
from schuss.training.tables.run import TableRun

__all__ = ["SequenceRun"]

# So many sequences go through the network at a time.
_BATCH = 32


class SequenceRun(TableRun):
    """A network trained on sequences, what groups and prepares their rows, and how good it is.

    A table of rows is given, as to `train`, and each of its sequences is one example: predictions
    come in the order in which the sequences first appear; `sequence_ids` says which these are.

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
        model: Any,
        result: Mapping[str, Any],
        folder: Path | None = None,
        history: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(config, model, result, folder, history)
        self._columns = SequenceColumns.from_config(config["grouping"]["columns"])
        self._format = SequenceFormat.from_config(config["grouping"]["format"])

    @property
    def sequence_name(self) -> str:
        """The column that says which sequence a row belongs to."""
        return self._columns.sequence.name

    @property
    def members(self) -> None:
        """One network answers."""
        return None

    @property
    def taken_for(self) -> str:
        """What the data was taken for, where it was a file."""
        source = self.config["sources"]["data"]
        if not source["path"]:
            return ""
        count = f"{sum(self.shares.values()):,} of them in {source['rows']:,} rows"
        return f"took {source['path']} for sequences ({count})"

    def description(self) -> list[tuple[str, str, str]]:
        """Return what groups the rows, what became of each column, and the target."""
        *lines, target = super().description()
        order, form = self._columns.order, self._format
        own = [(self.sequence_name, "sequence", "rows of the same value are one sequence")]
        if order is not None:
            values = "dates" if order.kind == "timestamp" else "numbers"
            own.append((order.name, "order", f"sorts the rows of a sequence, as {values}"))
        of = "" if form.rows == 1 else f" of {form.rows:,} rows each"
        network = f"convolutions and a recurrent layer over up to {form.steps:,} steps{of}"
        return [*own, *lines, ("network", f"{self.config['parameters']:,}", network), target]

    def shares_text(self) -> str:
        """Return how the sequences are shared out."""
        return shares_text("sequences", self.shares)

    def sequence_ids(self, rows: Any) -> Array:
        """Return which sequences a table has, in the order of their predictions.

        Args:
            rows: as `predict` takes them.
        """
        return self._ids(self._columns.group(self._table(rows)))

    def _ids(self, grouped: Grouped) -> Array:
        found: Array = grouped.table.take(grouped.starts[:-1])[self.sequence_name]
        return found

    def stream(self, data: Any, **reading: Any) -> Iterator[Predicted]:
        """Yield the sequences of a table with predictions, one row each, as soon as they end."""
        left_out = 0
        for table in self.chunks(data, **reading):
            grouped = self._columns.group(table)
            left_out += table.rows - grouped.table.rows
            with quietly():
                found = self._predictions(self._outputs_of(grouped))
            whole = {name: kind for name, kind in table.declared.items() if "int" in kind}
            yield Predicted({self.sequence_name: self._ids(grouped)}, found, whole=whole)
        if left_out:
            plural = "row has" if left_out == 1 else "rows have"
            say(f"note: {left_out:,} {plural} no sequence, or no place in it, and no prediction")

    # How it does that.

    def chunks(self, data: Any, **reading: Any) -> Iterator[Table]:
        """Yield whole sequences, some at a time: what is open goes on in the next part.

        A file is read twice, first to see where each sequence ends; a stream is read as a whole.
        """
        if not isinstance(data, str | os.PathLike) or str(data) == "-":
            yield self.aligned(read_table(data, **reading))
            return
        ends, sizes = self._ends(data, reading)
        # How many rows are of sequences that have ended, after each that ends one.
        last = np.sort(np.array(list(ends.values()), np.int64))
        ended = np.cumsum([sizes[label] for label in sorted(ends, key=ends.__getitem__)])
        row = yielded = 0
        waiting: list[Table] = []
        for chunk in iter_table(data, **reading):
            waiting.append(self._needed(self.aligned(chunk)))
            row += chunk.rows
            count = int(np.searchsorted(last, row))
            ready = int(ended[count - 1]) - yielded if count else 0
            # Not after each part, since all that waits is copied.
            if ready and 2 * ready >= row - yielded:
                whole = concatenate(waiting)
                done = np.array([ends[label] < row for label in self._columns.labels(whole)])
                yield whole.take(np.flatnonzero(done))
                waiting = [whole.take(np.flatnonzero(~done))]
                yielded += ready
        if yielded < row or not row:
            yield concatenate(waiting)

    def _ends(self, data: Any, reading: Mapping[str, Any]) -> tuple[dict[str, int], Counter[str]]:
        """Return the number of each sequence's last row in a file, and how many rows it has."""
        ends: dict[str, int] = {}
        sizes: Counter[str] = Counter()
        row = 0
        for chunk in iter_table(data, **reading):
            labels = self._columns.labels(self.aligned(chunk))
            ends.update(zip(labels, range(row, row + len(labels)), strict=True))
            sizes.update(labels)
            row += len(labels)
        return ends, sizes

    def _needed(self, table: Table) -> Table:
        """Return the columns that matter here."""
        weight = self.config["options"].get("sample_weight")
        order = self._columns.order
        names = {self.sequence_name, self.target.name, weight, *self.preprocessor.columns}
        names |= set() if order is None else {order.name}
        return table.select([name for name in table.names if name in names])

    def _table(self, rows: Any) -> Table:
        return self.aligned(read_table(rows))

    def aligned(self, table: Table) -> Table:
        """Make a table as the network learned from: values that mean missing."""
        reading = self.config["sources"]["data"].get("reading", {})
        return table.with_missing(reading.get("na_values", ()))

    def pieces(self, table: Table) -> Iterable[Table]:
        """Leave a table whole: its sequences may lie anywhere in it."""
        return [table]

    def counted(self, table: Table) -> tuple[int, int]:
        """Return how many sequences a table has, and how many of them are without the target."""
        there = self.target.present(self._heads(self._columns.group(table)))
        return len(there), int((~there).sum())

    def _heads(self, grouped: Grouped) -> Table:
        weight = self.config["options"].get("sample_weight")
        names = [self.target.name, *([weight] if weight in grouped.table else [])]
        return grouped.heads(names)

    def _measured(self, table: Table) -> Measured:
        grouped = self._columns.group(table)
        self.target.present(table)
        grouped.require_constant(
            self.target.name, "value of the target", "correct the rows, or leave them out"
        )
        heads = self._heads(grouped)
        there = np.flatnonzero(self.target.present(heads))
        return self.measured_by(heads.take(there), self._outputs_of(grouped.take(there)))

    def _outputs(self, table: Table) -> Array:
        return self._outputs_of(self._columns.group(table))

    def _outputs_of(self, grouped: Grouped) -> Array:
        """Return the outputs of sequences, which do not depend on their company."""
        if not len(grouped):
            return np.empty((0, self.target.n_outputs), np.float32)
        numeric, codes = self.preprocessor.transform(grouped.table)
        inputs = self._format.inputs(numeric, codes, grouped.starts)
        with self._lock:
            if self._forward is None:
                self._forward = CompiledForward(self.model, needed=False, batch=_BATCH)
            forward = self._forward
        examples = Examples(inputs, np.zeros(len(grouped), np.int64))
        return outputs(self.model, examples, forward=forward)
