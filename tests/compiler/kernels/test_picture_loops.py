"""Loops over pictures: what they read may be a view of a value with other axes."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss.nn import functional as F

WEIGHT = np.cos(np.arange(6)).reshape(1, 1, 3, 2)

LAYERS = {
    "convolution": lambda x: F.conv2d(x, ss.tensor(WEIGHT), None, 2, (2, 1)),
    "means": lambda x: F.avg_pool2d(x, 2, 1, 1),
    "largest": lambda x: F.max_pool2d(x, (2, 3), (2, 1), (1, 1)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_pictures_lie_as_the_view_has_them(name):
    """Flipped channels of one picture become pictures of one channel."""
    x = ss.tensor(np.random.default_rng(0).normal(size=(1, 20, 5, 5)))

    def run(x):
        return LAYERS[name](ss.flip(x, 3).permute(1, 0, 2, 3) * 2.0)

    np.testing.assert_allclose(ss.compile(run)(x).numpy(), run(x).numpy(), rtol=1e-12)
