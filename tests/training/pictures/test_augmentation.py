from __future__ import annotations

import numpy as np
import pytest

from schuss.training.pictures.augmentation import DRAWS, augmented_small, cropped_photo, recoloured

pytest.importorskip("PIL.Image")
# In the middle of all ranges: nothing is shifted, turned, scaled or coloured.
STILL = np.full((1, DRAWS), 0.5)


def pictures(count: int, size: int = 16, channels: int = 3, seed: int = 0) -> np.ndarray:
    draw = np.random.default_rng(seed)
    return draw.integers(0, 256, (count, size, size, channels), dtype=np.uint8)


@pytest.mark.parametrize("turn", [False, True])
def test_draws_in_the_middle_change_nothing(turn: bool) -> None:
    given = pictures(1)
    found = augmented_small(given, STILL, mirror=False, turn=turn)
    assert np.array_equal(found, given)
    assert np.allclose(
        recoloured(found, STILL, np.zeros(3, np.float32), colour=True), given, atol=1e-3
    )


@pytest.mark.parametrize("turn", [False, True])
def test_half_of_all_draws_mirror_where_that_is_asked(turn: bool) -> None:
    given = pictures(1)
    draws = STILL.copy()
    draws[0, 0] = 0.1
    mirrored = augmented_small(given, draws, mirror=True, turn=turn)
    assert np.array_equal(mirrored, given[:, :, ::-1])
    assert np.array_equal(augmented_small(given, draws, mirror=False, turn=turn), given)
    photo = given[0]
    draws[0, 4:6] = 1.0, 0.5
    whole = cropped_photo(photo, (16, 16), draws[0], False)
    assert np.array_equal(cropped_photo(photo, (16, 16), draws[0], True), whole[:, ::-1])
    assert np.array_equal(whole, photo)


@pytest.mark.parametrize("turn", [False, True])
def test_a_picture_depends_on_its_own_draws_alone(turn: bool) -> None:
    given = pictures(6)
    draws = np.random.default_rng(1).random((6, DRAWS))
    whole = augmented_small(given, draws, mirror=True, turn=turn)
    for k in range(6):
        alone = augmented_small(given[k : k + 1], draws[k : k + 1], mirror=True, turn=turn)
        assert np.array_equal(alone[0], whole[k])


def test_shifts_are_within_an_eighth() -> None:
    given = np.zeros((400, 16, 16, 1), np.uint8)
    given[:, 8, 8] = 255
    draws = np.random.default_rng(0).random((400, DRAWS))
    found = augmented_small(given, draws, mirror=False, turn=False)
    rows, columns = np.nonzero(found[..., 0])[1:]
    assert set(rows) == set(columns) == {6, 7, 8, 9, 10}


def test_patches_and_colours() -> None:
    given = np.full((300, 10, 10, 3), 100.0, np.float32)
    draws = np.random.default_rng(0).random((300, DRAWS))
    found = recoloured(given.copy(), draws, np.array([1.0, 2.0, 3.0], np.float32), colour=True)
    patched = (found == [1.0, 2.0, 3.0]).all(axis=3).any(axis=(1, 2))
    assert 0.3 < patched.mean() < 0.55
    assert not patched[draws[:, 11] >= 0.5].any()
    outside = found[draws[:, 11] >= 0.5]
    assert outside.min() >= 69.0
    assert outside.max() <= 131.0
    assert outside.std() > 5.0


def test_parts_of_a_photograph_are_of_the_size_asked_for() -> None:
    photo = pictures(1, 40)[0][:, :30]
    for draws in np.random.default_rng(0).random((50, DRAWS)):
        assert cropped_photo(photo, (12, 20), draws, True).shape == (12, 20, 3)
    grey = photo[:, :, :1]
    assert cropped_photo(grey, (12, 12), STILL[0], False).shape == (12, 12, 1)
