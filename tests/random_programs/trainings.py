"""Random trainings: networks, losses, rules of descent and batches, step by step and as scans."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from programs import ALONG
from rounding import Arrays

import schuss as ss
from schuss import nn, optim
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.nn import functional as F

# A normalization takes away what the layer before it shifts by: the gradient is rounding alone, of
# which rules with a small eps would make a step.
_EPS = 1e-3
RULES: dict[str, Any] = {
    "sgd": lambda p: optim.SGD(p, lr=0.05),
    "momentum": lambda p: optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "adam": lambda p: optim.Adam(p, lr=0.01, eps=_EPS),
    "amsgrad": lambda p: optim.Adam(p, lr=0.01, eps=_EPS, amsgrad=True, weight_decay=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, eps=_EPS),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, eps=_EPS, momentum=0.5, centered=True),
    "adagrad": lambda p: optim.Adagrad(p, lr=0.05, eps=_EPS),
}
ACTIVATIONS = ["ReLU", "Tanh", "Sigmoid", "GELU", "SiLU", "ELU", "LeakyReLU", "Hardswish", "Mish"]
KEEPING = ["softmax", "standardized", "running sum", "sorted", "flipped", "shifted", "norm"]
WIDTHS = (1, 2, 3, 5, 8, 16, 17, 33, 64, 70)
BATCHES = (1, 2, 3, 7, 16, 33, 64, 65)


class Residual(nn.Module):
    """The input, added to what a layer makes of it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return x + self.layer(x)


class Along(nn.Module):
    """An operation along an axis that keeps the shape."""

    def __init__(self, name: str, axis: int) -> None:
        super().__init__()
        self.name = name
        self.axis = axis

    def forward(self, x: Any) -> Any:
        return ALONG[self.name](x, self.axis)


def pictures(rng: np.random.Generator) -> tuple[list[nn.Module], tuple[int, ...], int]:
    """Return layers of pictures, the shape of one picture, and how wide they are when flat."""
    channels = int(rng.choice([1, 2, 3, 5, 16, 17]))
    shape = (channels, *(int(n) for n in rng.integers(2, 9, 2)))
    layers: list[nn.Module] = []
    x = ss.zeros((2, *shape))
    for _ in range(rng.integers(1, 5)):
        c, new, kind = x.shape[1], int(rng.choice([1, 3, 8, 16, 33])), rng.random()
        kernel, stride = (int(n) for n in rng.integers(1, 4, 2))
        layer: nn.Module
        if kind < 0.35:
            groups = c if rng.random() < 0.3 else 1
            layer = nn.Conv2d(c, new * groups if groups < 4 else c, kernel, stride, 1, 1, groups)
        elif kind < 0.45:
            layer = nn.ConvTranspose2d(c, new, kernel, stride)
        elif kind < 0.6:
            layer = nn.BatchNorm2d(c)
        elif kind < 0.75:
            layer = nn.MaxPool2d(kernel, stride, kernel // 2)
        elif kind < 0.85:
            layer = nn.AvgPool2d(kernel, stride, kernel // 2, ceil_mode=True)
        else:
            layer = getattr(nn, str(rng.choice(ACTIVATIONS)))()
        try:
            y = layer(x)
        except ValueError:
            continue
        if y[0].size <= 1_000:
            layers.append(layer)
            x = y
    return [*layers, nn.Flatten()], shape, x[0].size


@dataclass(frozen=True)
class Training:
    """A random training.

    Args:
        seed: decides all of it.
    """

    seed: int

    def _rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)

    def build(self) -> tuple[nn.Module, Any, Any, list[tuple[Any, Any]]]:
        """Return the network, its step, its optimiser, and batches."""
        rng = self._rng()
        ss.manual_seed(self.seed)
        dtype = "float32" if rng.random() < 0.3 else "float64"
        batch = int(rng.choice(BATCHES))
        width = int(rng.choice(WIDTHS))
        layers: list[nn.Module] = []
        has_words = rng.random() < 0.2
        if has_words:
            words, each = int(rng.integers(2, 40)), int(rng.integers(1, 4))
            layers += [nn.Embedding(words, width), nn.Flatten()]
            width *= each
        shape: tuple[int, ...] = (width,)
        if not has_words and batch > 1 and rng.random() < 0.25:
            layers, shape, width = pictures(rng)
        for _ in range(rng.integers(1, 5)):
            kind = rng.random()
            if kind < 0.45:
                new = int(rng.choice(WIDTHS))
                layers.append(nn.Linear(width, new, bias=bool(rng.random() < 0.8)))
                width = new
            elif kind < 0.55:
                layers.append(nn.LayerNorm(width))
            elif kind < 0.62 and batch > 1:
                layers.append(nn.BatchNorm1d(width))
            elif kind < 0.7:
                layers.append(nn.Dropout(float(rng.choice([0.0, 0.1, 0.5]))))
            elif kind < 0.77:
                layers.append(Along(str(rng.choice(KEEPING)), int(rng.integers(2))))
            elif kind < 0.84:
                layers.append(Residual(nn.Sequential(nn.Linear(width, width), nn.Tanh())))
            else:
                layers.append(getattr(nn, str(rng.choice(ACTIVATIONS)))())
        classes = int(rng.integers(2, 12))
        layers.append(nn.Linear(width, classes))
        model = nn.Sequential(*layers).astype(dtype)
        rule = RULES[str(rng.choice(list(RULES)))](model.parameters())
        batches = []
        kind = str(rng.choice(["classes", "smooth", "ignored", "mse", "l1", "huber", "bce"]))
        for _ in range(5):
            x = (
                rng.integers(0, words, (batch, each))
                if has_words
                else rng.normal(size=(batch, *shape)).astype(dtype)
            )
            y = (
                rng.integers(0, classes, batch)
                if kind in ("classes", "smooth", "ignored")
                else rng.random((batch, classes)).astype(dtype)
            )
            if kind == "ignored" and batch > 1:
                y[:: 2 + self.seed % 3] = -100
                y[-1] = 0
            batches.append((x, y))
        losses = {
            "classes": F.cross_entropy,
            "smooth": lambda a, b: F.cross_entropy(a, b, label_smoothing=0.1),
            "ignored": F.cross_entropy,
            "mse": F.mse_loss,
            "l1": F.l1_loss,
            "huber": F.huber_loss,
            "bce": F.binary_cross_entropy_with_logits,
        }
        clips = rng.random() < 0.3

        def step(x: Any, y: Any) -> Any:
            rule.zero_grad()
            # Every fifth one computes products in bfloat16.
            with ss.autocast("bfloat16", enabled=self.seed % 5 == 2):
                loss = losses[kind](model(x), y)
            loss.backward()
            if clips:
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            rule.step()
            return loss

        return model, step, rule, batches

    def eager(self) -> Arrays:
        """Return the results of the batches, and then of all of them backward."""
        built = self.build()
        _, step, _, batches = built
        results: list[np.ndarray] = []
        for half in (batches, batches[::-1]):
            losses = [step(ss.tensor(x), ss.tensor(y)).array for x, y in half]
            results += _results(built, losses)
        return results

    def compiled(self, threads: Sequence[int]) -> tuple[Arrays, Arrays, Arrays]:
        """Return the same of calls and then a scan, and again the latter of calls.

        Args:
            threads: on how many threads each of the three runs; with two, the last is left out.
        """
        built = self.build()
        model, step, rule, batches = built
        # Every third one computes again what it can.
        run = ss.compile(step, memory=1 if self.seed % 3 == 1 else None)
        ThreadTuner.always = threads[0]
        called = _results(built, [run(ss.tensor(x), ss.tensor(y)).array for x, y in batches])
        _refuse(built, run)
        kept = model.state_dict(), rule.state_dict(), ss.random.get_state()
        kept = copy.deepcopy(kept)
        ThreadTuner.always = threads[1]
        x, y = (np.concatenate(side) for side in zip(*batches, strict=True))
        index = np.arange(len(x)).reshape(len(batches), -1)[::-1]
        losses = run.scan((ss.tensor(x), ss.tensor(y)), index).array
        scanned = _results(built, list(losses))
        if len(threads) == 2:
            return called, scanned, scanned
        model.load_state_dict(kept[0])
        rule.load_state_dict(kept[1])
        ss.random.set_state(kept[2])
        ThreadTuner.always = threads[2]
        again = [run(ss.tensor(x), ss.tensor(y)).array for x, y in batches[::-1]]
        return called, scanned, _results(built, again)

    def __str__(self) -> str:
        model, _, rule, batches = self.build()
        x, y = batches[0]
        shapes = f"x {x.dtype}{list(x.shape)}, y {y.dtype}{list(y.shape)}"
        return f"# training {self.seed}: {shapes}\n{model}\n{rule}"


def _refuse(built: Any, run: Any) -> None:
    """Call a compiled step with an index that names nothing: it must not change anything."""
    x, y = (part.copy() for part in built[3][0])
    if x.dtype.kind == "i":
        x.flat[-1] = -1
    elif y.dtype.kind == "i":
        y.flat[-1] = 1_000_000
    else:
        return

    def contents() -> list[bytes]:
        gradients = [p.grad.array for p in built[0].parameters() if p.grad is not None]
        return [a.tobytes() for a in (*_results(built, []), *gradients)]

    before = contents()
    with pytest.raises(IndexError):
        run(ss.tensor(x), ss.tensor(y))
    if contents() != before:
        raise AssertionError("a step that was refused has changed something")


def _results(built: Any, losses: list[np.ndarray]) -> Arrays:
    """Return losses, weights, the state of the rule, and the random key."""
    model, _, rule, _ = built
    state = [v.array for held in rule.state.values() for v in held.values()]
    kept = [v.array for v in model.state_dict().values()]
    return [x.copy() for x in (np.array(losses), *kept, *state, ss.random.get_state())]
