"""All that a table's preprocessing learned, as a dataclass that JSON can hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from schuss.data.tables.columns import ColumnKind
from schuss.data.tables.preparing.binning import Binned
from schuss.data.tables.preparing.saved import FORMAT_VERSION
from schuss.data.tables.preparing.scaling import Levels, Scaled
from schuss.data.tables.preparing.text import TextModel

__all__ = ["Learned"]


@dataclass
class Learned:
    """All that was learned.

    Args:
        kinds: of all columns.
        continuous: quantities.
        plain: other numbers: one-hot columns and those that say what is missing.
        categories: levels of categories.
        bins: of quantities.
        texts: models of the words of columns.
        indicators: columns of which it is said what is missing.
        notes: what became of a column, to be shown.
    """

    kinds: dict[str, ColumnKind] = field(default_factory=dict)
    continuous: list[Scaled] = field(default_factory=list)
    plain: list[Scaled] = field(default_factory=list)
    categories: list[Levels] = field(default_factory=list)
    bins: list[Binned] = field(default_factory=list)
    texts: list[TextModel] = field(default_factory=list)
    indicators: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)

    def to_config(self) -> dict[str, Any]:
        """Return it as a dictionary that JSON can hold without loss."""
        lists = ("continuous", "plain", "categories", "bins")
        return {
            "format": FORMAT_VERSION,
            **{name: [asdict(x) for x in getattr(self, name)] for name in lists},
            "indicators": list(self.indicators),
            "notes": dict(self.notes),
            "kinds": [kind.to_config() for kind in self.kinds.values()],
            "texts": [text.to_config() for text in self.texts],
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Learned:
        """Make what `to_config` described."""
        kinds = [ColumnKind.from_config(kind) for kind in config["kinds"]]
        return cls(
            kinds={kind.name: kind for kind in kinds},
            continuous=[Scaled.from_config(s) for s in config["continuous"]],
            plain=[Scaled.from_config(s) for s in config["plain"]],
            categories=[Levels(**c) for c in config["categories"]],
            bins=[Binned(**b) for b in config.get("bins", [])],
            texts=[TextModel.from_config(t) for t in config.get("texts", [])],
            indicators=list(config["indicators"]),
            notes=dict(config["notes"]),
        )
