from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import tensor
from schuss.data import read_table
from schuss.nn.tabular import TabularMLP
from schuss.training import load, train
from schuss.training.tables.sizes import changes_by_size


def changes(task: str, rows: int, numbers: int = 10, *, folds: bool = False) -> dict[str, Any]:
    return changes_by_size(task, rows, numbers, cross_validated=folds)


def test_tables_of_middling_size_keep_the_recipe() -> None:
    assert changes("regression", 2000) == {}
    assert changes("classification", 700, folds=True) == {"members": 5, "hidden": (96, 96, 96)}


@pytest.mark.parametrize("rows", [2500, 4999, 5000, 20_000, 100_000, 2_000_000])
def test_the_rows_that_are_taken_in_all_are_bounded(rows: int) -> None:
    epochs = changes("regression", rows)["epochs"]
    assert 8 <= epochs <= 256
    assert epochs * rows <= max(1_000_000, 8 * rows)


@pytest.mark.parametrize(("rows", "epochs"), [(700, 256), (1_000, 200), (2_000, 100)])
def test_members_see_fewer_rows_in_all(rows: int, epochs: int) -> None:
    assert changes("classification", rows, folds=True).get("epochs", 256) == epochs


def test_many_rows_take_few_epochs_with_patience() -> None:
    found = changes("regression", 50_000)
    assert (found["epochs"], found["patience"], found["batch_size"]) == (20, 5, 1024)
    assert found["schedules"]["lr"](0.0) < 0.01 > found["schedules"]["lr"](0.999)
    assert changes("classification", 50_000)["lr"] < found["lr"]


def test_many_numbers_have_no_waves() -> None:
    found = changes("classification", 300, 501, folds=True)
    assert (found["waves"], found["members"], found["dropout"]) == (False, 5, 0.5)
    assert "waves" not in changes("classification", 300, 500, folds=True)
    widths = [changes("classification", 300, n)["hidden"][0] for n in (501, 4000, 10**4, 10**5)]
    assert widths == [96, 50, 32, 32]


@pytest.mark.parametrize("members", [None, 3])
def test_scales_inside_of_the_first_layer_compute_the_same(members: int | None) -> None:
    ss.manual_seed(0)
    draw = np.random.default_rng(0)
    network = TabularMLP(501, 2, embedded=0, hidden=(8,), members=members, dtype=np.float64)
    assert network.wide
    scale = network.scale.scale
    scale.assign(draw.normal(size=scale.shape))
    x = tensor(draw.normal(size=(7, 501)))
    folds = tensor(draw.integers(0, 3, size=7))
    inputs = (x,) if members is None else (x, None, folds)
    for training in (True, False):
        network.train(training)
        network.dropout.p = 0.0
        network.wide = True
        found = network(*inputs)
        network.wide = False
        np.testing.assert_allclose(found.array, network(*inputs).array, rtol=1e-10, atol=1e-12)


def test_numbers_in_text_are_held_as_numbers_and_nothing_else_changes(tmp_path: Path) -> None:
    lines = ["size,when,word,y"]
    lines += [f"{k % 7}.50,2020-01-{1 + k % 28:02},w{k % 3},{k % 5}.5" for k in range(60)]
    file = tmp_path / "t.csv"
    file.write_text("\n".join(lines))
    run = train(file, "y", epochs=2, hidden=[4], quiet=True, out=tmp_path / "run")
    whole = read_table(file)
    assert run.predict(whole).tolist() == load(tmp_path / "run").predict(file).tolist()


def wide(folder: Path, rows: int, columns: int) -> Path:
    draw = np.random.default_rng(0)
    values = draw.normal(size=(rows, columns)).round(3)
    header = ",".join([*(f"g{k}" for k in range(columns)), "y"])
    labels = np.where(values[:, 0] > 0, "a", "b")
    lines = [",".join([*map(str, row), label]) for row, label in zip(values, labels, strict=True)]
    file = folder / "wide.csv"
    file.write_text("\n".join([header, *lines]))
    return file


MEASURE = """
import resource, sys
import schuss as ss
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
ss.train(sys.argv[1], "y", epochs=2, quiet=True, out=sys.argv[2], eager=True)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
def test_a_wide_table_takes_ten_times_its_numbers_in_memory(tmp_path: Path) -> None:
    file = wide(tmp_path, 300, 10_000)
    source = str(Path(ss.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(file), str(tmp_path / "run")],
        env={"PYTHONPATH": source, "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    unit = 1 if sys.platform == "darwin" else 1024
    assert unit * int(done.stdout) < 10 * 300 * 10_000 * 8


def test_tall_tables_learn_what_happened_on_single_days(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = 12_000
    day = draw.integers(0, 100, size=rows)
    delay = draw.normal(size=100)[day] * 3.0 + draw.normal(size=rows)
    run = train(
        {"day": day, "x": draw.normal(size=rows), "delay": delay},
        "delay",
        epochs=8,
        quiet=True,
        out=tmp_path / "run",
    )
    # Nothing is left over but the noise, 1 of 10 parts.
    assert run.test["r2"] is not None
    assert run.test["r2"] > 0.85
    assert run.config["recipe"]["patience"] is None
    assert len(run.preprocessor.category_sizes) == 2
