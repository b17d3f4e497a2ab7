"""The line beside the network: what it finds, and where it is left out."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss.nn.tabular.baseline import LinearBaseline


def clipped(z: np.ndarray) -> np.ndarray:
    return z / np.sqrt(1.0 + (z / 3.0) ** 2)


class TestLinearBaseline:
    def test_finds_a_line_far_beyond_the_clip(self) -> None:
        z = np.clip(np.random.default_rng(1).standard_t(2, size=(300, 3)) * 2.0, -60.0, 60.0)
        y = z @ [2.0, -1.0, 0.5] + 3.0
        layer = LinearBaseline(3, dtype="float64")
        layer.fit(ss.tensor(clipped(z)), ss.tensor(y))
        np.testing.assert_allclose(layer(ss.tensor(clipped(z))).array[:, 0], y, rtol=1e-4)
        assert layer.remainder.item() < 0.01
        assert layer.in_use

    def test_goes_on_and_holds_inputs_ten_ranges_beyond_the_rows(self) -> None:
        z = np.linspace(-1.0, 1.0, 50)[:, None]
        layer = LinearBaseline(1, dtype="float64")
        layer.fit(ss.tensor(clipped(z)), ss.tensor(z[:, 0]))
        far = np.array([[-40.0], [-20.0], [15.0], [40.0]])
        found = layer(ss.tensor(clipped(far))).array[:, 0]
        np.testing.assert_allclose(found, [-21.0, -20.0, 15.0, 21.0], rtol=1e-6)

    def test_leaves_out_a_line_that_explains_little(self) -> None:
        rng = np.random.default_rng(2)
        layer = LinearBaseline(2)
        x = rng.normal(size=(200, 2)).astype(np.float32)
        layer.fit(ss.tensor(x), ss.tensor(rng.normal(size=200).astype(np.float32)))
        assert not layer.weight.array.any()
        assert layer.remainder.item() == 1.0
        assert not layer.in_use

    def test_is_ridge_regression_with_its_leave_one_out_error(self) -> None:
        linear_model = pytest.importorskip("sklearn.linear_model")
        rng = np.random.default_rng(3)
        z = rng.normal(size=(60, 4))
        y = z @ [1.0, 2.0, 0.0, -1.0] + 0.3 * rng.normal(size=60)
        layer = LinearBaseline(4, dtype="float64")
        layer.fit(ss.tensor(clipped(z)), ss.tensor(y))
        x = (z - z.mean(axis=0)) / z.std(axis=0)
        peer = linear_model.RidgeCV(alphas=60 * np.logspace(-7.0, 2.0, 28)).fit(x, y)
        np.testing.assert_allclose(
            layer(ss.tensor(clipped(z))).array[:, 0], peer.predict(x), rtol=1e-6, atol=1e-6
        )
