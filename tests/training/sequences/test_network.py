"""What lies behind a sequence's end has no share in its answer."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss.core import leaf, no_grad
from schuss.training.sequences.layers import MaskedBatchNorm
from schuss.training.sequences.network import SequenceNetwork


def network(recurrent: int = 8) -> SequenceNetwork:
    ss.manual_seed(0)
    return SequenceNetwork(
        2, 3, cardinalities=[4], widths=(8, 12, 16), recurrent=recurrent, dropout=0.0
    )


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("recurrent", [0, 8])
def test_padding_changes_no_number(training: bool, recurrent: int) -> None:
    draw = np.random.default_rng(0)
    lengths = np.array([1, 2, 5, 7], np.int32)
    numbers = draw.normal(size=(4, 7, 2)).astype(np.float32)
    codes = draw.integers(0, 4, (4, 7, 1)).astype(np.int32)
    model = network(recurrent)
    model.train(training)
    with no_grad():
        found = model(leaf(numbers), leaf(lengths), leaf(codes)).array
        # Nonsense, and more of it.
        longer = np.full((4, 24, 2), 1e3, np.float32)
        more = np.full((4, 24, 1), 3, np.int32)
        longer[:, :7], more[:, :7] = numbers, codes
        for row, length in enumerate(lengths):
            longer[row, length:] = 1e3
            more[row, length:] = 2
        again = model(leaf(longer), leaf(lengths), leaf(more)).array
    np.testing.assert_allclose(again, found, rtol=2e-5, atol=2e-6)


def test_a_sequence_alone_gives_the_same_as_padded_beside_others() -> None:
    draw = np.random.default_rng(1)
    model = network().eval()
    lengths = np.array([1, 3, 6, 9], np.int32)
    numbers = draw.normal(size=(4, 9, 2)).astype(np.float32)
    codes = draw.integers(0, 4, (4, 9, 1)).astype(np.int32)
    with no_grad():
        together = model(leaf(numbers), leaf(lengths), leaf(codes)).array
        for row, length in enumerate(lengths):
            own = slice(row, row + 1), slice(0, int(length))
            alone = model(leaf(numbers[own]), leaf(lengths[row : row + 1]), leaf(codes[own]))
            np.testing.assert_allclose(alone.array[0], together[row], rtol=2e-5, atol=2e-6)


def test_normalisation_is_that_of_the_steps_that_are_there() -> None:
    draw = np.random.default_rng(2)
    x = draw.normal(2.0, 3.0, (5, 4, 10)).astype(np.float32)
    whole = np.ones((5, 1, 10), np.float32)
    layer, peer = MaskedBatchNorm(4), ss.nn.BatchNorm1d(4)
    expected = peer(leaf(x)).array
    np.testing.assert_allclose(layer(leaf(x), leaf(whole)).array, expected, atol=1e-5)
    np.testing.assert_allclose(layer.running_mean.array, peer.running_mean.array, rtol=1e-5)
    whole[2, :, 4:] = 0.0
    kept = np.concatenate([x[row, :, : 4 if row == 2 else 10] for row in range(5)], axis=1)
    found = layer(leaf(x * whole), leaf(whole)).array[2, :, :4]
    mean, std = kept.mean(axis=1), kept.std(axis=1)
    np.testing.assert_allclose(
        found, (x[2, :, :4] - mean[:, None]) / std[:, None], rtol=1e-3, atol=1e-4
    )
