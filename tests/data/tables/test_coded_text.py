from __future__ import annotations

import numpy as np
import pytest

from schuss.data import Table
from schuss.data.tables.coded_text import CodedText
from schuss.data.tables.columns import ColumnKind, labels_of
from schuss.data.tables.inference import infer_kinds
from schuss.data.tables.parsing import TEXT
from schuss.errors import DataError

WORDS = ["1.50", "2", "", "NA", "red", "1,234", "2020-01-02"]
CODES = np.array([4, 0, 0, 2, 3, 5, 6, 1], dtype=np.uint8)


def both() -> tuple[Table, Table]:
    """Return a table of coded text, and the same of plain text."""
    coded = CodedText(WORDS, CODES)
    return Table({"a": coded, "b": np.arange(8)}), Table({"a": coded.decoded(), "b": np.arange(8)})


def test_a_table_gives_the_text() -> None:
    coded, plain = both()
    assert coded.is_text("a")
    assert not coded.is_text("b")
    assert coded["a"].dtype == TEXT
    assert coded["a"].tolist() == plain["a"].tolist() == coded.text("a")
    assert list(coded.records()) == list(plain.records())
    rows = np.array([7, 0])
    assert coded.take(rows)["a"].tolist() == ["2", "red"]
    assert coded.select(["a"]).take(slice(1, 3))["a"].tolist() == ["1.50", "1.50"]
    with pytest.raises(DataError, match="there is no column 'c'"):
        coded.is_text("c")


@pytest.mark.parametrize("style", ["plain", "thousands", "decimal comma"])
def test_its_words_are_read_as_each_value_would_be(style: str) -> None:
    coded, plain = both()
    for mine, theirs in zip(coded.numbers("a", style), plain.numbers("a", style), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    for mine, theirs in zip(
        coded.stamps("a", "year first"), plain.stamps("a", "year first"), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_missing_values_kinds_and_labels_are_the_same() -> None:
    coded, plain = both()
    assert coded.with_missing(["red", "2"])["a"].tolist() == (
        plain.with_missing(["red", "2"])["a"].tolist()
    )
    assert coded.with_missing(["blue"]).columns["a"] is coded.columns["a"]
    assert infer_kinds(coded) == infer_kinds(plain)
    category = ColumnKind("a", "category", "", True)
    of_coded, of_plain = (
        [labels[code] if code >= 0 else None for code in codes]
        for labels, codes in (labels_of(table, category) for table in (coded, plain))
    )
    assert of_coded == of_plain
