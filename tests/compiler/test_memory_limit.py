"""Programs within a limit of memory compute again what they do not keep, and the same numbers."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.compiler.decorator import bytes_of
from schuss.nn import functional as F

pytestmark = pytest.mark.filterwarnings("ignore:compile. expected temporaries")


def arena(step):
    (build,) = step._builds.values()
    return build.compilation.memory.nbytes


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.attend = nn.LayerNorm(width), nn.MultiheadAttention(width, 2)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, x):
        y = self.norm(x)
        x = x + self.attend(y, y, y, need_weights=False)[0]
        return x + self.dropout(self.down(F.gelu(self.up(x))))


def transformer():
    model = nn.Sequential(nn.Embedding(20, 16), *[Block(16) for _ in range(4)], nn.Linear(16, 20))
    x = ss.randint(0, 20, (16, 24))
    return model, x, lambda y: F.cross_entropy(y.reshape(-1, 20), x.reshape(-1))


def pictures():
    def block(inputs, outputs):
        return [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]

    layers = [*block(3, 8), *[x for _ in range(6) for x in block(8, 8)], nn.MaxPool2d(2)]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(8 * 64, 5))
    target = ss.randint(0, 5, (12,))
    return model, ss.randn(12, 3, 16, 16), lambda y: F.cross_entropy(y, target)


def recurrent():
    class Tagger(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.LSTM(8, 16), nn.LSTM(16, 16, bidirectional=True)
            self.head = nn.Linear(32, 4)

        def forward(self, x):
            return self.head(self.second(ss.tanh(self.first(x)[0]))[0])

    return Tagger(), ss.randn(20, 12, 8), lambda y: (y**2).mean()


def training(network, memory):
    ss.manual_seed(0)
    model, x, loss_of = network()
    optimizer = ss.optim.AdamW(model.parameters(), lr=1e-3)

    @ss.compile(memory=memory)
    def step(x):
        optimizer.zero_grad()
        loss = loss_of(model(x))
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(x).item() for _ in range(3)]
    return step, losses, [v.numpy().copy() for v in model.state_dict().values()]


@pytest.mark.parametrize(
    ("network", "share"), [(transformer, 0.5), (pictures, 0.75), (recurrent, 1.0)]
)
def test_less_memory_and_the_same_numbers(network, share):
    free, losses, weights = training(network, None)
    limited, others, found = training(network, 1)
    assert arena(limited) <= share * arena(free)
    np.testing.assert_allclose(others, losses, rtol=1e-5)
    for x, y in zip(found, weights, strict=True):
        np.testing.assert_allclose(x, y, rtol=2e-4, atol=2e-4)


def test_computes_as_little_again_as_is_enough():
    free, *_ = training(transformer, None)
    least, *_ = training(transformer, 1)
    most = arena(free) * 3 // 4
    some, *_ = training(transformer, most)
    assert arena(least) < arena(some) <= most
    plenty, *_ = training(transformer, "1GB")
    assert arena(plenty) == arena(free)


def test_in_float64_to_the_last_places():
    w = ss.tensor(np.random.default_rng(0).normal(size=(40, 40)) / 6)

    def loss(x):
        for _ in range(12):
            x = ss.tanh(x @ w) + ss.sin(x)
        return (x * x).sum()

    x = ss.tensor(np.random.default_rng(1).normal(size=(640, 40)))
    limited = ss.compile(ss.grad(loss), memory="200 kB")
    np.testing.assert_allclose(limited(x).numpy(), ss.grad(loss)(x).numpy(), rtol=1e-10, atol=1e-12)
    # Without a limit it is 27 arrays.
    assert arena(limited) < 16 * x.size * 8


@pytest.mark.filterwarnings("default:compile. expected temporaries")
def test_says_so_where_a_limit_cannot_be_kept():
    with pytest.warns(UserWarning, match="at most 10 bytes, got [0-9,]+ with all"):
        ss.compile(lambda x: (x @ x).sum(), memory=10)(ss.ones(50, 50))


@pytest.mark.parametrize(
    ("text", "count"), [(4096, 4096), ("4096", 4096), ("1.5GB", 1_500_000_000), ("2 KiB", 2048)]
)
def test_amounts_of_memory(text, count):
    assert bytes_of(text) == count


@pytest.mark.parametrize("text", ["much", "2 GBit", "-1", -1, None, True, "GB", 1e400])
def test_what_is_no_amount_of_memory(text):
    with pytest.raises(ValueError, match="expected memory as bytes"):
        bytes_of(text)
