from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.errors import DataError, UsageError
from schuss.training import Run, load_run

image = pytest.importorskip("PIL.Image")
QUICK: dict[str, Any] = {"epochs": 3, "batch_size": 16, "mirror": True, "quiet": True}


@pytest.mark.slow
def test_a_folder_from_training_to_predictions(drawn_folder: Any, tmp_path: Path) -> None:
    folder = drawn_folder()
    run = ss.train(folder, out=tmp_path / "run", **QUICK)
    assert isinstance(run, Run)
    assert run.classes.tolist() == ["lying", "standing"]
    assert run.shares == {"train": 65, "validation": 7, "test": 8}
    assert (run.test["accuracy"] or 0.0) >= 0.7
    again = load_run(tmp_path / "run")
    files = sorted((folder / "lying").iterdir())[:3]
    chances = again.predict_proba(files)
    assert np.array_equal(run.predict_proba(files), chances)
    # Paths, arrays and Pillow's pictures are the same.
    pictures = [image.open(file) for file in files]
    assert np.array_equal(again.predict_proba(pictures), chances)
    assert np.array_equal(again.predict_proba([np.asarray(p) for p in pictures]), chances)
    assert again.predict(files[0]).tolist() == [again.predict(files)[0]]
    figures = again.evaluate(drawn_folder("others", seed=1))
    assert set(figures) == set(run.test)
    run.save(tmp_path / "bars.schuss")
    assert np.array_equal(load_run(tmp_path / "bars.schuss").predict_proba(files), chances)
    # Nothing but what is needed stays.
    assert not list((tmp_path / "run").glob("*.cache"))


@pytest.mark.slow
def test_a_killed_run_ends_like_one_that_was_not(drawn_folder: Any, tmp_path: Path) -> None:
    folder = drawn_folder(count=200)
    code = (
        "import schuss as ss, sys\n"
        "ss.train(sys.argv[1], out=sys.argv[2], epochs=6, batch_size=16, mirror=True, "
        "quiet=True, checkpoint_seconds=0.05)"
    )
    words = [sys.executable, "-c", code, str(folder)]
    subprocess.run([*words, str(tmp_path / "whole")], check=True)
    process = subprocess.Popen([*words, str(tmp_path / "killed")])
    for _ in range(600):
        time.sleep(0.05)
        if list((tmp_path / "killed").glob("checkpoints/step-*")):
            break
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not load_run(tmp_path / "killed").finished
    # All examples are in the run's cache, so that the folder may go.
    shutil.move(folder, tmp_path / "moved")
    run = ss.resume(tmp_path / "killed", quiet=True)
    whole = load_run(tmp_path / "whole")
    assert run.finished
    for name, value in whole.model.state_dict().items():
        assert np.array_equal(value.array, run.model.state_dict()[name].array), name


def test_what_cannot_be_learned_from(drawn_folder: Any, tmp_path: Path) -> None:
    folder = drawn_folder(count=4)
    with pytest.raises(UsageError, match="target_scale is of tables; pictures have no such"):
        ss.train(folder, target_scale="log", out=tmp_path / "run", **QUICK)
    with pytest.raises(UsageError, match="expected no option mirrr.*did you mean mirror"):
        ss.train(folder, mirrr=True, out=tmp_path / "run")
    with pytest.raises(UsageError, match="expected image_size to be a whole number of pixels"):
        ss.train(folder, image_size=3, out=tmp_path / "run")
    with pytest.raises(UsageError, match="expected no target, got 'shape': the folders in"):
        ss.train(folder, target="shape", out=tmp_path / "run", **QUICK)
    shutil.rmtree(folder / "lying")
    with pytest.raises(DataError, match="of one class .'standing'"):
        ss.train(folder, out=tmp_path / "run", **QUICK)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found no examples in this folder"):
        ss.train(tmp_path / "empty", out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
    assert not list(tmp_path.glob(".new-run-*"))
