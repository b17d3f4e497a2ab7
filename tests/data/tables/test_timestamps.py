from __future__ import annotations

import numpy as np
import pytest

from schuss.data.tables.parsing import TEXT
from schuss.data.tables.timestamps import parse_stamp, parse_stamps, stamp_features, time_format


@pytest.mark.parametrize(
    ("text", "style", "expected"),
    [
        ("2019-03-23 20:21:09", "year first", "2019-03-23T20:21:09"),
        ("2019-03-23T20:21:09.25Z", "year first", "2019-03-23T20:21:09.25"),
        ("2019-03-23T20:21:09+02:00", "year first", "2019-03-23T18:21:09"),
        ("2019-03-23T20:21-0530", "year first", "2019-03-24T01:51"),
        ("2019/3/5", "year first", "2019-03-05"),
        ("2019-03", "year first", "2019-03-01"),
        ("5/3/2019 4:05 PM", "month first", "2019-05-03T16:05"),
        ("5/3/2019 12:05 am", "month first", "2019-05-03T00:05"),
        ("5.3.2019", "day first", "2019-03-05"),
        ("31-12-99", "day first", "1999-12-31"),
        ("5 Jan 2019", "month name", "2019-01-05"),
        ("05-Mar-19", "month name", "2019-03-05"),
        ("January 5, 2019 10:00", "month name", "2019-01-05T10:00"),
        ("Mon, 6 January 2020", "month name", "2020-01-06"),
        ("14:35", "clock", "1970-01-01T14:35"),
        ("24:00", "clock", "1970-01-02"),
    ],
)
def test_formats(text, style, expected):
    assert parse_stamp(text, style) == np.datetime64(expected, "us")
    assert time_format([text])[0] in (style, "month first")


@pytest.mark.parametrize(
    ("text", "style"),
    [
        ("2019-13-01", "year first"),
        ("2019-02-30", "year first"),
        ("2019-02/03", "year first"),
        ("1201-11", "year first"),
        ("2019-13", "year first"),
        ("2019-00", "year first"),
        ("13/13/2019", "month first"),
        ("5 Foo 2019", "month name"),
        ("25:00", "clock"),
        ("13:00 pm", "clock"),
        ("now", "year first"),
    ],
)
def test_not_dates(text, style):
    assert parse_stamp(text, style) is None


def test_day_or_month_first_is_told_by_the_values():
    assert time_format(["13/01/2020", "02/03/2020"]) == ("day first", False)
    assert time_format(["01/13/2020", "02/03/2020"]) == ("month first", False)
    assert time_format(["01/02/2020", "02/03/2020"]) == ("month first", True)
    assert time_format(["01.02.2020", "02.03.2020"]) == ("day first", True)


@pytest.mark.parametrize("values", [["red", "blue"], ["1", "2"], ["a 1"], ["10:3", "1.2.3"], []])
def test_no_format(values):
    assert time_format(values) == (None, False)


@pytest.mark.parametrize(
    "texts",
    [
        ["2020-01-02", "", "2021-03-04"],
        ["2020-01-02 03:04:05", "x", "NA"],
        ["2020-01-02 03:04:05", "2020-13-02 03:04:05"],
        ["now", "today"],
    ],
)
def test_columns_are_read_as_their_values(texts):
    stamps, bad = parse_stamps(np.array(texts, dtype=TEXT), "year first")
    singly = [parse_stamp(t, "year first") for t in texts]
    assert bad.tolist() == [s is None for s in singly]
    expected = np.array(
        [np.datetime64("NaT", "us") if s is None else s for s in singly], dtype="M8[us]"
    )
    np.testing.assert_array_equal(stamps, expected)


def test_dates_of_a_clear_format_may_stand_among_others():
    mixed = ["13/01/2020", "2020-02-03", "04/05/2020", "6 July 2020"] * 5
    assert time_format(mixed) == ("day first", False)
    stamps, bad = parse_stamps(np.array(mixed, dtype=TEXT), "day first")
    assert not bad.any()
    assert stamps[:4].astype("datetime64[D]").astype(str).tolist() == [
        "2020-01-13",
        "2020-02-03",
        "2020-05-04",
        "2020-07-06",
    ]
    assert time_format(["2020-02-03", "1.2.2020"]) == ("day first", True)
    assert time_format(["2020-02-03", "6 July 2020"]) == ("year first", False)
    assert time_format(["2020-02-03", "blue"]) == (None, False)
    assert parse_stamp("2020-02-03", "clock") is None


def test_features():
    stamps = np.array(["2020-02-29T18:00", "NaT", "1969-12-31T06:30"], dtype="M8[us]")
    magnitudes, circles = stamp_features(stamps)
    got = {name: values[[0, 2]].tolist() for name, values in magnitudes.items()}
    assert got == {
        "days": [18321.75, -17.5 / 24],
        "year": [2020.0, 1969.0],
        "month": [2.0, 12.0],
        "day of month": [29.0, 31.0],
        "day of week": [5.0, 2.0],
        "hour": [18.0, 6.5],
    }
    for values in (*magnitudes.values(), *circles.values()):
        assert np.isnan(values).tolist() == [False, True, False]
    assert circles["sine of the day"][0] == pytest.approx(-1.0)
    for turn in ("year", "day"):
        s, c = circles[f"sine of the {turn}"], circles[f"cosine of the {turn}"]
        np.testing.assert_allclose((s**2 + c**2)[[0, 2]], 1.0)
