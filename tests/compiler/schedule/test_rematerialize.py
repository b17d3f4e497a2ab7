"""What is computed again instead of kept: the same values, less memory, nothing overwritten."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.pipeline import Compilation
from schuss.compiler.schedule import rematerialize
from schuss.nn import functional as F

ROWS, WIDTH = 12, 10


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm, self.linear = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: ss.Tensor) -> ss.Tensor:
        return x + F.dropout(F.gelu(self.linear(self.norm(x))), 0.2)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "residual": lambda: nn.Sequential(Block(), Block(), nn.LayerNorm(WIDTH)),
    "batch norm": lambda: nn.Sequential(
        nn.Linear(WIDTH, 8, bias=False), nn.BatchNorm1d(8), nn.SiLU(), nn.Linear(8, WIDTH)
    ),
    "gated": lambda: nn.Sequential(nn.Linear(WIDTH, 16), nn.Softplus(), nn.Linear(16, WIDTH)),
}
RULES: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd": lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
    "adam": lambda p: optim.Adam(p, lr=0.01),
}


def trained(
    network: str, rule: str, *, compiled: bool
) -> tuple[Compilation | None, list[np.ndarray]]:
    ss.manual_seed(0)
    model = NETWORKS[network]()
    optimizer = RULES[rule](model.parameters())
    x = ss.randn(ROWS, WIDTH)

    def step(x: ss.Tensor) -> ss.Tensor:
        loss = (model(x) ** 2).mean() + (model(x * 0.5) - x).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    run: Any = compile(step) if compiled else step
    losses = [run(x).array for _ in range(4)]
    values = [np.array(v.array) for v in model.state_dict().values()]
    compilation = next(iter(run._builds.values())).compilation if compiled else None
    return compilation, [*losses, *values]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("pays", ["always", "as it is"])
def test_equals_eager_steps(
    network: str, rule: str, pays: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rematerialize, "_LEAST_BYTES", 0)
    if pays == "always":
        monkeypatch.setattr(rematerialize, "_OPERATIONS_PER_BYTE", 1e9)
    _, expected = trained(network, rule, compiled=False)
    compilation, got = trained(network, rule, compiled=True)
    assert compilation is not None
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_an_activation_keeps_what_it_is_computed_of_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = ss.tensor(np.ones((300, 200), "f4"))

    def gradients(x: ss.Tensor, w: ss.Tensor) -> Any:
        return ss.grad(lambda x: ((F.gelu(x @ w * 0.01) @ w.mT) ** 2).sum())(x)

    x = ss.tensor(np.random.default_rng(0).normal(size=(400, 300)).astype("f4"))
    sizes = []
    monkeypatch.setattr(rematerialize, "_OPERATIONS_PER_BYTE", 1e9)
    for least in (1 << 40, 0):
        monkeypatch.setattr(rematerialize, "_LEAST_BYTES", least)
        run = compile(gradients)
        np.testing.assert_allclose(
            run(x, weight).array, gradients(x, weight).array, rtol=1e-3, atol=1e-3
        )
        (program,) = run._builds.values()
        sizes.append(program.compilation.memory.temporary)
    assert sizes[1] < sizes[0]


def test_a_state_that_is_changed_first_is_read_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    # Large enough to be computed again, of a state that is not.
    monkeypatch.setattr(rematerialize, "_LEAST_BYTES", 1000)
    monkeypatch.setattr(rematerialize, "_OPERATIONS_PER_BYTE", 1e9)
    shift = ss.tensor(np.zeros(30, "f4"))

    def step(x: ss.Tensor) -> Any:
        moved = x + shift
        total = ss.sum(moved, axis=0)
        shift.assign(shift + total)
        # What was moved by the old shift, once the new one is there.
        return moved * ss.sum(shift), moved / (1.0 + shift**2)

    x = ss.tensor(np.random.default_rng(0).normal(size=(40, 30)).astype("f4"))
    expected = [[r.array for r in step(x)] for _ in range(2)]
    shift.assign(ss.tensor(np.zeros(30, "f4")))
    run = compile(step)
    for pair in expected:
        for got, value in zip(run(x), pair, strict=True):
            np.testing.assert_allclose(got.array, value, rtol=1e-4, atol=1e-5)
    (program,) = run._builds.values()
    stages = program.compilation.plan.stages
    moved = [s for s in stages if any(n.op == "add" and n.shape == x.shape for n in s.nodes)]
    assert len(moved) > 1
