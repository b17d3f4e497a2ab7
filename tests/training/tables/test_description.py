"""Descriptions whose checksum is right and whose content is not: one clear line for each."""

from __future__ import annotations

import copy
import json
import random
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.core import leaf
from schuss.errors import FileFormatError, SchussError
from schuss.training import Callback, load, resume, train
from schuss.training.runs.bundle import read_bundle, write_bundle
from schuss.training.runs.folder import _digest

ODD: list[Any] = [None, True, -1, 3, 1.5, float("inf"), float("nan"), 10**30, "x", "", [], [1]]
ODD += [["a"], [[]], {}, {"a": 1}, [None]]
TRIED = 250


class Stop(Callback):
    def on_epoch(self, loop: Any) -> None:
        if loop.epoch == 2:
            raise KeyboardInterrupt


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if place:
        yield place
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _places(item, (*place, name))
    elif isinstance(value, list):
        for number, item in enumerate(value[:2]):
            yield from _places(item, (*place, number))


def _changes(whole: dict[str, Any]) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """Some of the ways to put an odd value somewhere, or to leave something out."""
    every = [(place, odd) for place in _places(whole) for odd in [*ODD, "leave out"]]
    for place, odd in random.Random(0).sample(every, TRIED):
        changed = copy.deepcopy(whole)
        inner = changed
        for step in place[:-1]:
            inner = inner[step]
        if odd == "leave out":
            del inner[place[-1]]
        else:
            inner[place[-1]] = odd
        yield place, odd, changed


def _refused_or_fine(place: Any, odd: Any, use: Any) -> None:
    said = ""
    try:
        use()
    except SchussError as error:
        said = str(error)
    except Exception as error:
        raise AssertionError(f"{place} = {odd!r}") from error
    assert "\n" not in said


@pytest.fixture(scope="module", params=["classification", "regression"])
def table(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    lines = ["number,colour,many,day,y"]
    for row in range(120):
        y = "pq"[row % 2] if request.param == "classification" else f"{rng.normal():.3f}"
        many = f"l{rng.integers(20)}"
        number = "" if row == 3 else f"{rng.normal():.3f}"
        lines.append(f"{number},{'rgb'[row % 3]},{many},20{10 + row % 9}-0{1 + row % 8}-11,{y}")
    file = tmp_path_factory.mktemp("table") / "table.csv"
    file.write_text("\n".join(lines) + "\n")
    return file


def test_descriptions_of_models(table: Path, tmp_path: Path) -> None:
    train(table, "y", epochs=1, hidden=[4], quiet=True, out=tmp_path / "run")
    arrays, header = read_bundle(tmp_path / "run" / "model.safetensors", "model")
    tensors = {name: leaf(array) for name, array in arrays.items()}
    file = tmp_path / "changed.schuss"

    def use() -> None:
        run = load(file)
        assert isinstance(run.seconds + run.epochs + run.best_epoch, float)
        repr(run), run.notes, run.test, run.validation, run.shares, run.columns
        run.predict(table)
        run.evaluate(table)

    for name in ("format", "kind"):
        header.pop(name)
    for place, odd, changed in _changes(header):
        write_bundle(file, tensors, "model", changed)
        _refused_or_fine(place, odd, use)


def test_descriptions_of_runs_and_checkpoints(table: Path, tmp_path: Path) -> None:
    first, run = tmp_path / "first", tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train(
            table, "y", epochs=3, hidden=[4], quiet=True, out=first, callbacks=[Stop()],
            checkpoint_seconds=0.0,
        )  # fmt: skip
    config = json.loads((first / "config.json").read_text())
    (file,) = (first / "checkpoints").iterdir()
    arrays, header = read_bundle(file, "checkpoint")
    tensors = {name: leaf(array) for name, array in arrays.items()}
    for name in ("format", "kind"):
        header.pop(name)
    config.pop("sha256")
    for number, (place, odd, changed) in enumerate([*_changes(config), *_changes(header)]):
        shutil.rmtree(run, ignore_errors=True)
        shutil.copytree(first, run)
        if number < TRIED:
            changed["sha256"] = _digest(changed)
            (run / "config.json").write_text(json.dumps(changed))
        else:
            write_bundle(run / "checkpoints" / file.name, tensors, "checkpoint", changed)
        _refused_or_fine(place, odd, lambda: resume(run, quiet=True))


@pytest.mark.parametrize(
    "claim",
    [
        {"out_features": 10**9},
        {"hidden": [10**6, 10**6]},
        {"cardinalities": [10**10]},
        {"members": 10**7},
        {"embedding_size": 10**9},
        {"numeric_features": 10**12},
    ],
    ids=str,
)
def test_claims_of_large_networks_build_nothing(claim: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train("iris", epochs=3, quiet=True, out=tmp_path / "run", callbacks=[Stop()])
    model, config = tmp_path / "run" / "model.safetensors", tmp_path / "run" / "config.json"
    arrays, header = read_bundle(model, "model")
    header["config"]["network"] |= claim
    for name in ("format", "kind"):
        header.pop(name)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tensors = {name: leaf(array) for name, array in arrays.items()}
    write_bundle(tmp_path / "m.schuss", tensors, "model", header)
    with pytest.raises(FileFormatError, match=r"m\.schuss: ") as found:
        ss.load(tmp_path / "m.schuss")
    assert len(str(found.value)) < 400
    changed = json.loads(config.read_text())
    changed["network"] |= claim
    changed["options"]["hidden"] = changed["network"]["hidden"]
    changed["sha256"] = _digest(changed)
    config.write_text(json.dumps(changed))
    for damage in (lambda: None, lambda: model.write_bytes(b"")):
        damage()
        with pytest.raises(FileFormatError, match=r"config\.json: "):
            resume(tmp_path / "run", quiet=True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + 100_000
