"""Preprocessing of a table's columns to a network's inputs, fitted on the training rows alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.data.tables.columns import ColumnKind, labels_of, numbers_of, stamps_of
from schuss.data.tables.on_demand import OnDemand
from schuss.data.tables.parsing import Array
from schuss.data.tables.preparing.binning import bin_codes, learn_bins
from schuss.data.tables.preparing.dates import (
    Floats,
    Numbers,
    Stamps,
    date_numbers,
    different_dates,
)
from schuss.data.tables.preparing.learned import Learned
from schuss.data.tables.preparing.saved import reading
from schuss.data.tables.preparing.scaling import (
    Levels,
    Scaled,
    empty_codes,
    learn_levels,
    one_hot,
    repeats,
    robust_scale,
    scale_into,
)
from schuss.data.tables.preparing.text import learn_text, learn_texts, scale_of_said
from schuss.data.tables.table import Table, did_you_mean
from schuss.errors import DataError

__all__ = ["TablePreprocessor"]


class TablePreprocessor:
    """Turn a table into a network's inputs, as RealMLP does.

    - Numbers, and the parts of dates, are centred on the median and scaled by the range between
      the quartiles, x = (v - median) / (q75 - q25), then clipped smoothly,
      x / sqrt(1 + (x / 3)^2). A missing number becomes the median, and an indicator column says
      so where numbers were missing in training. Of a date, those parts are taken that its span
      lets mean something and that do not repeat one another; of two dates, the time between them.
    - Categories of up to eight levels are one-hot (two levels share one column of -1 and 1; all
      are 0 where the value is missing or was never seen), then scaled and clipped likewise.
    - Larger categories become codes for an embedding; 0 is missing, never seen, or seen in one
      training row only.
    - Of free text, a linear model of its words says something of the target; see `learn_text`.
    - In tables of many rows, numbers become codes of bins as well; see `learn_bins`.

    Everything is learned in `fit`; `to_config` holds it without loss.

    Source: Holzmüller, Grinsztajn, Steinwart, "Better by Default", arXiv 2407.04491 (RealMLP-TD).
    There missing numbers are not handled; here they are.

    >>> from schuss.data.tables.inference import infer_kinds
    >>> table = Table({"size": [1.0, 2.0, 3.0], "colour": ["red", "blue", "red"]})
    >>> numeric, categories = TablePreprocessor().fit(table, infer_kinds(table)).transform(table)
    >>> numeric.shape, categories.shape
    ((3, 2), (3, 0))
    """

    def __init__(self) -> None:
        """Make a preprocessor that has learned nothing yet."""
        self._plan = Learned()
        self._repeated: dict[str, str] = {}
        # What texts say of the training rows, each from models that did not learn from it.
        self._said: dict[str, Floats] = {}

    # What it makes.

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """Kinds of all columns that it was shown, by name."""
        return self._plan.kinds

    @property
    def learned(self) -> object:
        """All that was learned, a dataclass."""
        return self._plan

    @property
    def columns(self) -> list[str]:
        """Columns that a table must have to be transformed."""
        plan = self._plan
        used = {name for s in (*plan.continuous, *plan.plain) for name in s.columns}
        used |= {c.column for c in plan.categories}
        return [name for name in plan.kinds if name in used]

    @property
    def feature_names(self) -> list[str]:
        """Names of the columns of `numeric`, then of those of `categories`."""
        embedded = [c.column for c in self._plan.categories if not c.one_hot]
        binned = [f"{b.name}: bin" for b in self._plan.bins]
        return [s.name for s in (*self._plan.continuous, *self._plan.plain)] + embedded + binned

    @property
    def n_continuous(self) -> int:
        """How many of the first columns of `numeric` are quantities (the rest are one-hot)."""
        return len(self._plan.continuous)

    @property
    def n_numeric(self) -> int:
        """How many columns `numeric` has."""
        return len(self._plan.continuous) + len(self._plan.plain)

    @property
    def category_sizes(self) -> list[int]:
        """Number of codes of each column of `categories`, the 0 of the unknown included."""
        levels = [len(c.levels) + 1 for c in self._plan.categories if not c.one_hot]
        return levels + [len(b.edges) + 2 for b in self._plan.bins]

    # Reading.

    def _check(self, table: Table) -> None:
        missing = [name for name in self.columns if name not in table]
        if missing:
            first = missing[0]
            rest = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
            raise DataError(
                f"{table.source}: the column {first!r}{rest} is missing, which the network learned "
                f"from; {did_you_mean(first, table.names)}"
            )

    def _quantities(self, table: Table) -> tuple[Numbers, Numbers]:
        """Return the numbers, and the parts of dates that lie on circles, made on demand."""
        quantities = Numbers()
        stamps: dict[str, Stamps] = {}
        needed = set(self.columns) if self._fitted else None
        for kind in self._plan.kinds.values():
            if not kind.used or (needed is not None and kind.name not in needed):
                continue
            if kind.kind == "numeric":
                quantities.add(kind.name, (kind.name,), partial(numbers_of, table, kind))
            elif kind.kind == "timestamp":
                stamps[kind.name] = stamps_of(table, kind)
        if not self._fitted:
            stamps, self._repeated = different_dates(stamps)
        of_dates, circles = date_numbers(stamps, every_part=self._fitted)
        quantities.extend(of_dates)
        for text in self._plan.texts:
            said = self._said.get(text.column)
            quantities.extend(text.columns(table, self._plan.kinds[text.column], said))
        return quantities, circles

    def _missing(self, table: Table, name: str) -> npt.NDArray[np.bool_]:
        """Tell which rows of a column have no usable value."""
        kind = self._plan.kinds[name]
        if kind.kind == "numeric":
            return np.isnan(numbers_of(table, kind))
        if kind.kind == "timestamp":
            return np.isnat(stamps_of(table, kind))
        _, codes = labels_of(table, kind)
        return codes < 0

    def _codes(self, table: Table, levels: Levels) -> npt.NDArray[np.int64]:
        labels, codes = labels_of(table, self._plan.kinds[levels.column])
        known = {level: k for k, level in enumerate(levels.levels, start=1)}
        # The last entry serves the code -1 of a missing value.
        renumber = np.array([known.get(label, 0) for label in labels] + [0], dtype=np.int64)
        return renumber[codes]

    @property
    def _fitted(self) -> bool:
        plan = self._plan
        return bool(plan.continuous or plan.plain or plan.categories)

    # Learning.

    def fit(
        self,
        table: Table,
        kinds: Mapping[str, ColumnKind],
        *,
        telling: int | None = None,
        y: npt.NDArray[Any] | None = None,
        classes: Sequence[str] | None = None,
        seed: int = 0,
    ) -> TablePreprocessor:
        """Learn medians, ranges and levels.

        Args:
            table: The training rows, and no others.
            kinds: What the columns are, from `infer_kinds`.
            telling: How many of the rows tell something of a target of classes, of which some may
                be rare; None for all.
            y: The encoded target of the rows, which free text is learned by; None leaves it out.
            classes: Names of the target's classes; None for a quantity.
            seed: Decides how free text is learned.

        Returns:
            This preprocessor.

        Raises:
            DataError: If a value is infinite or unreadable, or no column is left to learn from.
        """
        plan = self._plan = Learned(kinds=dict(kinds))
        if y is not None:
            learner = partial(learn_text, table, y=y, classes=classes, seed=seed)
            plan.texts, self._said = learn_texts(kinds.values(), learner, plan.notes)
        continuous, circles = self._learn_quantities(table, telling)
        categories = []
        for kind in kinds.values():
            if kind.used and kind.kind in ("category", "boolean"):
                levels, plan.notes[kind.name] = learn_levels(kind.name, *labels_of(table, kind))
                categories += levels
        hot = [
            Scaled(name, (levels.column,), *robust_scale(values))
            for levels in categories
            if levels.one_hot
            for name, values in one_hot(self._codes(table, levels), levels)
        ]
        indicators = self._learn_indicators(table)
        plan.continuous, plan.plain = continuous, [*circles, *hot, *indicators]
        plan.categories = categories
        self._note_dates()
        if not self._fitted:
            left_out = "; ".join(f"{k.name}: {k.reason}" for k in list(kinds.values())[:3])
            left_out = left_out or "there is none beside the target, or none that is not excluded"
            raise DataError(
                f"{table.source}: no column is left to learn from ({left_out}); "
                "give columns that vary, or say what they are with kinds=."
            )
        return self

    def _learn_quantities(
        self, table: Table, telling: int | None
    ) -> tuple[list[Scaled], list[Scaled]]:
        """Scale numbers and dates, leaving out what does not vary and what repeats another."""
        quantities, circles = self._quantities(table)
        said = {name for text in self._plan.texts for name in text.names}
        parts: dict[tuple[str, ...], list[Floats]] = {}
        learned: tuple[list[Scaled], list[Scaled]] = ([], [])
        for numbers, found in zip((quantities, circles), learned, strict=True):
            for name, values in numbers.items():
                columns = numbers.columns[name]
                of_text = name in said
                scale = scale_of_said(values) if of_text else robust_scale(values)
                scaled = Scaled(name, columns, *scale)
                number = columns == (name,) or of_text
                if scaled.factor == 0.0:
                    if number:
                        self._plan.notes[name] = "the same in all training rows, left out"
                    continue
                if not number:
                    # Parts of one date repeat each other; those of another may follow it closely.
                    if len(columns) == 1 and repeats(values, parts.get(columns, [])):
                        continue
                    parts.setdefault(columns, []).append(values)
                found.append(scaled)
        made = {scaled.name: quantities.makers[scaled.name] for scaled in learned[0]}
        self._plan.bins = learn_bins(OnDemand(made), telling)
        return learned

    def _learn_indicators(self, table: Table) -> list[Scaled]:
        """Find the columns that lack values in some of the training rows."""
        plan = self._plan
        for kind in plan.kinds.values():
            coded = kind.kind in ("category", "boolean")
            if coded or kind.name in self._repeated or not (kind.used or kind.missing_used):
                continue
            gone = self._missing(table, kind.name)
            if gone.any() and not gone.all():
                plan.indicators.append(kind.name)
                if kind.used:
                    plan.notes[kind.name] = (
                        "missing values become the median, and a column says where"
                    )
        return [
            Scaled(
                f"{name} is missing",
                (name,),
                *robust_scale(np.where(self._missing(table, name), 1.0, -1.0)),
            )
            for name in plan.indicators
        ]

    def _note_dates(self) -> None:
        """Say which numbers came of each date."""
        plan = self._plan
        for kind in plan.kinds.values():
            if not (kind.used and kind.kind == "timestamp"):
                continue
            if kind.name in self._repeated:
                first = self._repeated[kind.name]
                plan.notes[kind.name] = f"the same as {first!r} in all training rows, left out"
                continue
            parts = [
                scaled.name.removeprefix(f"{kind.name}: ")
                for scaled in (*plan.continuous, *plan.plain)
                if kind.name in scaled.columns
            ]
            taken = ", ".join(parts) or "nothing, since it varies too little"
            plan.notes[kind.name] = f"taken as {taken}"

    # Applying.

    def fit_transform(
        self, table: Table, kinds: Mapping[str, ColumnKind], **options: Any
    ) -> tuple[npt.NDArray[np.float32], Array]:
        """Learn from the training rows, and return their inputs; see `fit` and `transform`.

        What free text says of a training row comes from models that did not learn from it.
        """
        self.fit(table, kinds, **options)
        try:
            return self._transformed(table)
        finally:
            self._said.clear()

    def transform(self, table: Table) -> tuple[npt.NDArray[np.float32], Array]:
        """Turn a table into inputs; the order of its columns does not matter, extra ones neither.

        Args:
            table: Rows to transform; it must have the columns in `columns`.

        Returns:
            `numeric`, float32 of shape (rows, n_numeric), quantities first, then one-hot columns;
            and `categories` of shape (rows, len(category_sizes)), each in [0, category size),
            int32, or the smallest unsigned type where they would be many bytes.

        Raises:
            DataError: If a column is missing, or a value is infinite or unreadable.
        """
        self._said.clear()
        return self._transformed(table)

    def _transformed(self, table: Table) -> tuple[npt.NDArray[np.float32], Array]:
        self._check(table)
        plan = self._plan
        numeric = np.empty((table.rows, self.n_numeric), dtype=np.float32)
        categories = empty_codes(table.rows, self.category_sizes)
        quantities, circles = self._quantities(table)
        for k, scaled in enumerate(plan.continuous):
            scale_into(numeric[:, k], quantities[scaled.name], scaled)
        places: dict[str, list[tuple[int, Scaled]]] = {}
        for k, scaled in enumerate(plan.plain, start=self.n_continuous):
            places.setdefault(scaled.name, []).append((k, scaled))
        for name, values in chain(circles.items(), self._flags(table)):
            for k, scaled in places.get(name, ()):
                scale_into(numeric[:, k], values, scaled)
        embedded = [levels for levels in plan.categories if not levels.one_hot]
        for k, levels in enumerate(embedded):
            categories[:, k] = self._codes(table, levels)
        for k, binned in enumerate(plan.bins, start=len(embedded)):
            categories[:, k] = bin_codes(quantities[binned.name], binned)
        return numeric, categories

    def _flags(self, table: Table) -> Iterator[tuple[str, Floats]]:
        """Yield the one-hot columns and those that say where values are missing, by name."""
        for levels in self._plan.categories:
            if levels.one_hot:
                yield from one_hot(self._codes(table, levels), levels)
        for name in self._plan.indicators:
            yield f"{name} is missing", np.where(self._missing(table, name), 1.0, -1.0)

    # Showing and saving.

    def describe(self) -> list[dict[str, str]]:
        """Describe each column for display.

        Returns:
            A row for each column: `column`, `kind` and `note` (why, and what became of it).
        """
        rows = []
        for kind in self._plan.kinds.values():
            note = self._plan.notes.get(kind.name)
            text = kind.reason + (f"; {note}" if note else "")
            rows.append({"column": kind.name, "kind": kind.kind, "note": text})
        return rows

    def to_config(self) -> dict[str, Any]:
        """Return all that was learned as a dictionary that JSON can hold without loss."""
        return self._plan.to_config()

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TablePreprocessor:
        """Make the preprocessor that `to_config` described.

        Raises:
            FileFormatError: If the format is newer than this version of Schuss, or damaged.
        """
        made = cls()
        with reading(cls.__name__, config):
            made._plan = Learned.from_config(config)
        return made

    def __repr__(self) -> str:
        used = sum(kind.used for kind in self.kinds.values())
        return (
            f"TablePreprocessor({used} of {len(self.kinds)} columns: {self.n_numeric} numbers, "
            f"{len(self.category_sizes)} categories to embed)"
        )
