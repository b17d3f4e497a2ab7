"""Large files are held in little memory, and mean what they would mean as text."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from schuss.data import Table, read_table
from schuss.data.tables.coded_text import CodedText
from schuss.data.tables.inference import infer_kinds
from schuss.data.tables.preparing.prepare import prepare_table
from schuss.data.tables.reading import delimited, gather
from schuss.errors import DataError

DRAW = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gather, "_BATCH", 500)
    monkeypatch.setattr(delimited, "_BLOCK", 2_000)


def written(path: Path, columns: dict[str, list[str]], sep: str = ",") -> Path:
    rows = zip(*columns.values(), strict=True)
    path.write_text("\n".join([sep.join(columns), *(sep.join(row) for row in rows)]) + "\n")
    return path


def as_text(path: Path) -> Table:
    """Read a file as one small table would be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gather, "_BATCH", 1 << 40)
        return read_table(path)


COLUMNS = {
    "float": [repr(v) for v in DRAW.normal(size=999).tolist()],
    "fixed": [f"{v:.3f}" for v in DRAW.normal(size=999).tolist()],
    "whole": [str(v) for v in DRAW.integers(-5000, 5000, size=999).tolist()],
    "gaps": ["" if k % 9 == 4 else repr(v) for k, v in enumerate(DRAW.random(999).tolist())],
    "marks": ["NA" if k % 9 == 4 else repr(v) for k, v in enumerate(DRAW.random(999).tolist())],
    "sentinel": ["-999" if k % 7 == 0 else str(k) for k in range(999)],
    "colour": [("red", "blue", "None", "")[k % 4] for k in range(999)],
    "yes": [("yes", "no")[k % 2] for k in range(999)],
    "postal": [f"{k:05d}" for k in range(999)],
    "late zeros": [str(k) if k < 900 else f"0{k}" for k in range(999)],
    "late words": [repr(v) if k < 900 else "n/d" for k, v in enumerate(DRAW.random(999).tolist())],
    "late word": [repr(v) if k < 998 else "x" for k, v in enumerate(DRAW.random(999).tolist())],
    "day": [f"2020-{k % 12 + 1:02d}-{k % 28 + 1:02d}" for k in range(999)],
    "moment": [f"2020-03-04 {k // 60:02d}:{k % 60:02d}:07" for k in range(999)],
    "late date": [
        f"2020-03-04 {k // 60:02d}:{k % 60:02d}:07" if k < 990 else "?" for k in range(999)
    ],
    "huge": [str(2**60 + k) for k in range(999)],
    "infinite": [repr(v) if k != 500 else "1e999" for k, v in enumerate(DRAW.random(999).tolist())],
    "price": [f"${k},{k % 900 + 100}" for k in range(1, 1000)],
    "id": [f"{k:x}-{k * 7919 % 1000:x}" for k in range(999)],
    "nothing": [""] * 999,
    "one": ["1"] * 999,
}


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_is_what_it_would_be_as_text(tmp_path: Path, name: str) -> None:
    sep = ";" if name == "price" else ","
    path = written(tmp_path / "t.csv", {"n": COLUMNS["whole"], name: COLUMNS[name]}, sep)
    compact, text = read_table(path), as_text(path)
    assert text.is_text(name)
    kinds = infer_kinds(text)
    assert infer_kinds(compact) == kinds
    assert compact.lines is not None
    assert text.lines is not None
    assert compact.lines.tolist() == text.lines.tolist()
    if kinds[name].used and name != "infinite":
        mine, theirs = (prepare_table(table, "n") for table in (compact, text))
        assert mine.preprocessor.to_config() == theirs.preprocessor.to_config()
        assert mine.notes == theirs.notes
        np.testing.assert_array_equal(mine.train.numeric, theirs.train.numeric)
        np.testing.assert_array_equal(mine.train.categories, theirs.train.categories)
    if name == "infinite":
        for table in (compact, text):
            with pytest.raises(DataError, match="line 502, column 'infinite': .*got '1e999'"):
                prepare_table(table, "n")


@pytest.mark.parametrize("name", ["float", "whole", "colour", "yes", "one"])
def test_a_target_is_what_it_would_be_as_text(tmp_path: Path, name: str) -> None:
    columns = {"n": COLUMNS["whole"], name: COLUMNS[name]}
    if name == "one":
        columns["one"] = [str(k % 3) for k in range(999)]
    path = written(tmp_path / "t.csv", columns)
    mine, theirs = (prepare_table(table, name) for table in (read_table(path), as_text(path)))
    assert mine.target.to_config() == theirs.target.to_config()
    np.testing.assert_array_equal(mine.train.y, theirs.train.y)


def test_numbers_beside_decimal_commas_may_have_points_between_thousands(tmp_path: Path) -> None:
    columns = {
        "a": [f"{k},5" for k in range(999)],
        "b": [f"{k % 9 + 1}.{k:03d}" for k in range(999)],
    }
    path = written(tmp_path / "t.csv", columns, ";")
    assert infer_kinds(read_table(path)) == infer_kinds(as_text(path))
    assert read_table(path).numbers("b", "decimal comma")[0][:2].tolist() == [1000.0, 2001.0]


def test_what_is_held(tmp_path: Path) -> None:
    table = read_table(written(tmp_path / "t.csv", COLUMNS | {"price": COLUMNS["yes"]}))
    held = {name: type(values).__name__ for name, values in table.columns.items()}
    coded = {name for name, kind in held.items() if kind == "CodedText"}
    assert {"colour", "yes", "postal", "late word", "id", "nothing", "one"} <= coded
    assert {name: table.columns[name].dtype.str for name in ("float", "whole", "moment")} == {
        "float": "<f8",
        "whole": "<i8",
        "moment": "<M8[us]",
    }
    yes = table.columns["yes"]
    assert isinstance(yes, CodedText)
    assert yes.codes.dtype == np.uint8


def test_names_keep_their_spelling(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", {"version": COLUMNS["fixed"], "n": COLUMNS["whole"]})
    kept = read_table(path, as_text=["version"])
    assert kept.is_text("version")
    assert kept["version"].tolist() == COLUMNS["fixed"]
    assert not kept.is_text("n")


def test_lines_of_json_of_several_types(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    rows = [{"a": k, "b": f"w{k % 5}", "c": k / 2} for k in range(3000)]
    rows += [{"a": "x", "b": f"w{k}", "d": True} for k in range(5)]
    path.write_text("\n".join(map(json.dumps, rows)))
    table = read_table(path)
    assert table["a"].tolist() == [*map(str, range(3000)), *"xxxxx"]
    assert table["b"].tolist() == [row["b"] for row in rows]
    assert table["c"][:2].tolist() == [0.0, 0.5]
    assert np.isnan(table["c"][-5:]).all()
    assert table["d"].tolist() == [""] * 3000 + ["True"] * 5


def test_standard_input_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = ["a,b", *(f"{k},{k / 7}" for k in range(2000)), "x,1"]
    stream = io.TextIOWrapper(io.BytesIO("\n".join(lines).encode()))
    monkeypatch.setattr("sys.stdin", stream)
    table = read_table("-")
    assert (table.source, table.rows, table["a"][-1]) == ("standard input", 2001, "x")
    assert table["a"][:2].tolist() == ["0", "1"]


def test_reading_takes_little_more_memory_than_the_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "_BATCH", 1 << 16)
    monkeypatch.setattr(delimited, "_BLOCK", 1 << 17)
    rows = 100_000
    columns = {"n": range(rows), "x": DRAW.normal(size=rows).tolist(), "c": ["red", "b"] * 50_000}
    path = written(tmp_path / "t.csv", {name: [*map(str, v)] for name, v in columns.items()})
    del columns
    tracemalloc.start()
    table = read_table(path)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert table.rows == rows
    compact = rows * (8 + 8 + 1 + 8)  # two numbers, a code and a line's number
    assert held < 1.2 * compact
    assert peak < 4 * compact
