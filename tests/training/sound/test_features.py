from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss.errors import DataError
from schuss.training.sound.features import TOP_DB, SpectrogramFormat, read_mono
from schuss.training.sound.preparation import SoundPreparation, describe, examine

FORMAT = SpectrogramFormat(8000, 80, 48, 72)


def tone(seconds: float, rate: int, hertz: float = 1000.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * rate)) / rate)).astype("f4")


def test_what_fits_recordings() -> None:
    found = SpectrogramFormat.choose(np.full(100, 8000), np.linspace(0.2, 0.6, 100))
    assert (found.sample_rate, found.hop_length, found.window, found.frames) == (8000, 80, 64, 96)
    assert SpectrogramFormat.from_config(found.to_config()) == found
    long = SpectrogramFormat.choose(np.full(9, 44100), np.full(9, 5.0))
    assert (long.sample_rate, long.window) == (16000, 128)
    assert long.seconds == pytest.approx(5.0, rel=0.01)
    # One recording of a lower rate, or of an hour, changes nothing.
    rates, seconds = np.full(100, 16000), np.full(100, 1.0)
    rates[3], seconds[3] = 4000, 3600.0
    assert SpectrogramFormat.choose(rates, seconds).sample_rate == 16000
    assert SpectrogramFormat.choose(rates, seconds).seconds < 1.1


def test_rates_and_levels_do_not_matter() -> None:
    found = FORMAT.spectrogram(tone(0.3, 8000), 8000)
    assert (found.shape, found.dtype) == ((64, 72), np.float32)
    assert found.min() == 0.0
    assert found.max() == pytest.approx(TOP_DB)
    np.testing.assert_allclose(FORMAT.spectrogram(tone(0.3, 44100), 44100), found, atol=12.0)
    quiet = FORMAT.spectrogram(0.01 * tone(0.3, 8000) + 0.1, 8000)
    np.testing.assert_allclose(quiet, found, atol=1.0)


def test_sound_is_in_the_middle_without_silence() -> None:
    found = FORMAT.spectrogram(tone(0.3, 8000), 8000)
    late = np.concatenate([np.zeros(5000, "f4"), tone(0.3, 8000)])
    loud = np.flatnonzero(FORMAT.spectrogram(late, 8000).max(axis=0) > 30.0)
    plain = np.flatnonzero(found.max(axis=0) > 30.0)
    assert abs(len(loud) - len(plain)) <= 2
    assert abs(loud.mean() - 35.5) <= 2.0


def test_of_a_long_recording_the_loudest_part() -> None:
    sound = np.concatenate([0.1 * tone(2.0, 8000, 400.0), tone(0.5, 8000, 2000.0)])
    found = FORMAT.spectrogram(sound, 8000)
    bands = found.argmax(axis=0)
    assert found.shape == (64, 72)
    assert (bands == bands[-20]).sum() >= 45


def test_nothing_is_between_the_frames_of_long_recordings() -> None:
    long = SpectrogramFormat.choose(np.full(9, 16000), np.full(9, 20.0))
    sound = 1e-3 * tone(20.0, 16000, 300.0)
    plain = long.spectrogram(sound, 16000)
    for second in (10.0, 10.04, 10.08, 10.12):
        click = sound.copy()
        click[int(second * 16000) :][:64] = 0.9
        assert np.abs(long.spectrogram(click, 16000) - plain).max() > 5.0


@pytest.mark.parametrize("samples", [np.ones(1), np.zeros(400), np.full(3, -0.2)], ids=repr)
def test_next_to_nothing(samples: np.ndarray) -> None:
    found = FORMAT.spectrogram(samples.astype("f4"), 8000)
    assert found.shape == (64, 72)
    assert np.isfinite(found).all()


def test_stereo_and_an_hour(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "a.wav", np.stack([tone(0.2, 8000), -tone(0.2, 8000)]))
    samples, rate = read_mono((tmp_path / "a.wav").read_bytes())
    assert (samples.shape, rate) == ((1600,), 8000)
    assert np.abs(samples).max() < 1e-4
    write(tmp_path / "b.wav", np.zeros(100 * 8000))
    assert read_mono((tmp_path / "b.wav").read_bytes())[0].shape == (60 * 8000,)


def test_no_samples(tmp_path: Path, write: Any) -> None:
    write(tmp_path / "a.wav", np.zeros(0))
    for read in (read_mono, examine):
        with pytest.raises(DataError, match="^a recording without samples$"):
            read((tmp_path / "a.wav").read_bytes())
        with pytest.raises(DataError, match="^an empty file$"):
            read(b"")


def test_facts() -> None:
    facts = np.array([[8000, 1, 4000], [44100, 2, 44100], [8000, 1, 8000]])
    assert describe(facts) == "0.5 to 1 s, half of them up to 1 s; 8 to 44.1 kHz, mono and stereo"
    assert describe(facts[:1]) == "0.5 to 0.5 s, half of them up to 0.5 s; 8 kHz, mono"


def test_recordings_in_memory(tmp_path: Path, write: Any) -> None:
    preparation = SoundPreparation(FORMAT)
    assert SoundPreparation.from_config(preparation.to_config()) == preparation
    write(tmp_path / "a.wav", tone(0.2, 16000), 16000)
    stored = preparation.store((tmp_path / "a.wav").read_bytes())
    assert (stored.shape, stored.dtype) == ((64, 72), np.uint8)
    samples = (tone(0.2, 16000) * 32767).astype(np.int16)
    for value in ((samples, 16000), (np.stack([samples] * 2), 16000)):
        assert np.abs(preparation.take(value).astype(int) - stored).max() <= 1
    assert np.array_equal(preparation.take(samples), preparation.take((samples, 8000)))
    for wrong in (np.zeros(0), np.full(9, np.nan), np.zeros((2, 2, 2))):
        with pytest.raises(DataError, match="expected finite samples of shape"):
            preparation.take(wrong)
