"""Sequences in tables, such as logs of sensors: one answer for all rows of a sequence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from schuss.training.kinds.kind import Option, Recognised, Stored
from schuss.training.tables.kind import TableKind

if TYPE_CHECKING:
    from schuss.training.tables.job import TableJob
    from schuss.training.tables.run import TableRun

__all__ = ["KIND"]


def _column(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("the name of a column")
    return given


class SequenceKind(TableKind):
    """Sequences of a table's rows."""

    name = "sequences"
    options = (
        Option(
            "sequence",
            "COLUMN",
            _column,
            "the column that says which sequence a row belongs to: all rows of the same value are "
            "one example, with one target, and whole sequences are held out",
            decides=True,
        ),
        Option(
            "order",
            "COLUMN",
            _column,
            "the column that sorts the rows of a sequence: numbers, dates or times (by default the "
            "order of the file)",
            decides=True,
        ),
    )

    def recognise(self, data: Any) -> Recognised | None:
        """Take nothing by itself: which rows belong together has to be said."""
        return None

    def job(self) -> type[TableJob]:
        """Return what makes sequences ready."""
        from schuss.training.sequences.job import SequenceJob

        return SequenceJob

    def load(self, stored: Stored) -> TableRun:
        """Make the run of what its files hold."""
        from schuss.training.sequences.load import sequence_run

        return sequence_run(stored)

    def check_weights(self, config: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        """Refuse a network that is larger than its weights."""
        from schuss.training.items.description import check_size

        check_size(config, arrays)


KIND = SequenceKind()
