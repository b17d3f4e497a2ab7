from __future__ import annotations

import numpy as np
import pytest

from schuss.data.tables.preparing.quantity import Quantity, spans_powers_of_ten

VALUES = np.array([0.5, 2.0, 30.0, 4000.0])


def test_linear_is_standard_deviations_from_the_mean() -> None:
    found = Quantity.of(VALUES).standardised(VALUES)
    np.testing.assert_allclose(found, (VALUES - VALUES.mean()) / VALUES.std(), rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e300])
@pytest.mark.parametrize("robust", [False, True])
def test_logarithms_come_back_at_any_size(scale: float, robust: bool) -> None:
    quantity = Quantity.of(VALUES * scale, "log", robust=robust)
    found = quantity.standardised(VALUES * scale)
    if not robust:
        logs = np.log(VALUES)
        np.testing.assert_allclose(found, (logs - logs.mean()) / logs.std(), rtol=1e-9)
    np.testing.assert_allclose(quantity.values(found), VALUES * scale, rtol=1e-9)


def test_zeros_have_a_place_on_a_log_scale() -> None:
    values = np.array([0.0, 4.0, 100.0])
    quantity = Quantity.of(values, "log")
    assert quantity.shift == 2.0
    np.testing.assert_allclose(quantity.values(quantity.standardised(values)), values, atol=1e-9)
    # What was not there when it was learned is low, not missing.
    found = Quantity.of(VALUES, "log").standardised(np.array([0.0, -5.0, 0.5]))
    assert np.isfinite(found).all()
    assert found[0] == found[1] < found[2]


def test_a_few_odd_values_do_not_move_a_robust_scale() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 999)
    odd = np.where(np.arange(999) % 50 == 0, 1e9, values)
    plain, robust = Quantity.of(odd), Quantity.of(odd, robust=True)
    assert plain.std > 1e8
    assert robust.mean == pytest.approx(3.0, abs=0.3)
    assert robust.std == pytest.approx(2.0, rel=0.1)
    # Where half of the values are one, the quartiles say nothing.
    assert Quantity.of(np.array([1.0] * 9 + [2.0]), robust=True).std > 0.0


def test_what_spans_many_powers_of_ten() -> None:
    logs = np.linspace(0.0, 4.0, 100)
    assert spans_powers_of_ten(10.0**logs)
    assert spans_powers_of_ten(np.append(10.0**logs, 0.0))
    assert not spans_powers_of_ten(np.append(10.0**logs, -1.0))
    assert not spans_powers_of_ten(10.0 ** (0.7 * logs))
    assert not spans_powers_of_ten(np.append(np.ones(500), 1e9))
    assert not spans_powers_of_ten(np.zeros(3))
