"""From folders of recordings to predictions; what cannot be read; killed and resumed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.errors import DataError, UsageError
from schuss.training import load_run
from schuss.training.items import store

QUICK: dict[str, Any] = {"epochs": 8, "batch_size": 12, "quiet": True}


@pytest.mark.slow
def test_a_folder_from_training_to_predictions(recorded_folder: Any, tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    folder = recorded_folder()
    run = ss.train(folder, out=tmp_path / "run", **QUICK)
    assert run.classes.tolist() == ["falling", "rising"]
    assert sum(run.shares.values()) == 60
    figures = run.evaluate(recorded_folder("others", seed=1, rate=16000))
    assert (figures["accuracy"] or 0.0) >= 0.9
    again = load_run(tmp_path / "run")
    files = sorted((folder / "rising").iterdir())[:3]
    chances = again.predict_proba(files)
    assert np.array_equal(run.predict_proba(files), chances)
    samples = [ss.audio.load(file) for file in files]
    np.testing.assert_allclose(again.predict_proba(samples), chances, atol=1e-6)
    np.testing.assert_allclose(again.predict_proba([x for x, _ in samples]), chances, atol=1e-6)
    for sheet in ("examples.png", "mistakes.png"):
        assert (tmp_path / "run" / sheet).read_bytes().startswith(b"\x89PNG")
    assert np.sum(run.confusion) == run.shares["test"]
    run.save(tmp_path / "sweeps.schuss")
    assert np.array_equal(load_run(tmp_path / "sweeps.schuss").predict_proba(files), chances)


@pytest.mark.slow
def test_what_cannot_be_read_is_named_and_left_out(
    recorded_folder: Any, tmp_path: Path, write: Any
) -> None:
    folder = recorded_folder(count=12)
    bad = folder / "rising"
    (bad / "empty.wav").write_bytes(b"")
    (bad / "text.wav").write_text("not a recording")
    (bad / ".hidden.wav").write_bytes(b"hidden")
    write(bad / "none.wav", np.zeros(0))
    write(bad / "one.wav", np.ones(1))
    write(bad / "long.wav", np.zeros(90 * 8000))
    run = ss.train(folder, out=tmp_path / "run", **{**QUICK, "epochs": 1})
    told = "; ".join(run.notes)
    assert "3 recordings left out" in told
    for part in ("rising/empty.wav", "rising/text.wav", "rising/none.wav (a recording without"):
        assert part in told
    assert ".hidden" not in told
    out = tmp_path / "p.csv"
    done = subprocess.run(
        [sys.executable, "-m", "schuss", "predict", tmp_path / "run", bad, "-o", out],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = out.read_text().splitlines()
    assert len(rows) == 1 + 12 + 5
    (empty,) = (row for row in rows if row.startswith("empty.wav"))
    assert empty == "empty.wav,,,,an empty file"
    with pytest.raises(DataError, match=r"text\.wav: not a recording"):
        run.predict(bad / "text.wav")


@pytest.mark.slow
@pytest.mark.parametrize("vanishes", [True, False])
def test_a_recording_that_changes_or_vanishes_while_training(
    vanishes: bool, recorded_folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = recorded_folder(count=12)
    file = folder / "rising" / "ann_000.wav"
    content = file.read_bytes()
    why = "No such file or directory" if vanishes else "it has changed since it was first"

    def happen(_: object) -> None:
        if vanishes:
            file.unlink()
        else:
            file.write_bytes(content + b"!")

    options = {**QUICK, "epochs": 2, "batch_size": 6}
    kept = ss.train(folder, out=tmp_path / "kept", on_start=happen, **options)
    file.write_bytes(content)
    monkeypatch.setattr(store, "CACHE_BYTES", 0)
    with pytest.raises(DataError, match=rf"ann_000\.wav: {why}.*resume"):
        ss.train(folder, out=tmp_path / "run", on_start=happen, **options)
    with pytest.raises(DataError, match=r"ann_000\.wav"):
        ss.resume(tmp_path / "run", quiet=True)
    file.write_bytes(content)
    run = ss.resume(tmp_path / "run", quiet=True)
    assert run.finished
    for name, value in kept.model.state_dict().items():
        assert np.array_equal(value.array, run.model.state_dict()[name].array), name
    fill = store.ItemStore.fill

    def after(*arguments: Any, **more: Any) -> Any:
        happen(None)
        return fill(*arguments, **more)

    monkeypatch.setattr(store.ItemStore, "fill", after)
    run = ss.train(folder, out=tmp_path / "less", **options)
    assert sum(run.shares.values()) == 23
    assert f"rising/ann_000.wav ({why}" in "; ".join(run.notes)


@pytest.mark.slow
def test_without_pillow_there_are_no_sheets(
    recorded_folder: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setitem(sys.modules, "PIL", None)
    options = {**QUICK, "epochs": 1, "quiet": False}
    run = ss.train(recorded_folder(count=12), out=tmp_path / "run", **options)
    assert run.finished
    assert not list((tmp_path / "run").glob("*.png"))
    assert "no examples.png, which needs Pillow: pip install 'schuss[images]'" in (
        capsys.readouterr().err
    )


def test_what_cannot_be_learned_from(recorded_folder: Any, tmp_path: Path) -> None:
    folder = recorded_folder(count=3)
    for pattern in ("(", "[a-z]+", 3):
        with pytest.raises(UsageError, match="group_pattern to be a regular expression with"):
            ss.train(folder, group_pattern=pattern, out=tmp_path / "run")
    with pytest.raises(UsageError, match="is in no file's name, such as 'falling/ann_000.wav'"):
        ss.train(folder, group_pattern="(?P<group>[0-9]+)x", out=tmp_path / "run", **QUICK)
    for file in (folder / "rising").iterdir():
        file.unlink()
    with pytest.raises(DataError, match="are of one class"):
        ss.train(folder, out=tmp_path / "run", **QUICK)
    for file in (folder / "falling").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match="no recording can be read: .*empty"):
        ss.train(folder, out=tmp_path / "run", **QUICK)


@pytest.mark.slow
def test_whole_groups_are_held_out(recorded_folder: Any, tmp_path: Path) -> None:
    options = {**QUICK, "epochs": 1, "group_pattern": "(?P<group>[a-z]+)_.*"}
    run = ss.train(recorded_folder(), out=tmp_path / "run", **options)
    # One speaker of five; of the other four none is to spare, so that all are learned from.
    assert run.shares == {"train": 43, "validation": 5, "test": 12}
    told = "; ".join(run.notes)
    assert "groups held out (test): " in told
    assert "validation on recordings of groups that are learned from: of 4 groups none" in told


@pytest.mark.slow
def test_files_to_test_with_are_never_learned_from(recorded_folder: Any, tmp_path: Path) -> None:
    folder, test = recorded_folder(), recorded_folder("others", count=5, seed=1)
    copied = test / "rising" / "copy.wav"
    copied.write_bytes((folder / "rising" / "ann_000.wav").read_bytes())
    run = ss.train(folder, test=test, out=tmp_path / "run", **{**QUICK, "epochs": 1})
    assert run.shares == {"train": 53, "validation": 6, "test": 11}
    assert "1 held-out recordings are not learned from" in run.notes


@pytest.mark.slow
def test_a_killed_run_ends_like_one_that_was_not(
    recorded_folder: Any, ends_alike_when_killed: Any
) -> None:
    ends_alike_when_killed(recorded_folder(), "epochs=12, batch_size=12")
