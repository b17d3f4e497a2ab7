from __future__ import annotations

import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

RecordedFolder = Callable[..., Path]


def sweep(label: str, draw: np.random.Generator, rate: int = 8000) -> np.ndarray:
    """Return a tone that rises or falls, in a little noise, with silence around it."""
    count = int(rate * draw.uniform(0.2, 0.4))
    low, high = draw.uniform(300, 500), draw.uniform(1500, 2500)
    ends = (low, high) if label == "rising" else (high, low)
    phase = np.cumsum(np.linspace(*ends, count)) * (2 * np.pi / rate)
    tone = np.sin(phase) * draw.uniform(0.1, 0.9)
    tone += 0.01 * draw.normal(size=count)
    return np.concatenate([np.zeros(rate // 20), tone, np.zeros(rate // 10)])


def write_wav(path: Path, samples: np.ndarray, rate: int = 8000) -> None:
    """Write samples, (samples,) or (channels, samples), as 16-bit PCM."""
    channels = np.atleast_2d(samples)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((np.clip(channels.T, -1, 1) * 32767).astype("<i2").tobytes())


@pytest.fixture
def recorded_folder(tmp_path: Path) -> RecordedFolder:
    """Return what writes a folder of recordings, one folder a class, names with a speaker."""

    def make(name: str = "sweeps", count: int = 30, seed: int = 0, rate: int = 8000) -> Path:
        draw = np.random.default_rng(seed)
        for label in ("rising", "falling"):
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for number in range(count):
                speaker = ("ann", "bob", "cleo", "dan", "eve")[number % 5]
                write_wav(folder / f"{speaker}_{number:03}.wav", sweep(label, draw, rate), rate)
        return tmp_path / name

    return make


@pytest.fixture
def write() -> Callable[..., None]:
    """Return what writes one recording."""
    return write_wav
