from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schuss import tensor
from schuss.errors import DataError, FileFormatError, UsageError
from schuss.training.runs.bundle import read_bundle, write_bundle
from schuss.training.runs.folder import RunFolder

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
    folder.begin_metrics([])
    folder.write_checkpoint(1, WEIGHTS, {"history": 0})
    folder.write_checkpoint(2, WEIGHTS, {"history": 0, "format": 2})
    with pytest.raises(FileFormatError, match="update Schuss"):
        folder.read_checkpoint()
    folder.end_metrics()


def test_the_last_two_checkpoints_are_kept(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run")
    folder.begin_metrics([])
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
    folder.begin_metrics([])
    for epoch in (1, 2, 3):
        folder.append_metrics({"epoch": epoch, "loss": None})
    folder.end_metrics()
    file = folder.path / "metrics.jsonl"
    with file.open("ab") as out:
        out.write(b'{"epoch": 4, "lo')
    assert [r["epoch"] for r in folder.read_metrics()] == [1, 2, 3]
    assert all(json.loads(line)["format"] == 1 for line in file.read_text().splitlines()[:3])
    folder.begin_metrics(folder.read_metrics(2))
    folder.append_metrics({"epoch": 3, "loss": 1.0})
    folder.end_metrics()
    assert [r["loss"] for r in folder.read_metrics()] == [None, None, 1.0]
    assert file.read_bytes().count(b"\n") == 3
    notes: list[str] = []
    assert [r["epoch"] for r in folder.read_metrics(4, notes)] == [1, 2, 3]
    assert notes == [f"{file}: has 3 of 4 epochs; the others are lost"]


@pytest.mark.parametrize(
    "damage", [b"nonsense", b"", b"\xff", b'{"format": 1, "epoch": 1e999}', b"[" * 100_000, b"[]"]
)
def test_a_damaged_line_of_the_history_costs_that_line(tmp_path: Path, damage: bytes) -> None:
    folder = _made(tmp_path / "run")
    folder.begin_metrics([{"epoch": epoch, "loss": 0.5} for epoch in (1, 2, 3)])
    folder.write_checkpoint(9, WEIGHTS, {"history": 3})
    folder.end_metrics()
    file = folder.path / "metrics.jsonl"
    lines = file.read_bytes().splitlines()
    for changed in (damage, lines[1].replace(b"1", b"9", 1), lines[1].replace(b"2", b"0")):
        file.write_bytes(b"\n".join([lines[0], changed, lines[2], b""]))
        notes: list[str] = []
        assert [r["epoch"] for r in folder.read_metrics(3, notes)] == [1, 3]
        assert notes == [f"{file}: damaged in line 2; the history lacks that"]
        found, notes = folder.read_checkpoint()
        assert found is not None
        assert notes == []


def test_damaged_checkpoints_do_not_crowd_out_new_ones(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run")
    folder.begin_metrics([])
    for step in (100, 110):
        folder.write_checkpoint(step, WEIGHTS, {"history": 0})
    files = sorted((folder.path / "checkpoints").iterdir())
    for file in files:
        file.write_bytes(file.read_bytes()[:100])
    found, notes = folder.read_checkpoint()
    assert found is None
    assert notes[-1] == "no checkpoint is whole, so the run begins again"
    # Before, between and after the damaged ones.
    for step, left in ((5, ["005"]), (105, ["005", "105"]), (120, ["105", "120"])):
        folder.write_checkpoint(step, WEIGHTS, {"history": 0})
        names = sorted(p.name for p in (folder.path / "checkpoints").iterdir())
        assert [name[11:14] for name in names] == left
    folder.end_metrics()


def test_links_in_a_run_are_not_followed(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run")
    mine, aside = tmp_path / "mine", tmp_path / "aside"
    mine.write_text("a token without a newline")
    aside.mkdir()
    (aside / ".step-1.safetensors.x").touch()
    file = folder.path / "metrics.jsonl"
    for link in (file.symlink_to, file.hardlink_to):
        link(mine)
        folder.begin_metrics(folder.read_metrics())
        folder.append_metrics({"epoch": 1})
        folder.end_metrics()
        assert mine.read_text() == "a token without a newline"
        assert [r["epoch"] for r in folder.read_metrics()] == [1]
        file.unlink()
    (folder.path / "model.safetensors").unlink()
    (folder.path / "model.safetensors").symlink_to(mine)
    folder.write_model(WEIGHTS, HEADER)
    (folder.path / "checkpoints").rmdir()
    (folder.path / "checkpoints").symlink_to(aside)
    folder.begin_metrics([])
    for change in (folder.remove_leftovers, lambda: folder.write_checkpoint(1, WEIGHTS, {})):
        with pytest.raises(DataError, match="checkpoints: expected a folder, got a link"):
            change()
    folder.end_metrics()
    assert [p.name for p in aside.iterdir()] == [".step-1.safetensors.x"]
    assert mine.read_text() == "a token without a newline"
    # A run's folder may itself be a link, as a user makes one; replaced, the link goes.
    (tmp_path / "link").symlink_to(folder.path)
    RunFolder.create({"kind": "x"}, WEIGHTS, path=tmp_path / "link", overwrite=True)
    assert not (tmp_path / "link").is_symlink()
    assert (folder.path / "config.json").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["aside", "link", "mine", "run"]


def test_a_run_that_is_trained_is_not_replaced(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run", number=1)
    with folder.locked():
        for path in (tmp_path / "run", tmp_path / "alias"):
            if path.name == "alias":
                path.symlink_to(tmp_path / "run")
            with pytest.raises(UsageError, match="another process is training this run"):
                RunFolder.create({"kind": "x"}, WEIGHTS, path=path, overwrite=True)
        with folder.locked():
            pass
        with pytest.raises(UsageError, match="another process"), RunFolder(folder.path).locked():
            pass
    assert RunFolder(folder.path).config["number"] == 1


@pytest.mark.parametrize("replaced", [False, True])
def test_a_folder_that_went_away_is_noticed(tmp_path: Path, replaced: bool) -> None:
    folder = _made(tmp_path / "run")
    with folder.locked():
        folder.begin_metrics([])
        folder.path.rename(tmp_path / "elsewhere")
        if replaced:
            _made(tmp_path / "run")
        for write in (
            lambda: folder.append_metrics({"epoch": 1}),
            lambda: folder.write_checkpoint(1, WEIGHTS, {}),
            lambda: folder.write_model(WEIGHTS, HEADER),
            lambda: folder.write_optimizer(WEIGHTS, HEADER),
        ):
            with pytest.raises(DataError, match="was removed or replaced in the meantime"):
                write()
        folder.end_metrics()


def test_a_full_disk_is_said_with_the_file(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run")
    folder.begin_metrics([])
    folder.end_metrics()
    folder._history._handle = os.open("/dev/full", os.O_WRONLY)
    with pytest.raises(DataError, match=r"metrics\.jsonl: cannot be written \(No space .*go on"):
        folder.append_metrics({"epoch": 1})
    folder.end_metrics()


def killed_at_rename(run: Path, number: int) -> None:
    """Replace a run by another, and die before the given rename of the folders."""
    program = f"""if True:
        import os
        from schuss import tensor
        from schuss.training.runs import replacing
        from schuss.training.runs.folder import RunFolder
        rename, left = os.rename, [{number}]
        def dying(*paths):
            left[0] -= 1
            if left[0] == 0:
                os._exit(9)
            rename(*paths)
        os.rename = dying
        new = {{"kind": "x", "number": 2}}
        RunFolder.create(new, {{"w": tensor([1.0])}}, path={str(run)!r}, overwrite=True)
    """
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 9


def test_killed_between_two_renames_the_old_run_comes_back(tmp_path: Path) -> None:
    run = tmp_path / "run"
    _made(run, number=1)
    os.utime(run, (0.0, 0.0))
    killed_at_rename(run, 2)
    assert not run.exists()
    _made(tmp_path / "another")
    assert RunFolder(run).config["number"] == 1
    killed_at_rename(run, 2)
    assert RunFolder(run).config["number"] == 1
    killed_at_rename(run, 2)
    with pytest.raises(UsageError, match="there is a run already"):
        _made(run)
    for path in tmp_path.glob(".new-run-*"):
        os.utime(path, (0.0, 0.0))
    made = RunFolder.create({"kind": "x", "number": 3}, WEIGHTS, path=run, overwrite=True)
    assert made.config["number"] == 3
    assert sorted(p.name for p in tmp_path.iterdir()) == ["another", "run"]


def test_what_a_killed_process_left_is_removed(tmp_path: Path) -> None:
    folder = _made(tmp_path / "run")
    for name in (".model.safetensors.abc", ".metrics.jsonl.x", "checkpoints/.step-1.safetensors.y"):
        (folder.path / name).touch()
    folder.remove_leftovers()
    assert not list(folder.path.rglob(".*"))
