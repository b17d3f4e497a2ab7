"""Recordings in files: WAV without help, other formats with soundfile."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from schuss.audio import wav
from schuss.core import Array
from schuss.errors import DataError

__all__ = ["SUFFIXES", "AudioInfo", "info", "load"]

# What a recording's file name ends with.
SUFFIXES: tuple[str, ...] = (".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3")
SUFFIXES += (".aiff", ".aif", ".aifc", ".au", ".caf", ".w64")
_INSTALL = "install it with: pip install 'schuss[audio]'"


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


def info(path: str | os.PathLike[str]) -> AudioInfo:
    """Return what a file says of its recording, without decoding it.

    Raises:
        DataError: if it cannot be read; the message says why in one line.
    """
    return _Opened(Path(path)).info


def load(
    path: str | os.PathLike[str], *, start: int = 0, frames: int | None = None
) -> tuple[Array, int]:
    """Return a recording, or a part of it, and its rate.

    WAV files (PCM of 8 to 32 bits, floats) are read by Schuss itself; FLAC, OGG, MP3 and others
    need soundfile, which comes with `pip install 'schuss[audio]'`.

    Args:
        path: of the file.
        start: the frame to begin at.
        frames: how many to read, at most; None for all.

    Returns:
        float32 in [-1, 1], of shape (channels, frames); and frames a second.

    Raises:
        DataError: if it cannot be read; the message says why in one line.
    """
    if start < 0 or (frames is not None and frames < 0):
        raise DataError(f"load: expected start and frames of at least 0, got {start}, {frames}.")
    opened = _Opened(Path(path))
    count = opened.info.frames if frames is None else frames
    samples = opened.read(start, count)
    if not np.isfinite(samples).all():
        raise DataError(f"{path}: the recording has samples that are infinite or not a number.")
    return samples, opened.info.sample_rate


class _Opened:
    """A recording whose header was read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._header: wav.WavHeader | None = None
        try:
            with path.open("rb") as file:
                begin = file.read(12)
            if not begin:
                raise DataError(f"{path}: the file is empty.")
            if wav.is_wav(begin) and not self._is_compressed():
                header = self._header = wav.read_header(path)
                self.info = AudioInfo(header.sample_rate, header.channels, header.frames)
                return
        except OSError as error:
            raise DataError(f"{path}: {error.strerror or error}.") from None
        if path.suffix.lower() in (".wav", ".wave") and not wav.is_wav(begin):
            raise DataError(f"{path}: expected a WAV file, which begins with RIFF and WAVE.")
        module = _soundfile(path)
        try:
            found = module.info(str(path))
        except (RuntimeError, OSError, TypeError) as error:
            raise DataError(f"{path}: {_reason(error)}") from None
        self.info = AudioInfo(int(found.samplerate), int(found.channels), int(found.frames))

    def _is_compressed(self) -> bool:
        """Whether soundfile, where it is installed, may read what a WAV file has in it."""
        try:
            wav.read_header(self._path)
        except DataError as error:
            if "compressed" not in str(error):
                raise
            return _installed() is not None
        return False

    def read(self, start: int, count: int) -> Array:
        try:
            if self._header is not None:
                return wav.read_frames(self._path, self._header, start, count)
            found, _ = _soundfile(self._path).read(
                str(self._path), count, min(start, self.info.frames), dtype="float32",
                always_2d=True,
            )  # fmt: skip
        except (RuntimeError, OSError) as error:
            raise DataError(f"{self._path}: {_reason(error)}") from None
        return np.ascontiguousarray(found.T)


def _reason(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or getattr(error, "error_string", None) or error)
    return f"the recording cannot be read: {text.strip().rstrip('.')}."


def _installed() -> ModuleType | None:
    try:
        import soundfile
    except (ImportError, OSError):  # or the library that it is about
        return None
    found: ModuleType = soundfile
    return found


def _soundfile(path: Path) -> ModuleType:
    module = _installed()
    if module is None:
        raise DataError(f"{path}: this format needs soundfile; {_INSTALL}, or write WAV files.")
    return module
