from __future__ import annotations

import numpy as np
import pytest

from schuss import audio


def test_it_is_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    rng = np.random.default_rng(0)
    for _ in range(20):
        n = int(rng.integers(1, 9000))
        x = rng.normal(size=n) * 10 ** -np.abs(np.linspace(-5, 5, n))
        _, theirs = librosa.effects.trim(x, top_db=40, frame_length=256, hop_length=64)
        assert audio.trim_silence(x, 40.0, 256, 64)[1] == tuple(theirs)


def test_the_loudest_channel_counts() -> None:
    x = np.zeros((2, 9000))
    x[1, 3000:6000] = np.sin(np.arange(3000))
    found, (start, end) = audio.trim_silence(x, 40.0, 256, 64)
    assert 2800 < start <= 3000
    assert 6000 <= end < 6200
    np.testing.assert_array_equal(found, x[:, start:end])


@pytest.mark.parametrize("length", [0, 1, 9000])
def test_nothing_is_left_of_silence(length: int) -> None:
    found, place = audio.trim_silence(np.zeros((2, length)))
    assert found.shape == (2, 0)
    assert place == (0, 0)


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="trim_silence: expected top_db above 0"):
        audio.trim_silence(np.ones(3), 0.0)
