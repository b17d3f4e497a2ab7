"""Padded and packed sequences: PyTorch's, eager."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss.nn.utils import rnn

LENGTHS = [2, 4, 1]


def sequences():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(n, 3)) for n in LENGTHS]


@pytest.fixture
def theirs():
    return pytest.importorskip("torch").nn.utils.rnn


def hold_equal(ours, theirs):
    for y, z in zip(ours, theirs, strict=True):
        assert (y is None) == (z is None)
        if y is not None:
            np.testing.assert_array_equal(y.numpy(), z.numpy())


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_is_pytorchs(theirs, batch_first, side):
    torch = pytest.importorskip("torch")
    options = {"batch_first": batch_first, "padding_value": 7.0, "padding_side": side}
    ours = rnn.pad_sequence([ss.tensor(x) for x in sequences()], **options)
    hold_equal([ours], [theirs.pad_sequence([torch.tensor(x) for x in sequences()], **options)])


@pytest.mark.parametrize("batch_first", [False, True])
def test_packing_is_pytorchs_and_leads_back(theirs, batch_first):
    torch = pytest.importorskip("torch")
    padded = rnn.pad_sequence([ss.tensor(x) for x in sequences()], batch_first=batch_first)
    options = {"batch_first": batch_first, "enforce_sorted": False}
    ours = rnn.pack_padded_sequence(padded, ss.tensor(LENGTHS), **options)
    other = theirs.pack_padded_sequence(torch.tensor(padded.numpy()), LENGTHS, **options)
    hold_equal(ours, other)
    options = {"batch_first": batch_first, "padding_value": -1.0, "total_length": 6}
    hold_equal(
        rnn.pad_packed_sequence(ours, **options), theirs.pad_packed_sequence(other, **options)
    )
    hold_equal(rnn.unpad_sequence(padded, LENGTHS, batch_first), map(torch.tensor, sequences()))
    hold_equal(rnn.unpack_sequence(ours), map(torch.tensor, sequences()))


def test_sequences_are_packed_as_pytorch_does(theirs):
    torch = pytest.importorskip("torch")
    ours = rnn.pack_sequence([ss.tensor(x) for x in sequences()], enforce_sorted=False)
    other = theirs.pack_sequence([torch.tensor(x) for x in sequences()], enforce_sorted=False)
    hold_equal(ours, other)
    assert ours.double().data.dtype == ss.float64
    assert not ours.is_cuda


def test_errors_flow_back_through_packing():
    x = ss.tensor(np.ones((3, 2)), requires_grad=True)
    packed = rnn.pack_padded_sequence(x, [3, 1])
    padded, lengths = rnn.pad_packed_sequence(packed)
    (padded * padded).sum().backward()
    assert x.grad.tolist() == [[2.0, 2.0], [2.0, 0.0], [2.0, 0.0]]
    assert lengths.tolist() == [3, 1]


def test_mistakes_are_named():
    x = ss.ones((3, 2))
    with pytest.raises(RuntimeError, match="expected lengths that fall"):
        rnn.pack_padded_sequence(x, [1, 3])
    with pytest.raises(ValueError, match="expected 2 lengths of at most 3 steps"):
        rnn.pack_padded_sequence(x, [4, 1])
    with pytest.raises(ValueError, match="at least 1"):
        rnn.pack_padded_sequence(x, [3, 0])
    with pytest.raises(ValueError, match="total_length of at least 3"):
        rnn.pad_packed_sequence(rnn.pack_padded_sequence(x, [3, 1]), total_length=2)
    with pytest.raises(ValueError, match="side left or right"):
        rnn.pad_sequence([x], padding_side="top")
