from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

image = pytest.importorskip("PIL.Image")

DrawnFolder = Callable[..., Path]


def bar(label: str, draw: np.random.Generator, size: int = 12) -> np.ndarray:
    """Draw a bar that lies, or one that stands, in noise."""
    found = draw.integers(0, 90, (size, size)).astype(np.uint8)
    place = int(draw.integers(2, size - 3))
    if label == "lying":
        found[place : place + 2] = 255
    else:
        found[:, place : place + 2] = 255
    return found


@pytest.fixture
def drawn_folder(tmp_path: Path) -> DrawnFolder:
    """Return what writes a folder of pictures, one folder a class."""

    def make(name: str = "bars", count: int = 40, seed: int = 0, size: int = 12) -> Path:
        draw = np.random.default_rng(seed)
        for label in ("lying", "standing"):
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for number in range(count):
                image.fromarray(bar(label, draw, size)).save(folder / f"{number:03}.png")
        return tmp_path / name

    return make
