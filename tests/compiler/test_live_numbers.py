"""What schedules change in modules between calls reaches programs that are compiled already."""

from __future__ import annotations

import numpy as np

import schuss as ss
from schuss import nn


def test_dropout_follows_its_share() -> None:
    dropout = nn.Dropout(0.5)
    compiled = ss.compile(lambda x: dropout(x))
    x = ss.ones((1000,))
    for p in (0.5, 0.1, 0.0, 0.3, 1.0):
        dropout.p = p
        ss.manual_seed(0)
        ours = compiled(x)
        ss.manual_seed(0)
        np.testing.assert_array_equal(ours.numpy(), dropout(x).numpy())
        assert abs(float((ours == 0).mean()) - p) < 0.05


def test_other_floats_of_a_layer_make_another_program() -> None:
    leaky = nn.LeakyReLU(0.1)
    compiled = ss.compile(lambda x: leaky(x))
    x = ss.tensor([-2.0, 3.0])
    for slope in (0.1, 0.5, 0.1):
        leaky.negative_slope = slope
        np.testing.assert_allclose(compiled(x).numpy(), [-2.0 * slope, 3.0], rtol=1e-6)
