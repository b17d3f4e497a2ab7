from __future__ import annotations

from pathlib import Path

import pytest

from schuss.errors import DataError, UsageError
from schuss.training.kinds.kind import Kind
from schuss.training.kinds.known import find_kind, kind_named, known_kinds

FOLDERS = Path(__file__).resolve().parents[3] / "src" / "schuss" / "training"


def test_every_folder_with_a_kind_is_found() -> None:
    folders = [file for file in FOLDERS.glob("*/kind.py") if file.parent.name != "kinds"]
    assert len(known_kinds()) == len(folders) >= 2
    assert all(isinstance(kind, Kind) for kind in known_kinds().values())


def test_options_of_kinds_are_no_options_of_train() -> None:
    from inspect import signature

    from schuss.training import train

    for kind in known_kinds().values():
        assert not {option.name for option in kind.options} & set(signature(train).parameters)


def test_what_data_is_taken_for(tmp_path: Path) -> None:
    for name in ("a/1.png", "a/2.png", "b/3.png", "b/4.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"something")
    kind, found = find_kind(tmp_path, None)
    assert kind.name == "pictures"
    assert found is not None
    assert found.what == "a folder of pictures (3 in 2 classes)"
    assert find_kind(tmp_path, "sound")[0].name == "sound"
    assert find_kind({"x": [1, 2]}, None)[0].name == "table"
    assert find_kind("iris", None)[0].name == "table"
    (tmp_path / "photos.csv").write_text("file,label\na/1.png,x\na/2.png,y\n")
    assert find_kind(tmp_path / "photos.csv", None)[0].name == "pictures"
    (tmp_path / "rows.csv").write_text("file,label\nno/1.png,x\nno/2.png,y\n")
    assert find_kind(tmp_path / "rows.csv", None)[0].name == "table"
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="found no examples in this folder"):
        find_kind(tmp_path / "empty", None)
    with pytest.raises(UsageError, match="got 'picture'; did you mean pictures"):
        kind_named("picture")
