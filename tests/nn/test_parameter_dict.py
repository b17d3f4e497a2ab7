from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn


def filled(m: Any) -> Any:
    made = m.nn.ParameterDict({"a": m.ones(2), "b": m.nn.Parameter(m.zeros(3))})
    made["c"] = m.ones(1)
    made.update([("d", m.nn.Parameter(m.ones(2, 2))), ("b", m.nn.Parameter(m.ones(4)))])
    made |= {"e": m.nn.Parameter(m.zeros(5))}
    made.setdefault("a", m.zeros(9))
    made.setdefault("f", m.nn.Parameter(m.zeros(6)))
    made.pop("c")
    del made["e"]
    return made


def test_names_shapes_and_order_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = filled(ss), filled(torch)
    for found in (lambda d: list(d), lambda d: list(d.keys()), lambda d: list(d.state_dict())):
        assert found(ours) == found(theirs) == ["a", "b", "d", "f"]
    for pairs in (lambda d: d.items(), lambda d: d.named_parameters(), lambda d: d.copy().items()):
        shapes = [[(name, tuple(p.shape)) for name, p in pairs(d)] for d in (ours, theirs)]
        assert shapes[0] == shapes[1]
    assert [tuple(p.shape) for p in ours.values()] == [tuple(p.shape) for p in theirs.values()]
    assert len(ours) == 4
    assert list(reversed(ours)) == list(reversed(theirs))
    assert "c" not in ours
    assert ours.get("c", 1) == theirs.get("c", 1) == 1
    assert ours.popitem()[0] == theirs.popitem()[0] == "f"
    assert list((ours | {"g": ss.ones(1)}).keys()) == ["a", "b", "d", "g"]
    ours.clear()
    assert not list(ours.parameters())
    with pytest.raises(KeyError):
        _ = ours["a"]
    with pytest.raises(KeyError):
        del ours["a"]


class Weighted(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factors = nn.ParameterDict({name: ss.ones(2) for name in ("left", "right")})

    def forward(self, x: ss.Tensor, side: str) -> ss.Tensor:
        return (x * self.factors[side]).sum()


def test_its_parameters_are_trained_eager_and_compiled() -> None:
    results = []
    for wrap in (lambda f: f, ss.compile):
        model = Weighted()
        optimizer = ss.optim.SGD(model.parameters(), lr=0.1)

        def step(x: ss.Tensor, model: Weighted = model, optimizer: Any = optimizer) -> ss.Tensor:
            optimizer.zero_grad()
            loss = model(x, "left") * model(x, "right")
            loss.backward()
            optimizer.step()
            return loss

        taken = wrap(step)
        losses = [taken(ss.tensor([1.0, 2.0])).item() for _ in range(3)]
        results.append([losses, *[p.tolist() for p in model.factors.values()]])
    np.testing.assert_allclose(np.hstack(results[0]), np.hstack(results[1]), rtol=1e-6)
    assert results[0][0][0] > results[0][0][-1]
