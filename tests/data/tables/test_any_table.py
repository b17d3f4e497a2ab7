"""Whatever is in a file: it is read and prepared, or refused in one line."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from schuss.data import (
    PreparedTable,
    Table,
    TablePreprocessor,
    TargetEncoder,
    iter_table,
    prepare_table,
    read_table,
)
from schuss.errors import DataError

VALUES = st.one_of(
    st.sampled_from(["", "NA", "0", "1", "yes", "no", "True", "False", "1.5", "-2", "1e9", "1,5"]),
    st.sampled_from(["2020-01-01", "13/01/2020", "12:30", "red", "blue", "01", "$5", "7%", "x y"]),
    st.integers(min_value=-1000, max_value=1000).map(str),
    st.floats(allow_nan=True, allow_infinity=True).map(repr),
    st.text(max_size=5),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_columns_are_prepared_or_refused(data):
    rows = data.draw(st.integers(min_value=1, max_value=30))
    width = data.draw(st.integers(min_value=1, max_value=4))
    columns = {}
    for k in range(width):
        pool = data.draw(st.lists(VALUES, min_size=1, max_size=6))
        choices = st.sampled_from(pool)
        columns[f"c{k}"] = data.draw(st.lists(choices, min_size=rows, max_size=rows))
    table = Table(columns)
    try:
        ready = prepare_table(table, "c0", seed=data.draw(st.integers(0, 99)))
    except DataError as error:
        message = str(error)
    else:
        check(ready)
        return
    assert len(message.splitlines()) == 1
    assert len(message) < 600


def check(ready: PreparedTable) -> None:
    again = TablePreprocessor.from_config(json.loads(json.dumps(ready.preprocessor.to_config())))
    target = TargetEncoder.from_config(json.loads(json.dumps(ready.target.to_config())))
    for share in (ready.train, ready.validation, ready.test):
        if share is None:
            continue
        assert np.isfinite(share.numeric).all()
        assert np.isfinite(share.y).all()
        numeric, categories = again.transform(share.table)
        np.testing.assert_array_equal(numeric, share.numeric)
        np.testing.assert_array_equal(categories, share.categories)
        np.testing.assert_array_equal(target.encode(share.table)[0], share.y)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
@example(content=b'a,b\n"')
@example(content=b'"\n')
@example(content=b"\xff\xfe")
@example(content=b"\x1f\x8b")
@example(content=b"a\r\r\n1")
def test_any_bytes_are_read_or_refused(tmp_path, content):
    for name in ("t.csv", "t.tsv", "t.jsonl", "t.csv.gz"):
        path = tmp_path / name
        path.write_bytes(content)
        try:
            table = read_table(path)
        except DataError as error:
            message = str(error)
        else:
            message = "read"
            chunks = list(iter_table(path, chunk_rows=1))
            assert sum(chunk.rows for chunk in chunks) == table.rows
        assert len(message.splitlines()) == 1
