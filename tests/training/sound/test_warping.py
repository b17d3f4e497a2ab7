"""Pictures of sounds, and what changes them while training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.training.sound.warping import DRAWS, SoundChanges, SoundInput

FRAMES, WINDOW = 48, 32
NONE: dict[str, Any] = {"noise": None, "frequency_mask": 0.0, "time_mask": 0.0}


def layer(**changes: Any) -> SoundInput:
    return SoundInput(
        60.0, 4000.0, 64, FRAMES, bands=40, window=WINDOW, top_db=45.0,
        changes=SoundChanges(**changes),
    )  # fmt: skip


def ridge(band: int = 30) -> Any:
    """Return a spectrogram of a tone, and then of another one."""
    x = np.zeros((1, 64, FRAMES), np.float32)
    for place, frames in ((band, slice(14, 24)), (44, slice(24, 34))):
        x[0, place - 1 : place + 2, frames] = [[20.0], [40.0], [20.0]]
    return ss.tensor(x)


def draws(**at: float) -> Any:
    """Return draws that change nothing but what is named."""
    u = np.full((1, DRAWS), 0.5, np.float32)
    places = {"tract": 0, "speed": 1, "shift": 2, "noise": 3, "bend": 4, "colour": 15}
    for name, value in at.items():
        u[0, places[name]] = value
    return ss.tensor(u)


def loudest(picture: Any) -> int:
    return int(picture.numpy()[0, 0, :, WINDOW // 2 - 4].argmax())


def sounding(picture: Any) -> np.ndarray:
    return np.flatnonzero(picture.numpy()[0, 0].max(axis=0) > 1.0)


def test_draws_in_the_middle_change_nothing() -> None:
    own = layer(**NONE)
    seen = own.view(ridge())
    assert seen.shape == (1, 1, 40, WINDOW)
    np.testing.assert_allclose(own.changed(ridge(), draws()), seen, atol=1e-5)


def test_sound_has_mean_zero_and_keeps_its_colour() -> None:
    rng = np.random.default_rng(0)
    x = np.zeros((2, 64, FRAMES), np.float32)
    x[:, :, 10:38] = rng.uniform(1.0, 25.0, (2, 64, 28))
    x[:, 32:, 10:38] += 20.0
    found = layer().view(ss.tensor(x)).numpy()[:, 0, :, 4:-4]
    np.testing.assert_allclose(found.mean(axis=(1, 2)), 0.0, atol=0.1)
    np.testing.assert_allclose(found.std(axis=(1, 2)), 1.0, atol=0.1)
    assert (found[:, :18].mean(axis=(1, 2)) < -0.5).all()
    assert (found[:, 22:].mean(axis=(1, 2)) > 0.5).all()


def test_colour_changes_bands_where_there_is_sound() -> None:
    own = layer(**{**NONE, "colour": 10.0})
    x = np.zeros((1, 64, FRAMES), np.float32)
    x[:, :, 10:38] = 30.0
    low, high = (own.changed(ss.tensor(x), draws(colour=u)).numpy()[0, 0] for u in (1.0, 0.0))
    middle = low.shape[1] // 2
    assert low[0, middle] > low[-1, middle]
    assert high[0, middle] < high[-1, middle]
    np.testing.assert_allclose(low[:, 0], low[0, 0], atol=1e-5)


def test_what_the_changes_do() -> None:
    own = layer(**NONE)
    plain = own.view(ridge())
    higher = own.changed(ridge(), draws(tract=0.0))
    lower = own.changed(ridge(), draws(tract=1.0))
    assert loudest(lower) < loudest(plain) < loudest(higher)
    slow, fast = (sounding(own.changed(ridge(), draws(speed=u))) for u in (0.0, 1.0))
    assert len(fast) < len(sounding(plain)) < len(slow)
    early, late = (sounding(own.changed(ridge(), draws(shift=u))) for u in (0.0, 1.0))
    assert early.mean() < sounding(plain).mean() < late.mean()
    bent = own.changed(ridge(), draws(bend=1.0))
    assert loudest(bent) != loudest(plain)


def test_voices_of_another_tract() -> None:
    own = layer()
    found = [loudest(own.view(ridge(), tract)) for tract in (0.9, 1.0, 1.1)]
    assert found == sorted(found, reverse=True)
    assert found[0] > found[2]


def test_noise_fills_silence() -> None:
    own = layer(noise=10.0, frequency_mask=0.0, time_mask=0.0)
    loud, faint = (own.changed(ridge(), draws(noise=u)).numpy()[0, 0] for u in (1.0, 0.0))
    sounds, silent = (slice(6, 16), 19), (slice(0, 5), 19)
    ratio = [
        np.abs(x[sounds[1], sounds[0]] - x[silent[1], silent[0]].mean()) for x in (loud, faint)
    ]
    assert ratio[0].max() < ratio[1].max()


def test_parts_that_are_left_out_are_zero() -> None:
    own = layer(noise=None, frequency_mask=0.5, time_mask=0.5)
    u = np.full((1, DRAWS), 0.5, np.float32)
    u[0, 7:15] = [0.99, 0.0, 0.0, 0.0, 0.99, 1.0 - 1e-6, 0.0, 0.0]
    found = own.changed(ridge(), ss.tensor(u)).numpy()[0, 0]
    assert not found[:20].any()
    assert not found[:, 16:].any()
    assert found[20:, :16].any()


def test_compiled_and_eager_are_the_same() -> None:
    own = layer()
    rng = np.random.default_rng(0)
    x = ss.tensor(rng.uniform(0.0, 45.0, (3, 64, FRAMES)).astype(np.float32))
    u = ss.tensor(rng.random((3, DRAWS)).astype(np.float32))
    np.testing.assert_allclose(ss.compile(own.changed)(x, u), own.changed(x, u), atol=2e-4)
    np.testing.assert_allclose(ss.compile(own.view)(x), own.view(x), atol=2e-4)


@pytest.mark.parametrize("level", [0.0, 45.0])
def test_silence_is_no_trouble(level: float) -> None:
    own = layer()
    x = ss.tensor(np.full((1, 64, FRAMES), level, np.float32))
    for found in (own.view(x), own.changed(x, draws())):
        assert np.isfinite(found.numpy()).all()
