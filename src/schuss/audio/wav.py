"""WAV files: the header, and samples from any place in them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from schuss.core import Array
from schuss.errors import DataError

__all__ = ["CompressedError", "WavHeader", "is_wav", "read_frames", "read_header"]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_UNKNOWN = (0, 0xFFFFFFFF)  # written by programs that stream, and did not know the size yet
_WIDTHS = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}


class CompressedError(DataError):
    """A WAV file holds what only its codec can decode."""


@dataclass(frozen=True)
class WavHeader:
    """What a WAV file says of itself.

    Args:
        sample_rate: frames a second.
        channels: samples in a frame.
        frames: how many there are in the file, which may be cut off.
        bits: of a sample.
        is_float: whether samples are floats, and no whole numbers.
        start: where in the file the first frame is.
    """

    sample_rate: int
    channels: int
    frames: int
    bits: int
    is_float: bool
    start: int

    @property
    def frame_bytes(self) -> int:
        """The bytes of a frame."""
        return self.channels * self.bits // 8


def is_wav(start: bytes) -> bool:
    """Tell whether a file that starts so, with at least 12 bytes, is a WAV file."""
    return start[:4] in (b"RIFF", b"RF64") and start[8:12] == b"WAVE"


def read_header(file: BinaryIO) -> WavHeader:
    """Read what a WAV file says of itself.

    Raises:
        DataError: if it is none, is damaged, or is compressed; a phrase says which.
        OSError: if it cannot be read.
    """
    size = file.seek(0, 2)
    file.seek(0)
    if not is_wav(file.read(12)):
        raise DataError("not a WAV file, which begins with RIFF and WAVE")
    form: tuple[int, int, int, int] | None = None
    wide_size = None
    while len(head := file.read(8)) == 8:
        name, length = head[:4], int.from_bytes(head[4:], "little")
        at = file.tell()
        if name == b"data":
            if form is None:
                raise DataError("a damaged WAV file: no format before its data")
            said = length if wide_size is None or length != _UNKNOWN[1] else wide_size
            held = size - at
            found = held if said in _UNKNOWN or said > held else said
            return _header(form, at, found)
        if name == b"fmt ":
            form = _format(file, length)
        elif name == b"ds64":
            body = file.read(16)
            wide_size = int.from_bytes(body[8:16], "little")
        file.seek(at + length + length % 2)
    raise DataError(f"a damaged WAV file: it has no {'format' if form is None else 'data'}")


def _format(file: BinaryIO, length: int) -> tuple[int, int, int, int]:
    """Return code, channels, rate and bits of the part "fmt "."""
    body = file.read(min(length, 40))
    if len(body) < 16:
        raise DataError("a damaged WAV file: its format is cut off")
    code, channels, rate, _, _, bits = struct.unpack("<HHIIHH", body[:16])
    if code == _EXTENSIBLE and len(body) >= 26:
        # The code stands in the first bytes of a longer name.
        code = int.from_bytes(body[24:26], "little")
    return code, channels, rate, bits


def _header(form: tuple[int, int, int, int], start: int, size: int) -> WavHeader:
    code, channels, rate, bits = form
    if code not in _WIDTHS:
        raise CompressedError(f"a compressed WAV file (format {code}); write it anew as PCM")
    if bits not in _WIDTHS[code] or not channels or not rate:
        raise DataError(
            f"a damaged or unusual WAV file: {channels} channels of {bits} bits at {rate} Hz; "
            "expected PCM of 8, 16, 24 or 32 bits, or floats of 32 or 64"
        )
    frames = size // (channels * bits // 8)
    return WavHeader(rate, channels, frames, bits, code == _FLOAT, start)


def read_frames(file: BinaryIO, header: WavHeader, first: int, count: int) -> Array:
    """Return frames as float32 in [-1, 1], of shape (channels, frames); fewer at the end.

    Args:
        file: opened to be read.
        header: from `read_header`.
        first: the number of the first frame.
        count: how many, at most.
    """
    count = max(0, min(count, header.frames - first))
    file.seek(header.start + first * header.frame_bytes)
    content = file.read(count * header.frame_bytes)
    content = content[: len(content) // header.frame_bytes * header.frame_bytes]
    return np.ascontiguousarray(_decoded(content, header).reshape(-1, header.channels).T)


def _decoded(content: bytes, header: WavHeader) -> Array:
    if header.is_float:
        return np.frombuffer(content, f"<f{header.bits // 8}").astype(np.float32)
    if header.bits == 8:
        return (np.frombuffer(content, np.uint8).astype(np.float32) - 128.0) / 128.0
    if header.bits == 24:
        parts = np.frombuffer(content, np.uint8).reshape(-1, 3)
        whole = np.zeros((len(parts), 4), np.uint8)
        whole[:, 1:] = parts  # in the upper bytes, which have the sign
        return (whole.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
    scale = 2.0 ** (header.bits - 1)
    return (np.frombuffer(content, f"<i{header.bits // 8}") / scale).astype(np.float32)
