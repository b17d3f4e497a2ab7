"""Orthogonal weights: PyTorch's numbers from its states, and orthogonal while they are learned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.nn.utils.parametrizations import orthogonal

MAPS = ["matrix_exp", "cayley", "householder"]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
@pytest.mark.parametrize("name", MAPS)
def test_descends_as_pytorch(name: str, shape: tuple[int, int], compiled: bool) -> None:
    torch = pytest.importorskip("torch")
    theirs = torch.nn.utils.parametrizations.orthogonal(
        torch.nn.Linear(*shape, dtype=torch.float64), orthogonal_map=name
    )
    mine = orthogonal(ss.nn.Linear(*shape, dtype="float64"), orthogonal_map=name)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    mine.load_state_dict({k: v.numpy() for k, v in theirs.state_dict().items()})
    x = np.random.default_rng(0).normal(size=(6, shape[0]))
    found = []
    for lib, layer in ((torch, theirs), (ss, mine)):
        optimizer = lib.optim.SGD(layer.parameters(), lr=0.1)

        def step(x: Any, layer: Any = layer, optimizer: Any = optimizer) -> Any:
            loss = (layer(x) ** 3).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        run = ss.compile(step) if compiled and lib is ss else step
        found.append(
            [run(lib.tensor(x)).item() for _ in range(5)] + [layer.weight.detach().numpy()]
        )
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-10, atol=1e-12)
    weight = found[1][-1]
    product = weight @ weight.T if shape[0] > shape[1] else weight.T @ weight
    np.testing.assert_allclose(product, np.eye(min(shape)), atol=1e-10)


@pytest.mark.parametrize("name", MAPS)
def test_what_is_orthogonal_stays_what_it_is(name: str) -> None:
    value = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    layer = ss.nn.Linear(3, 3, dtype="float64")
    layer.weight.data = ss.tensor(value)
    np.testing.assert_allclose(
        orthogonal(layer, orthogonal_map=name).weight.detach(), value, atol=1e-12
    )


@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 5)])
def test_reflections_without_a_base(shape: tuple[int, int]) -> None:
    value = np.linalg.qr(np.random.default_rng(1).normal(size=sorted(shape)[::-1]))[0]
    value = value if shape[0] >= shape[1] else value.T
    layer = ss.nn.Linear(shape[1], shape[0], dtype="float64")
    layer.weight.data = ss.tensor(value)
    made = orthogonal(layer, orthogonal_map="householder", use_trivialization=False)
    np.testing.assert_allclose(made.weight.detach(), value, atol=1e-12)
    assert list(made.state_dict()) == ["bias", "parametrizations.weight.original"]


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="expected a weight 'bias' with two axes"):
        orthogonal(ss.nn.Linear(3, 3), "bias")
    with pytest.raises(ValueError, match="expected one of matrix_exp, cayley, householder"):
        orthogonal(ss.nn.Linear(3, 3), orthogonal_map="qr")
    with pytest.raises(NotImplementedError, match="without a base"):
        orthogonal(ss.nn.Linear(3, 3), orthogonal_map="cayley", use_trivialization=False)
