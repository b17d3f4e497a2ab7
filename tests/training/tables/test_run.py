from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.data import Table, iter_table, read_table
from schuss.errors import DataError, FileFormatError, UsageError
from schuss.training import Run, load, train

OPTIONS: dict[str, Any] = {"hidden": [16], "epochs": 20, "quiet": True}


def _flats(rows: int = 120, seed: int = 0) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    size = draw.uniform(20.0, 200.0, rows)
    town = draw.choice(["Bern", "Chur", "Genf"], rows)
    factor = np.array([{"Bern": 9.0, "Chur": 5.0, "Genf": 14.0}[t] for t in town])
    kept = np.where(draw.random(rows) < 0.1, np.nan, size)
    return {
        "size": kept,
        "town": town,
        "weight": draw.integers(1, 4, rows),
        "day": np.arange(rows).astype("datetime64[D]").astype("datetime64[us]"),
        "owner": np.arange(rows) // 4,
        "rent": size * factor + draw.normal(0.0, 20.0, rows),
    }


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train("iris", out=tmp_path_factory.mktemp("iris") / "run", **OPTIONS)


@pytest.fixture(scope="module")
def flats(tmp_path_factory: pytest.TempPathFactory) -> Run:
    place = tmp_path_factory.mktemp("flats") / "run"
    options = OPTIONS | {"exclude": ["weight", "day", "owner"], "epochs": 60, "batch_size": 16}
    return train(_flats(), "rent", out=place, **options)


def test_a_run_says_what_came_of_it(iris: Run) -> None:
    assert iris.task == "classification"
    assert iris.classes.tolist() == ["setosa", "versicolor", "virginica"]
    assert iris.shares == {"train": 120, "validation": 0, "test": 30}
    assert iris.epochs == len(iris.history) == 20
    assert 1 <= iris.best_epoch <= 20
    assert iris.finished
    assert iris.seconds > 0.0
    names = {"loss", "accuracy", "balanced_accuracy", "log_loss", "auc"}
    assert set(iris.test) == set(iris.validation) == names
    assert iris.test["accuracy"] is not None
    assert iris.test["accuracy"] > 0.8
    assert [c["column"] for c in iris.columns] == list(iris.kinds)
    assert "classification of 'species', test accuracy" in repr(iris)


def test_predictions_of_classes(iris: Run) -> None:
    table = read_table("iris")
    chances = iris.predict_proba("iris")
    assert chances.shape == (150, 3)
    assert chances.dtype == np.float64
    assert chances.sum(axis=1) == pytest.approx(np.ones(150))
    labels = iris.predict(table)
    assert np.array_equal(labels, iris.classes[chances.argmax(axis=1)])
    assert np.mean(labels == np.array(table.text("species"))) > 0.85
    both = iris.predict_table(table)
    assert np.array_equal(both.labels, labels)
    assert np.array_equal(both.probabilities, chances)  # type: ignore[arg-type]


def test_rows_in_every_form_give_the_same(iris: Run, tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    rows = [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
    names = list(iris.kinds)
    columns = {name: [row[k] for row in rows] for k, name in enumerate(names)}
    file = tmp_path / "new.csv"
    file.write_text(",".join(names) + "\n" + "\n".join(",".join(map(str, r)) for r in rows) + "\n")
    expected = iris.predict_proba(np.array(rows))
    shuffled = {name: columns[name] for name in reversed(names)} | {"more": ["a", "b"]}
    records = [dict(zip(names, row, strict=True)) for row in rows]
    for given in (
        rows,
        columns,
        shuffled,
        records,
        pandas.DataFrame(columns),
        file,
        str(file),
        Table(columns),
    ):
        assert np.array_equal(iris.predict_proba(given), expected)
    one = iris.predict_proba(rows[0])
    assert one.shape == (1, 3)
    assert one == pytest.approx(expected[:1])
    assert iris.predict_proba(columns | dict(zip(names, rows[1], strict=True))).shape == (1, 3)
    with pytest.raises(DataError, match=f"the column '{names[0]}'"):
        iris.predict({"other": [1.0]})


def test_chunks_give_what_the_whole_gives(iris: Run) -> None:
    parts = [iris.predict_table(c).probabilities for c in iter_table("iris", chunk_rows=64)]
    assert [len(p) for p in parts if p is not None] == [64, 64, 22]
    whole = iris.predict_proba("iris")
    assert np.concatenate([p for p in parts if p is not None]) == pytest.approx(whole, abs=1e-6)


def test_predictions_of_values_keep_to_what_was_seen(flats: Run) -> None:
    assert flats.task == "regression"
    assert set(flats.test) == {"loss", "rmse", "mae", "r2"}
    assert flats.test["r2"] is not None
    assert flats.test["r2"] > 0.3
    table = _flats()
    values = flats.predict(table)
    assert values.dtype == np.float64
    low, high = flats.config["range"]
    assert values.min() >= low
    assert values.max() <= high
    assert high <= max(table["rent"])
    with pytest.raises(UsageError, match="predicts the value of 'rent', not classes"):
        flats.predict_proba(table)


def test_figures_are_those_of_the_predictions(iris: Run, flats: Run) -> None:
    table = _flats(50, seed=3)
    error = flats.predict(table) - table["rent"]
    found = flats.evaluate(table)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found["mae"] == pytest.approx(np.mean(np.abs(error)))
    text = np.array(read_table("iris").text("species"))
    assert iris.evaluate("iris")["accuracy"] == np.mean(iris.predict("iris") == text)


def test_rows_without_a_target_are_left_out_of_figures(iris: Run) -> None:
    table = read_table("iris")
    part = table.take(np.arange(100))
    species = np.array(part.text("species"), dtype=object)
    species[:40] = None
    columns = {n: part[n] for n in part.names if n != "species"} | {"species": species}
    assert iris.evaluate(columns) == iris.evaluate(table.take(np.arange(40, 100)))
    found = iris.evaluate(table.take(np.arange(50)))
    assert found["auc"] is None
    assert found["accuracy"] is not None
    with pytest.raises(DataError, match="missing in every row"):
        iris.evaluate(columns | {"species": [None] * 100})
    with pytest.raises(DataError, match="'species' is missing"):
        iris.evaluate(table.drop(["species"]))
    with pytest.raises(DataError, match="expected one of the classes learned"):
        iris.evaluate(columns | {"species": ["rose"] * 100})


def test_saved_and_loaded_runs_predict_the_same_bits(iris: Run, flats: Run, tmp_path: Path) -> None:
    for run, rows in ((iris, "iris"), (flats, _flats(30, seed=1))):
        file = tmp_path / f"{run.task}.schuss"
        run.save(file)
        assert run.folder is not None
        for again in (load(file), ss.load(str(run.folder))):
            assert np.array_equal(again.predict(rows), run.predict(rows))
            assert again.test == run.test
            assert again.validation == run.validation
            assert (again.epochs, again.seconds) == (run.epochs, run.seconds)
            assert again.notes == run.notes
        assert load(run.folder).history == run.history
        assert load(file).folder is None


def test_the_same_seed_gives_the_same_bits(iris: Run, tmp_path: Path) -> None:
    again = train("iris", out=tmp_path / "again", **OPTIONS)
    assert again.test == iris.test
    for name, value in iris.model.state_dict().items():
        assert np.array_equal(value.array, again.model.state_dict()[name].array)
    other = train("iris", out=tmp_path / "other", **OPTIONS, seed=1)
    assert not np.array_equal(other.predict_proba("iris"), iris.predict_proba("iris"))


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


def test_options_of_the_split_and_of_weights(tmp_path: Path) -> None:
    table = _flats()
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


def test_tests_and_validations_of_their_own(tmp_path: Path) -> None:
    options = OPTIONS | {"exclude": ["weight", "day", "owner"]}
    run = train(
        _flats(),
        "rent",
        test=_flats(30, seed=1),
        validation=_flats(20, seed=2),
        out=tmp_path / "run",
        **options,
    )
    assert run.shares == {"train": 120, "validation": 20, "test": 30}
    assert run.test == pytest.approx(run.evaluate(_flats(30, seed=1)))
    assert run.validation == pytest.approx(run.evaluate(_flats(20, seed=2)))
    none = train(
        _flats(), "rent", test_share=0.0, validation_share=0.0, out=tmp_path / "none", **options
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
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = _flats(40) | {"same": [1] * 40}
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


def test_an_altered_saved_file_is_refused(iris: Run, tmp_path: Path) -> None:
    file = tmp_path / "iris.schuss"
    iris.save(file)
    content = file.read_bytes()
    for cut in (0, 1, 8, 100, len(content) // 2, len(content) - 1):
        file.write_bytes(content[:cut])
        with pytest.raises(FileFormatError):
            load(file)
    for place in range(0, len(content), len(content) // 40):
        file.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(FileFormatError):
            load(file)
    file.write_bytes(b"species,petal\n1,2\n")
    with pytest.raises(FileFormatError):
        load(file)
    with pytest.raises(DataError, match="there is no such run or file"):
        load(tmp_path / "nowhere")


def test_the_saved_file_is_plain_safetensors_with_its_config(iris: Run, tmp_path: Path) -> None:
    numpy = pytest.importorskip("safetensors.numpy")
    iris.save(tmp_path / "iris.schuss")
    arrays = numpy.load_file(tmp_path / "iris.schuss")
    assert arrays.keys() == iris.model.state_dict().keys()
    from schuss.nn.serialization import load_metadata

    header = json.loads(load_metadata(tmp_path / "iris.schuss")["schuss"])
    assert header["format"] == 1
    assert header["config"]["target"] == "species"


def test_a_cut_history_is_noticed(iris: Run, tmp_path: Path) -> None:
    import shutil

    place = tmp_path / "run"
    assert iris.folder is not None
    shutil.copytree(iris.folder, place)
    file = place / "metrics.jsonl"
    content = file.read_bytes()
    for part in (content[: len(content) // 2], content[:-1], content[:40], b"x" + content[1:]):
        file.write_bytes(part)
        with pytest.raises(FileFormatError, match=r"metrics\.jsonl"):
            load(place)
    # What is needed to predict is the model and its config.
    file.unlink()
    assert load(place).history == []


def test_few_rows_are_validated_by_the_networks_that_left_them_out(tmp_path: Path) -> None:
    run = train(_flats(), "rent", test_share=0.0, epochs=3, out=tmp_path / "few", quiet=True)
    assert run.members == 5
    record = run.history[run.best_epoch - 1]
    assert run.validation == {name: record[f"validation_{name}"] for name in run.validation}
    assert run.validation["rmse"] == min(r["validation_rmse"] for r in run.history)
    again = load(tmp_path / "few")
    np.testing.assert_array_equal(again.predict(_flats()), run.predict(_flats()))
    # The average has seen all the rows, the figure none.
    whole = train(
        _flats(), "rent", test_share=0.0, validation_share=0.2, epochs=1, out=tmp_path / "one"
    )
    assert whole.members is None


def test_runs_and_predictions_are_shown_on_a_line(iris: Run) -> None:
    table = read_table("iris")
    assert repr(iris.predict_table(table)) == "Predictions(150 rows of 3 classes)"
    assert repr(iris).startswith("Run(classification of 'species', test accuracy ")
    assert "\n" not in repr(iris)
