"""Sharing by the same rows: fewer barriers, the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.kernels.micro_kernel import is_supported
from schuss.compiler.pipeline import Compilation
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.lowering.llvm_types import F32
from schuss.nn import functional as F


@pytest.fixture(autouse=True)
def _chosen_threads() -> Iterator[None]:
    yield
    ThreadTuner.always = None


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, width)

    def forward(self, x: ss.Tensor) -> ss.Tensor:
        return x + F.dropout(F.gelu(self.linear(self.norm(x))), 0.1)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "small": lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)),
    "odd": lambda: nn.Sequential(nn.Linear(64, 77), nn.Tanh(), nn.Linear(77, 10)),
    "deep": lambda: nn.Sequential(
        nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 80), nn.Sigmoid(), nn.Linear(80, 10)
    ),
    "batch norm": lambda: nn.Sequential(
        nn.Linear(64, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 10)
    ),
    "residual": lambda: nn.Sequential(nn.Linear(64, 128), Residual(128), nn.Linear(128, 10)),
    "wide": lambda: nn.Sequential(nn.Linear(64, 520), nn.ReLU(), nn.Linear(520, 10)),
}
ROWS, STEPS = 70, 8


def made(network: str, batch: int = ROWS) -> tuple[nn.Module, Any, Any, ss.Tensor, ss.Tensor]:
    ss.manual_seed(0)
    model = NETWORKS[network]()
    rule = optim.Adam(model.parameters(), lr=0.003)

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y)
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss

    rng = np.random.default_rng(0)
    x = ss.tensor(rng.normal(size=(batch, 64)).astype("f4"))
    return model, step, compile(step), x, ss.tensor(rng.integers(0, 10, batch))


def design_of(step: Any) -> Compilation:
    (program,) = step._builds.values()
    return program.compilation


@pytest.mark.parametrize("network", NETWORKS)
def test_the_same_bits_on_any_number_of_threads_again_and_again(network: str) -> None:
    results = []
    for threads in (1, 2, 3, 8, 2, 2):
        ThreadTuner.always = threads
        model, _, step, x, y = made(network)
        index = np.random.default_rng(1).integers(0, ROWS, (STEPS, 64))
        found = [step(x, y).array, step.scan((x, y), index).array]
        results.append(found + [np.array(v.array) for v in model.state_dict().values()])
    for other in results[1:]:
        for a, b in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("batch", [1, 2, 64, 70])
@pytest.mark.parametrize("network", ["small", "odd", "deep", "batch norm", "wide"])
def test_equals_eager_steps(network: str, batch: int) -> None:
    if network == "batch norm" and batch < 3:
        pytest.skip("two rows are 1 and -1 whatever they are, and have gradients of noise")
    ThreadTuner.always = 2
    model, _, step, x, y = made(network, batch)
    twin, plain, _, _, _ = made(network, batch)
    for _ in range(STEPS):
        got, expected = step(x, y), plain(x, y)
        np.testing.assert_allclose(got.array, expected.array, rtol=2e-4, atol=1e-5)
    for name, value in twin.state_dict().items():
        if network == "batch norm" and name in ("0.bias", "1.running_mean"):
            # The gradient is zero, but for noise, of which Adam makes steps of the full length.
            continue
        np.testing.assert_allclose(model.state_dict()[name].array, value.array, atol=2e-4)


generated = pytest.mark.skipif(
    not is_supported(F32, 64), reason="products are BLAS's where there is no fused multiply-add"
)


@generated
def test_few_barriers_in_a_step() -> None:
    _, _, step, x, y = made("small")
    step(x, y)
    plan = design_of(step).schedule
    # The units' values; the classes'; their loss; backward with updates; what backward had to read.
    assert max(plan.segments.values()) <= 4
    assert all(plan.partitions[s].is_parallel for s in plan.epilogues)


@generated
def test_epilogues_are_fused_into_products() -> None:
    _, _, step, x, y = made("wide")
    step(x, y)
    found = design_of(step)
    fused = [
        [n.op for s in others for n in s.nodes] for others in found.schedule.epilogues.values()
    ]
    # The activation is fused into the layer, and an update into the gradient of its weights.
    assert any("relu" in ops for ops in fused)
    assert any("sqrt" in ops for ops in fused)
    assert "epilogue of" in str(step.graph(x, y))


def test_gradients_of_weights_do_not_wait_for_the_whole_way_back() -> None:
    """Else the errors of all layers would be in memory at once."""
    model = nn.Sequential(*[nn.Sequential(nn.Linear(64, 64), nn.Tanh()) for _ in range(24)])

    @compile
    def step(x: ss.Tensor) -> ss.Tensor:
        model.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        return loss

    x = ss.randn(2048, 64)
    step(x)
    # What each layer gives, and a few errors.
    assert design_of(step).memory.nbytes < 30 * x.size * 4
