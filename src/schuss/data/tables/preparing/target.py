"""The target column: classes or a quantity, encoded for training and decoded for people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import KW_ONLY, asdict, dataclass, field
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from schuss.data.tables.columns import ColumnKind, labels_of
from schuss.data.tables.parsing import Array, NumberFormat
from schuss.data.tables.preparing.quantity import Quantity, Scale
from schuss.data.tables.preparing.saved import FORMAT_VERSION, reading
from schuss.data.tables.preparing.target_values import (
    Label,
    TargetValues,
    class_labels,
    merged_spellings,
    not_a_number,
    notes_on_dates,
    number_label,
    read_target,
    refuse_counter,
    refuse_infinite,
    refuse_negative,
)
from schuss.data.tables.table import Table, did_you_mean, shown
from schuss.errors import DataError, UsageError

__all__ = ["TargetEncoder", "Task"]

Task = Literal["classification", "regression"]

#: Whole numbers with at most so many different values are classes.
_MOST_NUMBER_CLASSES = 10
_MOST_CLASSES_OF_FEW_ROWS = 20


@dataclass(eq=False, repr=False)
class TargetEncoder:
    """Encode the target: classes as whole numbers from 0, a quantity in standard deviations.

    Which of the two it is follows from the column: words, true or false, and whole numbers that
    repeat and have at most ten different values are classes; other numbers are a quantity. For a
    quantity, y = (value - mean) / standard deviation, both of the training rows; or the same of
    the values' logarithms (`scale` "log").

    Make one with `infer`, then call `fit` with the training rows.

    >>> table = Table({"species": ["b", "a", "b", None]})
    >>> encoder = TargetEncoder.infer(table, "species")
    >>> encoder.task, encoder.classes, encoder.encode(table)[0].tolist()
    ('classification', ['a', 'b'], [1, 0, 1, -1])
    """

    name: str
    task: Task
    _: KW_ONLY
    classes: list[Label] = field(default_factory=list)
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    style: NumberFormat = "plain"
    scale: Scale = "linear"
    shift: float = 0.0
    mean: float = 0.0
    std: float = 1.0
    whole: bool = False
    words: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        what = f"{self.n_classes:,} classes" if self.task == "classification" else "a quantity"
        return f"TargetEncoder({self.name!r}: {what})"

    @property
    def n_classes(self) -> int:
        """Number of classes; 0 for a quantity."""
        return len(self.classes)

    @property
    def n_outputs(self) -> int:
        """Number of outputs that a network for this target has."""
        return max(len(self.classes), 1)

    @classmethod
    def infer(cls, table: Table, name: str, *, task: str | None = None) -> TargetEncoder:
        """Decide what the target is.

        Args:
            table: All rows that are to be learned from and tested on.
            name: The target's column.
            task: "classification" or "regression" where you know better; None decides.

        Returns:
            An encoder that knows its classes; a quantity still needs `fit`.

        Raises:
            DataError: If the target does not exist, does not vary, is infinite, or looks like an
                identifier.
            UsageError: If there is no such task.
        """
        if task not in (None, "classification", "regression"):
            raise UsageError(
                f"TargetEncoder: expected task classification or regression, got {task!r}."
            )
        if name not in table:
            raise table.without(name, "target column")
        if table.rows == 1:
            raise DataError(
                f"{table.source}: expected at least 2 rows to learn from, got 1; add rows."
            )
        values = read_target(table, name)
        present = table.rows - int(values.missing.sum())
        if present == 0:
            raise DataError(
                f"{table.source}: the target {name!r} is missing in every row; choose another "
                "column, or fill it in."
            )
        refuse_infinite(table, name, values)
        encoder = cls._quantity_or_classes(table, name, values, task)
        encoder.words, encoder.marks = values.words, values.marks
        encoder._name_classes(table)
        dropped = table.rows - present
        if dropped:
            plural = "row has" if dropped == 1 else "rows have"
            encoder.notes.append(
                f"{dropped:,} {plural} no value in the target {name!r} and "
                f"{'is' if dropped == 1 else 'are'} left out"
            )
        if values.marks:
            marks = " and ".join(map(shown, values.marks))
            encoder.notes.append(f"in the target {name!r}, {marks} counts as no value")
        if present == 1:
            raise DataError(
                f"{table.source}: expected at least 2 rows with a value in the target {name!r}, "
                "got 1; fill in more of them."
            )
        encoder._check_variety(table, values, present)
        return encoder

    @classmethod
    def _quantity_or_classes(
        cls, table: Table, name: str, values: TargetValues, task: str | None
    ) -> TargetEncoder:
        numbers = values.numbers
        if task == "regression" and (numbers is None or values.bad.any()):
            raise not_a_number(table, name, values.bad)
        if numbers is not None and task != "classification":
            present = numbers[~values.missing & ~values.bad]
            distinct = np.unique(present)
            whole = bool(np.all(distinct == np.floor(distinct)))
            few = len(distinct) <= _MOST_NUMBER_CLASSES and len(distinct) < len(present)
            if task == "regression":
                return cls(
                    name, "regression", reason="as you said", style=values.style, whole=whole
                )
            if not (whole and few):
                if values.bad.any():
                    raise not_a_number(table, name, values.bad)
                reason = (
                    f"whole numbers with {len(distinct):,} different values"
                    if whole
                    else "numbers with fractions"
                )
                if len(distinct) == len(present) > _MOST_CLASSES_OF_FEW_ROWS and whole:
                    refuse_counter(table, name, distinct)
                return cls(name, "regression", reason=reason, style=values.style, whole=whole)
        classes = class_labels(table, name, values)
        reason = "as you said" if task else f"{len(classes)} different values"
        return cls(name, "classification", classes=classes, reason=reason)

    def _name_classes(self, table: Table) -> None:
        """Make one class of the spellings of a word, and say which words are classes."""
        if self.task != "classification":
            return
        labels, codes = labels_of(table, self._kind)
        counts = np.bincount(codes[codes >= 0], minlength=len(labels))
        by_label = dict(zip(labels, counts.tolist(), strict=True))
        found = [by_label.get(str(label), 0) for label in self.classes]
        self.classes, notes = merged_spellings(self.classes, found)
        self.notes += [f"in the target {self.name!r}, {note}" for note in notes]
        self.notes += notes_on_dates(self.name, self.classes)
        if self.words:
            words = " and ".join(map(shown, self.words))
            self.notes.append(f"in the target {self.name!r}, {words} is a class, not missing")

    @property
    def _kind(self) -> ColumnKind:
        return ColumnKind(self.name, "category", "", True, words=tuple(self.words))

    def _check_variety(self, table: Table, values: TargetValues, present: int) -> None:
        """Refuse a target that does not vary or is different in every row."""
        if self.task == "regression":
            numbers = cast("npt.NDArray[np.float64]", values.numbers)[~values.missing]
            if bool(np.all(numbers == numbers[0])):
                value = number_label(float(numbers[0]), True)
                raise DataError(
                    f"{table.source}: the target {self.name!r} is {value} in all {present:,} rows; "
                    "choose a column that varies."
                )
            return
        if len(self.classes) == 1:
            label = self.classes[0]
            only = shown(label) if isinstance(label, str) else repr(label)
            raise DataError(
                f"{table.source}: the target {self.name!r} is {only} in all "
                f"{present:,} rows (one class); choose a column that varies."
            )
        k = len(self.classes)
        if k == present or (2 * k > present and k > _MOST_CLASSES_OF_FEW_ROWS):
            remedy = "choose a column whose values repeat"
            if values.numbers is not None:
                remedy = f'give task="regression" if it is a quantity, or {remedy}'
            raise DataError(
                f"{table.source}: the target {self.name!r} has {k:,} classes in {present:,} rows, "
                f"so it looks like an identifier; {remedy}."
            )
        codes, _ = self.encode(table)
        counts = np.bincount(codes[codes >= 0], minlength=k)
        single = [str(self.classes[c]) for c in np.flatnonzero(counts == 1).tolist()]
        if single:
            some = ", ".join(shown(s) for s in single[:5]) + (", ..." if len(single) > 5 else "")
            self.notes.append(
                f"{len(single)} class{'' if len(single) == 1 else 'es'} of {self.name!r} "
                f"with a single row ({some}): learned from, but never tested"
            )

    def fit(self, table: Table, *, scale: Scale = "linear", robust: bool = False) -> TargetEncoder:
        """Learn mean and standard deviation of a quantity.

        Args:
            table: The training rows, and no others.
            scale: "linear", or "log" for those of the values' logarithms.
            robust: Whether median and quartiles take their place.

        Returns:
            This encoder.

        Raises:
            DataError: If the target does not vary in them, or has no logarithm.
        """
        if self.task == "regression":
            raw, keep = self.values(table)
            present = raw[keep]
            if scale == "log":
                refuse_negative(table, self.name, raw)
            if not len(present) or bool(np.all(present == present[0])):
                raise DataError(
                    f"{table.source}: the target {self.name!r} does not vary in the training rows; "
                    "add rows, or hold out fewer."
                )
            learned = Quantity.of(present, scale, robust=robust)
            self.scale, self.shift, self.mean, self.std = learned
        return self

    def present(self, table: Table) -> npt.NDArray[np.bool_]:
        """Tell in which rows the target is there.

        Args:
            table: Rows that have the target's column.

        Returns:
            Mask of shape (rows,).

        Raises:
            DataError: If the column is missing, or a value cannot be used.
        """
        return self.values(table)[1] if self.task == "regression" else self.encode(table)[1]

    def values(self, table: Table) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Read a quantity in its own unit.

        Args:
            table: Rows that have the target.

        Returns:
            float64 values of shape (rows,), NaN where missing; and a mask of shape (rows,), true
            where there is one.

        Raises:
            DataError: If a value is infinite or not a number.
        """
        self._check_there(table)
        read = read_target(table, self.name, self.style, self.marks)
        if read.bad.any() or read.numbers is None:
            if not (read.numbers is None and bool(read.missing.all())):
                raise not_a_number(table, self.name, read.bad)
            return np.full(table.rows, np.nan), ~read.missing
        refuse_infinite(table, self.name, read)
        return read.numbers, ~read.missing

    def encode(
        self, table: Table
    ) -> tuple[npt.NDArray[np.int64] | npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Encode the target for training.

        Args:
            table: Rows that have the target.

        Returns:
            For classes, int64 codes of shape (rows,), -1 where missing; for a quantity, float32
            standardised values of shape (rows,), NaN where missing. And a mask of shape (rows,),
            true where the target is there.

        Raises:
            DataError: If the target's column is missing, or holds a class never seen before.
        """
        self._check_there(table)
        if self.task == "regression":
            raw, keep = self.values(table)
            y = self.quantity.standardised(raw)
            limit = float(np.finfo(np.float32).max)
            return np.clip(y, -limit, limit).astype(np.float32), keep
        labels, codes = labels_of(table, self._kind)
        known = {_key(label): code for code, label in enumerate(self.classes)}
        counts = Counter(key.lower() for key in known)
        folded = {k.lower(): code for k, code in known.items() if counts[k.lower()] == 1}
        renumber = [known.get(label, folded.get(label.lower(), -2)) for label in labels]
        if self.marks:
            renumber = [-1 if m in self.marks else k for m, k in zip(labels, renumber, strict=True)]
        renumbered = np.array([*renumber, -1], dtype=np.int64)[codes]
        if bool((renumbered == -2).any()):
            some = ", ".join(str(label) for label in self.classes[:8])
            more = ", ..." if self.n_classes > 8 else ""
            raise table.unexpected(
                self.name,
                renumbered == -2,
                f"one of the classes learned ({some}{more})",
                "leave the row out, or train with this class",
            )
        return renumbered, renumbered >= 0

    def decode(self, encoded: Array) -> Array:
        """Turn codes into class labels, or standardised values into the target's own unit.

        Args:
            encoded: Codes in [0, n_classes), or standardised values, of shape (rows,).

        Returns:
            Labels of their original type (text as Python strings in an object array; int64,
            float64 or bool otherwise), or float64 values; of shape (rows,).

        >>> TargetEncoder("t", "classification", classes=[3, 5]).decode(np.array([1, 0]))
        array([5, 3])
        """
        if self.task == "regression":
            return self.quantity.values(encoded)
        labels: Array = self.class_array[np.asarray(encoded)]
        return labels

    @property
    def class_array(self) -> Array:
        """Class labels as an array of shape (n_classes,), of their original type."""
        if all(isinstance(label, bool) for label in self.classes):
            return np.array(self.classes, dtype=np.bool_)
        if all(isinstance(label, int) for label in self.classes):
            large = max(map(abs, cast("list[int]", self.classes)), default=0) >= 2**63
            return np.array(self.classes, dtype=object if large else np.int64)
        if all(isinstance(label, (int, float)) for label in self.classes):
            return np.array(self.classes, dtype=np.float64)
        return np.array(self.classes, dtype=object)

    def _check_there(self, table: Table) -> None:
        if self.name not in table:
            raise DataError(
                f"{table.source}: the target column {self.name!r} is missing; "
                f"{did_you_mean(self.name, table.names)}"
            )

    @property
    def quantity(self) -> Quantity:
        """The scale of a quantity."""
        return Quantity(self.scale, self.shift, self.mean, self.std)

    def to_config(self) -> dict[str, Any]:
        """Return all that was learned as a dictionary that JSON can hold without loss."""
        return {"format": FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> TargetEncoder:
        """Make the encoder that `to_config` described.

        Raises:
            FileFormatError: If the format is newer than this version of Schuss, or damaged.
        """
        with reading(cls.__name__, config):
            return cls(**{name: value for name, value in config.items() if name != "format"})


def _key(label: Label) -> str:
    """Return the text under which a class is found again, whatever type its column has."""
    if isinstance(label, float) and label.is_integer():
        return str(int(label))
    return str(label)
