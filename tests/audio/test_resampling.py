from __future__ import annotations

import numpy as np
import pytest

from schuss import audio

SECOND = np.arange(44100) / 44100


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44101, 48000])
def test_what_both_rates_hold_stays_as_it_is(rate: int) -> None:
    def tones(t: np.ndarray) -> np.ndarray:
        return np.sin(2 * np.pi * 440 * t) + 0.5 * np.cos(2 * np.pi * 3000 * t)

    y = audio.resample(tones(SECOND), 44100, rate)
    assert len(y) == rate
    inner = slice(rate // 50, -rate // 50)
    np.testing.assert_allclose(y[inner], tones(np.arange(rate) / rate)[inner], atol=3e-5)


def test_what_the_lower_rate_cannot_hold_is_taken_away() -> None:
    y = audio.resample(np.sin(2 * np.pi * 4300 * SECOND), 44100, 8000)
    assert np.abs(y[200:-200]).max() < 3e-5


def test_channels_and_dtype() -> None:
    x = np.random.default_rng(0).normal(size=(2, 300)).astype(np.float32)
    y = audio.resample(x, 3, 7)
    assert (y.shape, y.dtype) == ((2, 700), np.float32)
    np.testing.assert_allclose(y[1], audio.resample(x[1], 3, 7), atol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 2])
def test_short_signals(length: int) -> None:
    assert len(audio.resample(np.ones(length), 48000, 8000)) == min(length, 1)
    assert len(audio.resample(np.ones(length), 8000, 48000)) == 6 * length


def test_the_same_rate() -> None:
    x = np.arange(4.0)
    assert audio.resample(x, 8000, 8000) is x
    with pytest.raises(ValueError, match="rates of at least 1"):
        audio.resample(x, 0, 8000)
