"""Fourier transforms of windows of a signal, one after the other, as pairs of reals; see `fft`."""

from __future__ import annotations

from typing import Any

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.core import Tensor, TensorLike, leaf
from schuss.fft import irfft_as_real, pairs, reals, rfft_as_real
from schuss.functions.placing import summed
from schuss.functions.shapes import swapaxes
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.checks import Condition, require
from schuss.primitives.elementwise import multiply
from schuss.primitives.indexing import take
from schuss.primitives.movement import pad, reshape
from schuss.primitives.reduction import broadcast_to

__all__ = ["istft", "stft"]

_PADS = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _window(
    owner: str, window: TensorLike | None, n_fft: int, length: int | None, x: Tensor
) -> Tensor:
    """Return the window of n_fft elements, with the shorter one that is given in its middle."""
    length = n_fft if length is None else length
    given = (
        leaf(np.ones(length, x.array.dtype))
        if window is None
        else astype(as_tensor(window), x.array.dtype)
    )
    if not 0 < length <= n_fft or given.shape != (length,):
        raise ValueError(
            f"{owner}: expected a window of win_length elements, at most n_fft={n_fft}, got "
            f"win_length={length} and a window of shape {given.shape}."
        )
    before = (n_fft - length) // 2
    return pad(given, [(before, n_fft - length - before)])


def _centered(x: Tensor, n_fft: int, mode: str) -> Tensor:
    """Return x continued on both sides by half a window."""
    half, length = n_fft // 2, x.shape[-1]
    if mode == "constant":
        return pad(x, [*[(0, 0)] * (x.ndim - 1), (half, half)])
    if mode not in _PADS or (length <= half and mode != "replicate"):
        raise ValueError(
            f"stft: expected pad_mode 'constant', 'reflect', 'replicate' or 'circular', and more "
            f"than n_fft // 2 = {half} elements, got {mode!r} and {length}."
        )
    places: Any = np.pad(np.arange(length), half, mode=_PADS[mode])  # type: ignore[call-overload]
    return take(x, leaf(places), axis=-1)


def stft(
    input: TensorLike,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: TensorLike | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
) -> Tensor:
    """Return the transforms of windows of a signal, as PyTorch does for `return_complex=False`.

    Args:
        input: floats, shape (length,) or (batch, length).
        n_fft: the length of a window.
        hop_length: from a window's start to the next one's; n_fft // 4 by default.
        win_length: of `window`, which stands in the middle of n_fft elements; n_fft by default.
        window: what each part of the signal is multiplied by; ones by default.
        center: whether the signal is continued by n_fft // 2 elements on both sides first.
        pad_mode: how: "reflect", "constant" (zeros), "replicate" or "circular".
        normalized: whether to divide by the root of n_fft.
        onesided: True, or None: frequencies 0 to n_fft // 2.
        return_complex: has to be False, as there are no complex numbers.

    Returns:
        Shape (..., n_fft // 2 + 1, windows, 2): real and imaginary parts.
    """
    if return_complex is not False:
        raise ValueError(
            "stft: expected return_complex=False, which gives real and imaginary parts in a last "
            f"axis of length 2, got {return_complex}; there are no complex numbers here."
        )
    if onesided is False:
        raise ValueError("stft: expected onesided=True for a signal of reals, got False.")
    x = reals("stft", input)
    weights = _window("stft", window, n_fft, win_length, x)
    x = _centered(x, n_fft, pad_mode) if center else x
    hop = n_fft // 4 if hop_length is None else hop_length
    if hop < 1 or x.shape[-1] < n_fft:
        raise ValueError(
            f"stft: expected hop_length of at least 1 and a signal of at least n_fft={n_fft} "
            f"elements, got {hop} and {x.shape[-1]}."
        )
    frames = multiply(take(x, leaf(_places(x.shape[-1], n_fft, hop)), axis=-1), weights)
    z = rfft_as_real(frames, norm="ortho" if normalized else None)
    return swapaxes(z, -3, -2)


def _places(length: int, n_fft: int, hop: int) -> Any:
    """Return which elements each window is of, shape (windows, n_fft)."""
    return np.arange(0, length - n_fft + 1, hop)[:, None] + np.arange(n_fft)


def istft(
    input: TensorLike,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: TensorLike | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """Return the signal of which `stft` gives these transforms: the nearest one, if there is none.

    The windows' parts are added where they were, and divided by the sum of the squared windows.

    Args:
        input: real and imaginary parts, shape (..., n_fft // 2 + 1, windows, 2), as from `stft`.
        n_fft: as for `stft`, as all that follow.
        hop_length: see `n_fft`.
        win_length: see `n_fft`.
        window: see `n_fft`.
        center: whether the signal was continued by n_fft // 2 elements on both sides.
        normalized: see `n_fft`.
        onesided: True, or None: frequencies 0 to n_fft // 2.
        length: of the signal, by default that of all windows.
        return_complex: has to be False, as there are no complex numbers.

    Returns:
        Shape (..., length).

    Raises:
        ValueError: for other shapes, or where the windows leave elements out.
    """
    z = pairs("istft", input)
    hop = n_fft // 4 if hop_length is None else hop_length
    if return_complex or onesided is False:
        raise ValueError(
            "istft: expected return_complex=False and onesided=True, for a signal of reals, got "
            f"{return_complex} and {onesided}."
        )
    if z.ndim not in (3, 4) or z.shape[-3] != n_fft // 2 + 1 or not 0 < hop <= n_fft:
        raise ValueError(
            f"istft: expected shape (..., n_fft // 2 + 1 = {n_fft // 2 + 1}, windows, 2) and a "
            f"hop_length from 1 to {n_fft}, got {z.shape} and {hop}."
        )
    frames = irfft_as_real(swapaxes(z, -3, -2), n_fft, norm="ortho" if normalized else None)
    weights = _window("istft", window, n_fft, win_length, frames)
    whole = n_fft + hop * (frames.shape[-2] - 1)
    places = _places(whole, n_fft, hop)
    total = _overlapped(multiply(frames, weights), places, whole)
    share = _overlapped(broadcast_to(multiply(weights, weights), places.shape), places, whole)
    start = n_fft // 2 if center else 0
    end = whole - start if length is None else min(start + length, whole)
    total, share = total[..., start:end], share[start:end]
    message = "istft: expected windows that cover every element, got a sum of their squares of 0."
    require(Condition(ValueError, message, lambda s: s > 1e-11), share)
    found: Tensor = total / share
    missing = 0 if length is None else length - found.shape[-1]
    return pad(found, [*[(0, 0)] * (found.ndim - 1), (0, missing)]) if missing > 0 else found


def _overlapped(frames: Tensor, places: Any, length: int) -> Tensor:
    """Add frames, shape (..., windows, n_fft), at their places in signals of a length."""
    batch = frames.shape[:-2]
    count = int(np.prod(batch))
    at = np.arange(count)[:, None] * length + places.reshape(1, -1)
    total = summed(reshape(frames, (-1,)), leaf(at.reshape(-1)), count * length)
    return reshape(total, (*batch, length))
