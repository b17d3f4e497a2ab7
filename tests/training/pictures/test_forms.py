"""The same pictures in a folder, an archive, beside a labels.csv and named by a table."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.cli import main

pytest.importorskip("PIL.Image")
QUICK: dict[str, Any] = {"epochs": 1, "batch_size": 16, "mirror": True, "quiet": True}


def test_all_forms_give_the_same_classes(drawn_folder: Any, tmp_path: Path) -> None:
    folder = drawn_folder("bars", 20)
    files = sorted(folder.rglob("*.png"))
    with zipfile.ZipFile(tmp_path / "bars.zip", "w") as packed:
        for file in files:
            packed.write(file, file.relative_to(tmp_path))
    beside = tmp_path / "beside"
    beside.mkdir()
    rows, paths = ["file,label"], ["number,photo,shape"]
    for number, file in enumerate(files):
        (beside / f"{number}.png").write_bytes(file.read_bytes())
        rows.append(f"{number}.png,{file.parent.name}")
        paths.append(f"{number},{file.relative_to(tmp_path)},{file.parent.name}")
    (beside / "labels.csv").write_text("\n".join(rows))
    (tmp_path / "photos.csv").write_text("\n".join(paths))
    runs = [
        ss.train(folder, out=tmp_path / "r1", **QUICK),
        ss.train(tmp_path / "bars.zip", out=tmp_path / "r2", **QUICK),
        ss.train(beside, out=tmp_path / "r3", **QUICK),
        ss.train(tmp_path / "photos.csv", target="shape", out=tmp_path / "r4", **QUICK),
    ]
    chances = [run.predict_proba(files[:4]) for run in runs]
    assert all(run.classes.tolist() == ["lying", "standing"] for run in runs)
    assert np.array_equal(chances[0], chances[1])
    assert [run.target_name for run in runs] == ["class", "class", "class", "shape"]
    assert runs[3].evaluate(tmp_path / "photos.csv").keys() == runs[0].test.keys()


def test_the_command_says_what_it_took_the_data_for(
    drawn_folder: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = drawn_folder("bars", 20)
    words = ["train", str(folder), "--epochs", "1", "--mirror", "yes", "--out", str(tmp_path / "r")]
    assert main([*words, "--json"]) == 0
    out, err = capsys.readouterr()
    assert err.startswith(f"took {folder} for a folder of pictures (40 in 2 classes)\n")
    assert "pictures: 32 to learn from, 4 to choose the best epoch by, 4 to test" in err
    assert "training waited " in err
    assert "taken for" in out
    assert '"task": "classification"' in out.splitlines()[-1]
    assert main(["train", str(folder), "--kind", "sound", "--out", str(tmp_path / "s")]) == 2
    assert main(["train", str(folder), "--image-size", "7", "--out", str(tmp_path / "s")]) == 2
    assert "expected a whole number of pixels from 8 to 512" in capsys.readouterr().err
