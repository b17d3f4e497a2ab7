"""Recordings in files: WAV without help, other formats with soundfile."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO, TypeAlias

import numpy as np

from schuss.audio import wav
from schuss.core import Array
from schuss.errors import DataError, UsageError

__all__ = ["SUFFIXES", "AudioFile", "AudioInfo", "info", "load"]

AudioFile: TypeAlias = "str | os.PathLike[str] | BinaryIO"

# What a recording's file name ends with.
SUFFIXES: tuple[str, ...] = (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3")
SUFFIXES += (".aiff", ".aif", ".aifc", ".au", ".caf", ".w64")
_INSTALL = "install it with: pip install 'schuss[audio]', or write WAV files"


@dataclass(frozen=True)
class AudioInfo:
    """What a file says of its recording.

    Args:
        sample_rate: frames a second.
        channels: samples in a frame.
        frames: how many.
    """

    sample_rate: int
    channels: int
    frames: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.frames / self.sample_rate


def info(file: AudioFile) -> AudioInfo:
    """Return what a file says of its recording, without decoding it.

    Args:
        file: a path; or a file opened to be read as bytes, at any place in it.

    Raises:
        DataError: if it cannot be read; the message says why in one line.
    """
    with _opened(file) as recording:
        return recording.info


def load(file: AudioFile, *, start: int = 0, frames: int | None = None) -> tuple[Array, int]:
    """Return a recording, or a part of it, and its rate.

    WAV files (PCM of 8 to 32 bits, floats) are read by Schuss itself; FLAC, OGG, MP3 and others
    need soundfile, which comes with `pip install 'schuss[audio]'`.

    Args:
        file: a path; or a file opened to be read as bytes, at any place in it.
        start: the frame to begin at.
        frames: how many to read, at most; None for all.

    Returns:
        float32 in [-1, 1], of shape (channels, frames); and frames a second.

    Raises:
        DataError: if it cannot be read; the message says why in one line.
    """
    if start < 0 or (frames is not None and frames < 0):
        raise UsageError(f"load: expected start and frames of at least 0, got {start}, {frames}.")
    with _opened(file) as recording:
        samples = recording.read(start, recording.info.frames if frames is None else frames)
        if not np.isfinite(samples).all():
            raise DataError("some of its samples are infinite or not a number")
        return samples, recording.info.sample_rate


@contextmanager
def _opened(file: AudioFile) -> Iterator[_Recording]:
    """Open a recording, and say of which file an error is, where it has a name."""
    if not isinstance(file, str | os.PathLike):
        try:
            yield _Recording(file)
        except OSError as error:
            raise DataError(_reason(error)) from None
        return
    try:
        with Path(file).open("rb") as opened:
            yield _Recording(opened)
    except OSError as error:
        raise DataError(f"{file}: {_reason(error)}.") from None
    except DataError as error:
        raise DataError(f"{file}: {error}.") from None


class _Recording:
    """An open file whose header was read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._header: wav.WavHeader | None = None
        self._module: Any = None
        file.seek(0)
        begin = file.read(12)
        if not begin:
            raise DataError("an empty file")
        if wav.is_wav(begin):
            try:
                header = self._header = wav.read_header(file)
            except wav.CompressedError:
                if _installed() is None:
                    raise
            else:
                self.info = AudioInfo(header.sample_rate, header.channels, header.frames)
                return
        self._module = _soundfile(begin)
        file.seek(0)
        try:
            found = self._module.info(file)
        except (RuntimeError, TypeError) as error:
            raise DataError(_reason(error)) from None
        self.info = AudioInfo(int(found.samplerate), int(found.channels), int(found.frames))

    def read(self, start: int, count: int) -> Array:
        if self._header is not None:
            return wav.read_frames(self._file, self._header, start, count)
        self._file.seek(0)
        try:
            found, _ = self._module.read(self._file, count, start, dtype="float32", always_2d=True)
        except (RuntimeError, TypeError, ValueError) as error:
            raise DataError(_reason(error)) from None
        return np.ascontiguousarray(found.T)


def _reason(error: Exception) -> str:
    """Return why something cannot be read, as a phrase."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    text = str(getattr(error, "error_string", None) or error).strip().rstrip(".")
    return f"not a recording that can be read ({text})"


def _installed() -> ModuleType | None:
    try:
        import soundfile
    except (ImportError, OSError):  # or the library that it is about
        return None
    found: ModuleType = soundfile
    return found


# What the formats begin with that soundfile reads: without it, they are told from other files.
_BEGINNINGS: tuple[bytes, ...] = (b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
_BEGINNINGS += (b"FORM", b".snd", b"caff", b"riff", b"RIFF", b"RF64")


def _soundfile(begin: bytes) -> ModuleType:
    module = _installed()
    if module is None:
        if begin.startswith(_BEGINNINGS):
            raise DataError(f"a format that needs soundfile; {_INSTALL}")
        raise DataError("not a recording")
    return module
