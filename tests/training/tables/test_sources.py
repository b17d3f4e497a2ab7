from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from schuss.data import Table, read_table
from schuss.errors import DataError, UsageError
from schuss.training.tables.sources import (
    describe_source,
    fingerprint,
    open_source,
    read_training_table,
    run_name,
)

DAYS = np.array(["2020-01-01", "NaT"], dtype="datetime64[us]")


def test_a_fingerprint_depends_on_names_kinds_and_values() -> None:
    columns = {"a": [1, 2], "b": [0.5, None], "c": ["x", None], "d": DAYS, "e": [True, False]}
    first = fingerprint(Table(columns))
    assert first == fingerprint(Table(columns))
    others = [
        columns | {"a": [1, 3]},
        columns | {"a": [1.0, 2.0]},
        columns | {"b": [0.5, 0.0]},
        columns | {"c": ["x", "y"]},
        columns | {"c": ["xy", None]},
        columns | {"d": DAYS[::-1].copy()},
        columns | {"e": [True, True]},
        {("z" if name == "a" else name): values for name, values in columns.items()},
    ]
    assert len({first, *(fingerprint(Table(other)) for other in others)}) == 1 + len(others)


def test_a_source_finds_the_same_table_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "table.csv"
    file.write_text("a,b\n1,x\n2,y\n")
    monkeypatch.chdir(tmp_path)
    source = describe_source("table.csv", read_table("table.csv"))
    assert source["rows"] == 2
    monkeypatch.chdir("/")
    again = open_source(source, None, "data")
    assert again is not None
    assert again.rows == 2
    assert open_source(None, None, "test") is None
    memory = describe_source({"a": [1]}, Table({"a": [1]}))
    assert memory["path"] is None
    with pytest.raises(UsageError, match="this run's test was in memory"):
        open_source(memory, None, "test")
    assert describe_source("iris", read_table("iris"))["path"] == "iris"
    (tmp_path / "iris").mkdir()
    monkeypatch.chdir(tmp_path)
    assert describe_source("iris", read_table("iris"))["path"] == "iris"
    file.unlink()
    with pytest.raises(DataError, match="the run's data cannot be read again"):
        open_source(source, None, "data")


def test_what_a_run_is_called() -> None:
    assert run_name("iris") == "iris"
    assert run_name(Path("/data/my table.v2.csv.gz")) == "my-table"
    assert run_name(np.zeros((2, 2))) == "table"


def test_the_target_is_named_or_given_or_known() -> None:
    x = np.zeros((3, 2))
    assert read_training_table("iris", None)[1] == "species"
    assert read_training_table("iris", "petal_width")[1] == "petal_width"
    # Columns of pandas may be named by numbers, which a table has as text.
    assert read_training_table(Table({"0": [1], "1": [2]}), 1)[1] == "1"
    for data, target in (((x, [1, 2, 3]), None), (x, np.array([1, 2, 3]))):
        table, name, whole = read_training_table(data, target)
        assert name == "target"
        assert table["target"].tolist() == [1, 2, 3]
        assert isinstance(whole, tuple)
    with pytest.raises(UsageError, match="the column to predict; the array has the columns x0, x1"):
        read_training_table(x, None)


def test_a_source_is_read_again_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_bytes("1^é\n-7^x\n".encode("latin-1"))
    reading = {"sep": "^", "header": "none", "encoding": "latin-1", "na_values": ["-7"]}
    table = read_table(path, **reading)
    source = json.loads(json.dumps(describe_source(path, table, reading)))
    assert source["reading"] == reading
    again = open_source(source, None, "data")
    assert again is not None
    assert again["x1"].tolist() == ["é", "x"]
    assert again["x0"].tolist() == ["1", ""]
