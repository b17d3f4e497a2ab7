"""The main job: a table in, a trained network out, the same each time."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from schuss.training import load

METRICS = {"loss", "accuracy", "balanced_accuracy", "log_loss", "auc"}


def weights(run: Path) -> dict[str, np.ndarray]:
    return {name: value.array for name, value in load(run).model.state_dict().items()}


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = weights(one), weights(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value.tobytes() == second[name].tobytes(), name


def test_iris_says_how_good_it_is_and_what_to_do_next(schuss, tmp_path: Path) -> None:
    done = schuss("train", "iris")
    assert done.status == 0
    figures = dict(line.rsplit(maxsplit=2)[::2] for line in done.out.splitlines()[1:6])
    assert float(figures["accuracy"]) >= 0.9
    assert done.out.splitlines()[-3:] == [
        "run: runs/iris-1",
        "next: python -m schuss predict runs/iris-1 new.csv -o out.csv",
        "      python -m schuss evaluate runs/iris-1 test.csv",
    ]
    assert "species       target   3 classes: setosa, versicolor, virginica" in done.err
    assert "rows: 120 to learn from, each left out by one of 5 networks" in done.err
    assert "\x1b" not in done.err + done.out
    names = {path.name for path in (tmp_path / "runs" / "iris-1").iterdir()}
    assert names >= {"config.json", "model.safetensors", "optimizer.safetensors", "metrics.jsonl"}
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["iris-1"]


def test_json_is_the_last_line(schuss, tmp_path: Path) -> None:
    done = schuss("train", "iris", "--epochs", 3, "--json", "--out", "here")
    found = done.json
    assert found["run"] == "here"
    assert found["task"] == "classification"
    assert found["target"] == "species"
    assert found["epochs"] == 3
    assert 0 < found["seconds"] < 60
    assert found["rows"] == {"train": 120, "validation": 0, "test": 30}
    assert set(found["test"]) == set(found["validation"]) == METRICS
    assert all(math.isfinite(value) for value in found["test"].values())
    lines = (tmp_path / "here" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2, 3]


def test_quiet_prints_the_result_alone(schuss) -> None:
    done = schuss("train", "iris", "--epochs", 1, "--quiet", "--json")
    assert done.err == ""
    assert done.out.count("\n") == 1
    assert done.json["run"] == "runs/iris-1"
    done = schuss("train", "iris", "--epochs", 1, "--quiet")
    assert done.err == ""
    assert done.out.endswith("\nrun: runs/iris-2\n")


def test_the_same_seed_gives_the_same_bits(schuss, tmp_path: Path) -> None:
    runs = {}
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        words = ["train", "iris", "--epochs", 6, "--seed", seed, "--out", name, "--json"]
        runs[name] = schuss(*words).json
    for share in ("validation", "test", "epochs", "best_epoch"):
        assert runs["a"][share] == runs["b"][share]
    assert_same_weights(tmp_path / "a", tmp_path / "b")
    assert runs["a"]["test"] != runs["c"]["test"]


def test_regression_and_every_option(schuss, shared_data: Path, tmp_path: Path) -> None:
    mpg = shared_data / "tables" / "mpg.csv"
    done = schuss(
        "train", mpg, "--target", "mpg", "--exclude", "name,origin", "--kind",
        "cylinders=category", "--task", "regression", "--test-share", 0.1, "--validation-share",
        0.3, "--epochs", 4, "--batch-size", 64, "--lr", 0.01, "--weight-decay", 0.1, "--patience",
        3, "--hidden", "16,8", "--optimizer", "adam", "--seed", 3, "--json",
    )  # fmt: skip
    assert done.status == 0, done.err
    found = done.json
    assert found["task"] == "regression"
    assert set(found["test"]) == {"loss", "rmse", "mae", "r2"}
    assert found["rows"] == {"train": 251, "validation": 107, "test": 40}
    assert "cylinders" in done.err
    run = load(tmp_path / found["run"])
    assert run.config["options"]["hidden"] == [16, 8]
    assert run.config["options"]["lr"] == 0.01
    assert run.preprocessor.kinds["cylinders"].kind == "category"
    assert "origin" not in run.preprocessor.kinds


def test_weights_groups_and_time(schuss, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    lines = [
        f"{x:.3f},{'yes' if x + 0.3 * draw.normal() > 0.6 else 'no'},{k % 3 + 1},g{k % 20},"
        f"2024-01-{k % 28 + 1:02}"
        for k, x in enumerate(draw.random(200))
    ]
    (tmp_path / "t.csv").write_text("x,y,w,g,d\n" + "\n".join(lines) + "\n")
    words = [
        "train",
        "t.csv",
        "--target",
        "y",
        "--epochs",
        2,
        "--json",
        "--class-weight",
        "balanced",
    ]
    grouped = schuss(*words, "--group", "g", "--sample-weight", "w")
    assert grouped.status == 0, grouped.err
    assert grouped.json["rows"]["test"] == 40
    timed = schuss(*words, "--time", "d", "--exclude", "g", "--exclude", "w")
    assert timed.status == 0, timed.err
    assert "x  " in timed.err
    assert "\n  w  " not in timed.err


def test_eager_steps_are_not_compiled_and_end_about_the_same(schuss, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    lines = []
    for x in draw.normal(size=200):
        city, colour = draw.integers(0, 12), draw.integers(0, 3)
        y = x + 0.2 * city - colour + 0.1 * draw.normal()
        lines.append(f"{x:.4f},city{city},{'rgb'[colour]},{y:.4f}")
    (tmp_path / "t.csv").write_text("x,city,colour,y\n" + "\n".join(lines) + "\n")
    # So many steps are compiled where nobody says otherwise.
    words = ["train", "t.csv", "--target", "y", "--epochs", 64, "--batch-size", 16, "--json"]
    words += ["--validation-share", 0.2, "--hidden", "24"]
    found, programs = {}, {}
    for name, more in (("eager", ["--eager"]), ("native", [])):
        cache = tmp_path / f"cache-{name}"
        done = schuss(*words, "--out", name, *more, SCHUSS_CACHE=str(cache))
        assert done.status == 0, done.err
        found[name] = done.json
        # A whole program's image; single operations may have machine code of their own.
        programs[name] = list(cache.rglob("*.json"))
    assert not programs["eager"]
    assert programs["native"]
    assert load(tmp_path / "eager").config["options"]["eager"] is True
    for share in ("validation", "test"):
        one, other = found["eager"][share], found["native"][share]
        assert one["rmse"] == pytest.approx(other["rmse"], rel=0.02)
    assert found["native"]["test"]["r2"] > 0.9


def test_test_and_validation_files(schuss, tmp_path: Path) -> None:
    from schuss.data import read_table

    iris = read_table("iris")
    for name, rows in (("a", slice(0, 150, 2)), ("b", slice(1, 150, 4)), ("c", slice(3, 150, 4))):
        part = iris.take(np.arange(150)[rows])
        lines = [",".join(part.names), *map(",".join, part.records())]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    words = ["train", "a.csv", "--target", "species", "--epochs", 2, "--json"]
    found = schuss(*words, "--test", "b.csv", "--validation", "c.csv").json
    assert found["rows"] == {"train": 75, "validation": 37, "test": 38}
    none = schuss(*words, "--test-share", 0).json
    assert none["test"] is None
    assert none["rows"] == {"train": 75, "validation": 0, "test": 0}


@pytest.mark.slow
def test_iris_is_learned_with_every_seed(schuss) -> None:
    found = [schuss("train", "iris", "--seed", seed, "--json").json for seed in range(10)]
    assert np.mean([one["test"]["accuracy"] for one in found]) >= 0.95


def test_doctor(schuss, tmp_path: Path) -> None:
    done = schuss("doctor", "--json")
    assert done.status == 0, done.out
    assert done.json["ok"] is True
    assert set(done.json["tests"].values()) == {"passed"}
    assert done.json["numpy"] == np.__version__
    assert "bits" in done.json["compiler"]
    assert "programs" in done.json["compiled"]
    assert "a compiled step equals an eager one" in done.json["tests"]
    assert list(tmp_path.iterdir()) == []
