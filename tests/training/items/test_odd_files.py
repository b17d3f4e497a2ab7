"""Whatever lies in a folder: each file that cannot be used is named, and the rest is learned."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.cli import main
from schuss.training.items import store

image = pytest.importorskip("PIL.Image")
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 16, "mirror": True}


def fill(folder: Path, count: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = draw.integers(0, 255, (9, 9), dtype=np.uint8)
        image.fromarray(pixels).save(folder / f"{number}.png")


@pytest.fixture
def odd_folder(tmp_path: Path) -> Path:
    root = tmp_path / "odd"
    fill(root / "Äpfel", 20, 0)
    fill(root / "犬 und Hund", 20, 1)
    odd = root / "Äpfel"
    (odd / "empty.png").touch()
    (odd / "text.png").write_text("this is no picture")
    whole = (odd / "0.png").read_bytes()
    (odd / "half.png").write_bytes(whole[: len(whole) // 2])
    (odd / "copy.png").write_bytes(whole)
    (root / "犬 und Hund" / "tiny.png").write_bytes(whole)
    image.new("L", (1, 1)).save(root / "犬 und Hund" / "tiny.png")
    (root / "alone.png").write_bytes(whole)
    (root / ".hidden").mkdir()
    (root / ".hidden" / "1.png").write_bytes(whole)
    (tmp_path / "secret.png").write_bytes(whole)
    os.symlink(tmp_path / "secret.png", odd / "link.png")
    return root


def test_odd_files_are_named_and_the_rest_is_learned(odd_folder: Path, tmp_path: Path) -> None:
    run = ss.train(odd_folder, out=tmp_path / "run", quiet=True, **QUICK)
    assert sum(run.shares.values()) == 42
    notes = " ".join(run.notes)
    assert "5 pictures left out" in notes
    for said in (
        "Äpfel/link.png (a link that leads out of the folder)",
        "alone.png (in no class's folder)",
        "Äpfel/empty.png (empty)",
        "Äpfel/text.png (not a picture)",
        "Äpfel/half.png (damaged",
        "1 exact copy of other files: on the same side of each split",
    ):
        assert said in notes, said


def test_a_file_that_cannot_be_read_gets_a_row_that_says_so(
    odd_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ss.train(odd_folder, out=tmp_path / "run", quiet=True, **QUICK)
    out = tmp_path / "out.csv"
    assert main(["predict", str(tmp_path / "run"), str(odd_folder), "-o", str(out)]) == 0
    with out.open(encoding="utf-8", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert len(rows) == 46
    assert rows["Äpfel/text.png"]["error"] == "not a picture"
    assert rows["Äpfel/text.png"]["prediction"] == ""
    assert rows["Äpfel/text.png"]["probability_Äpfel"] == ""
    assert rows["Äpfel/1.png"]["error"] == ""
    assert rows["Äpfel/1.png"]["prediction"] in ("Äpfel", "犬 und Hund")
    assert "46 predictions" in capsys.readouterr().err
    files = [str(odd_folder / "Äpfel" / name) for name in ("1.png", "text.png")]
    assert main(["predict", str(tmp_path / "run"), *files]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.startswith("file,prediction,probability_")
    assert lines[0].startswith("1.png,")
    assert lines[1] == "text.png,,,,not a picture"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_names_of_any_bytes(odd_folder: Path, tmp_path: Path) -> None:
    odd = odd_folder / "Äpfel"
    with open(os.fsencode(odd) + b"/\xff.png", "wb") as file:
        file.write((odd / "2.png").read_bytes() + b" ")
    run = ss.train(odd_folder, out=tmp_path / "run", quiet=True, **QUICK)
    assert sum(run.shares.values()) == 43
    found = [name for part in run.stream(odd_folder) for name in part.columns["file"]]
    assert "Äpfel/\\udcff.png" in found


def test_examples_that_do_not_fit_into_the_cache(
    odd_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ss.train(odd_folder, out=tmp_path / "whole", quiet=True, **QUICK)
    monkeypatch.setattr(store, "CACHE_BYTES", 81 * 10)
    part = ss.train(odd_folder, out=tmp_path / "part", quiet=True, **QUICK)
    said = {line[0]: line[1:] for line in part.description()}["cache"]
    assert "32 more do not fit" in said[1]
    for name, value in whole.model.state_dict().items():
        assert np.array_equal(value.array, part.model.state_dict()[name].array), name


def vanish(file: Path) -> None:
    file.unlink()


def change(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"!")


@pytest.mark.parametrize(
    ("happens", "why"), [(change, "it has changed since"), (vanish, "No such file or directory")]
)
def test_a_file_that_changes_or_vanishes_while_training(
    happens: Any, why: str, odd_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = odd_folder / "Äpfel" / "3.png"
    content = file.read_bytes()
    whole = ss.train(odd_folder, out=tmp_path / "whole", quiet=True, **QUICK)
    # What lies in the cache is not read again.
    kept = ss.train(
        odd_folder, out=tmp_path / "kept", quiet=True, on_start=lambda _: happens(file), **QUICK
    )
    file.write_bytes(content)
    monkeypatch.setattr(store, "CACHE_BYTES", 0)
    with pytest.raises(ss.errors.DataError, match=f"3.png: {why}.*resume"):
        ss.train(
            odd_folder, out=tmp_path / "run", quiet=True, on_start=lambda _: happens(file), **QUICK
        )
    file.write_bytes(content)
    run = ss.resume(tmp_path / "run", quiet=True)
    assert run.finished
    for name, value in whole.model.state_dict().items():
        assert np.array_equal(value.array, kept.model.state_dict()[name].array), name
        assert np.array_equal(value.array, run.model.state_dict()[name].array), name


@pytest.mark.parametrize(
    ("happens", "why"),
    [(change, "it has changed since it was first"), (vanish, "No such file or directory")],
)
def test_a_file_that_changes_or_vanishes_before_it_is_decoded(
    happens: Any, why: str, odd_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = store.ItemStore.fill
    # (Few are named.)
    (odd_folder / "Äpfel" / "empty.png").unlink()

    def after(*arguments: Any, **options: Any) -> Any:
        happens(odd_folder / "Äpfel" / "3.png")
        return fill(*arguments, **options)

    monkeypatch.setattr(store.ItemStore, "fill", after)
    run = ss.train(odd_folder, out=tmp_path / "run", quiet=True, **QUICK)
    assert sum(run.shares.values()) == 41
    assert f"Äpfel/3.png ({why}" in " ".join(run.notes)
