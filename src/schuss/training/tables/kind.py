"""Tables: rows of columns, from files, frames and arrays; what data is if it is nothing else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schuss.training.kinds.kind import Kind, OutputOptions, Recognised, Stored

if TYPE_CHECKING:
    from schuss.training.runs.folder import RunFolder
    from schuss.training.tables.job import TableJob
    from schuss.training.tables.run import TableRun

__all__ = ["KIND", "TableKind"]


class TableKind(Kind):
    """Tables."""

    name = "table"

    def recognise(self, data: Any) -> Recognised | None:
        """Take whatever is no folder for a table."""
        is_path = isinstance(data, str | os.PathLike)
        if is_path and Path(data).expanduser().is_dir():
            return None
        return Recognised(1, "")

    def train(
        self, data: Any, target: Any, given: Mapping[str, Any], output: OutputOptions
    ) -> TableRun:
        """Train on a table."""
        from schuss.training.tables.train import train_table

        return train_table(data, target, given, output, self.job())

    def resume(
        self, folder: RunFolder, sources: Mapping[str, Any], output: OutputOptions
    ) -> TableRun:
        """Go on with a table's run."""
        from schuss.training.tables.train import resume_table

        return resume_table(folder, sources, output, self.job())

    def job(self) -> type[TableJob]:
        """Return what makes a table ready."""
        from schuss.training.tables.job import TableJob

        return TableJob

    def load(self, stored: Stored) -> TableRun:
        """Make the run of a table."""
        from schuss.training.tables.load import table_run

        return table_run(stored)

    def check_weights(self, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        """Refuse a network that is larger than its weights."""
        from schuss.training.tables.description import check_size

        check_size(config["network"], arrays)


KIND = TableKind()
