"""Predictions beside the input's columns, in any format, of files larger than memory."""

from __future__ import annotations

import csv
import gzip
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from schuss import data
from schuss.data import read_table
from schuss.training import load

FLOWERS = """id,petal_width,note,petal_length,sepal_width,sepal_length
007,0.20,"a, b",1.4,3.5,5.1
008,1.8,,6.0,3.2,7.2
009,,?,,2.8,
"""
BUNDLED = Path(data.__file__).parent / "bundled" / "iris.csv"
PROBABILITIES = ["probability_setosa", "probability_versicolor", "probability_virginica"]


@pytest.fixture
def run(schuss, tmp_path: Path) -> Path:
    assert schuss("train", "iris", "--epochs", 20, "--out", "run").status == 0
    (tmp_path / "new.csv").write_text(FLOWERS)
    return tmp_path / "run"


def test_columns_stay_as_they_are(schuss, run: Path) -> None:
    done = schuss("predict", "run", "new.csv", "-o", "out.csv")
    assert (done.status, done.out) == (0, "")
    assert done.err == "3 predictions: out.csv\n"
    before = list(csv.reader(FLOWERS.splitlines()))
    with (run.parent / "out.csv").open(newline="") as file:
        after = list(csv.reader(file))
    assert after[0] == [*before[0], "prediction", *PROBABILITIES]
    assert [line[:6] for line in after[1:]] == before[1:]
    assert [line[6] for line in after[1:3]] == ["setosa", "virginica"]
    chances = np.array([line[7:] for line in after[1:]], float)
    assert chances.sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    # What is written reads back as the very numbers.
    assert chances.tolist() == load(run).predict_proba(run.parent / "new.csv").tolist()


def test_columns_without_names_keep_theirs(schuss, run: Path) -> None:
    (run.parent / "plain.csv").write_text("x0,x1,x2,x3\n5.1,3.5,1.4,0.2\n")
    done = schuss("predict", "run", "plain.csv")
    assert done.status == 0, done.err
    assert done.out.startswith("x0,x1,x2,x3,prediction,")
    assert done.out.splitlines()[1].startswith("5.1,3.5,1.4,0.2,setosa,")


def test_standard_output_is_the_default(schuss, run: Path) -> None:
    done = schuss("predict", "run", "new.csv")
    schuss("predict", "run", "new.csv", "-o", "out.csv")
    assert done.out == (run.parent / "out.csv").read_text()
    assert done.err == ""


def test_a_reader_that_stops_reading_is_no_error(run: Path) -> None:
    lines = FLOWERS.splitlines()
    (run.parent / "long.csv").write_text("\n".join([*lines, *lines[1:] * 3000]) + "\n")
    command = [sys.executable, "-m", "schuss", "predict", "run", "long.csv"]
    with subprocess.Popen(
        command, cwd=run.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        started.stdout.readline()
        started.stdout.close()
        assert started.stderr.read() == b""


def test_other_formats_in_and_out(schuss, run: Path) -> None:
    folder = run.parent
    schuss("predict", "run", "new.csv", "-o", "a.jsonl.gz")
    lines = gzip.decompress((folder / "a.jsonl.gz").read_bytes()).decode().splitlines()
    records = [json.loads(line) for line in lines]
    assert records[0]["id"] == "007"
    assert '"petal_width": 0.20,' in lines[0]
    assert records[1]["note"] is None
    assert records[2]["sepal_length"] is None
    schuss("predict", "run", "a.jsonl.gz", "-o", "b.tsv")
    again = read_table(folder / "b.tsv")
    assert again.names[-4:] == ["prediction_2", *(f"{name}_2" for name in PROBABILITIES)]
    assert again["prediction_2"].tolist() == again["prediction"].tolist()


def test_parquet(schuss, run: Path) -> None:
    pytest.importorskip("pyarrow")
    schuss("predict", "run", "new.csv", "-o", "c.parquet")
    done = schuss("predict", "run", "c.parquet", "-o", "d.csv", "--quiet")
    assert done.err.count("already; the new one is") == 4
    assert read_table(run.parent / "d.csv")["prediction_2"].tolist()[:2] == ["setosa", "virginica"]


def test_values(schuss, tmp_path: Path) -> None:
    lines = [f"{k % 17},{2.5 * (k % 17) + 0.25}" for k in range(100)]
    (tmp_path / "t.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
    assert schuss("train", "t.csv", "--target", "y", "--epochs", 2, "--out", "run").status == 0
    done = schuss("predict", "run", "t.csv", "-o", "out.csv", "--json")
    counts = {"rows": 100, "columns": ["prediction"], "cut": 0, "beyond": 0}
    assert done.json == {"run": "run", "out": "out.csv", **counts}
    found = read_table(tmp_path / "out.csv")
    assert found.names == ["x", "y", "prediction"]
    schuss("predict", "run", "t.csv", "-o", "out.jsonl")
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert (first["x"], first["y"]) == (0, 0.25)
    expected = load(tmp_path / "run").predict(tmp_path / "t.csv")
    assert found["prediction"].astype(float).tolist() == expected.tolist()


def test_lines_of_json_stay_as_they_are(schuss, run: Path) -> None:
    flower = '"sepal_length": 5.1, "sepal_width":3.5, "petal_length": 1.4, "petal_width": 0.2'
    lines = [
        "{" + flower + ', "id": 12345678901234567890, "at": {"x": [1, 2]}, "fresh": true}',
        "  { " + flower + ' , "fresh": null, "more": "\\u00e9" }  ',
    ]
    (run.parent / "new.jsonl").write_text("\n".join(lines) + "\n")
    done = schuss("predict", "run", "new.jsonl", "-o", "out.jsonl")
    assert done.status == 0, done.err
    found = [json.loads(line) for line in (run.parent / "out.jsonl").read_text().splitlines()]
    for line, written in zip(lines, found, strict=True):
        whole = json.loads(line)
        assert list(written)[: len(whole)] == list(whole)
        assert {name: written[name] for name in whole} == whole
        assert written["prediction"] == "setosa"
        assert 0.5 < written["probability_setosa"] <= 1.0


def test_a_saved_file_does_as_well(schuss, run: Path) -> None:
    load(run).save(run.parent / "iris.schuss")
    done = schuss("predict", "iris.schuss", "new.csv")
    assert done.out == schuss("predict", "run", "new.csv").out


def test_evaluate(schuss, run: Path) -> None:
    done = schuss("evaluate", "run", "iris", "--json")
    assert done.status == 0
    assert done.json["test"] == load(run).evaluate("iris")
    shown = f"accuracy           {done.json['test']['accuracy']:.4f}"
    assert shown in done.out.splitlines()


def repeated(path: Path, times: int) -> Path:
    head, *lines = FLOWERS.splitlines()
    with path.open("w") as file:
        file.write(f"{head}\n")
        for _ in range(times):
            file.write("\n".join(lines) + "\n")
    return path


def test_chunks_are_joined(schuss, run: Path) -> None:
    repeated(run.parent / "long.csv", 17_000)
    assert schuss("predict", "run", "long.csv", "-o", "out.csv").status == 0
    found = read_table(run.parent / "out.csv")
    assert found.rows == 51_000
    assert found["id"].tolist() == ["007", "008", "009"] * 17_000
    assert found["prediction"].tolist() == found["prediction"].tolist()[:3] * 17_000


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(run: Path) -> None:
    peaks = []
    for times in (250_000, 500_000):
        repeated(run.parent / "long.csv", times)
        code = (
            "import resource, schuss.cli; "
            "schuss.cli.main(['predict', 'run', 'long.csv', '-o', 'out.csv', '--quiet']); "
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], cwd=run.parent, capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout) * (1 if sys.platform == "darwin" else 1024))
    assert peaks[1] < peaks[0] + 20e6


def test_a_carriage_return_in_a_field_is_quoted(schuss, run: Path) -> None:
    text = FLOWERS.replace('"a, b"', '"a\rb"')
    (run.parent / "new.csv").write_bytes(text.encode())
    for name, delimiter in (("out.csv", ","), ("out.tsv", "\t")):
        schuss("predict", "run", "new.csv", "-o", name)
        with (run.parent / name).open(newline="") as file:
            records = list(csv.reader(file, delimiter=delimiter))
        assert [len(record) for record in records] == [10] * 4
        assert records[1][2] == "a\rb"


LONG = [2**60 + 1, None, 1234567890123456789]


@pytest.mark.parametrize("out", ["out.csv", "out.jsonl", "out.parquet"])
@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_long_ids_of_parquet_stay(schuss, run: Path, kind: str, out: str) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    ids = LONG if kind == "int64" else [2**63 + 1, 5, None]
    table = read_table(run.parent / "new.csv")
    flowers = {name: table.numbers(name)[0] for name in table.names if name[:1] in "ps"}
    parquet.write_table(
        pyarrow.table({"key": pyarrow.array(ids, kind), **flowers}), run.parent / "in.parquet"
    )
    assert schuss("predict", "run", "in.parquet", "-o", out).status == 0
    path = run.parent / out
    if out == "out.parquet":
        assert parquet.read_table(path)["key"].to_pylist() == ids
    elif out == "out.jsonl":
        assert [json.loads(line)["key"] for line in path.read_text().splitlines()] == ids
    else:
        assert read_table(path)["key"].tolist() == ["" if n is None else str(n) for n in ids]


def test_evaluate_says_how_many_rows(schuss, run: Path) -> None:
    lines = BUNDLED.read_text().splitlines()
    lines[1:11] = [line.rpartition(",")[0] + "," for line in lines[1:11]]
    (run.parent / "gaps.csv").write_text("\n".join(lines) + "\n")
    done = schuss("evaluate", "run", "gaps.csv", "--json")
    assert "140 of 150 rows (10 without species)\n" in done.out
    assert (done.json["rows"], done.json["rows_without_target"]) == (140, 10)
    assert schuss("evaluate", "run", "iris").out.endswith("\n150 rows\n")


def test_options_of_reading(schuss, run: Path) -> None:
    lines = BUNDLED.read_text().replace(",", "^").replace("setosa", "séta").splitlines()
    lines[1] = lines[1].replace("5.1", "-7")
    (run.parent / "t.txt").write_bytes("\n".join(lines[1:]).encode("latin-1"))
    how = ("--sep", "^", "--encoding", "latin-1", "--header", "none")
    out = ("--epochs", 1, "--out", "other", "--na-values", "-7")
    done = schuss("train", "t.txt", "--target", "x4", *how, *out)
    assert done.status == 0, done.err
    assert "numbers, 1 of 150 missing" in done.err
    # The run knows what means missing.
    done = schuss("predict", "other", "t.txt", *how)
    assert done.status == 0, done.err
    with_gap = (run.parent / "t.txt").read_bytes().replace(b"-7^", b"^")
    (run.parent / "t.txt").write_bytes(with_gap)
    again = schuss("predict", "other", "t.txt", *how)
    assert again.out == done.out.replace("-7,", ",", 1)


def test_from_standard_input(run: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "schuss", "predict", str(run), "-"],
        input=FLOWERS,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("id,petal_width,note,")
    assert len(done.stdout.splitlines()) == 4


def test_values_beyond_the_training_rows_are_told(schuss, tmp_path: Path) -> None:
    new = "x\n5\n40\n"
    for name, value in (("line", "{0}"), ("bent", "({0} - 8) ** 2")):
        lines = [f"{k % 17},{eval(value.format(k % 17)) + 0.5}" for k in range(100)]
        (tmp_path / f"{name}.csv").write_text("x,y\n" + "\n".join(lines) + "\n")
        words = ("--target", "y", "--task", "regression", "--epochs", 20, "--out", name)
        assert schuss("train", f"{name}.csv", *words).status == 0
    (tmp_path / "new.csv").write_text(new)
    done = schuss("predict", "line", "new.csv", "-o", "out.csv", "--json")
    assert (done.json["cut"], done.json["beyond"]) == (0, 1)
    said = (
        "note: 1 of the predictions lies beyond 0.5 to 16.5, the range of 'y' in the training rows"
    )
    assert done.err == f"2 predictions: out.csv\n{said}; a line goes on there\n"
    assert schuss("predict", "line", "new.csv", "-o", "out.csv", "--quiet").err == ""
    done = schuss("predict", "bent", "new.csv", "-o", "out.csv", "--json")
    assert done.json["beyond"] == 0
