from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss.errors import DataError, UsageError
from schuss.training import Run, load, train

OPTIONS: dict[str, Any] = {"hidden": [16], "epochs": 20, "quiet": True}


def test_arrays_and_frames_and_targets_of_their_own(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    draw = np.random.default_rng(0)
    x = draw.normal(size=(60, 3))
    y = (x[:, 0] > 0).astype(int) + 3
    frame = pandas.DataFrame(x, columns=["a", "b", "c"])
    runs = [
        train((x, y), out=tmp_path / "pair", **OPTIONS),
        train(x, y, out=tmp_path / "apart", **OPTIONS),
        train(frame.assign(y=y), target="y", out=tmp_path / "frame", **OPTIONS),
        train(frame, y, out=tmp_path / "both", **OPTIONS),
    ]
    assert runs[0].classes.tolist() == [3, 4]
    assert runs[0].predict(x).dtype == np.int64
    for run in runs[1:]:
        assert np.array_equal(run.predict_proba(x), runs[0].predict_proba(x))
    assert runs[0].evaluate((x, y)) == pytest.approx(runs[2].evaluate(frame.assign(y=y)))
    assert runs[2].evaluate((x, y)) == pytest.approx(runs[0].evaluate((x, y)))
    named = pandas.Series(y, name="y")
    assert runs[2].evaluate((x, named)) == pytest.approx(runs[0].evaluate((x, y)))


def test_options_of_the_split_and_of_weights(flat_rows: Any, tmp_path: Path) -> None:
    table = flat_rows()
    run = train(
        table,
        "rent",
        out=tmp_path / "time",
        sample_weight="weight",
        time="day",
        exclude=["owner"],
        test_share=0.25,
        validation_share=0.1,
        **OPTIONS,
    )
    assert run.shares == {"train": 81, "validation": 9, "test": 30}
    assert set(run.kinds) == {"size", "town"}
    latest = {name: values[-30:] for name, values in table.items()}
    assert run.evaluate(latest) == pytest.approx(run.test)
    grouped = train(
        table,
        "rent",
        out=tmp_path / "group",
        group="owner",
        exclude=["day", "weight"],
        patience=2,
        optimizer="sgd",
        lr=0.01,
        weight_decay=0.0,
        batch_size=16,
        dropout=0.0,
        **OPTIONS,
    )
    assert "owner" not in grouped.kinds


def test_tests_and_validations_of_their_own(flat_rows: Any, tmp_path: Path) -> None:
    options = OPTIONS | {"exclude": ["weight", "day", "owner"]}
    run = train(
        flat_rows(),
        "rent",
        test=flat_rows(30, seed=1),
        validation=flat_rows(20, seed=2),
        out=tmp_path / "run",
        **options,
    )
    assert run.shares == {"train": 120, "validation": 20, "test": 30}
    assert run.test == pytest.approx(run.evaluate(flat_rows(30, seed=1)))
    assert run.validation == pytest.approx(run.evaluate(flat_rows(20, seed=2)))
    none = train(
        flat_rows(), "rent", test_share=0.0, validation_share=0.0, out=tmp_path / "none", **options
    )
    assert none.shares == {"train": 120, "validation": 0, "test": 0}
    assert none.test == none.validation == {}
    assert none.best_epoch == 20


def test_class_weights_change_what_is_learned(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 2))
    y = np.where(x[:, 0] + draw.normal(size=300) > 1.6, "rare", "common")
    plain = train((x, y), out=tmp_path / "plain", **OPTIONS)
    balanced = train((x, y), out=tmp_path / "balanced", class_weight="balanced", **OPTIONS)
    given = train((x, y), out=tmp_path / "given", class_weight={"rare": 9.0}, **OPTIONS)
    many = [np.mean(run.predict(x) == "rare") for run in (plain, balanced, given)]
    assert many[0] < min(many[1:])
    with pytest.raises(UsageError, match="class_weight names 'odd'; the classes are common, rare"):
        train((x, y), out=tmp_path / "odd", class_weight={"odd": 1.0}, **OPTIONS)
    with pytest.raises(UsageError, match="class_weight needs classes"):
        train((x, x[:, 0]), out=tmp_path / "odd", class_weight="balanced", **OPTIONS)
    assert not (tmp_path / "odd").exists()


def test_undefined_figures_are_null_and_said(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(40, 2))
    y = np.array(["a", "b"] * 20)
    run = train((x, y), test=(x[:4], ["a"] * 4), out=tmp_path / "run", **OPTIONS)
    assert run.test["auc"] is None
    assert "auc of the test rows: undefined, since some class has no rows there" in run.notes


def test_notes_come_before_training_and_nothing_when_quiet(
    flat_rows: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = flat_rows(40) | {"same": [1] * 40}
    started: list[Run] = []
    options = OPTIONS | {"epochs": 1}
    run = train(columns, "rent", out=tmp_path / "a", on_start=started.append, **options)
    assert started == [run]
    assert any(note.startswith("same: ") for note in run.notes)
    assert capsys.readouterr() == ("", "")
    train(columns, "rent", out=tmp_path / "b", **(options | {"quiet": False}))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "same: " in printed.err
    assert "trained 1 epoch" in printed.err


def test_wrong_options_are_named_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        train("iris", epochs=0, lr=-1.0, test_share=1.0, optimizer="x", seed=-1, out=tmp_path / "r")
    for part in ("epochs", "lr", "test_share", "optimizer", "seed"):
        assert part in str(caught.value)
    with pytest.raises(UsageError, match="expected the target, the column to predict"):
        train({"a": [1, 2]}, out=tmp_path / "r", **OPTIONS)
    with pytest.raises(DataError, match="did you mean 'species'"):
        train("iris", "specie", out=tmp_path / "r", **OPTIONS)
    with pytest.raises(DataError, match=r"nothing\.csv"):
        train(tmp_path / "nothing.csv", "y", out=tmp_path / "r", **OPTIONS)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(UsageError, match="something else is there"):
        train("iris", out=tmp_path / "other", **OPTIONS)


def test_options_in_numpys_numbers(tmp_path: Path) -> None:
    given: dict[str, Any] = {"epochs": np.int64(2), "lr": np.float32(0.01), "seed": np.int32(3)}
    run = train("iris", hidden=(np.int64(8),), out=tmp_path / "run", quiet=True, **given)
    assert run.epochs == 2
    assert load(tmp_path / "run").config["options"]["hidden"] == [8]
    auto = train("iris", hidden=[8], epochs=2, lr="auto", out=tmp_path / "auto", quiet=True)
    assert auto.config["options"]["lr"] is None
    with pytest.raises(UsageError, match=r"expected lr above 0, got 'fast'; seed .* got True"):
        train("iris", lr="fast", seed=True, out=tmp_path / "no")
    with pytest.raises(UsageError, match="patience needs validation rows"):
        train("iris", patience=3, validation_share=0.0, out=tmp_path / "no")
    assert not (tmp_path / "no").exists()


def test_folders_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = OPTIONS | {"epochs": 1}
    assert train("iris", **options).folder == Path("runs/iris-1")
    assert train("iris", **options).folder == Path("runs/iris-2")
    (tmp_path / "runs" / "iris-7").mkdir()
    assert train("iris", **options).folder == Path("runs/iris-8")
    assert train((np.eye(4), [0, 1, 0, 1]), **options).folder == Path("runs/table-1")


def test_few_rows_are_validated_by_the_networks_that_left_them_out(
    flat_rows: Any, tmp_path: Path
) -> None:
    run = train(flat_rows(), "rent", test_share=0.0, epochs=3, out=tmp_path / "few", quiet=True)
    assert run.members == 5
    record = run.history[run.best_epoch - 1]
    assert run.validation == {name: record[f"validation_{name}"] for name in run.validation}
    assert run.validation["rmse"] == min(r["validation_rmse"] for r in run.history)
    again = load(tmp_path / "few")
    np.testing.assert_array_equal(again.predict(flat_rows()), run.predict(flat_rows()))
    # The average has seen all the rows, the figure none.
    whole = train(
        flat_rows(), "rent", test_share=0.0, validation_share=0.2, epochs=1, out=tmp_path / "one"
    )
    assert whole.members is None
