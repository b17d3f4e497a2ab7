from __future__ import annotations

import shutil
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
    assert run.next_data == ("new_pictures", "test_pictures")
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
def test_a_killed_run_ends_like_one_that_was_not(
    drawn_folder: Any, tmp_path: Path, ends_alike_when_killed: Any
) -> None:
    folder = drawn_folder(count=200)
    ends_alike_when_killed(
        folder,
        "epochs=6, batch_size=16, mirror=True",
        # All examples are in the run's cache, so that the folder may go.
        lambda: shutil.move(folder, tmp_path / "moved"),
    )


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
