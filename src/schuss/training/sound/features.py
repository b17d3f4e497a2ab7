"""From recordings of any rate, channels and length to spectrograms of one size."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from schuss import audio
from schuss.core import Array, no_grad
from schuss.errors import DataError

__all__ = ["TOP_DB", "SpectrogramFormat", "read_mono"]

# How far below a recording's loudest band its floor is, in decibels.
TOP_DB = 45.0
# Of a longer recording the middle is taken.
_MOST_SECONDS = 60.0
_LEAST_RATE, _MOST_RATE = 8000, 16000
_FRAME_SECONDS, _HOP_SECONDS, _SILENCE_DB, _EMPHASIS = 0.025, 0.010, 35.0, 0.97
_LEAST_FRAMES, _MOST_FRAMES = 32, 128
# A spectrogram has room for what is spoken slower than most.
_ROOM = 1.5
# The decibels of nothing at all, as `audio.log_mel` has them.
_FLOOR_DB = -100.0


def read_mono(content: bytes) -> tuple[Array, int]:
    """Return a file's recording, its channels averaged, shape (samples,), and its rate.

    Raises:
        DataError: if it cannot be read, or has no samples; a phrase says why.
    """
    file = io.BytesIO(content)
    found = audio.info(file)
    most = int(_MOST_SECONDS * found.sample_rate)
    start = max(0, (found.frames - most) // 2)
    samples, rate = audio.load(file, start=start, frames=most)
    if not samples.shape[1]:
        raise DataError("a recording without samples")
    return samples.mean(axis=0), rate


@dataclass(frozen=True)
class SpectrogramFormat:
    """What recordings are turned into.

    Args:
        sample_rate: that they are resampled to.
        hop_length: samples from one frame to the next.
        window: frames that the network sees.
        frames: frames of a spectrogram, which has the sound in its middle.
        mels: bands of a spectrogram, evenly apart in mel.
        low_hz: where the lowest band starts; the highest one ends at half the rate.
    """

    sample_rate: int
    hop_length: int
    window: int
    frames: int
    mels: int = 64
    low_hz: float = 60.0

    @classmethod
    def choose(cls, rates: Array, seconds: Array) -> SpectrogramFormat:
        """Choose what fits recordings of these rates and lengths.

        The rate is that of nearly all of them or less, from 8 to 16 kHz; there is room for all but
        the longest twentieth.
        """
        lowest = int(np.percentile(rates, 5, method="lower"))
        rate = min(max(lowest, _LEAST_RATE), _MOST_RATE)
        long = min(float(np.percentile(seconds, 95)), _MOST_SECONDS)
        hop = max(_HOP_SECONDS, long / _MOST_FRAMES)
        frames = min(max(math.ceil(long / hop / 8.0) * 8, _LEAST_FRAMES), _MOST_FRAMES)
        return cls(rate, round(hop * rate), frames, math.ceil(frames * _ROOM))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SpectrogramFormat:
        """Make what `to_config` described."""
        return cls(**config)

    def to_config(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @property
    def seconds(self) -> float:
        """How much of a recording the network sees."""
        return self.window * self.hop_length / self.sample_rate

    def spectrogram(self, samples: Array, rate: int) -> Array:
        """Return decibels above the floor, at least 0: float32 of shape (mels, frames).

        Args:
            samples: floats of shape (samples,), at least one.
            rate: samples a second.
        """
        sound = _without_silence(samples - samples.mean(), rate)
        sound = audio.resample(sound, rate, self.sample_rate).astype(np.float32, copy=False)
        bright = np.append(sound[:1], sound[1:] - _EMPHASIS * sound[:-1])
        # Frames that are far apart are long, so that each sample is in one.
        length = max(round(_FRAME_SECONDS * self.sample_rate), 2 * self.hop_length)
        with no_grad():
            levels: Array = audio.log_mel(
                bright,
                self.sample_rate,
                n_fft=1 << (2 * length - 1).bit_length(),
                win_length=length,
                hop_length=self.hop_length,
                n_mels=self.mels,
                f_min=self.low_hz,
                mel_scale="htk",
                top_db=None,
            ).array
        return self._in_the_middle(np.maximum(levels - max(levels.max() - TOP_DB, _FLOOR_DB), 0.0))

    def _in_the_middle(self, above: Array) -> Array:
        """Place frames in the middle of as many as a spectrogram has; of more, the loudest."""
        count, room = above.shape[1], self.frames
        if count > room:
            total = np.concatenate([[0.0], np.cumsum(above.sum(axis=0, dtype=np.float64))])
            first = int(np.argmax(total[room:] - total[:-room]))
            return np.ascontiguousarray(above[:, first : first + room], np.float32)
        placed = np.zeros((self.mels, room), np.float32)
        first = (room - count) // 2
        placed[:, first : first + count] = above
        return placed


def _without_silence(samples: Array, rate: int) -> Array:
    frame, hop = max(1, rate * 32 // 1000), max(1, rate * 8 // 1000)
    trimmed, _ = audio.trim_silence(samples, _SILENCE_DB, frame, hop)
    return trimmed if trimmed.size else samples
