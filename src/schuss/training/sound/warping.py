"""SoundInput: spectrograms as a network sees them, changed as other voices would while training.

All of it is tensor functions of numbers drawn beforehand, within the training step: the compiled
program does it, and nobody waits for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, leaf
from schuss.nn.module import Module

__all__ = ["DRAWS", "SoundChanges", "SoundInput"]

#: Waves along the bands that a recording's random colour is made of.
_COLOURS = 4
#: Random numbers for each recording: vocal tract, speed, shift, noise, bend (3), masks (4 times 2),
#: colour.
DRAWS = 15 + _COLOURS
_DECIBEL = math.log(10.0) / 10.0
# How far below the floor the faintest noise is, in decibels.
_FAINTEST_NOISE = 15.0


@dataclass(frozen=True)
class SoundChanges:
    """How far recordings are changed while training; 0 for not at all.

    Args:
        tract: largest change of the vocal tract's length, as a logarithm: frequencies are
            multiplied by exp(-tract) to exp(tract) (Jaitly and Hinton, 2013).
        bend: how far bands are moved besides, some up and some down, as a share of all bands.
        speed: largest change of the speed, as a logarithm.
        shift: largest shift in time, as a share of the frames.
        colour: how much louder or softer bands are made at most, by each of some waves along them,
            in decibels.
        noise: how loud noise is at most, in decibels below the loudest band; None for no noise.
        frequency_mask: bands that are left out together at most, twice (SpecAugment: Park et al.,
            arXiv 1904.08779), as a share.
        time_mask: frames that are left out together at most, twice, as a share.
    """

    tract: float = 0.2
    bend: float = 0.085
    speed: float = 0.25
    shift: float = 0.12
    colour: float = 6.0
    noise: float | None = 20.0
    frequency_mask: float = 0.2
    time_mask: float = 0.16


class SoundInput(Module):
    """Spectrograms to pictures of a fixed size, normalised, and changed while training.

    Along both axes the picture is an interpolation of the spectrogram, whose places depend on the
    changes. The frames in which there is sound then have a mean of 0 and a standard deviation of
    1. The colour of a speaker and a microphone stays in them, since that of a vowel which is held
    would go with it; while training it is changed at random instead.

    Args:
        low_hz: where the spectrogram's bands begin, which are evenly apart in mel (`htk`).
        high_hz: where they end.
        mels: the spectrogram's bands.
        frames: its frames, in whose middle the sound is.
        bands: the picture's bands.
        window: the picture's frames.
        top_db: the spectrogram's decibels above its floor at most.
        changes: while training.

    """

    def __init__(
        self,
        low_hz: float,
        high_hz: float,
        mels: int,
        frames: int,
        *,
        bands: int,
        window: int,
        top_db: float,
        changes: SoundChanges,
    ) -> None:
        super().__init__()
        self.mels, self.frames, self.bands, self.window = mels, frames, bands, window
        self.top_db, self.changes = top_db, changes
        ends = 2595.0 * np.log10(1.0 + np.array([low_hz, high_hz]) / 700.0)
        # Filters stand evenly apart between the ends, which are no filters.
        self._step = float(ends[1] - ends[0]) / (mels + 1)
        self._first = float(ends[0]) + self._step
        centers = ends[0] + (ends[1] - ends[0]) * np.arange(1, bands + 1) / (bands + 1)
        self._hertz = (700.0 * (10.0 ** (centers / 2595.0) - 1.0)).astype(np.float32)
        self._apart = max((mels + 1) / (bands + 1), 1.0)

    def changed(self, x: Tensor, draws: Tensor) -> Tensor:
        """Return the pictures of sounds that were changed.

        Args:
            x: decibels above the floor, at least 0, shape (batch, mels, frames).
            draws: numbers in [0, 1) that decide how, shape (batch, DRAWS).

        Returns:
            Shape (batch, 1, bands, window).
        """
        to = self.changes
        u = [draws[:, k : k + 1] for k in range(DRAWS)]
        tract, speed, shift, *bends = (v * 2.0 - 1.0 for v in (*u[:3], *u[4:7]))
        along = np.linspace(0.0, 1.0, self.bands, dtype=np.float32)
        waves = [leaf(np.sin(np.pi * k * along).astype(np.float32) / k) for k in (1, 2, 3)]
        bend = bends[0] * waves[0] + bends[1] * waves[1] + bends[2] * waves[2]
        picture = self._picture(
            x,
            ops.exp(tract * to.tract),
            ops.exp(speed * to.speed),
            shift * (to.shift * self.window),
            bend * (to.bend * self.mels),
        )
        sound = _sound(picture)
        colour = sum(
            (u[15 + k] * 2.0 - 1.0) * leaf(np.cos(np.pi * (k + 1) * along).astype(np.float32))
            for k in range(_COLOURS)
        )
        picture = picture + ops.expand_dims(colour * to.colour, 2) * sound
        if to.noise is not None:
            loud, quiet = self.top_db - to.noise, -_FAINTEST_NOISE
            picture = _louder(picture, ops.expand_dims(u[3] * (loud - quiet) + quiet, 2))
        picture = _normalised(picture, sound)
        for k, share in enumerate((to.frequency_mask,) * 2 + (to.time_mask,) * 2):
            axis = 1 if k < 2 else 2
            picture = picture * _mask(u[7 + 2 * k : 9 + 2 * k], picture.shape[axis], share, axis)
        return ops.expand_dims(picture, 1)

    def view(self, x: Tensor, tract: float = 1.0, speed: float = 1.0) -> Tensor:
        """Return the pictures of sounds as they are, or as another voice would have made them."""
        same = leaf(np.zeros((x.shape[0], 1), np.float32))
        picture = self._picture(x, same + tract, same + speed, same, None)
        return ops.expand_dims(_normalised(picture, _sound(picture)), 1)

    def _picture(
        self, x: Tensor, tract: Tensor, speed: Tensor, shift: Tensor, bend: Tensor | None
    ) -> Tensor:
        hertz = tract * leaf(self._hertz)
        mel = ops.log(hertz * (1.0 / 700.0) + 1.0) * (2595.0 / math.log(10.0))
        place = (mel - self._first) * (1.0 / self._step)
        place = ops.clip(place if bend is None else place + bend, 0.0, self.mels - 1.0)
        rows = _hats(place, self.mels, self._apart)
        rows = rows / ops.sum(rows, axis=-1, keepdims=True)
        frame = leaf((np.arange(self.window) - (self.window - 1) / 2.0).astype(np.float32))
        columns = _hats((frame - shift) * speed + (self.frames - 1) / 2.0, self.frames, 1.0)
        return ops.matmul(ops.matmul(rows, x), ops.matrix_transpose(columns))


def _mask(draws: list[Tensor], length: int, share: float, axis: int) -> Tensor:
    """Return 0 where a part of an axis is left out, else 1."""
    width = ops.floor(draws[0] * (share * length + 1.0))
    start = ops.floor(draws[1] * (length + 1.0 - width))
    place = leaf(np.arange(length, dtype=np.float32))
    kept = ops.logical_or(place < start, place >= start + width).astype(np.float32)
    return ops.expand_dims(kept, 3 - axis)


def _hats(places: Tensor, length: int, width: float) -> Tensor:
    """Return the weights of elements about places, shape (..., places, length)."""
    apart = ops.abs(ops.expand_dims(places, -1) - leaf(np.arange(length, dtype=np.float32)))
    return ops.maximum(1.0 - apart * (1.0 / width), 0.0)


def _sound(picture: Tensor) -> Tensor:
    """Return 1 for frames in which there is sound, else 0: shape (batch, 1, window)."""
    found: Tensor = (ops.max(picture, axis=1, keepdims=True) > 0.0).astype(np.float32)
    return found


def _louder(decibels: Tensor, level: Tensor) -> Tensor:
    """Return decibels with noise of a level added, in power."""
    more, less = ops.maximum(decibels, level), ops.minimum(decibels, level)
    return more + ops.log1p(ops.exp((less - more) * _DECIBEL)) * (1.0 / _DECIBEL)


def _normalised(picture: Tensor, sound: Tensor) -> Tensor:
    count = ops.maximum(ops.sum(sound, axis=2, keepdims=True), 1.0) * picture.shape[1]
    picture = picture - ops.sum(picture * sound, axis=(1, 2), keepdims=True) / count
    squares = ops.sum(ops.square(picture) * sound, axis=(1, 2), keepdims=True)
    return picture / ops.sqrt(squares / count + 1e-6)
