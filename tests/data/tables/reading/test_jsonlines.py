from __future__ import annotations

import gzip
import json
import re

import numpy as np
import pytest

from schuss.data import iter_table, read_table
from schuss.data.tables.reading import jsonlines
from schuss.errors import DataError


def put(folder, content, name="t.jsonl"):
    path = folder / name
    path.write_text(content)
    return path


def refuses(path, message):
    with pytest.raises(DataError, match=f"^{re.escape(str(path))}{re.escape(message)}$"):
        read_table(path)


def test_keys_that_are_lacking_are_missing_values(tmp_path):
    table = read_table(put(tmp_path, '{"a":1}\n\n{"b":"x","a":null}\n{"a":2.5}\n'))
    assert table.names == ["a", "b"]
    np.testing.assert_array_equal(table["a"], [1.0, np.nan, 2.5])
    assert table["b"].tolist() == ["", "x", ""]
    assert table.lines.tolist() == [1, 3, 4]


def test_types_and_nested_values(tmp_path):
    content = '{"i":1,"t":true,"n":{"k":[1]}}\n{"i":2,"t":false,"n":null}\n'
    table = read_table(put(tmp_path, content))
    assert table["i"].dtype == np.int64
    assert table["t"].dtype == np.bool_
    assert table["n"].tolist() == ['{"k": [1]}', ""]


def test_lists_of_the_same_length_are_text_too(tmp_path):
    table = read_table(put(tmp_path, '{"l":[1,2]}\n{"l":[3,4]}\n'))
    assert table["l"].tolist() == ["[1, 2]", "[3, 4]"]


def test_a_number_of_thousands_of_digits_is_infinite(tmp_path):
    table = read_table(put(tmp_path, '{"a":1.5}\n{"a":' + "9" * 5000 + "}\n"))
    assert table["a"].tolist() == [1.5, np.inf]


def test_half_of_a_surrogate_pair_is_replaced(tmp_path):
    table = read_table(put(tmp_path, '{"a":"x\\ud800y"}\n{"a":"\\ud83d\\ude00"}\n'))
    assert table["a"].tolist() == ["x\ufffdy", "\U0001f600"]


def test_gzip_and_the_other_name(tmp_path):
    path = tmp_path / "t.ndjson.gz"
    path.write_bytes(gzip.compress(b'{"a":1}\n'))
    assert read_table(path).rows == 1


def test_not_json(tmp_path):
    refuses(
        put(tmp_path, '{"a":1}\n{"a":}\n'),
        ", line 2: not valid JSON (expecting value at character 6); expected one object such as "
        '{"age": 31} on each line.',
    )


@pytest.mark.parametrize(
    ("line", "got"), [("[1]", "an array"), ('"x"', "text"), ("3", "a number"), ("null", "null")]
)
def test_not_an_object(tmp_path, line, got):
    refuses(
        put(tmp_path, '{"a":1}\n' + line + "\n"),
        f', line 2: expected an object such as {{"age": 31}}, got {got}; write one object on '
        "each line.",
    )


def test_key_twice(tmp_path):
    path = put(tmp_path, '{"a":1,"a":2}\n')
    refuses(path, ", line 1: the key 'a' is there twice; rename one of them.")


def test_nested_without_end(tmp_path):
    refuses(
        put(tmp_path, '{"a":' + "[" * 100_000 + "\n"),
        ", line 1: nested too deeply; flatten the values.",
    )


def test_no_rows_and_no_keys(tmp_path):
    refuses(put(tmp_path, "\n"), ": the file has no rows; expected one JSON object on each line.")
    refuses(put(tmp_path, "{}\n"), ": the objects have no keys; expected one key for each column.")


def test_chunks_are_the_whole(tmp_path):
    rows = [{"a": k, "b": f"x{k}"} if k % 7 == 6 else {"a": k} for k in range(100)]
    lines = [json.dumps(row) for row in rows]
    path = put(tmp_path, "\n".join(lines))
    whole = read_table(path)
    chunks = list(iter_table(path, chunk_rows=10))
    assert [c.rows for c in chunks] == [10] * 10
    assert np.concatenate([c["a"] for c in chunks]).tolist() == whole["a"].tolist()
    assert whole["b"].tolist()[:8] == [""] * 6 + ["x6", ""]


def test_a_column_that_is_empty_at_first_and_then_numbers(tmp_path):
    values = [None] * 50_010 + [1.5] * 10
    content = "".join(json.dumps({"a": value, "b": 1}) + "\n" for value in values)
    table = read_table(put(tmp_path, content))
    assert table["a"].dtype == np.float64
    assert int(np.isnan(table["a"]).sum()) == 50_010


@pytest.mark.parametrize("block", [7, 1 << 20])
@pytest.mark.parametrize("indent", [None, 1])
def test_an_array_of_objects(tmp_path, monkeypatch, block, indent):
    monkeypatch.setattr(jsonlines, "_BLOCK", block)
    rows = [{"a": k, "b": f"x]{k}", "c": None if k % 3 else [k]} for k in range(50)]
    path = tmp_path / "t.json"
    path.write_text("\n " + json.dumps(rows, indent=indent))
    (table,) = iter_table(path)
    assert table["a"].tolist() == list(range(50))
    assert table["b"][7] == "x]7"
    assert [json.loads(text) for text in table.originals] == rows
    assert table.lines[:2].tolist() == ([2, 2] if indent is None else [3, 10])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[\n{"a": 1},\n{"a": }\n]', "line 3: not valid JSON"),
        ('[{"a": 1},\n', "line 2: not valid JSON"),
        ('[{"a": 1}, 3]', "line 1: expected an object"),
        ('[{"a": 1, "a": 2}]', "line 1: the key 'a' is there twice"),
        ('[{"a": 1}] x', "line 1: not valid JSON"),
        ("[]", "the file has no rows"),
    ],
)
def test_arrays_that_are_no_table(tmp_path, content, message):
    path = tmp_path / "t.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_table(path)


def test_rows_with_keys_of_their_own_are_refused(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("".join(f'{{"k{k}": 1}}\n' for k in range(3000)))
    with pytest.raises(DataError, match="3,000 different keys in 3,000 rows, of which a row has 1"):
        read_table(path)


def test_values_nested_too_deeply_to_be_written_again(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": ' + "[" * 985 + "]" * 985 + '}\n{"a": 1}\n')
    with pytest.raises(DataError, match="nested too deeply"):
        read_table(path)
