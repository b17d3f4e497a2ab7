"""The options of a training on sequences: those of tables, and which columns group the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schuss.errors import UsageError
from schuss.training.tables.options import TableOptions

__all__ = ["SequenceOptions"]


@dataclass(frozen=True)
class SequenceOptions(TableOptions):
    """All options that decide what a training on sequences gives.

    Args:
        sequence: column that says which sequence a row belongs to.
        order: column that sorts the rows of a sequence; None for the order of the file.
    """

    sequence: str = ""
    order: str | None = None

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> SequenceOptions:
        """Take the options out of the arguments of `train`.

        Raises:
            UsageError: if some are out of range, or there is no column of sequences.
        """
        if given["sequence"] is None:
            raise UsageError(
                "train: expected sequence, the column that says which sequence a row belongs to "
                "(--sequence COLUMN); it goes with order, and with kind sequences."
            )
        return cls.of_config({**cls.plain(given), **{n: given[n] for n in ("sequence", "order")}})

    @classmethod
    def of_config(cls, options: Mapping[str, Any]) -> SequenceOptions:
        """Make the options that `to_config` returned."""
        found = TableOptions.of_config(options)
        return cls(found.rows, found.training, options["sequence"], options["order"])

    def to_config(self) -> dict[str, Any]:
        """Return the options by name, as JSON can hold them."""
        return {**super().to_config(), "sequence": self.sequence, "order": self.order}

    def labels(self, target: object) -> list[str]:
        """Return the columns whose values are said to be names, the sequences among them."""
        return list(dict.fromkeys([*self.rows.labels(target), self.sequence]))
