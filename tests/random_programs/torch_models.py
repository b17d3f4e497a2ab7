"""Random networks and losses that are built alike of PyTorch's and of Schuss's modules."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["LOSSES", "RULES", "SCHEDULES", "model_of", "targets_of"]

WIDTHS = (1, 2, 3, 5, 8, 13, 17, 33)
ACTIVATIONS = ["ReLU", "Tanh", "Sigmoid", "GELU", "SiLU", "ELU", "LeakyReLU", "Hardswish", "Mish"]
ACTIVATIONS += ["Softplus", "SELU", "CELU", "ReLU6", "Softsign", "LogSigmoid", "PReLU", "Hardtanh"]


def model_of(lib: Any, rng: np.random.Generator, width: int, classes: int, words: int) -> Any:
    """Return a network on inputs of some width, or on that many of some words.

    Args:
        lib: torch or schuss.
        rng: decides what it is made of.
        width: features of an input, or words of it.
        classes: features of its output.
        words: how many there are, or 0 for inputs that are numbers.
    """
    nn = lib.nn
    if not words:
        return _classes(nn).Numbers(_stack(nn, rng, width, classes))
    each = int(rng.choice(WIDTHS[1:]))
    padding = 0 if rng.random() < 0.3 else None
    embedding = nn.Embedding(words, each, padding_idx=padding)
    hidden = _stack(nn, rng, each, each)
    # The words come back by the weights that they came in by.
    tied = rng.random() < 0.5
    decoder = nn.Linear(each, words if tied else classes, bias=bool(rng.random() < 0.5))
    if tied:
        decoder.weight = embedding.weight
    return _classes(nn).Words(
        embedding, hidden, decoder, nn.Linear(words, classes) if tied else None
    )


def _stack(nn: Any, rng: np.random.Generator, width: int, out: int) -> Any:
    layers: list[Any] = []
    for _ in range(rng.integers(1, 5)):
        kind = rng.random()
        if kind < 0.35:
            new = int(rng.choice(WIDTHS))
            layers.append(nn.Linear(width, new, bias=bool(rng.random() < 0.8)))
            width = new
        elif kind < 0.45:
            layers.append(nn.LayerNorm(width, elementwise_affine=bool(rng.random() < 0.7)))
        elif kind < 0.52:
            layers.append(nn.RMSNorm(width, eps=1e-5))
        elif kind < 0.6:
            momentum = [0.1, 0.5, None][int(rng.integers(3))]
            layers.append(nn.BatchNorm1d(width, affine=bool(rng.random() < 0.7), momentum=momentum))
        elif kind < 0.65:
            layers.append(nn.Dropout(0.0))
        elif kind < 0.75:
            inner = nn.Sequential(nn.Linear(width, width), nn.Tanh())
            layers.append(_classes(nn).Twice(inner, bool(rng.random() < 0.5)))
        elif kind < 0.82:
            layers.append(_classes(nn).Scale(width))
        else:
            layers.append(getattr(nn, str(rng.choice(ACTIVATIONS)))())
    return nn.Sequential(*layers, nn.Linear(width, out))


class _Classes:
    """Modules of one's own, on a library's base class."""

    def __init__(self, nn: Any) -> None:
        import importlib

        lib = importlib.import_module(nn.__name__.partition(".")[0])

        class Twice(nn.Module):  # type: ignore[misc, name-defined]
            """A layer that is used twice, and its input added."""

            def __init__(self, layer: Any, again: bool) -> None:
                super().__init__()
                self.layer = layer
                self.again = again

            def forward(self, x: Any) -> Any:
                y = self.layer(x)
                return x + (self.layer(y) if self.again else y)

        class Scale(nn.Module):  # type: ignore[misc, name-defined]
            """A factor a feature, a number that is an attribute, and a buffer that is updated."""

            def __init__(self, width: int) -> None:
                super().__init__()
                self.weight = nn.Parameter(lib.ones(width))
                self.factor = 1.0
                self.negated = False
                self.register_buffer("largest", lib.zeros(width))

            def forward(self, x: Any) -> Any:
                if self.training:
                    with lib.no_grad():
                        self.largest.copy_(lib.maximum(self.largest * 0.9, x.abs().amax(0)))
                y = x * self.weight * self.factor / (1.0 + self.largest)
                return -y if self.negated else y

        class Numbers(nn.Module):  # type: ignore[misc, name-defined]
            """A stack of layers."""

            def __init__(self, layers: Any) -> None:
                super().__init__()
                self.layers = layers

            def forward(self, x: Any) -> Any:
                return self.layers(x)

        class Words(nn.Module):  # type: ignore[misc, name-defined]
            """The mean of what words become, and of that the classes."""

            def __init__(self, embedding: Any, hidden: Any, decoder: Any, last: Any) -> None:
                super().__init__()
                self.embedding = embedding
                self.hidden = hidden
                self.decoder = decoder
                self.last = last

            def forward(self, x: Any) -> Any:
                y = self.decoder(self.hidden(self.embedding(x).mean(1)))
                return y if self.last is None else self.last(y.tanh())

        self.Twice, self.Scale, self.Numbers, self.Words = Twice, Scale, Numbers, Words


_KNOWN: dict[str, _Classes] = {}


def _classes(nn: Any) -> _Classes:
    if nn.__name__ not in _KNOWN:
        _KNOWN[nn.__name__] = _Classes(nn)
    return _KNOWN[nn.__name__]


# Losses, by a name that begins with what their targets are; w has a weight a class.
LOSSES: dict[str, Any] = {
    "class": lambda F, p, y, w: F.cross_entropy(p, y),
    "class weighted": lambda F, p, y, w: F.cross_entropy(p, y, weight=w),
    "class ignored": lambda F, p, y, w: F.cross_entropy(p, y, ignore_index=0, reduction="sum"),
    "class smooth": lambda F, p, y, w: F.cross_entropy(p, y, weight=w, label_smoothing=0.1),
    "class none": lambda F, p, y, w: (F.cross_entropy(p, y, reduction="none") ** 2).mean(),
    "class nll": lambda F, p, y, w: F.nll_loss(F.log_softmax(p, 1), y, weight=w),
    "class nll ignored": lambda F, p, y, w: F.nll_loss(p.log_softmax(-1), y, ignore_index=1),
    "shares": lambda F, p, y, w: F.cross_entropy(p, y, weight=w),
    "shares kl": lambda F, p, y, w: F.kl_div(F.log_softmax(p, 1), y, reduction="batchmean"),
    "shares bce": lambda F, p, y, w: F.binary_cross_entropy_with_logits(p, y, pos_weight=w),
    "shares bce weighted": lambda F, p, y, w: F.binary_cross_entropy(p.sigmoid(), y, weight=w),
    "number mse": lambda F, p, y, w: F.mse_loss(p, y),
    "number l1": lambda F, p, y, w: F.l1_loss(p, y, reduction="sum"),
    "number smooth": lambda F, p, y, w: F.smooth_l1_loss(p, y, beta=0.3),
    "number huber": lambda F, p, y, w: F.huber_loss(p, y, delta=0.7),
    "number own": lambda F, p, y, w: (
        ((p - y).abs().clamp(max=2.0) * w).mean() + p[:, 0].sum() * 0.1
    ),
}


def targets_of(kind: str, rng: np.random.Generator, batch: int, classes: int) -> np.ndarray:
    """Return targets for a loss."""
    if kind.startswith("class"):
        return rng.integers(0, classes, batch)
    made = rng.random((batch, classes))
    if kind.startswith("shares"):
        return made / made.sum(1, keepdims=True)
    return made * 3.0 - 1.0


# A normalization takes away what the layer before it shifts by: that gradient is rounding alone.
_EPS = 1e-3
RULES: dict[str, dict[str, Any]] = {
    "SGD": {"lr": 0.05},
    "SGD momentum": {"lr": 0.03, "momentum": 0.9, "dampening": 0.2, "weight_decay": 0.01},
    "SGD nesterov": {"lr": 0.03, "momentum": 0.8, "nesterov": True},
    "SGD maximize": {"lr": 0.001, "maximize": True},
    "Adam": {"lr": 0.01, "eps": _EPS},
    "Adam amsgrad": {"lr": 0.01, "eps": _EPS, "amsgrad": True, "weight_decay": 0.02},
    "Adam betas": {"lr": 0.01, "eps": _EPS, "betas": (0.5, 0.9)},
    "AdamW": {"lr": 0.01, "eps": _EPS, "weight_decay": 0.1},
    "RMSprop": {"lr": 0.005, "eps": _EPS, "alpha": 0.9},
    "RMSprop momentum": {"lr": 0.005, "eps": _EPS, "momentum": 0.5, "centered": True},
    "Adagrad": {"lr": 0.05, "eps": _EPS, "lr_decay": 0.01},
}
SCHEDULES: dict[str, Any] = {
    "StepLR": lambda s, o: s.StepLR(o, 2, gamma=0.5),
    "MultiStepLR": lambda s, o: s.MultiStepLR(o, [2, 5], gamma=0.3),
    "ExponentialLR": lambda s, o: s.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda s, o: s.CosineAnnealingLR(o, 6, eta_min=1e-4),
    "CosineAnnealingWarmRestarts": lambda s, o: s.CosineAnnealingWarmRestarts(o, 3, T_mult=2),
    "LinearLR": lambda s, o: s.LinearLR(o, 0.1, total_iters=4),
    "ConstantLR": lambda s, o: s.ConstantLR(o, 0.5, total_iters=3),
    "PolynomialLR": lambda s, o: s.PolynomialLR(o, 8, power=2.0),
    "LambdaLR": lambda s, o: s.LambdaLR(o, lambda n: 1.0 / (n + 1)),
    "OneCycleLR": lambda s, o: s.OneCycleLR(o, 0.02, total_steps=60, cycle_momentum=False),
    "SequentialLR": lambda s, o: s.SequentialLR(
        o, [s.LinearLR(o, 0.2, total_iters=3), s.ExponentialLR(o, 0.8)], milestones=[3]
    ),
}
