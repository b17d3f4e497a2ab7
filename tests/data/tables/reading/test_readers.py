from __future__ import annotations

import re

import numpy as np
import pytest

from schuss.data import BUNDLED, Table, iter_table, read_table
from schuss.data.tables.reading.concatenate import concatenate
from schuss.errors import DataError


def test_iris():
    table = read_table("iris")
    assert table.rows == 150
    assert table.names[-1] == BUNDLED["iris"][1]
    values, counts = np.unique(table["species"], return_counts=True)
    assert values.tolist() == ["setosa", "versicolor", "virginica"]
    assert counts.tolist() == [50, 50, 50]
    means = [float(table[name].astype(np.float64).mean()) for name in table.names[:4]]
    np.testing.assert_allclose(means, [5.843333, 3.057333, 3.758, 1.199333], atol=1e-6)


def test_bundled_name_wins_and_a_path_reaches_the_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "iris").mkdir()
    assert read_table("iris").rows == 150
    with pytest.raises(DataError, match="expected a file, got a folder"):
        read_table("./iris")


def test_unknown_ending(tmp_path):
    path = tmp_path / "t.sav"
    path.write_bytes(b"x")
    message = (
        f"{path}: expected a table in a .csv, .tsv, .jsonl, .parquet, .feather or .xlsx file, "
        "got .sav; save it as one of these."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read_table(path)


def test_text_file_with_a_delimiter_of_its_own(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("a|b\n1|2\n")
    assert read_table(path).names == ["a", "b"]


def test_concatenate_joins_kinds():
    first = Table({"a": [1, 2], "b": [True, False], "c": ["x", "y"]})
    second = Table({"a": [1.5], "c": ["z"], "d": [np.datetime64("2020-01-01", "us")]})
    joined = concatenate([first, second])
    assert joined["a"].tolist() == [1.0, 2.0, 1.5]
    assert joined["b"].tolist() == ["True", "False", ""]
    assert joined["c"].tolist() == ["x", "y", "z"]
    assert np.isnat(joined["d"]).tolist() == [True, True, False]


def test_chunks_of_what_is_in_memory():
    chunks = list(iter_table({"a": np.arange(5)}, chunk_rows=2))
    assert [c["a"].tolist() for c in chunks] == [[0, 1], [2, 3], [4]]
    with pytest.raises(ValueError, match="expected chunk_rows of at least 1, got 0"):
        next(iter_table({"a": [1]}, chunk_rows=0))


def test_an_error_far_down_comes_with_its_chunk(tmp_path, monkeypatch):
    import schuss.data.tables.reading.delimited as delimited

    monkeypatch.setattr(delimited, "_BLOCK", 100)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 1000 + "1\n")
    chunks = iter_table(path, chunk_rows=100)
    assert next(chunks).rows == 100
    with pytest.raises(DataError, match="line 1002: expected 2 fields, got 1"):
        list(chunks)
