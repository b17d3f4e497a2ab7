"""The examples run in a small form, and learn something in it."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "examples"

# The arguments of a small form, and what its result has to be above and below.
SMALL = {
    "char_gpt": (["--steps", "30"], 0.0, 2.2),
    "gan": (["--steps", "400"], 0.0, 0.3),
    "lstm_classifier": (["--steps", "100"], 0.6, 1.0),
    "physics_informed": (["--steps", "400"], 0.0, 0.3),
    "policy_gradient": (["--updates", "10"], 35.0, 200.0),
    "resnet": (["--epochs", "2", "--count", "640"], 0.5, 1.0),
    "vae": (["--steps", "100"], 0.0, 45.0),
}


def run(name: str, arguments: list[str]) -> float:
    return runpy.run_path(str(FOLDER / f"{name}.py"))["main"](arguments)


def test_every_example_is_here_and_short():
    files = {path.stem: path.read_text().count("\n") for path in FOLDER.glob("*.py")}
    assert set(files) == set(SMALL)
    assert max(files.values()) < 120


@pytest.mark.parametrize("name", SMALL)
def test_an_example_learns(name, capsys):
    arguments, least, most = SMALL[name]
    assert least <= run(name, arguments) <= most
    assert "loss" in capsys.readouterr().out


def test_examples_read_files(tmp_path, capsys):
    text = tmp_path / "text.txt"
    text.write_text("abcd " * 200)
    assert run("char_gpt", [str(text), "--steps", "20"]) < 2.0
    pictures = tmp_path / "pictures.npz"
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    x = rng.normal(size=(200, 3, 8, 8)) + y[:, None, None, None]
    np.savez(pictures, x=x, y=y)
    assert run("resnet", [str(pictures), "--epochs", "1"]) > 0.3
    assert "loss" in capsys.readouterr().out
