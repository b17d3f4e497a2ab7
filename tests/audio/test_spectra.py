"""Spectra beside librosa's, and by hand; derivatives; eager and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import audio

SIGNAL = np.random.default_rng(0).normal(size=3000) * np.sin(np.arange(3000) / 300)
OPTIONS: list[dict[str, Any]] = [
    {"n_fft": 512, "hop_length": 160, "n_mels": 40},
    {"n_fft": 256, "win_length": 200, "hop_length": 80, "n_mels": 23, "f_min": 60.0},
    {
        "n_fft": 256,
        "hop_length": 64,
        "n_mels": 30,
        "mel_scale": "htk",
        "norm": None,
        "f_max": 3800.0,
    },
    {"n_fft": 256, "hop_length": 64, "n_mels": 30, "power": 1.0, "center": False},
]
LIBROSAS = {"f_min": "fmin", "f_max": "fmax"}


def librosas(options: dict[str, Any]) -> dict[str, Any]:
    found = {LIBROSAS.get(name, name): value for name, value in options.items()}
    if found.pop("mel_scale", "slaney") == "htk":
        found["htk"] = True
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_bands_are_librosas(options: dict[str, Any], dtype: Any) -> None:
    librosa = pytest.importorskip("librosa")
    x = SIGNAL.astype(dtype)
    theirs = librosa.feature.melspectrogram(y=x, sr=8000, **librosas(options))
    ours = audio.mel_spectrogram(x, 8000, **options)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6 * theirs.max())
    levels = audio.log_mel(x, 8000, **options)
    np.testing.assert_allclose(levels, librosa.power_to_db(theirs), rtol=1e-5, atol=1e-5)
    compiled = ss.compile(lambda x: audio.log_mel(x, 8000, **options))(ss.tensor(x))
    np.testing.assert_allclose(compiled, levels, atol=1e-5)


@pytest.mark.parametrize("lifter", [0, 22])
def test_coefficients_are_librosas(lifter: int) -> None:
    librosa = pytest.importorskip("librosa")
    options = OPTIONS[1]
    theirs = librosa.feature.mfcc(y=SIGNAL, sr=8000, n_mfcc=13, lifter=lifter, **librosas(options))
    ours = audio.mfcc(SIGNAL, 8000, 13, lifter=lifter, **options)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pad_mode", ["constant", "reflect"])
@pytest.mark.parametrize("n_fft", [256, 300])
def test_transforms_are_librosas(n_fft: int, pad_mode: str) -> None:
    librosa = pytest.importorskip("librosa")
    theirs = librosa.stft(SIGNAL, n_fft=n_fft, win_length=200, pad_mode=pad_mode)
    ours = audio.stft(SIGNAL, n_fft, win_length=200, pad_mode=pad_mode)
    np.testing.assert_allclose(ours[..., 0], theirs.real, atol=1e-11)
    np.testing.assert_allclose(ours[..., 1], theirs.imag, atol=1e-11)


@pytest.mark.parametrize("norm", ["slaney", None])
@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_filters_are_librosas(scale: str, norm: Any) -> None:
    librosa = pytest.importorskip("librosa")
    theirs = librosa.filters.mel(
        sr=22050, n_fft=1024, n_mels=50, fmin=20, htk=scale == "htk", norm=norm, dtype=np.float64
    )
    ours = audio.mel_filterbank(22050, 1024, 50, 20.0, mel_scale=scale, norm=norm, dtype=ss.float64)
    np.testing.assert_allclose(ours, theirs, atol=1e-14)


def test_a_tone_is_loudest_in_its_band() -> None:
    tone = np.sin(2 * np.pi * 1000 * np.arange(4000) / 8000)
    levels = audio.log_mel(tone, 8000, n_fft=512, n_mels=40).numpy()
    filters = audio.mel_filterbank(8000, 512, 40).numpy()
    assert (levels.argmax(axis=0) == filters[:, 1000 * 512 // 8000].argmax()).all()


def test_the_floor_is_each_recordings_own() -> None:
    both = np.stack([SIGNAL, 1e-3 * SIGNAL])
    levels = audio.log_mel(both, 8000, n_fft=256, n_mels=20, top_db=20.0).numpy()
    np.testing.assert_allclose(levels[1], levels[0] - 60.0, atol=1e-4)
    np.testing.assert_allclose(levels.max((1, 2)) - levels.min((1, 2)), 20.0, atol=1e-4)


@pytest.mark.parametrize("function", [audio.log_mel, audio.mfcc], ids=lambda f: f.__name__)
def test_derivatives(function: Any) -> None:
    options = {"n_fft": 32, "hop_length": 16, "n_mels": 5}
    more = {} if function is audio.log_mel else {"n_mfcc": 4}

    def f(x: Any) -> Any:
        return function(x, 8000, **more, **options)

    x = ss.tensor(np.random.default_rng(1).normal(size=(2, 80)))
    ss.check_gradients(f, x)
    weights = np.cos(np.arange(f(x).size)).reshape(f(x).shape)
    slope = ss.grad(lambda x: (f(x) * weights).sum())
    np.testing.assert_allclose(ss.compile(slope)(x), slope(x), rtol=1e-9, atol=1e-9)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="mel_filterbank: expected 0 <= f_min < f_max"):
        audio.mel_filterbank(8000, 256, 20, f_min=4000.0)
    with pytest.raises(ValueError, match="mel_scale 'slaney' or 'htk' and norm"):
        audio.mel_filterbank(8000, 256, 20, mel_scale="bark")
    with pytest.raises(ValueError, match="mfcc: expected n_mfcc from 1 to n_mels=20"):
        audio.mfcc(SIGNAL, 8000, 21, n_mels=20)
    with pytest.raises(ValueError, match="log_mel: expected floor above 0"):
        audio.log_mel(SIGNAL, 8000, floor=0.0)
    with pytest.raises(ValueError, match="hann_window: expected a length of at least 1"):
        audio.hann_window(0)
    with pytest.raises(TypeError, match="stft: expected floats"):
        audio.stft(np.arange(10))
