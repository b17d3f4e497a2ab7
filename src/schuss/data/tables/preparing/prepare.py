"""Preparing a table: split, preprocessed and encoded into arrays for training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.data.splits import split_rows
from schuss.data.tables.columns import (
    ColumnKind,
    check_values,
    labels_of,
    numbers_of,
    stamps_of,
    without_text,
)
from schuss.data.tables.inference import infer_kinds
from schuss.data.tables.marks import marks_that_are_words
from schuss.data.tables.parsing import TEXT, Array
from schuss.data.tables.preparing.binning import telling_rows
from schuss.data.tables.preparing.copies import copies_of_rows, repeated_ids, shared_rows, together
from schuss.data.tables.preparing.leaks import telling_columns
from schuss.data.tables.preparing.preprocessing import TablePreprocessor
from schuss.data.tables.preparing.quantity import Scale
from schuss.data.tables.preparing.target import TargetEncoder
from schuss.data.tables.preparing.target_values import refuse_negative
from schuss.data.tables.preparing.weights import weight_column
from schuss.data.tables.table import Table
from schuss.errors import DataError, UsageError

__all__ = ["PreparedTable", "Share", "check_training", "group_numbers", "moments", "prepare_table"]

Rows = npt.NDArray[np.int64]


@dataclass(repr=False)
class Share:
    """Some of the rows, ready for a network.

    Args:
        table: The raw rows.
        rows: Their positions in the table that they came from, int64 of shape (rows,).
        numeric: float32 of shape (rows, preprocessor.n_numeric).
        categories: Codes of shape (rows, len(preprocessor.category_sizes)): int32, or of many the
            smallest unsigned type.
        y: int64 classes, or float32 standardised values, of shape (rows,).
        weight: float32 of shape (rows,), or None where all rows count the same.
        copies: int64 of shape (rows,), equal where rows are alike; or None where none are.
    """

    table: Table
    rows: Rows
    numeric: npt.NDArray[np.float32]
    categories: Array
    y: npt.NDArray[Any]
    weight: npt.NDArray[np.float32] | None
    copies: Rows | None = None

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.rows)

    def __repr__(self) -> str:
        numbers, categories = self.numeric.shape[1], self.categories.shape[1]
        return f"Share({len(self):,} rows, {numbers} numbers, {categories} categories)"


@dataclass(repr=False)
class PreparedTable:
    """A table made ready: its shares, what was learned to make them, and what to tell the user.

    Args:
        train: Rows to learn from.
        validation: Rows to choose the best weights by, or None.
        test: Rows for nothing but the final figures, or None.
        preprocessor: Turns new rows into inputs.
        target: Encodes and decodes the target.
        kinds: What each column is (the target and the columns set aside are not among them).
        notes: Sentences to show.
    """

    train: Share
    validation: Share | None
    test: Share | None
    preprocessor: TablePreprocessor
    target: TargetEncoder
    kinds: dict[str, ColumnKind]
    notes: list[str] = field(default_factory=list)

    def rescale(self, scale: Scale, *, robust: bool = False) -> None:
        """Encode a quantity anew, as it is ("linear") or by its logarithms ("log").

        Raises:
            DataError: If it has no logarithms.
        """
        self.target.fit(self.train.table, scale=scale, robust=robust)
        for share in (self.train, self.validation, self.test):
            if share is not None:
                share.y, _ = self.target.encode(share.table)

    def __repr__(self) -> str:
        shares = {"train": self.train, "validation": self.validation, "test": self.test}
        rows = ", ".join(f"{name} {len(s):,}" for name, s in shares.items() if s is not None)
        return f"PreparedTable({self.target!r}, rows: {rows}; {self.preprocessor!r})"


def moments(table: Table, name: str) -> npt.NDArray[np.float64]:
    """Read the column to split by time; rows without a moment come first, so in training."""
    kind = infer_kinds(table.select([name]))[name]
    if kind.kind == "timestamp":
        stamps = stamps_of(table, kind)
        return np.where(np.isnat(stamps), -np.inf, stamps.astype(np.int64).astype(np.float64))
    if kind.kind in ("numeric", "boolean", "identifier"):
        numeric = ColumnKind(name, "numeric", "", True, kind.number_format)
        values = numbers_of(table, numeric)
        return np.where(np.isnan(values), -np.inf, values)
    raise DataError(
        f"{table.source}: expected dates or numbers in the time column {name!r}, got {kind.kind} "
        f"({kind.reason}); choose another column."
    )


def group_numbers(table: Table, name: str) -> Rows:
    """Number the groups; rows without one are a group each."""
    words = marks_that_are_words(table.factors(name)[0]) if table[name].dtype == TEXT else []
    _, codes = labels_of(table, ColumnKind(name, "category", "", True, words=tuple(words)))
    alone = np.flatnonzero(codes < 0)
    codes = codes.copy()
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(len(alone))
    return codes


def _split(
    table: Table,
    rows: Rows,
    share: float,
    seed: int,
    classes: npt.NDArray[Any] | None,
    groups: Rows | None,
    time: npt.NDArray[np.float64] | None,
    copies: Rows | None,
) -> tuple[Rows, Rows]:
    if copies is not None:

        def plain(chosen: Rows) -> tuple[Rows, Rows]:
            return _split(table, chosen, share, seed, classes, groups, time, None)

        return together(plain, rows, copies, classes, seed)
    try:
        learn, held = split_rows(
            len(rows),
            share,
            seed=seed,
            stratify=None if classes is None else classes[rows],
            groups=None if groups is None else groups[rows],
            time=None if time is None else time[rows],
        )
    except DataError as error:
        raise DataError(f"{table.source}: {str(error).removeprefix('split_rows: ')}") from None
    return rows[learn], rows[held]


def _task_of(kind: str | None) -> str | None:
    """Return the task of a target whose kind the caller knows; None where none is said."""
    tasks = {"numeric": "regression", "category": "classification", "boolean": "classification"}
    if kind is not None and kind not in tasks:
        raise UsageError(
            f"prepare_table: expected one of {', '.join(tasks)} as the target's kind, got {kind!r}."
        )
    return None if kind is None else tasks[kind]


def prepare_table(
    table: Table,
    target: str,
    *,
    task: str | None = None,
    exclude: Iterable[str] = (),
    kinds: Mapping[str, str] | None = None,
    weight: str | None = None,
    group: str | None = None,
    time: str | None = None,
    test: Table | None = None,
    test_share: float = 0.2,
    validation: Table | None = None,
    validation_share: float = 0.2,
    target_scale: Scale = "linear",
    robust: bool = False,
    seed: int = 0,
) -> PreparedTable:
    """Split a table and turn it into a network's inputs, learning from the training rows alone.

    Args:
        table: The rows.
        target: Column to predict. Rows in which it is missing are left out, and counted.
        task: "classification" or "regression"; None decides by the target.
        exclude: Columns to leave out.
        kinds: Kinds of columns that you know better: numeric, category, boolean, timestamp, ...
        weight: Column of sample weights; left out of the inputs.
        group: Column whose groups stay on one side of each split; left out of the inputs.
        time: Column to split by, the latest rows being tested; left out of the inputs.
        test: Rows to test on instead of a share of the table.
        test_share: Part of the rows to test on, in [0, 1); 0 for none.
        validation: Rows to validate on instead of a share.
        validation_share: Part of the remaining rows to validate on, in [0, 1); 0 for none.
        target_scale: Whether a quantity is learned as it is ("linear"), or its logarithms ("log").
        robust: Whether a quantity is scaled by median and quartiles.
        seed: Decides the splits.

    Returns:
        The shares and all that goes with them.

    Raises:
        DataError: If the data cannot be used; the message says what, where, and what to do.
        UsageError: If the options contradict each other.

    >>> from schuss.data.tables.reading.readers import read_table
    >>> ready = prepare_table(read_table("iris"), "species")
    >>> len(ready.train), len(ready.validation), len(ready.test)
    (96, 24, 30)
    """
    excluded = list(dict.fromkeys(exclude))
    roles = {"weight": weight, "group": group, "time": time}
    if target in excluded:
        raise UsageError(f"prepare_table: the target {target!r} is excluded; leave it in.")
    if group is not None and time is not None:
        raise UsageError("prepare_table: expected group or time to split by, got both; choose one.")
    given = dict(kinds or {})
    encoder = TargetEncoder.infer(table, target, task=task or _task_of(given.pop(target, None)))
    for role, name in roles.items():
        if name is None:
            continue
        if name not in table:
            raise table.without(name, f"{role} column")
        if name == target:
            raise UsageError(
                f"prepare_table: {name!r} is the target; choose another {role} column."
            )
    set_aside = {target, *(name for name in roles.values() if name is not None)}
    features = table.drop(set_aside)
    forced = {name: kind for name, kind in given.items() if name not in set_aside}
    column_kinds = infer_kinds(
        features, exclude=[name for name in excluded if name not in set_aside], kinds=forced
    )
    notes = [*table.notes, *encoder.notes]
    notes += [f"{role} column {name!r}: not learned from" for role, name in roles.items() if name]
    notes += [f"{kind.name}: {kind.reason}" for kind in column_kinds.values() if not kind.used]

    check_values(features, column_kinds)
    table = without_text(table, column_kinds)
    rows = np.flatnonzero(encoder.present(table)).astype(np.int64)
    classes = encoder.encode(table)[0] if encoder.task == "classification" else None
    groups = None if group is None else group_numbers(table, group)
    times = None if time is None else moments(table, time)
    weights = None if weight is None else weight_column(table, weight)
    copies = None
    if groups is None and times is None:
        copies = copies_of_rows(table, column_kinds, encoder)
        notes += repeated_ids(features, column_kinds)
    if copies is not None:
        more = int((np.bincount(copies)[copies] > 1).sum())
        notes.append(
            f"{more:,} of {table.rows:,} rows are there more than once; the copies of a row stay "
            "on one side of each split"
        )
    test_rows = validation_rows = None
    if test is None and test_share > 0.0:
        rows, test_rows = _split(table, rows, test_share, seed, classes, groups, times, copies)
    if validation is None and validation_share > 0.0 and len(rows) > 1:
        if groups is not None and len(np.unique(groups[rows])) == 1 < len(np.unique(groups)):
            raise DataError(
                f"{table.source}: the rows that are not tested are one group of {group!r}, so no "
                "other is left to validate by; give validation_share=0, or more groups."
            )
        rows, validation_rows = _split(
            table, rows, validation_share, seed + 1, classes, groups, times, copies
        )
    train_table = table.take(rows)
    if target_scale == "log" and encoder.task == "regression":
        refuse_negative(table, target, encoder.values(table)[0])
    encoder.fit(train_table, scale=target_scale, robust=robust)
    check_training(train_table, encoder)
    is_classes = encoder.task == "classification"
    y, _ = encoder.encode(train_table)
    telling = telling_rows(y.astype(np.int64)) if is_classes else None
    preprocessor = TablePreprocessor()
    classes_of = encoder.classes if is_classes else None
    learned = preprocessor.fit_transform(
        train_table, column_kinds, telling=telling, y=y, classes=classes_of, seed=seed
    )
    goes = "each of its values goes with one value of" if is_classes else "it runs along with"
    notes += [
        f"{name}: {goes} {target!r}; exclude it if it is not known before"
        for name in telling_columns(train_table, column_kinds, y, classes=is_classes)
    ]

    def share(part: Table, chosen: Rows, source_weights: Any, inputs: Any = None) -> Share:
        numeric, categories = inputs or preprocessor.transform(part)
        y, _ = encoder.encode(part)
        part_weights = None if source_weights is None else source_weights[chosen]
        return Share(part, chosen, numeric, categories, y, part_weights)

    def own_share(source: Table | None, chosen: Rows | None, what: str) -> Share | None:
        if source is None:
            if chosen is None or not len(chosen):
                return None
            return share(table.take(chosen), chosen, weights)
        kept = np.flatnonzero(encoder.present(source)).astype(np.int64)
        if not len(kept):
            raise DataError(
                f"{source.source}: the target {target!r} is missing in every row of the {what} "
                "table; fill it in."
            )
        if len(kept) < source.rows:
            notes.append(
                f"{source.source}: {source.rows - len(kept):,} rows without the target are left out"
            )
        found = share(source.take(kept), kept, _own_weights(source, weight))
        known = shared_rows(train_table, found.table, column_kinds, encoder)
        if known:
            notes.append(
                f"{source.source}: {known:,} of its {source.rows:,} rows are among those learned "
                "from, too"
            )
        return found

    ready = PreparedTable(
        train=share(train_table, rows, weights, learned),
        validation=own_share(validation, validation_rows, "validation"),
        test=own_share(test, test_rows, "test"),
        preprocessor=preprocessor,
        target=encoder,
        kinds=column_kinds,
        notes=notes,
    )
    if copies is not None:
        ready.train.copies = copies[rows]
    if ready.train.weight is not None and not ready.train.weight.any():
        raise DataError(
            f"{table.source}: all training rows have the weight 0 in column {weight!r}; "
            "give some of them more."
        )
    return ready


def _own_weights(table: Table, weight: str | None) -> npt.NDArray[np.float32] | None:
    return weight_column(table, weight) if weight is not None and weight in table else None


def check_training(table: Table, encoder: TargetEncoder, examples: str = "rows") -> None:
    """Refuse training examples, as they are called, that hold one class only."""
    if encoder.task != "classification":
        return
    codes, _ = encoder.encode(table)
    if len(np.unique(codes)) < 2:
        only = encoder.classes[int(codes[0])] if len(codes) else "no class"
        raise DataError(
            f"{table.source}: all {len(codes):,} training {examples} have the class {only!r}; "
            f"add {examples} of other classes, or hold out fewer."
        )
