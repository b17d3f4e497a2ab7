from __future__ import annotations

import numpy as np
import pytest

from schuss.data import prepare_table, read_table
from schuss.data.tables.preparing.prepare import Share
from schuss.data.tables.table import Table


def rows(count: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    columns = {f"f{k}": random.normal(size=count).round(3) for k in range(6)}
    return columns | {"y": random.choice(["p", "q"], count)}


def keys(share: Share) -> set[tuple[str, ...]]:
    return set(share.table.records())


@pytest.mark.parametrize("copies", [2, 20])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_copies_of_a_row_stay_on_one_side(copies, task):
    columns = rows(150)
    if task == "regression":
        columns["y"] = columns["f0"] + 1.0
    table = Table({name: np.tile(values, copies) for name, values in columns.items()})
    ready = prepare_table(table, "y")
    sides = [keys(s) for s in (ready.train, ready.validation, ready.test)]
    assert len(set.union(*sides)) == sum(map(len, sides)) == 150
    assert len(ready.test) == 30 * copies
    assert f"{150 * copies:,} of {150 * copies:,} rows are there more than once" in ready.notes[0]
    assert sum(len(s) for s in (ready.train, ready.validation, ready.test)) == table.rows


def test_a_few_copies_change_places_with_rows_of_their_class():
    columns = {name: np.concatenate([v, v[:8]]) for name, v in rows(400).items()}
    ready = prepare_table(Table(columns), "y")
    assert not keys(ready.test) & (keys(ready.train) | keys(ready.validation))
    assert (len(ready.train), len(ready.validation), len(ready.test)) == (261, 65, 82)
    assert ready.notes[0].startswith("16 of 408 rows are there more than once")
    share = np.mean(ready.test.table["y"] == "p")
    assert abs(share - np.mean(columns["y"] == "p")) < 0.02
    assert sorted(np.concatenate([ready.train.rows, ready.validation.rows, ready.test.rows])) == [
        *range(408)
    ]


def test_rows_alike_by_chance_are_no_copies():
    random = np.random.default_rng(0)
    table = Table({k: random.integers(0, 3, 500) for k in "ab"} | {"y": ["p", "q"] * 250})
    ready = prepare_table(table, "y")
    assert not any("more than once" in note for note in ready.notes)
    assert prepare_table(read_table("iris"), "species").notes == []


def test_test_rows_that_are_learned_from_are_said():
    columns = rows(100)
    test = Table({name: values[:40] for name, values in columns.items()}, source="t.csv")
    notes = prepare_table(Table(columns), "y", test=test, validation_share=0.0).notes
    assert notes == ["t.csv: 40 of its 40 rows are among those learned from, too"]


def test_an_id_that_repeats_is_said():
    columns = rows(3000) | {"patient_id": np.repeat(np.arange(150), 20)}
    said = (
        "patient_id: 150 different values in 3,000 rows, so rows of one may be on both sides of a "
        "split; group='patient_id' (--group) keeps them together"
    )
    assert said in prepare_table(Table(columns), "y").notes
    assert said not in prepare_table(Table(columns), "y", group="patient_id").notes
    assert (
        said not in prepare_table(Table({**columns, "patient_id": np.arange(3000) % 5}), "y").notes
    )
