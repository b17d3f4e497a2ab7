"""Random trainings: networks, losses, rules of descent and batches, step by step and as scans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

import schuss as ss
from schuss import nn, optim
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
WIDTHS = (1, 2, 3, 5, 8, 16, 17, 33, 64, 70)
BATCHES = (1, 2, 3, 7, 16, 33, 64, 65)


class Residual(nn.Module):
    """The input, added to what a layer makes of it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Any) -> Any:
        return x + self.layer(x)


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
        inputs = width
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
            elif kind < 0.8:
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
                else rng.normal(size=(batch, inputs)).astype(dtype)
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
            loss = losses[kind](model(x), y)
            loss.backward()
            if clips:
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            rule.step()
            return loss

        return model, step, rule, batches

    def trained(self, way: str) -> list[np.ndarray]:
        """Return losses, weights and the state of the rule: "eager", "compiled" or "scan"."""
        model, step, rule, batches = self.build()
        run = step if way == "eager" else ss.compile(step)
        tensors = [(ss.tensor(x), ss.tensor(y)) for x, y in batches]
        losses = [run(x, y).array for x, y in tensors]
        if way == "scan":
            x, y = (np.concatenate(side) for side in zip(*batches, strict=True))
            index = np.arange(len(x)).reshape(len(batches), -1)[::-1]
            losses += list(run.scan((ss.tensor(x), ss.tensor(y)), index).array)
        else:
            losses += [run(x, y).array for x, y in tensors[::-1]]
        state = [v.array for held in rule.state.values() for v in held.values()]
        kept = [v.array for v in model.state_dict().values()]
        return [np.array(losses), *kept, *state, ss.random.get_state()]

    def __str__(self) -> str:
        model, _, rule, batches = self.build()
        x, y = batches[0]
        shapes = f"x {x.dtype}{list(x.shape)}, y {y.dtype}{list(y.shape)}"
        return f"# training {self.seed}: {shapes}\n{model}\n{rule}"
