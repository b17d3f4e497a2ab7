"""Recurrent layers and cells: PyTorch's outputs, gradients and state; eager and compiled."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.nn.utils.rnn import pack_padded_sequence

STEPS, BATCH, FEATURES, HIDDEN = 5, 3, 4, 6
LENGTHS = [5, 2, 4]

KINDS = [
    ("RNN", {}),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2, "bias": False}),
    ("RNN", {"batch_first": True, "bidirectional": True}),
    ("LSTM", {}),
    ("LSTM", {"num_layers": 2, "bidirectional": True}),
    ("LSTM", {"proj_size": 2, "num_layers": 2, "batch_first": True}),
    ("LSTM", {"bias": False, "proj_size": 3, "bidirectional": True}),
    ("GRU", {}),
    ("GRU", {"num_layers": 3, "bias": False}),
    ("GRU", {"bidirectional": True, "num_layers": 2, "batch_first": True}),
]
CELLS = [("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu", "bias": False})]
CELLS += [("LSTMCell", {}), ("GRUCell", {}), ("GRUCell", {"bias": False})]


def name_of(kind):
    return f"{kind[0]}-{'-'.join(map(str, kind[1].values()))}"


def close(x, y):
    np.testing.assert_allclose(x, y, rtol=1e-9, atol=1e-12)


def both(kind, args=(FEATURES, HIDDEN)):
    """A layer of ours and PyTorch's, with the same weights, in float64."""
    torch = pytest.importorskip("torch")
    name, options = kind
    ss.manual_seed(0)
    ours = getattr(nn, name)(*args, **options, dtype="float64")
    theirs = getattr(torch.nn, name)(*args, **options, dtype=torch.float64)
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    assert list(ours.state_dict()) == list(theirs.state_dict())
    assert ours.extra_repr() == theirs.extra_repr()
    return ours, theirs, torch


def values(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def sequences(options):
    first = options.get("batch_first", False)
    return values(*((BATCH, STEPS) if first else (STEPS, BATCH)), FEATURES)


def starts(layer, seed=5, batch=(BATCH,)):
    """States to begin with, as arrays."""
    count = layer.num_layers * (2 if layer.bidirectional else 1)
    shapes = [(count, *batch, layer.proj_size or HIDDEN)]
    if isinstance(layer, nn.LSTM):
        shapes.append((count, *batch, HIDDEN))
    return [values(*shape, seed=seed + i) for i, shape in enumerate(shapes)]


def given(tensors):
    return tuple(tensors) if len(tensors) == 2 else tensors[0]


def flat(result):
    output, states = result
    return [output, *(states if isinstance(states, tuple) else (states,))]


def weighted(results, tensor):
    return sum((y * tensor(values(*y.shape, seed=i))).sum() for i, y in enumerate(results))


def hold_equal(ours, theirs, torch, inputs, call, call_torch):
    """Hold results and all gradients of two layers equal."""
    mine = [ss.tensor(x, requires_grad=True) for x in inputs]
    others = [torch.tensor(x, requires_grad=True) for x in inputs]

    def loss():
        results = call(*mine)
        weighted(results, ss.tensor).backward()
        return results

    expected = call_torch(*others)
    weighted(expected, torch.tensor).backward()
    for run in (loss, ss.compile(loss)):
        for x in [*mine, *ours.parameters()]:
            x.grad = None
        for y, z in zip(run(), expected, strict=True):
            close(y.numpy(), z.detach().numpy())
        for x, y in zip(mine, others, strict=True):
            close(x.grad.numpy(), y.grad.numpy())
        for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
            close(p.grad.numpy(), q.grad.numpy())


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
@pytest.mark.parametrize("with_states", [False, True])
def test_layers_equal_pytorchs(kind, with_states):
    ours, theirs, torch = both(kind)
    inputs = [sequences(kind[1]), *(starts(ours) if with_states else [])]
    hold_equal(
        ours, theirs, torch, inputs,
        lambda x, *s: flat(ours(x, given(s) if s else None)),
        lambda x, *s: flat(theirs(x, given(s) if s else None)),
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_sequences_without_a_batch_equal_pytorchs(kind):
    ours, theirs, torch = both(kind)
    hold_equal(
        ours, theirs, torch, [values(STEPS, FEATURES), *starts(ours, batch=())],
        lambda x, *s: flat(ours(x, given(s))), lambda x, *s: flat(theirs(x, given(s))),
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_lengths_equal_pytorchs_packed_sequences(kind):
    ours, theirs, torch = both(kind)
    first = kind[1].get("batch_first", False)
    rnn = torch.nn.utils.rnn

    def packed(x, *s):
        sequence = rnn.pack_padded_sequence(x, LENGTHS, batch_first=first, enforce_sorted=False)
        output, states = theirs(sequence, given(s))
        return flat((rnn.pad_packed_sequence(output, batch_first=first)[0], states))

    hold_equal(
        ours, theirs, torch, [sequences(kind[1]), *starts(ours)],
        lambda x, *s: flat(ours(x, given(s), lengths=LENGTHS)), packed,
    )  # fmt: skip


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
@pytest.mark.parametrize("in_order", [False, True])
def test_packed_sequences_equal_pytorchs(kind, in_order):
    ours, theirs, torch = both(kind)
    first = kind[1].get("batch_first", False)
    lengths = sorted(LENGTHS, reverse=True) if in_order else LENGTHS
    x, s = sequences(kind[1]), starts(ours)
    options = {"batch_first": first, "enforce_sorted": in_order}
    mine = pack_padded_sequence(ss.tensor(x), lengths, **options)
    other = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(x), lengths, **options)
    output, states = ours(mine, given([ss.tensor(a) for a in s]))
    expected, wanted = theirs(other, given([torch.tensor(a) for a in s]))
    for y, z in zip(output, expected, strict=True):
        assert (y is None) == (z is None)
        if y is not None:
            close(y.numpy(), z.detach().numpy())
    for y, z in zip(flat((output.data, states))[1:], flat((None, wanted))[1:], strict=True):
        close(y.numpy(), z.detach().numpy())


@pytest.mark.parametrize("kind", CELLS, ids=name_of)
@pytest.mark.parametrize("batch", [(), (BATCH,)])
@pytest.mark.parametrize("with_states", [False, True])
def test_cells_equal_pytorchs(kind, batch, with_states):
    ours, theirs, torch = both(kind)
    count = 2 if kind[0] == "LSTMCell" else 1
    states = [values(*batch, HIDDEN, seed=i) for i in range(count)] if with_states else []

    def results(layer):
        def call(x, *s):
            found = layer(x, *([given(s)] if s else []))
            return list(found) if count == 2 else [found]

        return call

    hold_equal(
        ours, theirs, torch, [values(*batch, FEATURES), *states], results(ours), results(theirs)
    )


@pytest.mark.parametrize(
    "kind", [("RNN", {}), ("LSTM", {"proj_size": 2}), ("GRU", {})], ids=name_of
)
@pytest.mark.parametrize("order", [1, 2])
def test_gradients_equal_central_differences(kind, order):
    layer = getattr(nn, kind[0])(2, 3, bidirectional=True, **kind[1], dtype="float64")
    names = [name for name, _ in layer.named_parameters()]

    def output(x, *parameters):
        named = dict(zip(names, parameters, strict=True))
        return nn.functional_call(layer, named, x, lengths=[3, 1])[0]

    x = ss.tensor(values(3, 2, 2))
    ss.check_gradients(output, x, *[ss.tensor(p.numpy()) for p in layer.parameters()], order=order)


def test_dropout_is_between_layers_and_only_while_training():
    ss.manual_seed(1)
    layer = nn.LSTM(4, 8, num_layers=2, dropout=0.5)
    x = ss.tensor(values(3, 2, 4).astype(np.float32))
    assert not np.array_equal(layer(x)[0].numpy(), layer(x)[0].numpy())
    layer.eval()
    close(layer(x)[0].numpy(), layer(x)[0].numpy())
    first = nn.LSTM(4, 8, dropout=0.5)
    close(first(x)[0].numpy(), first(x)[0].numpy())


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: nn.RNN(4, 6, nonlinearity="sin"), "RNN: expected nonlinearity tanh or relu"),
        (lambda: nn.GRU(4, 6, proj_size=2), "GRU: proj_size is an LSTM's alone"),
        (lambda: nn.LSTM(4, 6, proj_size=6), "LSTM: expected proj_size from 0"),
        (lambda: nn.LSTM(0, 6), "LSTM: expected input_size >= 1, got 0"),
        (lambda: nn.LSTM(4, 6, dropout=2.0), "LSTM: expected dropout from 0 to 1"),
        (lambda: nn.GRU(4, 6)(ss.ones((2, 3, 5))), r"GRU: expected x of shape \(..., 4\)"),
        (lambda: nn.GRU(4, 6)(ss.ones((0, 3, 4))), "GRU: expected at least one step"),
        (lambda: nn.GRU(4, 6)(ss.ones((2, 3, 4)), ss.ones((1, 2, 6))), "GRU: expected states of"),
        (lambda: nn.RNN(4, 6)(ss.ones((2, 3, 4)), lengths=[1, 2]), "RNN: expected lengths"),
        (lambda: nn.RNN(4, 6)(ss.ones((2, 3, 4)), lengths=[1, 2, 3]), "RNN: expected lengths of"),
        (lambda: nn.LSTMCell(4, 6)(ss.ones((2, 5))), "LSTMCell: expected x of shape"),
        (lambda: nn.GRUCell(4, 6)(ss.ones((2, 4)), ss.ones((2, 5))), "GRUCell: expected states"),
    ],
)
def test_mistakes_are_named(make, text):
    with pytest.raises(ValueError, match=text):
        make()
