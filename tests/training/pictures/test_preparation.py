from __future__ import annotations

import io
import json

import numpy as np
import pytest

from schuss.training.pictures.preparation import PicturePreparation, describe

image = pytest.importorskip("PIL.Image")
NOTHING = {"image_size": None, "augment": None, "mirror": None}


def plan(width: int, height: int, channels: int = 3, **options: object) -> PicturePreparation:
    facts = np.array([[width, height, channels]] * 9 + [[9, 9, 1]])
    return PicturePreparation.of_facts(facts, NOTHING | options)


def test_small_pictures_keep_their_size_and_large_ones_are_photographs() -> None:
    small = plan(28, 20, 1)
    assert (small.width, small.height, small.channels, small.photos) == (28, 20, 1, False)
    photo = plan(640, 480)
    assert (photo.width, photo.height, photo.channels, photo.photos) == (80, 80, 3, True)
    assert photo.views == 3
    asked = plan(640, 480, image_size=32, augment=False)
    assert (asked.width, asked.height, asked.augment) == (32, 32, False)


def test_a_preparation_is_the_same_after_json() -> None:
    made = plan(640, 480).changed(mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0), mirror=True)
    assert PicturePreparation.from_config(json.loads(json.dumps(made.to_config()))) == made


def test_photographs_are_kept_with_their_shape_and_shown_by_views() -> None:
    made = plan(640, 480)
    pixels = np.random.default_rng(0).integers(0, 255, (480, 640, 3), np.uint8)
    content = io.BytesIO()
    image.fromarray(pixels).save(content, "PNG")
    kept = made.store(content.getvalue())
    assert kept.shape == (120, 160, 3)
    assert np.array_equal(made.take(pixels), kept)
    assert made.evaluation_batch([kept, kept]).shape == (2, 3, 80, 80, 3)
    one = made.changed(views=1).evaluation_batch([kept])
    assert np.array_equal(one, made.evaluation_batch([kept])[:, 0])
    draws = np.random.default_rng(0).random((2, made.draws))
    assert made.training_batch([kept, kept], draws).shape == (2, 80, 80, 3)
    # What is far longer than wide loses its ends, and a single pixel is made large.
    assert made.take(np.zeros((1000, 10), np.uint8)).shape == (240, 120, 3)
    assert made.take(np.zeros((1, 1), np.uint8)).shape == (120, 120, 3)


def test_what_is_said_of_pictures() -> None:
    assert describe(np.array([[28, 28, 1]] * 3)) == "28 by 28 pixels, grey"
    found = describe(np.array([[30, 20, 3], [10, 40, 1]]))
    assert found == "10 by 20 to 30 by 40 pixels, some grey"
