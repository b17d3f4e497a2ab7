"""The run folder on disk: config, weights, metrics and checkpoints, whole at any moment."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from schuss.core import Array, Tensor
from schuss.errors import DataError, FileFormatError, UsageError
from schuss.nn.serialization import read_safetensors, save_safetensors, write_atomically
from schuss.version import __version__

__all__ = ["FORMAT_VERSION", "RunFolder", "read_bundle", "write_bundle"]

FORMAT_VERSION = 1
_KEPT = 2
_HEADER = "schuss"
_BEGINNING = ".new-run-"
_CHECKPOINT = re.compile(r"step-(\d+)\.safetensors")

Json = dict[str, Any]


class NewerFormatError(FileFormatError):
    """The file was written by a newer Schuss."""


def check_version(path: Path, version: object) -> None:
    """Refuse a file of a newer format.

    Raises:
        FileFormatError: if the version is newer than this Schuss knows, or no version at all.
    """
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise FileFormatError(f"{path}: expected a format version, got {version!r}; not of Schuss.")
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"{path}: has format {version}, this Schuss ({__version__}) knows up to "
            f"{FORMAT_VERSION}; update Schuss."
        )


def write_bundle(
    path: Path, tensors: Mapping[str, Tensor], kind: str, header: Mapping[str, Any]
) -> None:
    """Write tensors with a description into one safetensors file, all or nothing."""
    # A scheduler's state may hold an infinity, which Python's JSON reads back.
    text = json.dumps({"format": FORMAT_VERSION, "kind": kind, **header})
    save_safetensors(tensors, path, {_HEADER: text})


def read_bundle(path: Path, kind: str) -> tuple[dict[str, Array], Json]:
    """Return tensors and description of a file that `write_bundle` wrote.

    Raises:
        DataError: if there is no such file.
        FileFormatError: if it is damaged, altered, newer, or of another kind.
    """
    arrays, metadata = read_safetensors(path)
    text = metadata.get(_HEADER)
    if text is None:
        raise FileFormatError(
            f"{path}: a file of tensors, but not written by Schuss's training; give a run folder "
            "or what run.save wrote."
        )
    try:
        header = json.loads(text)
    except ValueError:
        raise FileFormatError(f"{path}: its description is damaged; take another copy.") from None
    check_version(path, header.get("format"))
    if header.get("kind") != kind:
        raise FileFormatError(f"{path}: expected a {kind}, got a {header.get('kind')}.")
    return arrays, header


def _digest(config: Mapping[str, Any]) -> str:
    rest = {name: value for name, value in config.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


class RunFolder:
    """A run's files: config, model, optimizer, metrics and checkpoints.

    Args:
        path: an existing run folder.

    Raises:
        DataError: if there is none.
        FileFormatError: if its config is damaged, altered or newer.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.config: Json = self._read_config()
        self._metrics: Any = None

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r}: {self.config.get('kind')})"

    # Making one.

    @classmethod
    def create(
        cls,
        config: Mapping[str, Any],
        model: Mapping[str, Tensor],
        *,
        path: str | os.PathLike[str] | None = None,
        name: str = "run",
        overwrite: bool = False,
    ) -> RunFolder:
        """Make a run folder with its config and its first weights; it appears whole.

        Args:
            config: what rebuilds the run.
            model: weights to begin with.
            path: where; None takes the first free runs/NAME-1, -2, ...
            name: the run's name.
            overwrite: whether an existing run at `path` is replaced.

        Raises:
            UsageError: if `path` is taken.
            DataError: if it cannot be written.
        """
        target = None if path is None else Path(path)
        parent = Path("runs") if target is None else target.parent
        if target is not None:
            check_free(target, overwrite)
        try:
            parent.mkdir(parents=True, exist_ok=True)
            _remove_old_beginnings(parent)
            made = Path(tempfile.mkdtemp(prefix=_BEGINNING, dir=parent))
        except OSError as error:
            raise DataError(
                f"{parent}: no run can be made there ({error.strerror}); give another folder."
            ) from None
        try:
            made.chmod(0o755)
            _write_config(made, config)
            header = {"config": _read_back(config), "epoch": 0, "finished": False}
            write_bundle(made / "model.safetensors", model, "model", header)
            (made / "checkpoints").mkdir()
            if target is not None:
                _replace(made, target)
                return cls(target)
            number = 1 + max((_number(p.name, name) for p in parent.iterdir()), default=0)
            while not _moved(made, parent / f"{name}-{number}"):
                number += 1
            return cls(parent / f"{name}-{number}")
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _read_config(self) -> Json:
        file = self.path / "config.json"
        if not self.path.is_dir():
            raise DataError(f"{self.path}: there is no such run; check the path.")
        if not file.is_file():
            raise DataError(f"{self.path}: not a run, it has no config.json; check the path.")
        try:
            config = json.loads(file.read_text("utf-8"))
            if not isinstance(config, dict):
                raise ValueError
        except ValueError:
            raise FileFormatError(
                f"{file}: truncated or altered, it is not JSON; take another copy of the run."
            ) from None
        check_version(file, config.get("format"))
        if config.get("sha256") != _digest(config):
            raise FileFormatError(
                f"{file}: does not match its checksum; it was altered, take another copy."
            )
        return config

    # The model.

    def write_model(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Replace the weights, and what goes with them; the config goes along."""
        whole = {"config": self.config, **header}
        write_bundle(self.path / "model.safetensors", tensors, "model", whole)

    def read_model(self) -> tuple[dict[str, Array], Json]:
        """Return the weights, and what goes with them."""
        return read_bundle(self.path / "model.safetensors", "model")

    def write_optimizer(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Replace the optimizer's state."""
        write_bundle(self.path / "optimizer.safetensors", tensors, "optimizer", header)

    # The history.

    def read_metrics(self, count: int | None = None) -> list[Json]:
        """Return the first `count` epochs' figures; by default all that were written whole.

        Raises:
            FileFormatError: if a line is damaged, or there are fewer than `count`.
        """
        file = self.path / "metrics.jsonl"
        records: list[Json] = []
        lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
        for number, line in enumerate(lines if count is None else lines[:count], start=1):
            try:
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise ValueError
            except ValueError:
                raise FileFormatError(
                    f"{file}, line {number}: truncated or altered; take another copy of the run."
                ) from None
            check_version(file, record.pop("format", None))
            records.append(record)
        if count is not None and len(records) < count:
            raise FileFormatError(
                f"{file}: expected {count} epochs, got {len(records)}; it was truncated, take "
                "another copy of the run."
            )
        return records

    def begin_metrics(self, count: int) -> None:
        """Cut the history after `count` epochs, and open it to append."""
        file = self.path / "metrics.jsonl"
        lines = file.read_bytes().split(b"\n")[:-1] if file.exists() else []
        if file.exists() and len(lines) > count:
            write_atomically(file, b"".join(line + b"\n" for line in lines[:count]))
        self._metrics = file.open("ab")
        # What follows the last newline was cut off while it was being written.
        whole = sum(len(line) + 1 for line in lines[:count])
        self._metrics.truncate(whole)

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add an epoch's figures."""
        line = json.dumps({"format": FORMAT_VERSION, **record}, allow_nan=False)
        self._metrics.write(line.encode() + b"\n")
        self._metrics.flush()

    def end_metrics(self) -> None:
        """Close the history."""
        if self._metrics is not None:
            self._metrics.close()
            self._metrics = None

    # Checkpoints.

    def _checkpoints(self) -> list[Path]:
        """List the checkpoints, newest first."""
        folder = self.path / "checkpoints"
        found = [(int(m[1]), p) for p in folder.glob("*") if (m := _CHECKPOINT.fullmatch(p.name))]
        return [path for _, path in sorted(found, reverse=True)]

    def write_checkpoint(
        self, step: int, tensors: Mapping[str, Tensor], header: Mapping[str, Any]
    ) -> None:
        """Write a checkpoint and leave only the last two."""
        os.fsync(self._metrics.fileno())
        (self.path / "checkpoints").mkdir(exist_ok=True)
        write_bundle(
            self.path / "checkpoints" / f"step-{step:09d}.safetensors",
            tensors,
            "checkpoint",
            header,
        )
        for old in self._checkpoints()[_KEPT:]:
            old.unlink(missing_ok=True)

    def read_checkpoint(self) -> tuple[tuple[dict[str, Array], Json] | None, list[str]]:
        """Return the newest checkpoint that is whole, with notes on those that are not.

        Returns:
            Tensors and description, None where there is no whole checkpoint; and the notes.

        Raises:
            FileFormatError: if one has a newer format.
        """
        notes: list[str] = []
        for path in self._checkpoints():
            try:
                found = read_bundle(path, "checkpoint")
                self.read_metrics(found[1]["history"])
            except NewerFormatError:
                raise
            except FileFormatError as error:
                notes.append(str(error))
                continue
            if notes:
                notes.append(f"going on from the checkpoint before, {path.name}")
            return found, notes
        if notes:
            notes.append("no checkpoint is whole, so the run begins again")
        return None, notes

    def remove_leftovers(self) -> None:
        """Remove temporary files that a killed process left."""
        for folder in (self.path, self.path / "checkpoints"):
            for path in folder.glob(".*.safetensors.*"):
                path.unlink(missing_ok=True)
            for path in folder.glob(".metrics.jsonl.*"):
                path.unlink(missing_ok=True)


def check_free(path: Path, overwrite: bool = False) -> None:
    """Refuse a run folder that is taken, or would lie where none can.

    Raises:
        UsageError: if something is there that may not be replaced.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    is_run = (path / "config.json").is_file()
    if overwrite and is_run:
        return
    if is_run:
        raise UsageError(
            f"{path}: there is a run already; give another folder, or resume it with "
            f"schuss resume {shlex.quote(str(path))}"
        )
    raise UsageError(f"{path}: something else is there; give another folder for the run.")


def _write_config(folder: Path, config: Mapping[str, Any]) -> None:
    text = json.dumps(_read_back(config), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(folder / "config.json", text.encode() + b"\n")


def _read_back(config: Mapping[str, Any]) -> Json:
    """Return the config as a reader of the file will see it, with version and checksum."""
    whole: Json = json.loads(json.dumps({"format": FORMAT_VERSION, **config}, allow_nan=False))
    whole["sha256"] = _digest(whole)
    return whole


def _number(entry: str, name: str) -> int:
    match = re.fullmatch(re.escape(name) + r"-(\d+)", entry)
    return int(match[1]) if match else 0


def _moved(made: Path, target: Path) -> bool:
    if target.exists():
        return False
    try:
        os.rename(made, target)
    except OSError:
        if target.exists():
            return False
        raise
    return True


def _remove_old_beginnings(parent: Path) -> None:
    """Remove runs that a process killed an hour ago or more was about to make."""
    for path in parent.glob(f"{_BEGINNING}*"):
        if path.stat().st_mtime < time.time() - 3600.0:
            shutil.rmtree(path, ignore_errors=True)


def _replace(made: Path, target: Path) -> None:
    """Rename into place; what was there goes away last, so that a kill loses nothing."""
    old = made.with_name(f"{made.name}-old")
    try:
        if target.exists():
            os.rename(target, old)
        os.rename(made, target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror}).") from None
    shutil.rmtree(old, ignore_errors=True)
