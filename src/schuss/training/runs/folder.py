"""The run folder on disk: config, weights, metrics and checkpoints, whole at any moment."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from schuss.core import Array, Tensor
from schuss.errors import DataError, FileFormatError
from schuss.nn.serialization import write_atomically
from schuss.training.runs.bundle import (
    FORMAT_VERSION,
    Json,
    NewerFormatError,
    check_version,
    parse_object,
    read_bundle,
    write_bundle,
)
from schuss.training.runs.history import History
from schuss.training.runs.lock import lock_folder
from schuss.training.runs.replacing import begun_folder, bring_back, check_free, replace

__all__ = ["RunFolder"]

_KEPT = 2
_CHECKPOINT = re.compile(r"step-(\d{1,18})\.safetensors")


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
        bring_back(self.path)
        self.config: Json = self._read_config()
        self._identity = _identity(self.path)
        self._is_locked = False
        self._history = History(self.path / "metrics.jsonl")
        self._damaged: list[Path] = []

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
            UsageError: if `path` is taken, or a process is training the run there.
            DataError: if it cannot be written.
        """
        target = None if path is None else Path(path)
        parent = Path("runs") if target is None else target.parent
        if target is not None:
            check_free(target, overwrite)
        made = begun_folder(parent)
        try:
            made.chmod(0o755)
            _write_config(made, config)
            header = {"config": _read_back(config), "epoch": 0, "finished": False}
            write_bundle(made / "model.safetensors", model, "model", header)
            (made / "checkpoints").mkdir()
            if target is not None:
                replace(made, target)
                return cls(target)
            number = 1 + max((_number(p.name, name) for p in parent.iterdir()), default=0)
            while not _moved(made, parent / f"{name}-{number}"):
                number += 1
            return cls(parent / f"{name}-{number}")
        finally:
            shutil.rmtree(made, ignore_errors=True)

    def _read_config(self) -> Json:
        file = self.path / "config.json"
        try:
            if not self.path.is_dir():
                raise DataError(f"{self.path}: there is no such run; check the path.")
            if not file.is_file():
                raise DataError(f"{self.path}: not a run, it has no config.json; check the path.")
            content = file.read_bytes()
        except OSError as error:
            raise DataError(f"{file}: cannot be read ({error.strerror or error}).") from None
        try:
            config = parse_object(content)
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

    # Keeping it.

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep the folder for this process; within such a block, another one changes nothing.

        Raises:
            UsageError: if another process holds it.
            DataError: if it is no longer the folder that was opened.
        """
        if self._is_locked:
            yield
            return
        self._check_there()
        with lock_folder(self.path):
            self._check_there()
            self._is_locked = True
            try:
                yield
            finally:
                self._is_locked = False

    def _check_there(self) -> None:
        """Notice that somebody has removed the folder, or put another one in its place."""
        if _identity(self.path) != self._identity:
            raise DataError(
                f"{self.path}: the run's folder was removed or replaced in the meantime, so it "
                "cannot be trained in; train anew."
            )

    @contextmanager
    def _writing(self, name: str) -> Iterator[Path]:
        """Say which file cannot be written, and how to go on."""
        self._check_there()
        file = self.path / name
        remedy = f"go on later with: schuss resume {shlex.quote(str(self.path))}"
        if self.config.get("kind") == "trainer":
            remedy = "go on later with the Trainer's fit(..., resume=True)."
        try:
            yield file
        except OSError as error:
            reason = error.strerror or error
            raise DataError(f"{file}: cannot be written ({reason}); {remedy}") from None
        except DataError as error:
            raise DataError(f"{str(error).rstrip('.')}; {remedy}") from None

    # The model.

    def write_model(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Replace the weights, and what goes with them; the config goes along."""
        whole = {"config": self.config, **header}
        with self._writing("model.safetensors") as file:
            write_bundle(file, tensors, "model", whole)

    def read_model(self) -> tuple[dict[str, Array], Json]:
        """Return the weights, and what goes with them."""
        return read_bundle(self.path / "model.safetensors", "model")

    def write_optimizer(self, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        """Replace the optimizer's state."""
        with self._writing("optimizer.safetensors") as file:
            write_bundle(file, tensors, "optimizer", header)

    # The history.

    def read_metrics(self, count: int | None = None, notes: list[str] | None = None) -> list[Json]:
        """Return the epochs' figures, as far as they can be read; see `History.read`."""
        try:
            return self._history.read(count, notes)
        except OSError as error:
            file = self._history.file
            raise DataError(f"{file}: cannot be read ({error.strerror or error}).") from None

    def begin_metrics(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Let the history be these figures, and open it to append."""
        with self._writing("metrics.jsonl"):
            self._history.begin(records)

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add an epoch's figures."""
        with self._writing("metrics.jsonl"):
            self._history.append(record)

    def end_metrics(self) -> None:
        """Close the history."""
        self._history.end()

    # Checkpoints.

    def _checkpoint_folder(self) -> Path:
        """Return the folder of the checkpoints, which must lie in the run itself.

        Raises:
            DataError: if it is a link, through which nothing is written or removed.
        """
        folder = self.path / "checkpoints"
        if folder.is_symlink():
            raise DataError(f"{folder}: expected a folder, got a link; put a folder there.")
        return folder

    def _checkpoints(self) -> list[Path]:
        """List the checkpoints, newest first."""
        files = [p for p in self._checkpoint_folder().glob("*") if not p.is_symlink()]
        found = [(_step(p), p) for p in files if _CHECKPOINT.fullmatch(p.name) and p.is_file()]
        return [path for _, path in sorted(found, reverse=True)]

    def write_checkpoint(
        self, step: int, tensors: Mapping[str, Tensor], header: Mapping[str, Any]
    ) -> None:
        """Write a checkpoint, and leave only the last two that are whole."""
        folder = self._checkpoint_folder()
        with self._writing("metrics.jsonl"):
            self._history.flush()
        with self._writing("checkpoints"):
            folder.mkdir(exist_ok=True)
        with self._writing(f"checkpoints/step-{step:09d}.safetensors") as file:
            write_bundle(file, tensors, "checkpoint", header)
        # Later ones are of a past that ended in a damaged file: they must not crowd out this one.
        bad = [
            p for p in self._checkpoints() if p != file and (_step(p) > step or p in self._damaged)
        ]
        for path in [*bad, *[p for p in self._checkpoints() if p not in bad][_KEPT:]]:
            with suppress(OSError):
                path.unlink()

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
            except NewerFormatError:
                raise
            except FileFormatError as error:
                notes.append(str(error))
                self._damaged.append(path)
                continue
            if notes:
                notes.append(f"going on from the checkpoint before, {path.name}")
            return found, notes
        if notes:
            notes.append("no checkpoint is whole, so the run begins again")
        return None, notes

    def remove_leftovers(self) -> None:
        """Remove temporary files that a killed process left."""
        for folder in (self.path, self._checkpoint_folder()):
            for pattern in (".*.safetensors.*", ".metrics.jsonl.*"):
                for path in folder.glob(pattern):
                    with suppress(OSError):
                        path.unlink()


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a folder from another one of the same name; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _step(checkpoint: Path) -> int:
    match = _CHECKPOINT.fullmatch(checkpoint.name)
    assert match is not None
    return int(match[1])


def _write_config(folder: Path, config: Mapping[str, Any]) -> None:
    text = json.dumps(_read_back(config), indent=1, ensure_ascii=False, allow_nan=False)
    # A name of a file that is not UTF-8 holds surrogates, whose escapes JSON reads back.
    write_atomically(folder / "config.json", text.encode("utf-8", "backslashreplace") + b"\n")


def _read_back(config: Mapping[str, Any]) -> Json:
    """Return the config as a reader of the file will see it, with version and checksum."""
    whole: Json = json.loads(json.dumps({"format": FORMAT_VERSION, **config}, allow_nan=False))
    whole["sha256"] = _digest(whole)
    return whole


def _number(entry: str, name: str) -> int:
    match = re.fullmatch(re.escape(name) + r"-(\d{1,18})", entry)
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
