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


def test_predictions_of_values_keep_to_what_was_seen(flat_rows: Any, flats: Run) -> None:
    assert flats.task == "regression"
    assert set(flats.test) == {"loss", "rmse", "mae", "r2"}
    assert flats.test["r2"] is not None
    assert flats.test["r2"] > 0.3
    table = flat_rows()
    values = flats.predict(table)
    assert values.dtype == np.float64
    low, high = flats.config["range"]
    assert values.min() >= low
    assert values.max() <= high
    assert high <= max(table["rent"])
    with pytest.raises(UsageError, match="predicts the value of 'rent', not classes"):
        flats.predict_proba(table)


def test_figures_are_those_of_the_predictions(flat_rows: Any, iris: Run, flats: Run) -> None:
    table = flat_rows(50, seed=3)
    error = flats.predict(table) - table["rent"]
    found = flats.evaluate(table)
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found["mae"] == pytest.approx(np.mean(np.abs(error)))
    text = np.array(read_table("iris").text("species"))
    assert iris.evaluate("iris")["accuracy"] == np.mean(iris.predict("iris") == text)


def test_figures_of_chunks_are_those_of_the_whole(
    flat_rows: Any, iris: Run, flats: Run, tmp_path: Path
) -> None:
    table = read_table("iris")
    chunks = [table.take(slice(start, start + 40)) for start in range(0, 150, 40)]
    assert iris.figures(iter(chunks)) == pytest.approx(iris.figures(table))
    columns = {name: np.asarray(values).tolist() for name, values in flat_rows(60).items()}
    columns["rent"] = [np.nan if 20 <= k < 40 else v for k, v in enumerate(columns["rent"])]
    rows = Table(columns)
    chunks = [rows.take(slice(start, start + 20)) for start in range(0, 60, 20)]
    assert flats.figures(iter(chunks)) == pytest.approx(flats.figures(rows))
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(map(",".join, [table.names, *table.records()])))
    assert iris.evaluate(path) == pytest.approx(iris.figures(table))


def test_weights_of_zero_count_where_others_are_above(tmp_path: Path) -> None:
    rows = {"x": np.arange(60.0), "y": ["a", "b"] * 30, "w": [1.0] * 60}
    run = train(rows, "y", sample_weight="w", out=tmp_path / "run", epochs=2, quiet=True)
    zeros = Table(rows | {"w": [0.0] * 60})
    whole = run.figures(Table(rows))
    assert run.figures(iter([Table(rows), zeros])) == pytest.approx(whole)
    with pytest.raises(DataError, match="expected some weight above 0 in column 'w', got none"):
        run.figures(zeros)


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


def test_saved_and_loaded_runs_predict_the_same_bits(
    flat_rows: Any, iris: Run, flats: Run, tmp_path: Path
) -> None:
    for run, rows in ((iris, "iris"), (flats, flat_rows(30, seed=1))):
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


def test_a_cut_history_is_said_and_costs_what_was_cut(iris: Run, tmp_path: Path) -> None:
    import shutil

    place = tmp_path / "run"
    assert iris.folder is not None
    shutil.copytree(iris.folder, place)
    file = place / "metrics.jsonl"
    content = file.read_bytes()
    for part in (content[: len(content) // 2], content[:-1], content[:40], b"x" + content[1:]):
        file.write_bytes(part)
        found = load(place)
        assert found.notes[:-1] == iris.notes
        assert f"{file}: " in found.notes[-1]
        assert found.history == [r for r in iris.history if r in found.history]
        assert len(found.history) < len(iris.history)
        assert found.predict([[5.1, 3.5, 1.4, 0.2]]).tolist() == ["setosa"]
    # What is needed to predict is the model and its config.
    file.unlink()
    assert load(place).history == []


def test_runs_and_predictions_are_shown_on_a_line(iris: Run) -> None:
    table = read_table("iris")
    assert repr(iris.predict_table(table)) == "Predictions(150 rows of 3 classes)"
    assert repr(iris).startswith("Run(classification of 'species', test accuracy ")
    assert "\n" not in repr(iris)
