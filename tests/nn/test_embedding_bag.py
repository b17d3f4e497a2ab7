"""Bags of indices: PyTorch's values and gradients, eager and compiled; mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn

F = nn.functional
RNG = np.random.default_rng(4)
WEIGHT = RNG.normal(size=(7, 3))
LINE = np.array([1, 2, 4, 5, 4, 3, 2, 6, 0, 4])
ROWS = np.array([[1, 2, 4, 4], [4, 3, 2, 0]])
OFFSETS = np.array([0, 0, 3, 3, 8])
MODES = ["sum", "mean", "max"]
CASES: list[tuple[np.ndarray, dict[str, Any]]] = [
    (ROWS, {}),
    (ROWS, {"padding_idx": 4}),
    (ROWS[:, 2:3], {"padding_idx": -3}),
    (LINE, {"offsets": OFFSETS}),
    (LINE, {"offsets": np.array([0, 3, 10]), "padding_idx": 4}),
    (LINE, {"offsets": np.append(OFFSETS, 10), "include_last_offset": True}),
    (LINE.astype(np.int32), {"offsets": OFFSETS.astype(np.int32)}),
    (ROWS, {"max_norm": 1.0}),
]
PLAIN = [
    (ROWS, {"per_sample_weights": RNG.normal(size=ROWS.shape)}),
    (LINE, {"offsets": OFFSETS, "per_sample_weights": RNG.normal(size=LINE.shape)}),
    (ROWS, {"padding_idx": 2, "per_sample_weights": RNG.normal(size=ROWS.shape)}),
]
ALL = [(x, o | {"mode": mode}) for x, o in CASES for mode in MODES]
ALL += [(x, o | {"mode": "sum"}) for x, o in PLAIN]


def shown(case: Any) -> str:
    if isinstance(case, np.ndarray):
        return "x".join(map(str, case.shape))
    return ",".join(f"{k}={v if np.isscalar(v) else 'given'}" for k, v in case.items())


def evaluated(m: Any, x: np.ndarray, options: dict[str, Any], wrap: Any = lambda f: f) -> Any:
    factors = RNG.__class__(np.random.PCG64(1)).normal(size=(9, 3))

    @wrap
    def step(weight: Any, x: Any, **given: Any) -> Any:
        weight = weight.detach().clone().requires_grad_()
        result = m.nn.functional.embedding_bag(x, weight, **given)
        (result * m.tensor(factors[: result.shape[0]])).sum().backward()
        return result.detach(), weight.grad, weight.detach()

    given = {k: m.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
    return [r.numpy() for r in step(m.tensor(WEIGHT), m.tensor(x), **given)]


@pytest.mark.parametrize("wrap", [lambda f: f, ss.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize(("x", "options"), ALL, ids=shown)
def test_values_and_gradients_are_pytorchs(x: np.ndarray, options: Any, wrap: Any) -> None:
    torch = pytest.importorskip("torch")
    found, expected = evaluated(ss, x, options, wrap), evaluated(torch, x, options)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("indices", [ROWS, LINE], ids=shown)
def test_gradients_by_frequency_are_pytorchs(indices: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for m in (ss, torch):
        layer = m.nn.Embedding(7, 3, scale_grad_by_freq=True).double()
        layer.load_state_dict({"weight": m.tensor(WEIGHT)})
        y = layer(m.tensor(indices))
        (y * y).sum().backward()
        found.append(layer.weight.grad.numpy())
    np.testing.assert_allclose(*found, rtol=1e-12)


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_gradients_of_bags_by_frequency_are_those_of_embeddings(mode: str) -> None:
    # PyTorch's own, on the CPU, divide by how often another index comes.
    torch = pytest.importorskip("torch")
    layer = nn.EmbeddingBag(7, 3, scale_grad_by_freq=True, mode=mode).double()
    layer.load_state_dict({"weight": ss.tensor(WEIGHT)})
    theirs = torch.nn.Embedding(7, 3, scale_grad_by_freq=True).double()
    theirs.load_state_dict({"weight": torch.tensor(WEIGHT)})
    (layer(ss.tensor(ROWS)) ** 2).sum().backward()
    (getattr(theirs(torch.tensor(ROWS)), mode)(1) ** 2).sum().backward()
    np.testing.assert_allclose(layer.weight.grad.numpy(), theirs.weight.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("layer", ["Embedding", "EmbeddingBag"])
def test_given_rows_are_frozen_or_not_as_in_pytorch(layer: str) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for m in (ss, torch):
        rows = m.tensor(WEIGHT)
        for freeze in (True, False):
            made = getattr(m.nn, layer).from_pretrained(rows, freeze)
            y = made(m.tensor(ROWS)).detach().numpy()
            found.append((made.weight.requires_grad, tuple(made.weight.shape), y))
    for a, b in zip(found[:2], found[2:], strict=True):
        assert a[:2] == b[:2]
        np.testing.assert_allclose(a[2], b[2], rtol=1e-12)


def test_rows_of_bags_are_trained_by_sparse_gradients() -> None:
    found = []
    for sparse in (False, True):
        layer = nn.EmbeddingBag(7, 3, mode="sum", sparse=sparse).double()
        layer.load_state_dict({"weight": ss.tensor(WEIGHT)})
        optimizer = ss.optim.Adagrad(layer.parameters(), lr=0.1)
        for _ in range(3):
            optimizer.zero_grad()
            (layer(ss.tensor(LINE[:4]), ss.tensor(OFFSETS[:3])) ** 2).sum().backward()
            optimizer.step()
        found.append(layer.weight.detach().numpy())
    np.testing.assert_allclose(*found, rtol=1e-12)


MISTAKES = [
    (lambda x: F.embedding_bag(x, TABLE), "expected offsets for input of one axis"),
    (lambda x: F.embedding_bag(x.reshape(2, 5), TABLE, ZERO), "and none for two; got input"),
    (lambda x: F.embedding_bag(x, TABLE, ZERO, mode="min"), "'sum', 'mean' or 'max', got 'min'"),
    (lambda x: F.embedding_bag(x.reshape(1, 2, 5), TABLE), "one or two axes, got shape (1, 2, 5)"),
    (
        lambda x: F.embedding_bag(x, TABLE, ZERO, per_sample_weights=ss.ones(10)),
        "expected mode 'sum' with per_sample_weights, got 'mean'",
    ),
    (
        lambda x: F.embedding_bag(x, TABLE, ZERO, mode="sum", per_sample_weights=ss.ones(9)),
        "expected per_sample_weights of shape (10,) like the input, got (9,)",
    ),
    (lambda x: nn.EmbeddingBag(3, 2, padding_idx=3), "expected padding_idx from -3 to 2, got 3"),
    (lambda x: nn.EmbeddingBag.from_pretrained(ss.ones(3)), "expected embeddings of two axes"),
]
TABLE, ZERO = ss.tensor(WEIGHT), ss.tensor([0])


@pytest.mark.parametrize(("call", "text"), MISTAKES)
def test_mistakes_are_named(call: Any, text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the text is compared below
        call(ss.tensor(LINE))
    assert text in str(caught.value)
