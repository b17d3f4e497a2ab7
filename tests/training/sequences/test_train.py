"""From rows of sequences to predictions; what is refused; resumed bit for bit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training.sequences.conftest import Columns, shuffled, waves

import schuss as ss
from schuss.cli import main
from schuss.errors import DataError, UsageError
from schuss.training import load_run, resume
from schuss.training.tables.diagnose import diagnose_run

QUICK: dict[str, Any] = {
    **{"sequence": "id", "order": "t", "hidden": (8, 8), "epochs": 3, "quiet": True}
}


def without(columns: Columns, *names: str) -> Columns:
    return {name: values for name, values in columns.items() if name not in names}


def write(path: Path, columns: Columns) -> Path:
    lines = zip(*columns.values(), strict=True)
    text = [",".join(columns), *(",".join("" if v is None else str(v) for v in r) for r in lines)]
    path.write_text("\n".join(text) + "\n")
    return path


def test_learns_and_says_one_answer_for_each_sequence(tmp_path: Path) -> None:
    columns = without(waves(120), "size")
    run = ss.train(columns, target="y", **{**QUICK, "epochs": 25}, out=tmp_path / "run")
    assert sum(run.shares.values()) == 120
    new = without(waves(30, seed=5), "size")
    figures = run.evaluate(new)
    assert (figures["accuracy"] or 0.0) > 0.9
    rows = without(new, "y")
    said = run.predict(rows)
    assert said.shape == (30,)
    assert run.sequence_ids(rows).tolist() == [f"s{k}" for k in range(30)]  # type: ignore[attr-defined]
    chances = run.predict_proba(rows)
    assert chances.shape == (30, 2)
    again = load_run(tmp_path / "run")
    assert np.array_equal(again.predict_proba(rows), chances)
    # The order of the rows says nothing, and neither does the company.
    mixed = shuffled(rows)
    by_id = dict(zip(again.sequence_ids(mixed), again.predict_proba(mixed).tolist(), strict=True))  # type: ignore[attr-defined]
    for name, row in zip(run.sequence_ids(rows), chances.tolist(), strict=True):  # type: ignore[attr-defined]
        assert by_id[name] == row
        own = {
            key: [v for v, n in zip(values, rows["id"], strict=True) if n == name]
            for key, values in rows.items()
        }
        assert again.predict_proba(own).tolist() == [row]
    run.save(tmp_path / "waves.schuss")
    assert np.array_equal(load_run(tmp_path / "waves.schuss").predict_proba(rows), chances)


def test_a_quantity_and_frames(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(waves(80))
    run = ss.train(
        frame, target="size", exclude=["y"], **{**QUICK, "epochs": 20}, out=tmp_path / "r"
    )
    assert run.task == "regression"
    found = run.evaluate(pandas.DataFrame(waves(30, seed=3)))
    assert (found["r2"] or 0.0) > 0.5
    assert run.predict(frame).shape == (80,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"y": "x"},
            r"expected one value of the target 'y' for each sequence, got 'x' \(row \d+\)",
        ),
        ({"sequence": "nr"}, "there is no sequence column 'nr'"),
        ({"order": "when"}, "there is no order column 'when'"),
        ({"id": "all"}, "expected at least 2 sequences, got 1"),
        ({"target": "id"}, "'id' is the target, and cannot be the sequence as well"),
        ({"group": "t"}, "expected one group 't' for each sequence"),
        ({"sequence": None}, "expected sequence, the column that says which sequence"),
    ],
)
def test_what_cannot_be_learned_is_one_clear_line(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    columns, options = without(waves(20), "size"), {**QUICK, "target": "y"}
    for name, value in change.items():
        if name == "id":
            columns["id"] = [value] * len(columns["id"])
        elif name in columns:
            columns[name] = [value, *columns[name][1:]]
        else:
            options[name] = value
    with pytest.raises((DataError, UsageError), match=message) as caught:
        ss.train(columns, **options, out=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_whole_sequences_and_groups_and_copies_are_held_out(tmp_path: Path) -> None:
    columns = without(waves(40), "size")
    person = [f"p{int(name[1:]) // 4}" for name in columns["id"]]
    run = ss.train({**columns, "who": person}, target="y", group="who", **QUICK, out=tmp_path / "a")
    # Each person has four sequences: no count is anything else.
    assert all(count % 4 == 0 for count in run.shares.values())
    half = without(waves(20), "size")
    twice = {name: [*values, *values] for name, values in half.items()}
    twice["id"] = [*half["id"], *(f"copy {name}" for name in half["id"])]
    run = ss.train(twice, target="y", **QUICK, out=tmp_path / "b")
    assert any("40 of 40 sequences are there more than once" in note for note in run.notes)
    assert all(count % 2 == 0 for count in run.shares.values())


def test_odd_rows_are_told_of_and_the_run_goes_on(tmp_path: Path) -> None:
    columns = without(waves(40, least=1, most=9), "size")
    columns["a"][3] = None
    columns["t"][5] = None
    columns["id"][7] = None
    columns["y"][9] = None
    extra = {"id": "alone", "t": 0, "a": 0.5, "place": "hip", "y": "fast"}
    for name, value in extra.items():
        columns[name] = [*columns[name], value]
    for name, value in {**extra, "id": "unknown", "y": None}.items():
        columns[name] = [*columns[name], value]
    run = ss.train(columns, target="y", **QUICK, out=tmp_path / "run")
    told = "; ".join(run.notes)
    assert "1 row without a value in 'id': left out (row 8)" in told
    assert "1 row without a value in 't': left out (row 6)" in told
    assert "without a value of the target 'y': left out" in told
    assert sum(run.shares.values()) == 41


def test_resumes_bit_for_bit(tmp_path: Path) -> None:
    columns = without(waves(60), "size")
    whole = ss.train(columns, target="y", **{**QUICK, "epochs": 6}, out=tmp_path / "whole")

    def stop(figures: Any) -> None:
        if figures["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ss.train(
            columns,
            target="y",
            **{**QUICK, "epochs": 6},
            out=tmp_path / "part",
            callbacks=[stop],
            checkpoint_seconds=0.0,
        )
    run = resume(tmp_path / "part", columns, quiet=True)
    assert run.epochs == 6
    for name, value in whole.model.state_dict().items():
        assert np.array_equal(value.array, run.model.state_dict()[name].array), name
    assert run.test == whole.test


def test_commands(tmp_path: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    columns = without(waves(60), "size")
    log = write(tmp_path / "log.csv", shuffled(columns))
    options = ["--sequence", "id", "--order", "t", "--target", "y", "--epochs", "2", "--json"]
    assert main(["train", str(log), *options, "--hidden", "8,8", "--out", "run"]) == 0
    shown = capsys.readouterr()
    assert "60 of them in" in shown.err
    result = json.loads(shown.out.splitlines()[-1])
    assert sum(result["rows"].values()) == 60
    assert main(["predict", "run", str(log), "-o", "out.csv"]) == 0
    head, *rows = Path("out.csv").read_text().splitlines()
    assert head == "id,prediction,probability_fast,probability_slow"
    assert sorted(row.split(",")[0] for row in rows) == sorted(set(columns["id"]))
    capsys.readouterr()
    assert main(["evaluate", "run", str(log), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert figures["rows"] == 60
    assert figures["test"]["accuracy"] == load_run("run").evaluate(columns)["accuracy"]


def test_a_file_is_predicted_in_parts_as_sequences_end(tmp_path: Path, monkeypatch: Any) -> None:
    columns = without(waves(40), "size")
    run = ss.train(columns, target="y", **QUICK, out=tmp_path / "run")
    log = write(tmp_path / "log.csv", columns)
    import schuss.training.sequences.run as module

    read = module.iter_table
    monkeypatch.setattr(module, "iter_table", lambda data, **how: read(data, chunk_rows=50, **how))
    parts = list(run.stream(str(log)))
    assert len(parts) > 3
    ids = np.concatenate([part.columns["id"] for part in parts])
    chances = np.concatenate([part.found.probabilities for part in parts])
    assert ids.tolist() == [f"s{k}" for k in range(40)]
    assert np.array_equal(chances, run.predict_proba(columns))
    assert run.measured(str(log))[0] == run.evaluate(columns)
    # Rows in any order, and some that are of no sequence.
    mixed = shuffled(columns)
    mixed["id"][:60] = [None] * 60
    log = write(tmp_path / "mixed.csv", mixed)
    found = {
        str(name): chances.tolist()
        for part in run.stream(str(log))
        for name, chances in zip(part.columns["id"], part.found.probabilities, strict=True)
    }
    assert found == dict(
        zip(run.sequence_ids(mixed).tolist(), run.predict_proba(mixed).tolist(), strict=True)
    )


def test_no_sequences_have_no_predictions(tmp_path: Path) -> None:
    columns = without(waves(20), "size")
    run = ss.train(columns, target="y", **QUICK, out=tmp_path / "run")
    nothing = {**columns, "id": [None] * len(columns["id"])}
    assert run.predict_proba(nothing).shape == (0, 2)
    with pytest.raises(DataError, match="missing in every row"):
        run.evaluate(nothing)


def test_tables_of_ones_own_to_test_on(tmp_path: Path) -> None:
    columns = without(waves(40), "size")
    other = without(waves(12, seed=4), "size")
    options = {**QUICK, "test": other, "validation": columns}
    run = ss.train(columns, target="y", **options, out=tmp_path / "run")
    assert run.shares == {"train": 40, "validation": 40, "test": 12}
    assert any("40 of its 40 sequences are among those learned from" in n for n in run.notes)
    assert run.test["accuracy"] == run.evaluate(other)["accuracy"]


def test_diagnoses(tmp_path: Path) -> None:
    log = write(tmp_path / "log.csv", without(waves(30), "size"))
    ss.train(log, target="y", **QUICK, out=tmp_path / "run")
    assert diagnose_run(tmp_path / "run").summary


def test_one_class_is_left_in_training(tmp_path: Path) -> None:
    ids = np.repeat(np.arange(40), 4)
    # The latest sequences are all that there are of one class.
    data = {
        "id": ids,
        "at": np.tile(np.arange(4), 40),
        "day": ids * 10 + np.tile(np.arange(4), 40),
        "x": np.random.default_rng(0).normal(size=160),
        "y": np.where(ids < 30, "old", "new"),
    }
    with pytest.raises(DataError, match="all 26 training sequences have the class 'old'"):
        ss.train(data, "y", sequence="id", order="at", time="day", quiet=True, out=tmp_path / "run")
