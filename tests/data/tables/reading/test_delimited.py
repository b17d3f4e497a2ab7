from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import schuss.data.tables.reading.delimited as delimited
from schuss.data import iter_table, read_table
from schuss.data.tables.reading.layout import check_names, find_layout
from schuss.data.tables.reading.options import ReadOptions
from schuss.errors import DataError


def put(folder: Path, content: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode())
    return path


def refuses(path: Path, message: str) -> None:
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}{re.escape(message)}$"):
        read_table(path)


@pytest.mark.parametrize(
    ("sample", "delimiter"),
    [
        ("a,b\n1,2\n", ","),
        ("a;b;c\n1,5;2;3\n2,5;3;4\n", ";"),
        ("a\tb\n1,5\t2\n", "\t"),
        ("a|b\n1|2\n", "|"),
        ("a\n1\n", ","),
        ('"x;y",b\n"1;2",3\n', ","),
        ("a,b,c\n1,2,3\n1,2\n", ","),
    ],
)
def test_sniffing(sample, delimiter):
    assert find_layout(sample, "x.csv", ReadOptions()).delimiter == delimiter


def test_tsv_takes_tabs_whatever_else_is_there(tmp_path):
    table = read_table(put(tmp_path, "a,b\tc\n1,5\t2\n", "t.tsv"))
    assert table.names == ["a,b", "c"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(tmp_path, end, last):
    text = end.join(["a,b", "1,x", "2,y"]) + (end if last else "")
    table = read_table(put(tmp_path, text))
    assert table["a"].tolist() == ["1", "2"]
    assert table["b"].tolist() == ["x", "y"]
    assert table.lines.tolist() == [2, 3]


def test_quoted_fields_with_line_ends_delimiters_and_quotes(tmp_path):
    table = read_table(put(tmp_path, 'a,b\r\n"x\r\ny, ""z""",2\r\n\r\n3,4\r\n'))
    assert table["a"].tolist() == ['x\r\ny, "z"', "3"]
    assert table.lines.tolist() == [2, 5]


def test_blanks_before_quotes(tmp_path):
    table = read_table(put(tmp_path, 'a, b\n1, "x, y"\n2, "z"\n'))
    assert table["b"].tolist() == ["x, y", "z"]


def test_text_stays_unchanged(tmp_path):
    table = read_table(put(tmp_path, "a,b\n 01.50 ,NA\n1e3, x\n"))
    assert list(table.records()) == [(" 01.50 ", "NA"), ("1e3", " x")]


def test_too_many_fields(tmp_path):
    refuses(
        put(tmp_path, "a,b\n1,2\n1,2,3\n"),
        ", line 3: expected 2 fields, got 3; quote a field that holds a comma, or take the extra "
        "one out.",
    )


@pytest.mark.parametrize(
    "more", ["1,2,\n3,4\n5,6,,\n", "1,2,\n3,4,\n5,6,\n", '"1",2, ,\n3,4\n5,6\n']
)
def test_empty_fields_too_many_at_the_end_are_left_out(tmp_path, more):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + more)
    table = read_table(path)
    assert (table["a"].tolist(), table["b"].tolist()) == (["1", "3", "5"], ["2", "4", "6"])


@pytest.mark.parametrize("size", [10, 1 << 21])
def test_column_names_that_come_again_are_left_out_and_said(tmp_path, monkeypatch, size):
    monkeypatch.setattr(delimited, "_BLOCK", size)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\na,b\n2,b\n3,a\na,b\n4,x\n")
    table = read_table(path)
    assert table["a"].tolist() == ["1", "2", "3", "4"]
    assert table.lines.tolist() == [2, 4, 5, 7]
    assert table.notes == [f"{path}: lines that repeat the column names are left out"]
    path.write_text("1,2\n3,4\n1,2\n")
    assert (read_table(path).names, read_table(path).rows) == (["1", "2"], 2)


def test_too_few_fields_after_blank_lines_and_quoted_line_ends(tmp_path):
    refuses(
        put(tmp_path, 'a;b;c\n1;2;3\n\n"x\ny";2;3\n1;2\n'),
        ", line 6: expected 3 fields, got 2; fill in the missing fields, or delete the line.",
    )


def test_ragged_far_down(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "_BLOCK", 1000)
    refuses(
        put(tmp_path, "a,b\n" + "1,2\n" * 15_000 + "1\n"),
        ", line 15002: expected 2 fields, got 1; fill in the missing fields, or delete the line.",
    )


def test_open_quote(tmp_path):
    refuses(
        put(tmp_path, 'a,b\n1,2\n"x,2\n3,4\n'),
        ", line 3: a quotation mark opens a field that never ends; close it, or double the "
        "quotation marks inside fields.",
    )


def test_a_name_that_is_there_twice_is_renamed_and_said(tmp_path):
    table = read_table(put(tmp_path, "a,b, a,a,a_2\n1,2,3,4,5\n"))
    assert table.names == ["a", "b", "a_3", "a_4", "a_2"]
    assert table.notes[0].endswith(
        ", line 1: the column name 'a' is there twice (columns 1 and 3); the later one is called "
        "'a_3'"
    )


def test_no_name_is_named_and_said(tmp_path):
    table = read_table(put(tmp_path, "a,,b\n1,2,3\n"))
    assert table.names == ["a", "column 2", "b"]
    assert table.notes == [f"{tmp_path / 't.csv'}: column 2 has no name; it is called 'column 2'"]


def test_no_names_at_all(tmp_path):
    table = read_table(put(tmp_path, "5.1,3.5,setosa\n4.9,3.0,setosa\n"))
    assert table.names == ["x0", "x1", "x2"]
    assert table.rows == 2
    assert "no line of column names" in table.notes[0]


def test_whole_numbers_are_fine_as_names():
    assert check_names(["0", "1"], "x")[0] == ["0", "1"]


def test_one_column(tmp_path):
    assert read_table(put(tmp_path, "a\n1\n2\n"))["a"].tolist() == ["1", "2"]


fields = st.text(alphabet='ab1 ,;"\n\r\té', max_size=4)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(st.tuples(fields, fields, fields), min_size=1, max_size=12),
    size=st.sampled_from([1, 3, 17, 1 << 22]),
)
def test_whatever_csv_writes_is_read_again(tmp_path, monkeypatch, rows, size):
    # Rows of nothing but blanks, and blanks before quotes, have a meaning of their own.
    rows = [(f"k{a}", f"k{b}", f"k{c}") for a, b, c in rows]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_MINIMAL)
    writer.writerows([("p", "q", "r"), *rows])
    path = put(tmp_path, stream.getvalue())
    monkeypatch.setattr(delimited, "_BLOCK", size)
    table = read_table(path, sep=",")
    assert list(table.records()) == rows


@pytest.mark.parametrize("chunk", [1, 7, 1000, 10_000])
@pytest.mark.parametrize("quoted", [False, True])
def test_chunks_are_the_whole(tmp_path, monkeypatch, chunk, quoted):
    monkeypatch.setattr(delimited, "_BLOCK", 300)
    rows = [f'{k},"a{k}\n{k % 3}"' if quoted and k % 5 == 0 else f"{k},b{k}" for k in range(997)]
    path = put(tmp_path, "p,q\n" + "\n".join(rows))
    whole = read_table(path)
    chunks = list(iter_table(path, chunk_rows=chunk))
    assert [c.rows for c in chunks[:-1]] == [chunk] * (len(chunks) - 1)
    assert sum(c.rows for c in chunks) == whole.rows == 997
    assert [r for c in chunks for r in c.records()] == list(whole.records())
    assert np.concatenate([c.lines for c in chunks]).tolist() == whole.lines.tolist()
