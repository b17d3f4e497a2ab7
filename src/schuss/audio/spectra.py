"""Spectra of sound, composed from tensor functions: they have derivatives and compile."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from schuss import functions as ops
from schuss import short_time
from schuss.core import Array, Tensor, TensorLike, leaf, supported_dtype
from schuss.fft import reals

__all__ = ["hann_window", "log_mel", "mel_filterbank", "mel_spectrogram", "mfcc", "stft"]

# Slaney's scale: linear below 1,000 Hz, 27 mels to the factor 6.4 above.
_LINEAR_HZ, _BREAK_HZ = 200.0 / 3, 1000.0
_BREAK_MEL, _LOG_STEP = _BREAK_HZ / _LINEAR_HZ, math.log(6.4) / 27.0


def hann_window(length: int, *, dtype: Any = None) -> Tensor:
    """Return the periodic Hann window, w[n] = (1 - cos(2 pi n / length)) / 2.

    Args:
        length: at least 1.
        dtype: float32 by default.
    """
    if length < 1:
        raise ValueError(f"hann_window: expected a length of at least 1, got {length}.")
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(length) / length)
    return leaf(window.astype(supported_dtype(dtype)))


def stft(
    x: TensorLike,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: TensorLike | None = None,
    center: bool = True,
    pad_mode: str = "constant",
) -> Tensor:
    """Return the Fourier transforms of windows of a signal, as pairs of reals.

    Args:
        x: floats, shape (..., samples).
        n_fft: samples of a transform.
        hop_length: samples from a window's start to the next one's; win_length // 4 by default.
        win_length: samples of the window, which stands in the middle of n_fft; n_fft by default.
        window: shape (win_length,); the periodic Hann window by default.
        center: whether frame t is about sample t * hop_length, the signal being continued by
            n_fft // 2 on both sides; otherwise it starts there.
        pad_mode: how it is continued: "constant" (zeros), "reflect", "replicate" or "circular".

    Returns:
        Shape (..., n_fft // 2 + 1, frames, 2): real and imaginary parts.

    Raises:
        ValueError: for a signal too short, or lengths that do not fit together.

    >>> import numpy as np
    >>> stft(np.ones(1024, np.float32), n_fft=256).shape
    (129, 17, 2)
    """
    x = reals("stft", x)
    length = n_fft if win_length is None else win_length
    return short_time.stft(
        x,
        n_fft,
        length // 4 if hop_length is None else hop_length,
        length,
        hann_window(length, dtype=x.array.dtype) if window is None else window,
        center,
        pad_mode,
        return_complex=False,
    )


def _hz_to_mel(hz: Array | float, scale: str) -> Array:
    hz = np.asarray(hz, np.float64)
    if scale == "htk":
        return np.asarray(2595.0 * np.log10(1.0 + hz / 700.0))
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _LINEAR_HZ, above)


def _mel_to_hz(mel: Array, scale: str) -> Array:
    if scale == "htk":
        return np.asarray(700.0 * (10.0 ** (mel / 2595.0) - 1.0))
    above = _BREAK_HZ * np.exp(_LOG_STEP * np.maximum(mel - _BREAK_MEL, 0.0))
    return np.where(mel < _BREAK_MEL, mel * _LINEAR_HZ, above)


def mel_filterbank(
    sample_rate: float,
    n_fft: int,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    *,
    mel_scale: str = "slaney",
    norm: str | None = "slaney",
    dtype: Any = None,
) -> Tensor:
    """Return triangular filters over the frequencies of a transform, evenly apart in mel.

    Args:
        sample_rate: samples a second.
        n_fft: samples of a transform.
        n_mels: how many filters.
        f_min: where the first one starts, in Hz.
        f_max: where the last one ends, in Hz; sample_rate / 2 by default.
        mel_scale: "slaney" (linear below 1,000 Hz) or "htk", 2595 log10(1 + f / 700).
        norm: "slaney" for filters of the same area, None for peaks of 1.
        dtype: float32 by default.

    Returns:
        Shape (n_mels, n_fft // 2 + 1).

    Raises:
        ValueError: for other words, or frequencies out of order.

    >>> mel_filterbank(8000, 16, 2, norm=None).shape
    (2, 9)
    """
    top = sample_rate / 2.0 if f_max is None else f_max
    if mel_scale not in ("slaney", "htk") or norm not in ("slaney", None):
        raise ValueError(
            "mel_filterbank: expected mel_scale 'slaney' or 'htk' and norm 'slaney' or None, got "
            f"{mel_scale!r} and {norm!r}."
        )
    if not 0.0 <= f_min < top or n_mels < 1 or n_fft < 1:
        raise ValueError(
            "mel_filterbank: expected 0 <= f_min < f_max and at least one filter and sample, got "
            f"f_min={f_min}, f_max={top}, n_mels={n_mels}, n_fft={n_fft}."
        )
    filters = _filters(sample_rate, n_fft, n_mels, f_min, top, mel_scale, norm)
    return leaf(filters.astype(supported_dtype(dtype)))


@lru_cache(16)
def _filters(
    sample_rate: float,
    n_fft: int,
    n_mels: int,
    f_min: float,
    f_max: float,
    mel_scale: str,
    norm: str | None,
) -> Array:
    ends = _hz_to_mel(np.array([f_min, f_max]), mel_scale)
    edges = _mel_to_hz(np.linspace(ends[0], ends[1], n_mels + 2), mel_scale)[:, None]
    bins = np.arange(n_fft // 2 + 1) * (sample_rate / n_fft)
    low, middle, high = edges[:-2], edges[1:-1], edges[2:]
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    filters = np.maximum(0.0, np.minimum(rising, falling))
    return np.asarray(filters * (2.0 / (high - low)) if norm == "slaney" else filters)


def mel_spectrogram(
    x: TensorLike,
    sample_rate: float,
    *,
    n_fft: int = 2048,
    hop_length: int | None = None,
    win_length: int | None = None,
    n_mels: int = 128,
    f_min: float = 0.0,
    f_max: float | None = None,
    power: float = 2.0,
    mel_scale: str = "slaney",
    norm: str | None = "slaney",
    center: bool = True,
    pad_mode: str = "constant",
) -> Tensor:
    """Return the energy of a signal in mel bands, frame by frame.

    Args:
        x: floats, shape (..., samples).
        sample_rate: samples a second.
        n_fft: see `stft`, as hop_length, win_length, center and pad_mode.
        hop_length: n_fft // 4 by default.
        win_length: n_fft by default.
        n_mels: see `mel_filterbank`, as f_min, f_max, mel_scale and norm.
        f_min: in Hz.
        f_max: in Hz.
        power: of the magnitudes: 2 for power, 1 for amplitude.
        mel_scale: "slaney" or "htk".
        norm: "slaney" or None.
        center: whether frame t is about sample t * hop_length.
        pad_mode: how the signal is continued for it.

    Returns:
        Shape (..., n_mels, frames).
    """
    x = reals("mel_spectrogram", x)
    hop = n_fft // 4 if hop_length is None else hop_length
    z = stft(x, n_fft, hop, win_length, None, center, pad_mode)
    energy = ops.square(z[..., 0]) + ops.square(z[..., 1])
    if power != 2.0:
        energy = energy ** (power / 2.0)
    filters = mel_filterbank(
        sample_rate,
        n_fft,
        n_mels,
        f_min,
        f_max,
        mel_scale=mel_scale,
        norm=norm,
        dtype=x.array.dtype,
    )
    return ops.matmul(filters, energy)


def log_mel(
    x: TensorLike,
    sample_rate: float,
    *,
    floor: float = 1e-10,
    top_db: float | None = 80.0,
    **options: Any,
) -> Tensor:
    """Return the energy of a signal in mel bands, in decibels: 10 log10(max(floor, energy)).

    Args:
        x: floats, shape (..., samples).
        sample_rate: samples a second.
        floor: least energy, above 0.
        top_db: how far below a signal's loudest element the others may be, in decibels; None for
            any distance.
        options: those of `mel_spectrogram`.

    Returns:
        Shape (..., n_mels, frames).

    >>> import numpy as np
    >>> log_mel(np.zeros(512), 8000, n_fft=256, n_mels=3)[:, 0].round().tolist()
    [-100.0, -100.0, -100.0]
    """
    if not floor > 0.0 or (top_db is not None and top_db < 0.0):
        raise ValueError(
            f"log_mel: expected floor above 0 and top_db of at least 0, got {floor} and {top_db}."
        )
    energy = mel_spectrogram(x, sample_rate, **options)
    decibels = ops.log(ops.maximum(energy, floor)) * (10.0 / math.log(10.0))
    if top_db is None:
        return decibels
    return ops.maximum(decibels, ops.max(decibels, axis=(-2, -1), keepdims=True) - top_db)


def mfcc(
    x: TensorLike, sample_rate: float, n_mfcc: int = 20, *, lifter: float = 0.0, **options: Any
) -> Tensor:
    """Return mel-frequency cepstral coefficients: the orthonormal DCT-II of `log_mel`.

    Args:
        x: floats, shape (..., samples).
        sample_rate: samples a second.
        n_mfcc: how many coefficients, at most n_mels.
        lifter: L above 0 multiplies coefficient n = 1, 2, ... by 1 + L / 2 sin(pi n / L).
        options: those of `log_mel`.

    Returns:
        Shape (..., n_mfcc, frames).
    """
    levels = log_mel(x, sample_rate, **options)
    bands = levels.shape[-2]
    if not 0 < n_mfcc <= bands or lifter < 0.0:
        raise ValueError(
            f"mfcc: expected n_mfcc from 1 to n_mels={bands} and lifter of at least 0, got "
            f"{n_mfcc} and {lifter}."
        )
    order = np.arange(n_mfcc)[:, None]
    basis = np.cos(np.pi / bands * (np.arange(bands) + 0.5) * order) * math.sqrt(2.0 / bands)
    basis[0] /= math.sqrt(2.0)
    if lifter:
        basis *= 1.0 + lifter / 2.0 * np.sin(np.pi * (order + 1) / lifter)
    return ops.matmul(leaf(basis.astype(levels.array.dtype)), levels)
