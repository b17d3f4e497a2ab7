from __future__ import annotations

import math

import numpy as np
import pytest

from schuss.data.tables.parsing import (
    MISSING_MARKS,
    TEXT,
    is_missing,
    number_format,
    parse_number,
    parse_numbers,
    truth_pair,
)


@pytest.mark.parametrize("mark", sorted(MISSING_MARKS))
def test_missing_marks(mark):
    for text in (mark, mark.upper(), f" {mark} "):
        assert is_missing(text)
        assert math.isnan(parse_number(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3.0),
        (" -2.5e3 ", -2500.0),
        ("+7", 7.0),
        (".5", 0.5),
        ("$12.50", 12.5),
        ("-$3", -3.0),
        ("12 %", 12.0),
        ("7%", 7.0),
        ("€ 5", 5.0),
        ("5 EUR", 5.0),
        ("1 234.5", 1234.5),
        ("inf", math.inf),
        ("\u22127.5", -7.5),
        ("(3.5)", -3.5),
        ("($12)", -12.0),
    ],
)
def test_numbers(text, value):
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["abc", "1_000", "1,5", "12kg", "0x10", "--1", "1 2", "$", "%"])
def test_not_numbers(text):
    assert parse_number(text) is None


def test_commas():
    assert parse_number("1,234,567.5", "thousands") == 1234567.5
    assert parse_number("12,34", "thousands") is None
    assert parse_number("1.234,5", "decimal comma") == 1234.5
    assert parse_number("1,5e3", "decimal comma") == 1500.0
    assert parse_number("1.234", "decimal comma") == 1234.0
    assert parse_number("1.5", "decimal comma") == 1.5
    assert number_format(["1.5", "2"]) == "plain"
    assert number_format(["1,234"]) == "thousands"
    assert number_format(["1,234"], decimal_comma=True) == "decimal comma"
    assert number_format(["1,234", "1,5"]) == "decimal comma"
    assert number_format(["1,234", "1,234,567"], decimal_comma=True) == "thousands"
    assert number_format(["a, b"]) == "plain"


@pytest.mark.parametrize(
    "texts", [["1", "2"], ["1", ""], ["1", "NA"], ["1", "x", " ?"], ["1_0"], [], ["nan", "-3e-5"]]
)
def test_columns_are_read_as_their_values(texts):
    values, bad = parse_numbers(np.array(texts, dtype=TEXT))
    singly = [parse_number(t) for t in texts]
    assert bad.tolist() == [s is None for s in singly]
    np.testing.assert_array_equal(values, [math.nan if s is None else s for s in singly])


def test_truth_pairs():
    assert truth_pair(["Yes", "no"])
    assert truth_pair(["0", "1.0"])
    assert not truth_pair(["yes"])
    assert not truth_pair(["yes", "no", "maybe"])
    assert not truth_pair(["yes", "false"])
