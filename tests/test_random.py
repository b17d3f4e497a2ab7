"""Random tensors: repeatable, and distributed as they should be."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schuss.functions as F
from schuss import random
from schuss.core import tensor

N = 200_000


@pytest.fixture(autouse=True)
def seeded() -> None:
    random.manual_seed(1)


def draws() -> list[np.ndarray]:
    made = [
        random.rand(3, 2),
        random.randn(5),
        random.randint(0, 100, (4,)),
        random.bernoulli(0.5, 8),
        random.randperm(10),
        random.uniform(-1, 1, (2,), dtype="float64"),
        random.normal(2.0, 3.0, (2, 2)),
    ]
    return [t.array.copy() for t in made]


def equal(a: list[np.ndarray], b: list[np.ndarray]) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("seed", [0, 1, -1, 2**31, 2**63, 2**64 - 1, -(2**63), 10**30])
def test_a_seed_gives_the_same_numbers(seed: int) -> None:
    random.manual_seed(seed)
    first, second = draws(), draws()
    random.manual_seed(seed)
    assert equal(first, draws())
    assert not equal(first, second)


def test_seeds_differ() -> None:
    seen = set()
    for seed in (0, 1, 2, -1, 2**32, 2**63, 2**64 - 2):
        random.manual_seed(seed)
        seen.add(random.rand(4, dtype="float64").array.tobytes())
    assert len(seen) == 7


def test_numpy_integers_are_seeds_and_floats_are_not() -> None:
    random.manual_seed(np.int64(3))  # type: ignore[arg-type]
    a = random.rand(3).tolist()
    random.manual_seed(3)
    assert random.rand(3).tolist() == a
    with pytest.raises(TypeError):
        random.manual_seed(0.5)  # type: ignore[arg-type]


def test_numbers_are_those_of_philox_for_ever() -> None:
    random.manual_seed(0)
    bits = np.random.Philox(key=[0, 0], counter=[0, 0, 0, 0]).random_raw(2)
    assert random.rand(2, dtype="float64").tolist() == [(int(b) >> 11) / 2**53 for b in bits]


def test_state_goes_out_and_in_again() -> None:
    random.manual_seed(2**63 + 5)
    draws()
    state = random.get_state()
    assert (state.shape, state.dtype) == ((2,), np.int64)
    first = draws()
    random.set_state(state)
    assert equal(first, draws())
    random.set_state(tensor(state))
    assert equal(first, draws())
    state[1] = 0
    assert random.get_state()[1] != 0
    with pytest.raises(ValueError, match=r"int64 of shape \(2,\), got \(3,\)"):
        random.set_state([1, 2, 3])
    with pytest.raises(ValueError, match="set_state"):
        random.set_state([1.0, 2.0])


def test_shapes_and_dtypes() -> None:
    assert random.rand().shape == ()
    assert random.rand(2, 3).shape == random.rand((2, 3)).shape == random.randn([2, 3]).shape
    assert random.rand(0, 3).shape == random.randn(0, 3).shape == (0, 3)
    assert random.randn().shape == ()
    assert random.randn(3).shape == (3,)
    assert random.rand(2).dtype == random.randn(2).dtype == np.float32
    assert random.rand(2, dtype="float64").dtype == np.float64
    assert random.randn(2, dtype=np.float64).dtype == np.float64
    assert random.randint(0, 5, 3).dtype == np.int64
    assert random.randint(-2, 5, (3, 1)).shape == (3, 1)
    assert random.bernoulli(0.5, 3).dtype == np.bool_
    assert random.randperm(0).shape == (0,)
    assert not random.rand(2).requires_grad


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_uniform_numbers(dtype: str) -> None:
    x = random.rand(N, dtype=dtype).array.astype(np.float64)
    assert x.min() >= 0
    assert x.max() < 1
    assert abs(x.mean() - 0.5) < 5 * math.sqrt(1 / 12 / N)
    counts = np.bincount((x * 100).astype(int), minlength=100)
    # Chi-squared with 99 degrees of freedom: 160 is beyond 1 in 10,000.
    assert ((counts - N / 100) ** 2 / (N / 100)).sum() < 160
    assert abs(np.corrcoef(x[:-1], x[1:])[0, 1]) < 5 / math.sqrt(N)
    halves = x[: N // 2], x[N // 2 :]
    assert abs(np.corrcoef(*halves)[0, 1]) < 5 / math.sqrt(N / 2)


def test_float32_numbers_are_multiples_of_2_to_minus_24() -> None:
    x = random.rand(N).array
    scaled = x.astype(np.float64) * 2**24
    assert (scaled == np.floor(scaled)).all()
    assert (scaled.astype(np.int64) % 2).mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_normal_numbers(dtype: str) -> None:
    x = random.randn(N, dtype=dtype).array.astype(np.float64)
    assert np.isfinite(x).all()
    assert abs(x.mean()) < 5 / math.sqrt(N)
    assert abs(x.var() - 1) < 5 * math.sqrt(2 / N)
    assert abs((x**3).mean()) < 5 * math.sqrt(15 / N)
    assert abs((x**4).mean() - 3) < 5 * math.sqrt(96 / N)
    cumulative = (1 + F.erf(np.sort(x) / math.sqrt(2)).array) / 2
    distance = np.abs(cumulative - (np.arange(N) + 0.5) / N).max()
    assert distance < 2 / math.sqrt(N)
    assert abs(np.corrcoef(x[: N // 2], x[N // 2 :])[0, 1]) < 5 / math.sqrt(N / 2)
    assert abs(np.corrcoef(x[: N // 2] ** 2, x[N // 2 :] ** 2)[0, 1]) < 5 / math.sqrt(N / 2)


def test_successive_draws_and_neighbouring_seeds_are_independent() -> None:
    rows = []
    for seed in range(4):
        random.manual_seed(seed)
        rows += [random.rand(N // 4).array for _ in range(3)]
    correlations = np.corrcoef(np.stack(rows).astype(np.float64)) - np.eye(len(rows))
    assert np.abs(correlations).max() < 5.5 / math.sqrt(N / 4)


def test_integers() -> None:
    x = random.randint(-3, 4, N).array
    assert set(x.tolist()) == set(range(-3, 4))
    counts = np.bincount(x + 3)
    assert ((counts - N / 7) ** 2 / (N / 7)).sum() < 35
    assert random.randint(5, 6, 3).tolist() == [5, 5, 5]
    with pytest.raises(ValueError, match=r"expected low < high .* got 3, 3"):
        random.randint(3, 3, 2)


def test_booleans() -> None:
    for p in (0.0, 0.1, 0.5, 1.0):
        mean = random.bernoulli(p, N).array.mean()
        assert abs(mean - p) <= 5 * math.sqrt(p * (1 - p) / N)
    for p in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match="p from 0 to 1"):
            random.bernoulli(p, 2)


def test_permutations() -> None:
    for n in (0, 1, 2, 100):
        x = random.randperm(n)
        assert x.dtype == np.int64
        assert sorted(x.tolist()) == list(range(n))
    seen = np.zeros((4, 4))
    for _ in range(2000):
        seen[np.arange(4), random.randperm(4).array] += 1
    assert ((seen - 500) ** 2 / 500).sum() < 40


def test_ranges() -> None:
    x = random.uniform(-2.0, 3.0, (1000,)).array
    assert -2 <= x.min() < -1.9
    assert 2.9 < x.max() <= 3
    y = random.normal(10.0, 0.5, (10_000,)).array
    assert abs(y.mean() - 10) < 0.03
    assert abs(y.std() - 0.5) < 0.03


@pytest.mark.parametrize("draw", [lambda: random.rand(-1), lambda: random.randn(2, -3)])
def test_negative_lengths(draw: object) -> None:
    with pytest.raises(ValueError, match="rand: expected"):
        draw()  # type: ignore[operator]
