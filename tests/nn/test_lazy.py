"""Lazy layers: they become PyTorch's, eager and compiled; optimizers and states before that."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn

LAYERS = [
    ("Linear", (5, 3), (4,), {"bias": False}),
    ("Linear", (2, 5, 3), (4,), {}),
    ("Conv1d", (2, 3, 6), (4, 3), {"padding": 1}),
    ("Conv2d", (2, 4, 5, 5), (4, 3), {"groups": 2}),
    ("Conv3d", (2, 3, 4, 4, 4), (2, 2), {"bias": False}),
    ("ConvTranspose1d", (2, 3, 6), (4, 3), {}),
    ("ConvTranspose2d", (2, 4, 5, 5), (4, 3), {"groups": 2}),
    ("ConvTranspose3d", (2, 3, 3, 3, 3), (2, 2), {}),
    ("BatchNorm1d", (4, 3), (), {}),
    ("BatchNorm2d", (4, 3, 2, 2), (), {"momentum": 0.3}),
    ("BatchNorm3d", (4, 3, 2, 2, 2), (1e-3,), {"track_running_stats": True}),
    ("InstanceNorm1d", (4, 3, 5), (), {"affine": True}),
    ("InstanceNorm2d", (4, 3, 5, 5), (), {}),
    ("InstanceNorm3d", (4, 3, 2, 2, 3), (), {"affine": True}),
]


@pytest.mark.parametrize(("name", "shape", "args", "options"), LAYERS)
def test_the_first_input_makes_the_layer_that_pytorch_makes(
    name: str, shape: tuple[int, ...], args: Any, options: Any
) -> None:
    torch = pytest.importorskip("torch")
    lazy = getattr(nn, f"Lazy{name}")(*args, **options)
    assert "in_features" not in repr(lazy)
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    lazy(ss.tensor(values))
    assert type(lazy) is getattr(nn, name)
    theirs = getattr(torch.nn, f"Lazy{name}")(*args, **options)
    theirs(torch.tensor(values))
    state = {k: v.numpy().copy() for k, v in theirs.state_dict().items()}
    lazy.load_state_dict(state)
    found, expected = lazy(ss.tensor(values)), theirs(torch.tensor(values))
    np.testing.assert_allclose(found.detach().numpy(), expected.detach().numpy(), 1e-4, 1e-5)


@pytest.mark.parametrize(("name", "shape", "args", "options"), LAYERS)
def test_a_state_makes_the_layer_as_well(
    name: str, shape: tuple[int, ...], args: Any, options: Any
) -> None:
    made, lazy = (
        nn.Sequential(getattr(nn, f"Lazy{name}")(*args, **options).eval(), nn.Flatten())
        for _ in range(2)
    )
    x = ss.tensor(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    expected = made(x)
    lazy.load_state_dict(made.state_dict())
    np.testing.assert_array_equal(lazy(x).numpy(), expected.numpy())
    assert not lazy[0].training


def trained(*, compiled: bool) -> list[float]:
    ss.manual_seed(0)
    model = nn.Sequential(nn.LazyLinear(8), nn.LazyBatchNorm1d(), nn.Tanh(), nn.LazyLinear(1))
    # As the parameters are the same ones later, it can be made before the first input.
    optimizer = ss.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    assert all(map(nn.parameter.is_lazy, model.parameters()))
    rng = np.random.default_rng(0)
    x = ss.tensor(rng.normal(size=(16, 3)))
    y = ss.tensor(rng.normal(size=(16, 1)))

    def step(x: Any, y: Any) -> Any:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    model.double()
    run = ss.compile(step) if compiled else step
    losses = [run(x, y).item() for _ in range(10)]
    if compiled:
        assert run._builds, "once the layers are what they become, steps are compiled"
    assert not any(map(nn.parameter.is_lazy, model.parameters()))
    return losses


def test_training_from_the_first_input_on() -> None:
    eager = trained(compiled=False)
    assert eager[-1] < 0.7 * eager[0]
    np.testing.assert_allclose(trained(compiled=True), eager, rtol=1e-9)


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="Linear: expected out_features"):
        nn.LazyLinear(0)
    with pytest.raises(ValueError, match="LazyConv2d: expected a tensor of features, got"):
        nn.LazyConv2d(4, 3)(ss.ones((5, 5)))
