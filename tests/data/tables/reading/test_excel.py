from __future__ import annotations

import datetime
import sys

import pytest

from schuss.data import infer_kinds, iter_table, read_table
from schuss.errors import DataError

openpyxl = pytest.importorskip("openpyxl")


def book(tmp_path, rows, *more_sheets):
    made = openpyxl.Workbook()
    for row in rows:
        made.active.append(row)
    for name in more_sheets:
        made.create_sheet(name)
    path = tmp_path / "t.xlsx"
    made.save(path)
    return path


def test_cells_keep_their_types(tmp_path):
    day = datetime.datetime(2020, 1, 2)
    rows = [["n", "w", "d", "s"], [1.5, 1, day, "x"], [None, 2, day, None], [2.5, 3, day, "y"]]
    table = read_table(book(tmp_path, rows))
    assert {name: values.dtype.kind for name, values in table.columns.items()} == {
        "n": "f",
        "w": "i",
        "d": "M",
        "s": "T",
    }
    assert table["s"].tolist() == ["x", "", "y"]
    assert table.lines.tolist() == [2, 3, 4]
    assert infer_kinds(table)["n"].reason == "numbers, 1 of 3 missing"


def test_titles_empty_rows_and_other_sheets(tmp_path):
    rows = [["Report"], [], ["a", "b"], [1, 2], [], [3, 4]]
    table = read_table(book(tmp_path, rows, "more"))
    assert list(table.records()) == [("1", "2"), ("3", "4")]
    assert table.lines.tolist() == [4, 6]
    assert table.notes[0].endswith("t.xlsx: the first sheet, 'Sheet'")
    assert "above the column names" in table.notes[1]


def test_in_chunks_and_without_names(tmp_path):
    path = book(tmp_path, [[k, str(k)] for k in range(250)])
    assert [t.rows for t in iter_table(path, header="none", chunk_rows=100)] == [100, 100, 50]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", "b"]], "the sheet has no rows"),
        ([], "the sheet has no rows"),
        ([["a"], *([[1]] * 120), [1, 2]], "line 122: expected 1 cells, got 2"),
    ],
)
def test_sheets_that_are_no_table(tmp_path, rows, message):
    with pytest.raises(DataError, match=message):
        read_table(book(tmp_path, rows))


def test_another_file_and_no_openpyxl(tmp_path, monkeypatch):
    path = tmp_path / "t.xlsx"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="expected an Excel workbook"):
        read_table(path)
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(DataError, match=r"pip install 'schuss\[excel\]'"):
        read_table(path)


def test_a_cell_far_away_and_a_workbook_that_would_fill_the_memory(tmp_path, monkeypatch):
    made = openpyxl.Workbook()
    made.active.append(["a", "b"])
    made.active.append([1, 2])
    made.active.cell(row=50_000, column=2, value=3)
    made.save(tmp_path / "t.xlsx")
    assert read_table(tmp_path / "t.xlsx").lines.tolist() == [2, 50_000]
    monkeypatch.setattr("schuss.data.tables.reading.excel._LARGE", 1000)
    path = book(tmp_path, [["a"], ["x" * 30_000], ["y" * 30_000]])
    monkeypatch.setattr("schuss.data.tables.reading.excel._MOST_PACKED", 2)
    with pytest.raises(DataError, match="unpacks to 0 MB, which is no sheet"):
        read_table(path)
