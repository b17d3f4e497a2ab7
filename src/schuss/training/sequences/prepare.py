"""Preparing sequences: whole ones held out, their rows preprocessed, one target for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.data import PreparedTable, Share, Table, TablePreprocessor, TargetEncoder, infer_kinds
from schuss.data.splits import split_rows
from schuss.data.tables.columns import ColumnKind, check_values, without_text
from schuss.data.tables.preparing.copies import row_hashes
from schuss.data.tables.preparing.prepare import check_training, group_numbers, moments
from schuss.data.tables.preparing.weights import weight_column
from schuss.errors import DataError, UsageError
from schuss.training.sequences.grouping import Grouped, SequenceColumns
from schuss.training.sequences.inputs import SequenceFormat

__all__ = ["PreparedSequences", "SequenceShare", "prepare_sequences"]


@dataclass(repr=False)
class SequenceShare(Share):
    """Some of the sequences: `table` has a row of each, `numeric` the means of its numbers.

    Args:
        rows_table: all rows of the sequences.
        inputs: what the network is called with.
    """

    rows_table: Table | None = None
    inputs: tuple[Any, ...] = ()


@dataclass(repr=False)
class PreparedSequences(PreparedTable):
    """Sequences made ready.

    Args:
        columns: how rows are grouped.
        format: what a sequence's rows become.
    """

    columns: SequenceColumns | None = None
    format: SequenceFormat | None = None


def prepare_sequences(
    table: Table,
    target: str,
    *,
    sequence: str,
    order: str | None,
    task: str | None,
    exclude: Any,
    kinds: Mapping[str, str],
    weight: str | None,
    group: str | None,
    time: str | None,
    test: Table | None,
    test_share: float,
    validation: Table | None,
    validation_share: float,
    target_scale: Any,
    robust: bool,
    seed: int,
) -> PreparedSequences:
    """Group a table's rows, split the sequences, and turn them into a network's inputs.

    The arguments are those of `prepare_table`, with the columns that group and order the rows.

    Raises:
        DataError: if the data cannot be used.
        UsageError: if the options contradict each other.
    """
    roles = {"sequence": sequence, "order": order, "weight": weight, "group": group, "time": time}
    _check_roles(table, target, roles, exclude)
    table.decimal_commas  # noqa: B018  (decided by all columns and rows, as it is in prediction)
    columns = SequenceColumns.infer(table, sequence, order)
    grouped = columns.group(table)
    columns = columns.with_gap(grouped)
    grouped = columns.group(table)
    if len(grouped) < 2:
        why = "the same in all rows" if len(grouped) else "missing, or their order is, in all rows"
        raise DataError(
            f"{table.source}: expected at least 2 sequences, got {len(grouped)}: {sequence!r} is "
            f"{why}; choose another sequence column."
        )
    notes = [*table.notes, *grouped.notes]
    _check_constant(grouped, target, weight, group)
    heads, encoder, kept = _targets(grouped, target, roles, kinds, task, notes)
    grouped = grouped.take(kept)
    column_kinds = _kinds(grouped.table, target, roles, exclude, kinds)
    notes += [*encoder.notes, *_told(roles, column_kinds, columns)]
    check_values(grouped.table, column_kinds)
    grouped.table = without_text(grouped.table, column_kinds)
    split = _Split(table.source, heads, encoder, seed, group=group, time=time)
    split.keep_together(_copies(grouped, column_kinds, encoder), notes)
    numbers = np.arange(len(grouped), dtype=np.int64)
    test_rows = validation_rows = numbers[:0]
    if test is None:
        numbers, test_rows = split(numbers, test_share, 0)
    if validation is None:
        numbers, validation_rows = split(numbers, validation_share, 1)
    training = grouped.take(numbers)
    encoder.fit(heads.take(numbers), scale=target_scale, robust=robust)
    check_training(heads.take(numbers), encoder, "sequences")
    format = SequenceFormat.choose(training.lengths)
    notes += format.describe(grouped.lengths)
    # Bins are for rows that are answers each, and text is learned by what it says of these.
    preprocessor = TablePreprocessor().fit(training.table, column_kinds, telling=0, seed=seed)

    def share(rows: Grouped, own: Table, chosen: Array) -> SequenceShare:
        numeric, codes = preprocessor.transform(rows.table)
        means = np.add.reduceat(numeric.astype(np.float64), rows.starts[:-1])
        means = (means / rows.lengths[:, None]).astype(np.float32)
        y, _ = encoder.encode(own)
        weights = None if weight is None or weight not in own else weight_column(own, weight)
        found = format.inputs(numeric, codes, rows.starts)
        nothing = np.empty((len(chosen), 0), np.int32)
        return SequenceShare(
            own, chosen, means, nothing, y, weights, rows_table=rows.table, inputs=found
        )

    def held(source: Table | None, chosen: Array, what: str) -> SequenceShare | None:
        if source is None:
            if not len(chosen):
                return None
            return share(grouped.take(chosen), heads.take(chosen), chosen)
        rows = columns.group(source)
        notes.extend(f"{what}: {note}" for note in rows.notes)
        if target not in source:
            raise source.without(target, "target column")
        rows.require_constant(target, "value of the target", _REMEDY)
        own = rows.heads([n for n in (target, weight) if n is not None and n in source])
        there = np.flatnonzero(encoder.present(own))
        if not len(there):
            raise DataError(
                f"{source.source}: the target {target!r} is missing in every sequence of the "
                f"{what} table; fill it in."
            )
        theirs = rows.take(there)
        ours, new = (_hashes(found, column_kinds, encoder) for found in (training, theirs))
        known = int(np.isin(new, ours).sum())
        if known:
            notes.append(
                f"{source.source}: {known:,} of its {len(rows):,} sequences are among those "
                "learned from, too"
            )
        return share(theirs, own.take(there), there)

    return PreparedSequences(
        train=share(training, heads.take(numbers), numbers),
        validation=held(validation, validation_rows, "validation"),
        test=held(test, test_rows, "test"),
        preprocessor=preprocessor,
        target=encoder,
        kinds=column_kinds,
        notes=notes,
        columns=columns,
        format=format,
    )


_REMEDY = "choose another target, or another sequence column"


def _check_roles(table: Table, target: str, roles: Mapping[str, str | None], exclude: Any) -> None:
    named = {"target": target, **{role: name for role, name in roles.items() if name is not None}}
    for role, name in named.items():
        if name not in table:
            raise table.without(name, f"{role} column")
        # The time to split by may be what orders the rows, and each sequence a group.
        others = [other for other in named if named[other] == name and other != role]
        others = [other for other in others if {role, other} != {"sequence", "group"}]
        if role in ("target", "sequence", "weight") and others:
            raise UsageError(
                f"train: {name!r} is the {role}, and cannot be the {others[0]} as well; choose "
                "another column."
            )
    if target in exclude:
        raise UsageError(f"train: the target {target!r} is excluded; leave it in.")
    if named.get("group") and named.get("time"):
        raise UsageError("train: expected group or time to split by, got both; choose one.")


def _check_constant(grouped: Grouped, target: str, weight: str | None, group: str | None) -> None:
    grouped.require_constant(target, "value of the target", _REMEDY)
    if weight is not None:
        grouped.require_constant(weight, "weight", "give all rows of a sequence the same")
    if group is not None:
        grouped.require_constant(group, "group", "choose another group column")


def _targets(
    grouped: Grouped,
    target: str,
    roles: Mapping[str, str | None],
    kinds: Mapping[str, str],
    task: str | None,
    notes: list[str],
) -> tuple[Table, TargetEncoder, Array]:
    """Return a row of each sequence that has a target, what encodes it, and which these are."""
    names = dict.fromkeys([target, *(n for n in roles.values() if n is not None)])
    time = [roles["time"]] if roles["time"] is not None else []
    heads = grouped.heads(list(names), last=time)
    tasks = {"numeric": "regression", "category": "classification", "boolean": "classification"}
    encoder = TargetEncoder.infer(heads, target, task=task or tasks.get(kinds.get(target, "")))
    # What it says of rows is said here of sequences.
    encoder.notes = [
        note.replace("with a single row", "with a single sequence")
        for note in encoder.notes
        if "left out" not in note
    ]
    kept = np.flatnonzero(encoder.present(heads))
    if len(kept) < len(heads):
        gone = len(heads) - len(kept)
        notes.append(
            f"{gone:,} {'sequence' if gone == 1 else 'sequences'} without a value of the target "
            f"{target!r}: left out"
        )
    return heads.take(kept), encoder, kept


def _kinds(
    table: Table,
    target: str,
    roles: Mapping[str, str | None],
    exclude: Any,
    kinds: Mapping[str, str],
) -> dict[str, ColumnKind]:
    """Decide what the columns are that say something of a row."""
    aside = {target, *(name for name in roles.values() if name is not None)}
    forced = {name: kind for name, kind in kinds.items() if name not in aside}
    excluded = [name for name in exclude if name not in aside]
    found = infer_kinds(table.drop(aside), exclude=excluded, kinds=forced)
    return {
        name: replace(kind, used=False, reason="free text, left out of sequences")
        if kind.used and kind.kind == "text"
        else kind
        for name, kind in found.items()
    }


def _told(
    roles: Mapping[str, str | None], kinds: Mapping[str, ColumnKind], columns: SequenceColumns
) -> list[str]:
    found = [f"{role} column {name!r}: not learned from" for role, name in roles.items() if name]
    if columns.gap is not None:
        name = columns.gap.strip()
        found.append(f"rows are not evenly apart: each comes with the distance, {name!r}")
    if columns.order is None:
        found.append("no order column was given: rows are taken in the order of the file")
    return [*found, *(f"{kind.name}: {kind.reason}" for kind in kinds.values() if not kind.used)]


def _copies(
    grouped: Grouped, kinds: Mapping[str, ColumnKind], encoder: TargetEncoder
) -> Array | None:
    """Number sequences so that those alike have the same number; None where none are."""
    sums = _hashes(grouped, kinds, encoder)
    _, numbers = np.unique(sums, return_inverse=True)
    return numbers if numbers.max() + 1 < len(grouped) else None


def _hashes(grouped: Grouped, kinds: Mapping[str, ColumnKind], encoder: TargetEncoder) -> Array:
    """Return a hash of each sequence, the same for those whose rows are alike, one by one."""
    hashes = row_hashes(grouped.table, kinds, encoder)
    place = np.arange(len(hashes)) - np.repeat(grouped.starts[:-1], grouped.lengths)
    # Each place counts by another odd factor.
    factors = place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) * np.uint64(2) + np.uint64(1)
    found: Array = np.add.reduceat(hashes * factors, grouped.starts[:-1])
    return found


class _Split:
    """Holds out whole sequences: by classes, groups or time."""

    def __init__(
        self,
        source: str,
        heads: Table,
        encoder: TargetEncoder,
        seed: int,
        *,
        group: str | None,
        time: str | None,
    ) -> None:
        self._source, self._seed = source, seed
        is_classes = encoder.task == "classification"
        self._classes = encoder.encode(heads)[0] if is_classes else None
        self._groups = None if group is None else group_numbers(heads, group)
        self._time = None if time is None else moments(heads, time)
        self._copies: Array | None = None

    def keep_together(self, copies: Array | None, notes: list[str]) -> None:
        """Keep sequences of the same number on one side, where nothing else decides."""
        if copies is None or self._groups is not None or self._time is not None:
            return
        more = int((np.bincount(copies)[copies] > 1).sum())
        notes.append(
            f"{more:,} of {len(copies):,} sequences are there more than once; the copies of one "
            "stay on one side of each split"
        )
        self._copies = copies

    def __call__(self, numbers: Array, share: float, step: int) -> tuple[Array, Array]:
        """Return the sequences to learn from, and those held out.

        Args:
            numbers: those to share out, int64.
            share: part to hold out.
            step: 0, or 1 for the next such split.
        """
        if len(numbers) < 2:
            return numbers, numbers[:0]
        one = np.arange(len(numbers))
        places = one
        if self._copies is not None:
            _, one, places = np.unique(
                self._copies[numbers], return_index=True, return_inverse=True
            )
        chosen = numbers[one]
        parts = (self._classes, self._groups, self._time)
        classes, groups, time = (None if part is None else part[chosen] for part in parts)
        if step and groups is not None and len(np.unique(groups)) == 1:
            raise DataError(
                f"{self._source}: the sequences that are not tested are one group, so no other is "
                "left to validate by; give validation_share=0, or more groups."
            )
        try:
            _, held = split_rows(
                len(chosen),
                share,
                seed=self._seed + step,
                stratify=classes,
                groups=groups,
                time=time,
            )
        except DataError as error:
            text = str(error).removeprefix("split_rows: ")
            raise DataError(f"{self._source}: {text}") from None
        out = np.isin(places, held)
        return numbers[~out], numbers[out]
