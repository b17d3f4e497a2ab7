"""Sequences as arrays: padded, cut, or several rows to a step."""

from __future__ import annotations

import numpy as np

from schuss.training.sequences.inputs import Padded, SequenceFormat


def test_long_sequences_are_means_and_deviations_of_rows() -> None:
    draw = np.random.default_rng(0)
    numbers = draw.normal(size=(12, 2)).astype(np.float32)
    codes = np.arange(12, dtype=np.int32)[:, None]
    form = SequenceFormat(steps=2, rows=3)
    made, counts, kinds = form.inputs(numbers, codes, np.array([0, 4, 12]))
    assert counts.tolist() == [2, 2]
    np.testing.assert_allclose(made[0, 0, :2], numbers[:3].mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(made[0, 0, 2:], numbers[:3].std(axis=0), rtol=1e-4)
    np.testing.assert_allclose(made[0, 1], [*numbers[3], 0.0, 0.0], atol=1e-6)
    # Of eight rows the last six are taken.
    np.testing.assert_allclose(made[1, 0, :2], numbers[6:9].mean(axis=0), rtol=1e-5)
    assert kinds[:, :, 0].tolist() == [[0, 3], [6, 9]]
    assert form.describe(np.array([4, 8]))[1].startswith("of 1 far longer sequence the last 6 rows")


def test_the_format_follows_the_lengths() -> None:
    assert SequenceFormat.choose(np.array([1])) == SequenceFormat(8)
    assert SequenceFormat.choose(np.full(100, 5_000)) == SequenceFormat(504, 10)
    # One that is far longer than the others does not make all of them coarse.
    assert SequenceFormat.choose(np.array([50] * 99 + [100_000])) == SequenceFormat(104)
    assert SequenceFormat.from_config(SequenceFormat(8, 2).to_config()) == SequenceFormat(8, 2)


def test_a_batch_is_the_same_whatever_is_in_it() -> None:
    flat = np.arange(12.0).reshape(6, 2)
    padded = Padded(flat, np.array([0, 1, 4, 6]), 4)
    assert padded.shape == (3, 4, 2)
    assert padded[np.array([2])][0].tolist() == [[8.0, 9.0], [10.0, 11.0], [0, 0], [0, 0]]
    assert np.array_equal(padded[np.array([2, 0])], padded[:][[2, 0]])
