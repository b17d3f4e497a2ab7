"""Silence: where a recording begins and ends to be loud."""

from __future__ import annotations

import math

import numpy as np

from schuss.core import Array

__all__ = ["trim_silence"]

_QUIETEST = 1e-5


def trim_silence(
    x: Array, top_db: float = 60.0, frame_length: int = 2048, hop_length: int = 512
) -> tuple[Array, tuple[int, int]]:
    """Return a recording without the silence before and after it, and where that part was.

    A frame is silent where its root mean square is more than top_db decibels below that of the
    loudest frame, or below 1e-5.

    Args:
        x: floats, shape (..., samples); of several channels the loudest counts.
        top_db: in decibels, above 0.
        frame_length: samples of a frame, whose middle is at a multiple of hop_length.
        hop_length: samples from one frame to the next.

    Returns:
        x[..., start:end], and (start, end); nothing is left of what is all silent.

    >>> x = np.concatenate([np.zeros(4000), np.sin(np.arange(4000.0)), np.zeros(4000)])
    >>> trim_silence(x, frame_length=256, hop_length=64)[1]
    (3904, 8128)
    """
    if top_db <= 0.0 or frame_length < 1 or hop_length < 1:
        raise ValueError(
            "trim_silence: expected top_db above 0, and lengths of at least 1, got "
            f"{top_db}, {frame_length} and {hop_length}."
        )
    power = np.square(x, dtype=np.float64).reshape(math.prod(x.shape[:-1]), x.shape[-1])
    half = frame_length // 2
    total = np.cumsum(np.pad(power, ((0, 0), (half + 1, half))), axis=-1)
    starts = np.arange(0, total.shape[-1] - frame_length, hop_length)
    energy = (total[:, starts + frame_length] - total[:, starts]) / frame_length
    level = np.maximum(energy.max(axis=0, initial=0.0), 0.0)
    least = max(level.max(initial=0.0) * 10.0 ** (-top_db / 10.0), _QUIETEST**2)
    loud = np.flatnonzero(level > least)
    if not loud.size:
        return x[..., :0], (0, 0)
    start, end = int(loud[0]) * hop_length, min(x.shape[-1], (int(loud[-1]) + 1) * hop_length)
    return x[..., start:end], (start, end)
