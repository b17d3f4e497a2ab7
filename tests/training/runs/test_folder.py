from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from schuss import tensor
from schuss.errors import DataError, FileFormatError, UsageError
from schuss.nn.serialization import write_atomically
from schuss.training.runs.folder import RunFolder, read_bundle, write_bundle

WEIGHTS = {"w": tensor([1.0, 2.0])}
HEADER = {"epoch": 0, "finished": False}


def _made(path: Path, **config: Any) -> RunFolder:
    return RunFolder.create({"kind": "x", **config}, WEIGHTS, path=path)


def test_a_new_run_has_its_config_and_weights_at_once(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run", names=["a", 1.5, None])
    again = RunFolder(tmp_path / "run")
    assert again.config == folder.config
    assert again.config["names"] == ["a", 1.5, None]
    arrays, header = again.read_model()
    assert arrays["w"].tolist() == [1.0, 2.0]
    assert header["config"] == folder.config
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_a_run_is_replaced_only_when_told(tmp_path: Path) -> None:
    _made(tmp_path / "run", number=1)
    with pytest.raises(UsageError, match=r"there is a run already; .* schuss resume"):
        _made(tmp_path / "run")
    config = {"kind": "x", "number": 2}
    made = RunFolder.create(config, WEIGHTS, path=tmp_path / "run", overwrite=True)
    assert made.config["number"] == 2
    assert [p.name for p in tmp_path.iterdir()] == ["run"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").touch()
    with pytest.raises(UsageError, match="something else is there"):
        RunFolder.create(config, WEIGHTS, path=tmp_path / "other", overwrite=True)
    assert (tmp_path / "other" / "thesis.txt").exists()
    (tmp_path / "empty").mkdir()
    assert _made(tmp_path / "empty").path == tmp_path / "empty"


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="no run can be made there"):
        _made(tmp_path / "file" / "run")


def test_every_altered_byte_of_the_config_is_noticed(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run", classes=["a", "b"], range=[1.25, 3e-7])
    file = folder.path / "config.json"
    content = file.read_bytes()
    for place in range(len(content)):
        file.write_bytes(content[:place])
        if content[:place].rstrip() != content.rstrip():
            with pytest.raises(FileFormatError):
                RunFolder(folder.path)
        changed = bytes([content[place] ^ 1])
        file.write_bytes(content[:place] + changed + content[place + 1 :])
        try:
            # White space between values means nothing.
            assert RunFolder(folder.path).config == folder.config
            assert content[place : place + 1].isspace()
        except FileFormatError:
            pass


def _rewritten(file: Path, **changes: Any) -> None:
    """Give a config other values, and a checksum that fits."""
    from schuss.training.runs.folder import _digest

    config = json.loads(file.read_text()) | changes
    config["sha256"] = _digest(config)
    file.write_text(json.dumps(config))


def test_newer_formats_are_refused_by_name(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run")
    file = folder.path / "config.json"
    _rewritten(file, format=99)
    with pytest.raises(FileFormatError, match=r"config\.json: has format 99, .* update Schuss"):
        RunFolder(folder.path)
    _rewritten(file, format="new")
    with pytest.raises(FileFormatError, match="expected a format version, got 'new'"):
        RunFolder(folder.path)
    bundle = tmp_path / "model.safetensors"
    write_bundle(bundle, WEIGHTS, "model", {"format": 2})
    with pytest.raises(FileFormatError, match=r"model\.safetensors: has format 2"):
        read_bundle(bundle, "model")
    write_bundle(bundle, WEIGHTS, "optimizer", {})
    with pytest.raises(FileFormatError, match="expected a model, got a optimizer"):
        read_bundle(bundle, "model")


def test_a_newer_checkpoint_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run")
    folder.begin_metrics(0)
    folder.write_checkpoint(1, WEIGHTS, {"history": 0})
    folder.write_checkpoint(2, WEIGHTS, {"history": 0, "format": 2})
    with pytest.raises(FileFormatError, match="update Schuss"):
        folder.read_checkpoint()
    folder.end_metrics()


def test_the_last_two_checkpoints_are_kept(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run")
    folder.begin_metrics(0)
    for step in (1, 5, 30, 1000):
        folder.write_checkpoint(step, WEIGHTS, {"history": 0, "step": step})
    names = sorted(p.name for p in (folder.path / "checkpoints").iterdir())
    assert names == ["step-000000030.safetensors", "step-000001000.safetensors"]
    found, notes = folder.read_checkpoint()
    assert found is not None
    assert found[1]["step"] == 1000
    assert notes == []
    folder.end_metrics()


def test_the_history_is_cut_where_the_checkpoint_was(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run")
    folder.begin_metrics(0)
    for epoch in (1, 2, 3):
        folder.append_metrics({"epoch": epoch, "loss": None})
    folder.end_metrics()
    file = folder.path / "metrics.jsonl"
    with file.open("ab") as out:
        out.write(b'{"epoch": 4, "lo')
    assert [r["epoch"] for r in folder.read_metrics()] == [1, 2, 3]
    assert all(json.loads(line)["format"] == 1 for line in file.read_text().splitlines()[:3])
    folder.begin_metrics(2)
    folder.append_metrics({"epoch": 3, "loss": 1.0})
    folder.end_metrics()
    assert [r["loss"] for r in folder.read_metrics()] == [None, None, 1.0]
    assert file.read_bytes().count(b"\n") == 3
    with pytest.raises(FileFormatError, match="expected 4 epochs, got 3"):
        folder.read_metrics(4)
    write_atomically(file, b'{"epoch": 1}\nnonsense\n')
    with pytest.raises(FileFormatError, match=r"metrics\.jsonl"):
        folder.read_metrics()


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run")
    for name in (".model.safetensors.abc", ".metrics.jsonl.x", "checkpoints/.step-1.safetensors.y"):
        (folder.path / name).touch()
    folder.remove_leftovers()
    assert not list(folder.path.rglob(".*"))
