from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.training.pictures.measuring import may_be_mirrored

image = pytest.importorskip("PIL.Image")


def test_mirror_images_have_to_be_right_nearly_as_often_in_every_class() -> None:
    y = np.repeat([0, 1], 100)
    right = np.ones(200, bool)
    assert may_be_mirrored(right, right, y)
    assert may_be_mirrored(right, np.arange(200) >= 15, y)
    assert not may_be_mirrored(right, np.arange(200) >= 25, y)
    many = np.repeat(np.arange(20), 20)
    assert not may_be_mirrored(many >= 0, many != 7, many)


@pytest.mark.slow
@pytest.mark.parametrize("sides", [True, False])
def test_pictures_whose_classes_are_mirror_images_are_not_mirrored(
    tmp_path: Path, sides: bool
) -> None:
    draw = np.random.default_rng(0)
    for label in ("first", "second"):
        folder = tmp_path / "data" / label
        folder.mkdir(parents=True)
        for number in range(150):
            pixels = draw.integers(0, 60, (12, 12), dtype=np.uint8)
            part = pixels[:, :4] if sides else pixels[:4]
            other = pixels[:, 8:] if sides else pixels[8:]
            (part if label == "first" else other)[...] = 255
            image.fromarray(pixels).save(folder / f"{number}.png")
    run = ss.train(tmp_path / "data", out=tmp_path / "run", epochs=1, quiet=True)
    assert run.config["preparation"]["mirror"] is not sides
    said = "mirror images are not used" if sides else "mirror images count as the same"
    assert any(note.startswith(said) for note in run.notes)


def test_a_time_budget_and_the_sheets(drawn_folder: Any, tmp_path: Path) -> None:
    run = ss.train(
        drawn_folder(count=60), out=tmp_path / "run", time_budget=4, mirror=False, quiet=True
    )
    assert run.seconds < 12.0
    assert run.result["stopped"] in ("time", "epochs")
    for name in ("examples.png", "mistakes.png"):
        with image.open(tmp_path / "run" / name) as sheet:
            assert sheet.size[0] > 100
    assert np.sum(run.confusion) == run.shares["test"]
