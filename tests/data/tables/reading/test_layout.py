from __future__ import annotations

import numpy as np
import pytest

from schuss.data import read_table
from schuss.errors import DataError, UsageError


def read(tmp_path, content, name="t.csv", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(path, **options)


@pytest.mark.parametrize(
    "content",
    [
        "# made by hand, twice\n# more\na,b\n1,2\n# in between\n3,4\n",
        "\n# a\ta\n#a,b\n1,2\n3,4\n",
        "sep=;\na;b\n1;2\n3;4\n",
        '"sep=|"\r\na|b\r\n1|2\r\n3|4\r\n',
        "a b\n1 2\n3 4\n",
        "  a    b\n  1    2\n 3     4\n",
        "a \tb\n1 \t2\n3\t 4\n",
        "a  b\r\n1  2\r\n3  4\r\n",
        "a b\n1 2\n3\t4\n",
        f"{'#' * 100_000}\na,b\n1,2\n3,4\n",
    ],
)
def test_lines_before_the_names_and_blanks(tmp_path, content):
    table = read(tmp_path, content)
    assert {n: table.numbers(n)[0].tolist() for n in table.names} == {"a": [1, 3], "b": [2, 4]}


def test_blanks_inside_quotes_stay(tmp_path):
    table = read(tmp_path, 'a b\n1 "x  y"\n2   "z"\n')
    assert table["b"].tolist() == ["x  y", "z"]


def test_one_column_of_words_is_not_split_at_blanks(tmp_path):
    assert read(tmp_path, "full name\nAnn Lee\nBob Ray\n").names == ["full name"]


@pytest.mark.parametrize(
    ("title", "lines"),
    [
        ("Report 2024\n\n", 2),
        ("Report 2024,,\n,,\n", 1),
        ("Sales and more\nall of them\n", 2),
        ("Sales\n", 1),
    ],
)
def test_titles_are_left_out_and_said(tmp_path, title, lines):
    table = read(tmp_path, f"{title}a,b,c\n1,2,3\n4,5,6\n")
    assert table.names == ["a", "b", "c"]
    assert table["c"].tolist() == ["3", "6"]
    assert "taken as a title" in table.notes[0]
    assert table.lines.tolist() == [title.count("\n") + 2, title.count("\n") + 3]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", ["x0", "x1", "x2"]),
        ("63,male,yes\n41,female,no\n", ["x0", "x1", "x2"]),
        ("5.1,3.5,2\n", ["x0", "x1", "x2"]),
        ("0,0,5,1\n0,0,4,2\n", ["x0", "x1", "x2", "x3"]),
        ("yes,red\nno,blue\nyes,blue\nno,red\n", ["x0", "x1"]),
        ("2020-01-01,a\n2020-01-02,b\n", ["x0", "x1"]),
        ("#a\tb\nx\t1\ny\t2\n".replace("\t", ","), ["a", "b"]),
        ("country,1990,2000,2015\nSpain,1,2,3\nItaly,4,5,6\n", ["country", "1990", "2000", "2015"]),
        (",0,1\n0,5,6\n1,7,9\n", ["column 1", "0", "1"]),
        ("y,400.5,401,401.5\na,1,2,3\nb,4,5,6\n", ["y", "400.5", "401", "401.5"]),
        ("a,b\nc,d\n", ["a", "b"]),
    ],
)
def test_whether_the_first_line_is_names(tmp_path, content, names):
    table = read(tmp_path, content)
    assert table.names == names
    assert ("no line of column names" in "".join(table.notes)) == (names[0] == "x0")


def test_header_may_be_said(tmp_path):
    assert read(tmp_path, "a,b\nc,d\n", header="none").rows == 2
    assert read(tmp_path, "1.5,2.5\n3,4\n5,6\n", header="first").names == ["1.5", "2.5"]


def test_a_target_that_is_missing_for_want_of_names(tmp_path):
    table = read(tmp_path, "5.1,3.5,setosa\n4.9,3.0,setosa\n")
    assert "no line of column names" in str(table.without("setosa"))


def test_separator_encoding_and_values_that_mean_missing(tmp_path):
    table = read(
        tmp_path,
        "a^ü\n1^x\n-1^none\n5^y\n".encode("latin-1"),
        sep="^",
        encoding="latin-1",
        na_values=[-1, "y"],
    )
    assert table.names == ["a", "ü"]
    assert np.isnan(table.numbers("a")[0]).tolist() == [False, True, False]
    assert table["ü"].tolist() == ["x", "none", ""]
    frame = read_table({"a": [1, -1, 5]}, na_values=-1)
    assert np.isnan(frame["a"]).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sep": "^^"}, "sep: expected one character, or tab or space, got '\\^\\^'"),
        ({"header": "second"}, "header: expected first or none, got 'second'"),
        ({"encoding": "nope"}, "encoding: expected one that Python knows"),
    ],
)
def test_options_are_checked(tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        read(tmp_path, "a\n1\n", **options)


def test_many_copies_of_a_name_take_linear_time_and_few_notes(tmp_path):
    count = 20_000
    table = read(tmp_path, ",".join(["a"] * count) + "\n" + ",".join(["1"] * count) + "\n")
    assert table.names[-1] == f"a_{count}"
    assert len(table.notes) == 11


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", "x,y\n" + "a" * 100),
        ("t.csv", 'x,y\n"' + "a\n" * 50),
        ("t.csv", "x" + "a" * 100 + ",y\n1,2\n"),
        ("t.jsonl", '{"a": "' + "a" * 100 + '"}\n'),
        ("t.json", '[{"a": "' + "a" * 300 + '"}]\n'),
    ],
)
def test_a_row_has_a_longest(tmp_path, monkeypatch, name, content):
    for module in ("layout", "delimited", "jsonlines"):
        monkeypatch.setattr(f"schuss.data.tables.reading.{module}.LONGEST_RECORD", 30)
        if module != "layout":
            monkeypatch.setattr(f"schuss.data.tables.reading.{module}._BLOCK", 8)
    with pytest.raises(DataError, match=r"line \d: a row is longer than 30 characters"):
        read(tmp_path, content, name)


def test_blank_lines_at_the_beginning(tmp_path):
    table = read(tmp_path, "\n" * 3_000_000 + "x,y\n1,2\n")
    assert table.lines.tolist() == [3_000_002]


def test_a_near_name_that_cannot_be_shown_is_quoted():
    table = read_table({"\x1b[31mred": [1], "z": [2]})
    assert "\x1b" not in str(table.without("y"))
