"""Resampling: a signal at another rate, by a windowed sinc whose phases repeat."""

from __future__ import annotations

import math

import numpy as np

from schuss.core import Array

__all__ = ["resample"]

# Zero crossings of the sinc on each side, and where below half the lower rate it ends.
_ZEROS, _ROLLOFF, _KAISER_BETA = 24, 0.945, 9.0
# Rates without a common factor have as many phases as samples a second.
_MOST_PHASES, _BLOCK = 2048, 4096


def resample(x: Array, rate: int, new_rate: int) -> Array:
    """Return a signal at another rate: what is above half the lower rate is taken away.

    y[k] = sum over n of x[n] h(k rate / new_rate - n), with h a sinc under a Kaiser window.

    Args:
        x: floats, shape (..., samples).
        rate: samples a second of x, at least 1.
        new_rate: those of the result.

    Returns:
        Shape (..., ceil(samples new_rate / rate)).

    Raises:
        ValueError: for rates below 1.

    >>> resample(np.zeros((2, 44100)), 44100, 8000).shape
    (2, 8000)
    """
    if rate < 1 or new_rate < 1:
        raise ValueError(f"resample: expected rates of at least 1, got {rate} and {new_rate}.")
    if rate == new_rate or not x.shape[-1]:
        return x
    common = math.gcd(rate, new_rate)
    down, up = rate // common, new_rate // common
    cutoff = min(1.0, up / down) * _ROLLOFF
    half = math.ceil(_ZEROS / cutoff)
    length = -(-x.shape[-1] * up // down)
    y = np.empty((*x.shape[:-1], length), x.dtype)
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(half, half + down)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * half, axis=-1)
    taps = np.arange(1 - half, half + 1)
    # Outputs phase, phase + up, ... lie equally far behind a sample, and share their weights.
    shared = up <= _MOST_PHASES
    for begin in range(0, min(up, length) if shared else length, 1 if shared else _BLOCK):
        at = np.arange(begin, length, up) if shared else np.arange(begin, length)[:_BLOCK]
        first, behind = np.divmod(at * down, up)
        offset = behind[:1] if shared else behind
        weights = _kernel(offset[:, None] / up - taps, half, cutoff).astype(x.dtype)
        if shared:
            y[..., at] = windows[..., first[0] + 1 :: down, :][..., : len(at), :] @ weights[0]
        else:
            y[..., at] = (windows[..., first + 1, :] * weights).sum(axis=-1)
    return y


def _kernel(t: Array, half: int, cutoff: float) -> Array:
    """Return the sinc under a Kaiser window at these times, in samples."""
    inside = np.sqrt(np.maximum(0.0, 1.0 - (t / half) ** 2))
    return cutoff * np.sinc(cutoff * t) * np.i0(_KAISER_BETA * inside) / np.i0(_KAISER_BETA)
