from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest

from schuss.cli.output import check_output, open_output
from schuss.errors import DataError, UsageError

TEXT = np.dtypes.StringDType()

FIRST = {
    "name": np.array(["Ann", 'O"Neil, Bo'], dtype=TEXT),
    "zip": np.array(["01234", "12345"], dtype=TEXT),
    "age": np.array(["41", "5.10"], dtype=TEXT),
    "old": np.array([True, False]),
    "day": np.array(["2020-01-02", "NaT"], dtype="M8[us]"),
    "probability": np.array([0.1, np.nan], dtype=np.float32),
}
SECOND = {
    "name": np.array(["Zoë"], dtype=TEXT),
    "zip": np.array([""], dtype=TEXT),
    "age": np.array(["?"], dtype=TEXT),
    "old": np.array([True]),
    "day": np.array(["2021-01-02T03:04"], dtype="M8[us]"),
    "probability": np.array([1.0], dtype=np.float32),
}


def written(path: Path) -> Path:
    with open_output(str(path), numeric=["age", "probability"]) as write:
        write(FIRST)
        write(SECOND)
    return path


def test_csv(tmp_path: Path) -> None:
    assert written(tmp_path / "out.csv").read_text("utf-8").splitlines() == [
        "name,zip,age,old,day,probability",
        "Ann,01234,41,True,2020-01-02,0.1",
        '"O""Neil, Bo",12345,5.10,False,,',
        "Zoë,,?,True,2021-01-02T03:04,1.0",
    ]


def test_tsv_and_gzip_hold_the_same(tmp_path: Path) -> None:
    plain = written(tmp_path / "out.tsv").read_bytes()
    assert plain.splitlines()[1] == b"Ann\t01234\t41\tTrue\t2020-01-02\t0.1"
    assert gzip.decompress(written(tmp_path / "out.tsv.gz").read_bytes()) == plain
    # Nothing of the moment or the place is in it.
    assert (tmp_path / "out.tsv.gz").read_bytes() == written(tmp_path / "b.tsv.gz").read_bytes()


def test_json_lines_keep_every_digit_of_numbers(tmp_path: Path) -> None:
    lines = written(tmp_path / "out.jsonl").read_text("utf-8").splitlines()
    assert '"age": 5.10' in lines[1]
    assert [json.loads(line) for line in lines] == [
        {"name": "Ann", "zip": "01234", "age": 41, "old": True, "day": "2020-01-02"}
        | {"probability": 0.1},
        {"name": 'O"Neil, Bo', "zip": "12345", "age": 5.1, "old": False, "day": None}
        | {"probability": None},
        {"name": "Zoë", "zip": None, "age": "?", "old": True, "day": "2021-01-02T03:04"}
        | {"probability": 1.0},
    ]


def test_parquet(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(written(tmp_path / "out.parquet")).to_pydict()
    assert table["zip"] == ["01234", "12345", None]
    assert table["age"] == [41.0, 5.1, None]
    assert table["old"] == [True, False, True]
    assert [value and value.year for value in table["day"]] == [2020, None, 2021]
    assert table["probability"] == [np.float32(0.1), None, 1.0]


def test_nothing_is_written_half(tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("before")
    with pytest.raises(RuntimeError), open_output(str(tmp_path / "out.csv")) as write:
        write(FIRST)
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "before"


LATE = {"a": np.array([1.5]), "b": np.array(["x"], dtype=TEXT)}


@pytest.mark.parametrize("name", ["out.csv", "out.tsv.gz", "out.parquet", "-"])
def test_a_column_that_appears_too_late_is_refused(tmp_path: Path, name: str) -> None:
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    target = name if name == "-" else str(tmp_path / name)
    message = "the column 'b' appears after 2 rows, when the columns are written already; "
    with pytest.raises(DataError, match=message), open_output(target) as write:
        write({"a": np.array([1.0, 2.0])})
        write(LATE)
    assert list(tmp_path.iterdir()) == []


def test_lines_of_json_have_columns_of_their_own(tmp_path: Path) -> None:
    with open_output(str(tmp_path / "out.jsonl")) as write:
        write({"a": np.array([1.0])})
        write(LATE)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert lines == ['{"a": 1.0}', '{"a": 1.5, "b": "x"}']


def test_parquet_refuses_a_column_that_changes_its_type(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    message = r"^Parquet: the column 'a' begins with values of type int64 and goes on with double"
    with (
        pytest.raises(DataError, match=message),
        open_output(str(tmp_path / "out.parquet")) as write,
    ):
        write({"a": np.array([1])})
        write({"a": np.array([1.5])})
    assert list(tmp_path.iterdir()) == []


def test_whole_numbers_stay_whole_where_some_are_missing(tmp_path: Path) -> None:
    columns = {"a": np.array([1.0, np.nan, 3.0]), "b": np.array([1.0, 2.0, 2.5])}
    for name, lines in (
        ("a.csv", ["a,b", "1,1.0", ",2.0", "3,2.5"]),
        ("a.jsonl", ['{"a": 1, "b": 1.0}', '{"a": null, "b": 2.0}', '{"a": 3, "b": 2.5}']),
    ):
        with open_output(str(tmp_path / name)) as write:
            write(columns)
        assert (tmp_path / name).read_text().splitlines() == lines


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with open_output("-") as write:
        write({"a": np.array([1, 2])})
    assert capsys.readouterr().out == "a\n1\n2\n"


def test_standard_output_is_utf8_whatever_the_locale_is(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii"))
    with open_output("-") as write:
        write(SECOND)
    assert raw.getvalue().splitlines()[1].startswith("Zoë,".encode())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_standard_output_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    full = io.TextIOWrapper(io.FileIO("/dev/full", "w"))
    monkeypatch.setattr("sys.stdout", full)
    wanted = "No space left on device: 'standard output'"
    with pytest.raises(OSError, match=wanted), open_output("-") as write:
        write(SECOND)
    full.detach().close()


def test_names_that_say_no_format(tmp_path: Path) -> None:
    message = r"out.xls: expected a name that ends in .csv, .* or .parquet|got .xls"
    with pytest.raises(UsageError, match=message):
        check_output("out.xls")
    with pytest.raises(UsageError, match="there is no folder .*gone; make it first"):
        check_output(str(tmp_path / "gone" / "out.csv"))
    if Path("/proc").is_dir():
        message = r"^/proc/out.csv: cannot be written \(.*\); give another place\.$"
        with pytest.raises(UsageError, match=message), open_output("/proc/out.csv"):
            pass
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(UsageError, match="expected a file, got a folder"):
        check_output(str(tmp_path / "folder.csv"))
