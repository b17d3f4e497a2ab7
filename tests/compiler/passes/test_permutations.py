"""Permutations move behind what is computed one by one, so that no layer pays for a change."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn


def copies(step: ss.Compiled) -> int:
    """Count the copies of permuted values of at least four axes that a program makes."""
    (build,) = step._builds.values()
    nodes = [n for stage in build.compilation.plan.stages for n in stage.nodes]
    read = [n.inputs[0] for n in nodes if n.op == "astype" and len(n.shape) > 3]
    return sum(x.op == "permute_dims" for x in read)


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3),
        nn.GELU(), nn.MaxPool2d(2), nn.Conv2d(8, 4, 1), nn.Tanh(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(4, 2),
    )  # fmt: skip


def test_a_network_of_pictures_copies_its_input_alone() -> None:
    model = network()
    optimizer = ss.optim.SGD(model.parameters(), lr=0.1)

    @ss.compile
    def step(x: ss.Tensor) -> ss.Tensor:
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step(ss.tensor(np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype("float32")))
    assert copies(step) == 1


class Layer(nn.Module):
    """What is computed of all that came before, beside it (Huang et al., 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, 4, 3, padding=1)
        )

    def forward(self, x: ss.Tensor) -> ss.Tensor:
        return ss.concat([x, self.layers(x)], axis=1)


def test_what_is_joined_is_not_turned() -> None:
    first, last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(16, 8, 1)
    model = nn.Sequential(first, Layer(8), Layer(12), nn.ReLU(), last)
    parameters = list(model.parameters())
    step = ss.compile(lambda x: ss.autograd.grad(model(x).square().mean(), parameters))
    step(ss.tensor(np.random.default_rng(0).normal(size=(4, 3, 8, 8)).astype("float32")))
    assert copies(step) == 1


FUNCTIONS = {
    "reduced": lambda y: (y * 2).sum((1, 3)),
    "kept": lambda y: y - y.mean((2, 3), keepdim=True),
    "largest": lambda y: y.tanh().amax(1),
    "broadcast": lambda y: y + ss.tensor([1.0, 2.0, 3.0]).reshape(3, 1, 1),
    "row": lambda y: y * ss.tensor([1.0, 2.0, 3.0, 4.0]),
    "number": lambda y: y * y.sum() + 1,
    "two orders": lambda y: y.permute(0, 1, 3, 2).exp() + y,
    "back and forth": lambda y: y.relu().permute(2, 0, 3, 1).sigmoid().permute(1, 3, 0, 2),
    "flat": lambda y: y.exp().reshape(2, -1) * 2,
    "choice": lambda y: ss.where(y > 0, y, ss.tensor([[0.5], [1.5], [2.5], [3.5]])),
    "joined": lambda y: ss.concat([y.relu(), y], axis=1).exp(),
    "joined on the left": lambda y: ss.concat([y.permute(0, 1, 3, 2) * 2, y.exp(), y], axis=3),
    "piled": lambda y: ss.stack([y.relu(), y], axis=1).exp(),
    "flipped": lambda y: y.exp().flip((1, 2)) * 2,
    "padded": lambda y: nn.functional.pad(y.exp(), (1, 0, 2, 1, 0, 3), value=0.5) * 2,
    "sliced": lambda y: y.exp()[:, 1:, ::2, -3:] * 2,
    "picked": lambda y: y.exp()[:, 1, 2:] * 2,
    "shifted": lambda y: y.relu()[..., 1:] - y.relu()[..., :-1],
    "patches": lambda y: y.exp().flatten(2).transpose(1, 2) * 2,
    "groups": lambda y: (y.exp().reshape(2, 1, 3, 2, 2, 4) * 2).sum((2, 4)).reshape(2, 2, 4).tanh(),
    "columns": lambda y: y.exp().permute(0, 1, 3, 2).reshape(2, 3, 16).tanh(),
    "merged": lambda y: y.exp().permute(1, 0, 2, 3).reshape(6, 4, 4).tanh(),
    "one more": lambda y: y.tanh().reshape(2, 3, 1, 4, 4, 1).tanh().reshape(1, 2, 3, 16).exp(),
    "enlarged": lambda y: nn.functional.interpolate(y.exp(), scale_factor=2).relu() * 2,
    "rows": lambda y: y.exp()[:, ss.tensor([0, 2, 1, 0])].tanh() * 2,
    "places": lambda y: y.exp()[1:, :, ss.tensor([0, 3]), ss.tensor([1, 2])] * 2,
    "table": lambda y: y.exp()[..., ss.tensor([[0, 3], [1, 1]])] * 2,
    "itself": lambda y: y,
}  # fmt: skip


def written(y: ss.Tensor, index: int | slice) -> ss.Tensor:
    """A layer, of which a part in another order is changed in place."""
    x = y.exp().clone()
    x.permute(3, 1, 0, 2)[index] *= 2
    return x.amax((0, 2, 3))


FUNCTIONS |= {
    "a row is written": lambda y: written(y, -1),
    "rows are written": lambda y: written(y, slice(1, 3)),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_stay(name: str) -> None:
    values = np.random.default_rng(1)
    w = ss.tensor(values.normal(size=(3, 2, 3, 3)).astype("float32"))
    x = ss.tensor(values.normal(size=(2, 2, 6, 6)).astype("float32"))

    def function(x: ss.Tensor) -> ss.Tensor:
        return FUNCTIONS[name](nn.functional.conv2d(x, w))

    wanted, slope = function(x), ss.grad(lambda x: function(x).square().sum())
    np.testing.assert_allclose(
        ss.compile(function)(x).numpy(), wanted.numpy(), rtol=1e-5, atol=1e-5
    )
    got, want = ss.compile(slope)(x).numpy(), slope(x).numpy()
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4 * abs(want).max())
