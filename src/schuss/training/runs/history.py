"""History: the figures of each epoch, a line of JSON each, in a run's `metrics.jsonl`."""

from __future__ import annotations

import errno
import json
import math
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from schuss.nn.serialization import write_atomically
from schuss.training.runs.bundle import FORMAT_VERSION, Json, check_version, parse_object

__all__ = ["History"]

_MOST_LINES_NAMED = 5


class History:
    """The epochs' figures on disk: a log, on which nothing that is trained depends.

    Args:
        file: where it is, or will be.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._handle: int | None = None

    def read(self, count: int | None = None, notes: list[str] | None = None) -> list[Json]:
        """Return the epochs' figures in their order, as far as they can be read.

        Args:
            count: only the first so many epochs, all of which should be there.
            notes: is told which lines cannot be read, and which are missing.
        """
        notes = [] if notes is None else notes
        if not self.file.exists():
            return []
        if not _is_own(self.file):
            notes.append(f"{self.file}: not a file of the run's own; the history begins anew")
            return []
        # What follows the last newline was cut off while it was being written.
        *lines, _ = self.file.read_bytes().split(b"\n")
        records: list[Json] = []
        damaged = []
        for number, line in enumerate(lines, start=1):
            record = _record(self.file, line)
            if record is None:
                damaged.append(number)
            elif (count is None or record["epoch"] <= count) and (
                not records or record["epoch"] > records[-1]["epoch"]
            ):
                records.append(record)
        if damaged and (count is None or len(records) < count):
            some = ", ".join(map(str, damaged[:_MOST_LINES_NAMED]))
            more = ", ..." if len(damaged) > _MOST_LINES_NAMED else ""
            notes.append(f"{self.file}: damaged in line {some}{more}; the history lacks that")
        elif count is not None and len(records) < count:
            notes.append(f"{self.file}: has {len(records)} of {count} epochs; the others are lost")
        return records

    def begin(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Write these figures in place of what is there, and open the file to append.

        Raises:
            DataError: if it cannot be written.
        """
        # A new file takes the place of a link, which is not followed.
        write_atomically(self.file, b"".join(map(_line, records)))
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        self._handle = os.open(self.file, flags | getattr(os, "O_BINARY", 0))

    def append(self, record: Mapping[str, Any]) -> None:
        """Add an epoch's figures.

        Raises:
            OSError: if they cannot be written.
        """
        line = _line(record)
        assert self._handle is not None
        # A disk that runs full takes a part of the line, and says so at the next one only.
        if os.write(self._handle, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def flush(self) -> None:
        """Make what was appended survive a power cut."""
        assert self._handle is not None
        os.fsync(self._handle)

    def end(self) -> None:
        """Close the file."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def _is_own(file: Path) -> bool:
    """Tell whether it is a plain file, and no link or pipe to something else."""
    return stat.S_ISREG(file.lstat().st_mode)


def _line(record: Mapping[str, Any]) -> bytes:
    text = json.dumps({"format": FORMAT_VERSION, **record}, allow_nan=False)
    return text.encode() + b"\n"


def _record(file: Path, line: bytes) -> Json | None:
    """Return the figures of a line, or None where it is not as it was written."""
    try:
        record = parse_object(line)
        check_version(file, record.pop("format", None))
    except ValueError:
        return None
    epoch = record.get("epoch")
    if not isinstance(epoch, int) or isinstance(epoch, bool) or epoch < 1:
        return None
    for value in record.values():
        if value is not None and not (isinstance(value, (int, float)) and math.isfinite(value)):
            return None
    return record
