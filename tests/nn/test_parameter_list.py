from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn


def filled(library: Any) -> Any:
    made = library.nn.ParameterList([library.ones(2), library.nn.Parameter(library.zeros(3))])
    made.append(library.ones(1))
    made += [library.zeros(2, 2)]
    made[-1] = library.nn.Parameter(library.ones(4))
    return made


def test_names_shapes_and_parts_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = filled(ss), filled(torch)
    assert {n: tuple(p.shape) for n, p in ours.named_parameters()} == {
        n: tuple(p.shape) for n, p in theirs.named_parameters()
    }
    assert [*ours.state_dict()] == [*theirs.state_dict()]
    assert len(ours) == len(theirs) == len([*ours])
    assert [tuple(p.shape) for p in ours[1:3]] == [tuple(p.shape) for p in theirs[1:3]]


class Sum(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList([ss.ones(2) for _ in range(3)])

    def forward(self, x: ss.Tensor) -> ss.Tensor:
        for weight in self.weights:
            x = x * weight
        return x.sum()


def test_its_parameters_are_trained_eager_and_compiled() -> None:
    results = []
    for wrap in (lambda f: f, ss.compile):
        model = Sum()
        optimizer = ss.optim.SGD(model.parameters(), lr=0.1)

        def step(x: ss.Tensor, model: Sum = model, optimizer: Any = optimizer) -> ss.Tensor:
            optimizer.zero_grad()
            loss = model(x)
            loss.backward()
            optimizer.step()
            return loss

        taken = wrap(step)
        losses = [taken(ss.tensor([1.0, 2.0])).item() for _ in range(3)]
        results.append([losses, *[p.tolist() for p in model.weights]])
    np.testing.assert_allclose(np.hstack(results[0]), np.hstack(results[1]), rtol=1e-6)
    assert results[0][0][0] > results[0][0][-1]


def test_an_index_out_of_range() -> None:
    with pytest.raises(IndexError, match="ParameterList: expected an index below 1, got 1"):
        nn.ParameterList([ss.ones(1)])[1]
