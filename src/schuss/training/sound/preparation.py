"""SoundPreparation: how recordings become the network's inputs."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schuss import audio
from schuss.core import Array
from schuss.errors import DataError
from schuss.training.sound.features import SpectrogramFormat, read_mono
from schuss.training.sound.warping import DRAWS

__all__ = ["SoundPreparation", "describe", "examine"]

# Decibels are kept as whole numbers of this size: 45 dB fit into a byte.
_DECIBELS = 0.2


def examine(content: bytes) -> tuple[int, ...]:
    """Return rate, channels and frames of a recording.

    Raises:
        DataError: if it cannot be read, or has no samples; a phrase says why.
    """
    found = audio.info(io.BytesIO(content))
    if not found.frames:
        raise DataError("a recording without samples")
    return found.sample_rate, found.channels, found.frames


def describe(facts: Array) -> str:
    """Return a line about the lengths, rates and channels of recordings.

    Args:
        facts: what `examine` returned of each, int64 of shape (recordings, 3).
    """
    rates, channels, frames = facts.T
    seconds = frames / rates
    length = f"{seconds.min():.2g} to {seconds.max():.3g} s, half of them up to "
    length += f"{np.median(seconds):.2g} s"
    khz = sorted({f"{rate / 1000:g}" for rate in rates.tolist()}, key=float)
    shown = khz[0] if len(khz) == 1 else f"{khz[0]} to {khz[-1]}"
    kinds = {1: "mono", 2: "stereo"}
    ways = {kinds.get(count, f"{count} channels") for count in channels.tolist()}
    return f"{length}; {shown} kHz, {' and '.join(sorted(ways))}"


@dataclass(frozen=True)
class SoundPreparation:
    """How recordings become inputs.

    The network takes spectrograms, each with the random numbers that its changes are drawn by: it
    makes these changes itself, in the compiled step.

    Args:
        format: of the spectrograms.
    """

    format: SpectrogramFormat

    @classmethod
    def of_facts(cls, facts: Array) -> SoundPreparation:
        """Choose the format by what `examine` returned of all recordings."""
        rates, _, frames = facts.T
        return cls(SpectrogramFormat.choose(rates, frames / rates))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SoundPreparation:
        """Make what `to_config` described."""
        return cls(SpectrogramFormat.from_config(config["format"]))

    def to_config(self) -> dict[str, Any]:
        """Return what makes the same preparation again, as JSON can hold it."""
        return {"format": self.format.to_config()}

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of what is kept of recordings."""
        return np.dtype(np.uint8)

    @property
    def draws(self) -> int:
        """Random numbers for each recording: those of its changes, and of how it is mixed."""
        return DRAWS + 1

    def describe(self) -> list[tuple[str, str, str]]:
        """Return what was chosen."""
        chosen = self.format
        hop = 1000 * chosen.hop_length / chosen.sample_rate
        what = (
            f"{chosen.seconds:.2g} s about the middle, without silence at the ends; "
            f"{chosen.mels} mel bands of {chosen.sample_rate / 1000:g} kHz every {hop:.3g} ms"
        )
        how = "vocal tract, speed, place, noise, bands and frames left out"
        return [("input", f"{chosen.seconds:.2g} s", what), ("changes", "at random", how)]

    def store(self, content: bytes) -> Array:
        """Decode a file into a spectrogram, uint8 of shape (mels, frames)."""
        return self._kept(*read_mono(content))

    def take(self, value: Any) -> Array:
        """Return the same of a recording in memory.

        Args:
            value: samples, shape (samples,) or (channels, samples), at the preparation's rate; or
                a pair of such and their rate.
        """
        samples, rate = value if isinstance(value, tuple) else (value, self.format.sample_rate)
        samples = np.asarray(samples)
        if samples.dtype.kind in "iu":
            samples = samples / float(np.iinfo(samples.dtype).max)
        samples = np.asarray(samples, np.float32)
        if samples.ndim not in (1, 2) or not samples.size or not np.isfinite(samples).all():
            raise DataError(
                "expected finite samples of shape (samples,) or (channels, samples), got shape "
                f"{samples.shape}"
            )
        return self._kept(samples if samples.ndim == 1 else samples.mean(axis=0), int(rate))

    def _kept(self, samples: Array, rate: int) -> Array:
        return np.round(self.format.spectrogram(samples, rate) / _DECIBELS).astype(np.uint8)

    def training_batch(self, items: Sequence[Array], draws: Array) -> Array:
        """Return spectrograms, each with its draws, shape (batch, mels * frames + draws)."""
        return np.concatenate([self.evaluation_batch(items), draws.astype(np.float32)], axis=1)

    def evaluation_batch(self, items: Sequence[Array]) -> Array:
        """Return spectrograms, float32 of shape (batch, mels * frames)."""
        return np.stack(items).reshape(len(items), -1) * np.float32(_DECIBELS)
