"""From raw columns to a network's inputs, learned on the training rows alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.data.columns import ColumnKind, labels_of, numbers_of, stamps_of
from schuss.data.table import Table, did_you_mean
from schuss.data.timestamps import stamp_features
from schuss.errors import DataError, FileFormatError

__all__ = ["TablePreprocessor"]

FORMAT_VERSION = 1
Floats = npt.NDArray[np.float64]

#: Categories of up to this size (with one place for a missing value) are one-hot.
_MAX_ONE_HOT = 9
_CLIP = 3.0
#: A level seen so often has an embedding of its own; rarer ones share that of the unknown.
_MIN_LEVEL_COUNT = 2
#: With more columns of dates than this, the times between them are left out.
_MAX_PAIRED_STAMPS = 4
#: Parts of dates whose correlation is higher than this say the same.
_SAME = 0.9
#: Days that the training rows must span for a part of a date to mean more than its one turn.
_NEEDED_SPAN = {
    "year": 366.0,
    "month": 180.0,
    "sine of the year": 180.0,
    "cosine of the year": 180.0,
    "day of month": 60.0,
    "day of week": 14.0,
}

#: Values by name, with the table's columns that they come from.
_Numbers = dict[str, tuple[tuple[str, ...], Floats]]


@dataclass(frozen=True)
class _Scaled:
    """One input column: the table's columns that it comes from, and its centre and factor."""

    name: str
    columns: tuple[str, ...]
    center: float
    factor: float


@dataclass(frozen=True)
class _Levels:
    """A category's levels; level k has the code k + 1, and 0 is missing or unknown."""

    column: str
    levels: list[str]
    one_hot: bool


@dataclass
class _Plan:
    """All that was learned."""

    kinds: dict[str, ColumnKind] = field(default_factory=dict)
    continuous: list[_Scaled] = field(default_factory=list)
    plain: list[_Scaled] = field(default_factory=list)
    categories: list[_Levels] = field(default_factory=list)
    indicators: list[str] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


def _scale(values: Floats) -> tuple[float, float]:
    """Return centre and factor of robust scaling; a factor of 0 means that nothing varies.

    The factor is 1 over the range between the quartiles; where that is zero, 2 over the
    whole range. Missing values are left out.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        return 0.0, 0.0
    low, center, high = np.quantile(present, [0.25, 0.5, 0.75]).tolist()
    spread = high - low
    if spread == 0.0:
        spread = 0.5 * float(present.max() - present.min())
    # A range that a float64 can barely hold would make the factor infinite.
    return float(center), (1.0 / spread if spread > 1e-300 else 0.0)


def _apply(values: Floats, scaled: _Scaled) -> npt.NDArray[np.float32]:
    """Scale, clip smoothly to (-3, 3), and put the median in the place of missing values."""
    with np.errstate(over="ignore"):
        x = np.clip((values - scaled.center) * scaled.factor, -1e100, 1e100)
    x = np.where(np.isnan(x), 0.0, x)
    return (x / np.sqrt(1.0 + (x / _CLIP) ** 2)).astype(np.float32)


def _span(stamps: npt.NDArray[np.datetime64]) -> float:
    """Return the days from the first moment to the last."""
    present = stamps[~np.isnat(stamps)]
    if not len(present):
        return 0.0
    return float((present.max() - present.min()) / np.timedelta64(1, "D"))


def _one_hot(codes: npt.NDArray[np.int64], levels: _Levels) -> dict[str, Floats]:
    """Encode codes: one level or two as a single column of -1, 0, 1; more as 0 and 1 each."""
    name, count = levels.column, len(levels.levels)
    if count == 1:
        return {f"{name} = {levels.levels[0]}": np.where(codes == 1, 1.0, -1.0)}
    if count == 2:
        return {f"{name} = {levels.levels[0]}": np.array([0.0, 1.0, -1.0])[codes]}
    return {
        f"{name} = {level}": (codes == k).astype(np.float64)
        for k, level in enumerate(levels.levels, start=1)
    }


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

    Everything is learned in `fit`; `to_config` holds it without loss.

    Source: Holzmüller, Grinsztajn, Steinwart, "Better by Default", arXiv 2407.04491 (RealMLP-TD).
    There missing numbers are not handled; here they are.

    >>> from schuss.data.inference import infer_kinds
    >>> table = Table({"size": [1.0, 2.0, 3.0], "colour": ["red", "blue", "red"]})
    >>> numeric, categories = TablePreprocessor().fit(table, infer_kinds(table)).transform(table)
    >>> numeric.shape, categories.shape
    ((3, 2), (3, 0))
    """

    def __init__(self) -> None:
        """Make a preprocessor that has learned nothing yet."""
        self._plan = _Plan()

    # What it makes.

    @property
    def kinds(self) -> dict[str, ColumnKind]:
        """Kinds of all columns that it was shown, by name."""
        return self._plan.kinds

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
        return [s.name for s in (*self._plan.continuous, *self._plan.plain)] + embedded

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
        return [len(c.levels) + 1 for c in self._plan.categories if not c.one_hot]

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

    def _quantities(self, table: Table) -> tuple[_Numbers, _Numbers]:
        """Compute the numbers, and the parts of dates that lie on circles."""
        quantities: _Numbers = {}
        circles: _Numbers = {}
        stamps: dict[str, Any] = {}
        needed = set(self.columns) if self._fitted else None
        for kind in self._plan.kinds.values():
            if not kind.used or (needed is not None and kind.name not in needed):
                continue
            if kind.kind == "numeric":
                quantities[kind.name] = ((kind.name,), numbers_of(table, kind))
            elif kind.kind == "timestamp":
                stamps[kind.name] = stamps_of(table, kind)
        for name, moments in stamps.items():
            for parts, found in zip(stamp_features(moments), (quantities, circles), strict=True):
                span = 0.0 if self._fitted else _span(moments)
                for part, values in parts.items():
                    if self._fitted or span >= _NEEDED_SPAN.get(part, 0.0):
                        found[f"{name}: {part}"] = ((name,), values)
        names = list(stamps)
        if len(names) <= _MAX_PAIRED_STAMPS:
            for k, first in enumerate(names):
                for then in names[k + 1 :]:
                    between = (stamps[then] - stamps[first]).astype("timedelta64[us]")
                    gone = np.isnat(between)
                    hours = np.where(gone, np.nan, between.astype(np.float64) / 3.6e9)
                    quantities[f"hours from {first} to {then}"] = ((first, then), hours)
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

    def _codes(self, table: Table, levels: _Levels) -> npt.NDArray[np.int64]:
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

    def fit(self, table: Table, kinds: Mapping[str, ColumnKind]) -> TablePreprocessor:
        """Learn medians, ranges and levels.

        Args:
            table: The training rows, and no others.
            kinds: What the columns are, from `infer_kinds`.

        Returns:
            This preprocessor.

        Raises:
            DataError: If a value is infinite or unreadable, or no column is left to learn from.
        """
        plan = self._plan = _Plan(kinds=dict(kinds))
        quantities, circles = self._quantities(table)
        continuous: list[_Scaled] = []
        stamp_values: list[Floats] = []
        for name, (columns, values) in quantities.items():
            center, factor = _scale(values)
            derived = columns != (name,)
            part = derived and len(columns) == 1
            if factor == 0.0 or (part and _repeats(values, stamp_values)):
                if not derived:
                    plan.notes[name] = "the same in all training rows, left out"
                continue
            if derived:
                stamp_values.append(values)
            continuous.append(_Scaled(name, columns, center, factor))
        plain: list[_Scaled] = []
        for name, (columns, values) in circles.items():
            center, factor = _scale(values)
            if factor != 0.0 and not _repeats(values, stamp_values):
                stamp_values.append(values)
                plain.append(_Scaled(name, columns, center, factor))
        categories = [
            levels
            for kind in kinds.values()
            if kind.used and kind.kind in ("category", "boolean")
            for levels in self._learn_levels(table, kind)
        ]
        for levels in categories:
            if levels.one_hot:
                for name, values in _one_hot(self._codes(table, levels), levels).items():
                    center, factor = _scale(values)
                    plain.append(_Scaled(name, (levels.column,), center, factor))
        for kind in kinds.values():
            if kind.kind not in ("numeric", "timestamp", "text", "identifier"):
                continue
            if not (kind.used or kind.missing_used):
                continue
            gone = self._missing(table, kind.name)
            if gone.any() and not gone.all():
                plan.indicators.append(kind.name)
                center, factor = _scale(np.where(gone, 1.0, -1.0))
                plain.append(_Scaled(f"{kind.name} is missing", (kind.name,), center, factor))
                if kind.used:
                    plan.notes[kind.name] = (
                        "missing values become the median, and a column says where"
                    )
        for kind in kinds.values():
            if kind.used and kind.kind == "timestamp":
                parts = [
                    scaled.name.removeprefix(f"{kind.name}: ")
                    for scaled in (*continuous, *plain)
                    if kind.name in scaled.columns
                ]
                plan.notes[kind.name] = (
                    f"taken as {', '.join(parts) or 'nothing: it varies too little'}"
                )
        plan.continuous, plan.plain, plan.categories = continuous, plain, categories
        if not self._fitted:
            left_out = "; ".join(f"{k.name}: {k.reason}" for k in list(kinds.values())[:3])
            raise DataError(
                f"{table.source}: no column is left to learn from ({left_out or 'none given'}); "
                "give columns that vary, or say what they are with kinds=."
            )
        return self

    def _learn_levels(self, table: Table, kind: ColumnKind) -> list[_Levels]:
        labels, codes = labels_of(table, kind)
        counts = np.bincount(codes[codes >= 0], minlength=len(labels))
        order = sorted(np.flatnonzero(counts).tolist(), key=lambda k: labels[k])
        missing = bool((codes < 0).any())
        if not order or (len(order) == 1 and not missing):
            self._plan.notes[kind.name] = "the same in all training rows, left out"
            return []
        if len(order) + 1 <= _MAX_ONE_HOT:
            how = "one column" if len(order) <= 2 else f"{len(order)} columns, one for each"
            self._plan.notes[kind.name] = how
            return [_Levels(kind.name, [labels[k] for k in order], True)]
        kept = [labels[k] for k in order if counts[k] >= _MIN_LEVEL_COUNT]
        rare = len(order) - len(kept)
        self._plan.notes[kind.name] = f"embedding of {len(kept)} levels" + (
            f" ({rare} more, seen once, count as unknown)" if rare else ""
        )
        return [_Levels(kind.name, kept, False)]

    # Applying.

    def transform(self, table: Table) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        """Turn a table into inputs; the order of its columns does not matter, extra ones neither.

        Args:
            table: Rows to transform; it must have the columns in `columns`.

        Returns:
            `numeric`, float32 of shape (rows, n_numeric), quantities first, then one-hot columns;
            and `categories`, int64 of shape (rows, len(category_sizes)), each in
            [0, category size).

        Raises:
            DataError: If a column is missing, or a value is infinite or unreadable.
        """
        self._check(table)
        plan = self._plan
        numeric = np.empty((table.rows, self.n_numeric), dtype=np.float32)
        quantities, circles = self._quantities(table)
        sources = {name: values for name, (_, values) in (*quantities.items(), *circles.items())}
        coded = {c.column: self._codes(table, c) for c in plan.categories}
        for levels in plan.categories:
            if levels.one_hot:
                sources |= _one_hot(coded[levels.column], levels)
        for name in plan.indicators:
            sources[f"{name} is missing"] = np.where(self._missing(table, name), 1.0, -1.0)
        for k, scaled in enumerate((*plan.continuous, *plan.plain)):
            numeric[:, k] = _apply(sources[scaled.name], scaled)
        embedded = [coded[c.column] for c in plan.categories if not c.one_hot]
        if not embedded:
            return numeric, np.empty((table.rows, 0), dtype=np.int64)
        return numeric, np.stack(embedded, axis=1)

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
        plan = self._plan
        return {
            "format": FORMAT_VERSION,
            "kinds": [kind.to_config() for kind in plan.kinds.values()],
            "continuous": [asdict(s) for s in plan.continuous],
            "plain": [asdict(s) for s in plan.plain],
            "categories": [asdict(c) for c in plan.categories],
            "indicators": list(plan.indicators),
            "notes": dict(plan.notes),
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TablePreprocessor:
        """Make the preprocessor that `to_config` described.

        Raises:
            FileFormatError: If the format is newer than this version of Schuss, or damaged.
        """
        version = config.get("format")
        if not isinstance(version, int) or version > FORMAT_VERSION:
            raise FileFormatError(
                f"TablePreprocessor: expected format {FORMAT_VERSION} or older, got {version!r}; "
                "update Schuss, or train again."
            )
        made = cls()
        try:
            kinds = [ColumnKind.from_config(kind) for kind in config["kinds"]]
            made._plan = _Plan(
                kinds={kind.name: kind for kind in kinds},
                continuous=[_scaled(s) for s in config["continuous"]],
                plain=[_scaled(s) for s in config["plain"]],
                categories=[_Levels(**c) for c in config["categories"]],
                indicators=list(config["indicators"]),
                notes=dict(config["notes"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise FileFormatError(
                f"TablePreprocessor: expected a saved description, got a damaged one ({error}); "
                "train again."
            ) from None
        return made


def _scaled(config: Mapping[str, Any]) -> _Scaled:
    return _Scaled(
        str(config["name"]),
        tuple(config["columns"]),
        float(config["center"]),
        float(config["factor"]),
    )


def _repeats(values: Floats, others: list[Floats]) -> bool:
    """Tell whether a part of a date says the same as one that is there already."""
    for other in others:
        both = ~(np.isnan(values) | np.isnan(other))
        a, b = values[both], other[both]
        if len(a) < 3:
            continue
        a, b = a - a.mean(), b - b.mean()
        norm = float(np.sqrt((a @ a) * (b @ b)))
        if norm > 0.0 and abs(float(a @ b)) > _SAME * norm:
            return True
    return False
