"""An LSTM that tells waves apart by their shape: sine, square or saw, of many lengths, with noise.

python examples/lstm_classifier.py [--steps 300]
"""

from __future__ import annotations

import argparse

import numpy as np

import schuss as ss
from schuss import nn, optim

LONGEST = 40


class Classifier(nn.Module):
    """Sequences to logits, from what the LSTM holds at their last step."""

    def __init__(self, classes: int, width: int = 32) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, width, batch_first=True)
        self.head = nn.Linear(width, classes)

    def forward(self, x: ss.Tensor, lengths: ss.Tensor) -> ss.Tensor:
        held, _ = self.lstm(x)
        last = (lengths - 1).view(-1, 1, 1).expand(-1, 1, held.shape[-1])
        return self.head(held.gather(1, last)[:, 0])


def waves(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return waves, with zeros behind their ends, their lengths, and their classes."""
    y = rng.integers(0, 3, count)
    lengths = rng.integers(LONGEST // 2, LONGEST + 1, count)
    turns = np.arange(LONGEST) / rng.uniform(6, 12, (count, 1)) + rng.random((count, 1))
    sine = np.sin(2 * np.pi * turns)
    x = np.stack([sine, np.sign(sine), 2 * (turns % 1) - 1])[y, np.arange(count)]
    x = x + 0.2 * rng.normal(size=x.shape)
    x[np.arange(LONGEST) >= lengths[:, None]] = 0
    return x[..., None].astype(np.float32), lengths, y


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=300)
    options = parser.parse_args(arguments)

    ss.manual_seed(0)
    model = Classifier(3)
    optimizer = optim.Adam(model.parameters(), lr=1e-2)

    @ss.compile
    def step(x: ss.Tensor, lengths: ss.Tensor, y: ss.Tensor) -> ss.Tensor:
        loss = nn.functional.cross_entropy(model(x, lengths), y)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    rng = np.random.default_rng(0)
    for number in range(1, options.steps + 1):
        loss = step(*map(ss.tensor, waves(64, rng)))
        if number % 50 == 0 or number in (1, options.steps):
            print(f"step {number}: loss {loss.item():.3f}")

    x, lengths, y = waves(500, rng)
    with ss.no_grad():
        found = model(ss.tensor(x), ss.tensor(lengths)).argmax(1).numpy()
    share = float(np.mean(found == y))
    print(f"right: {share:.1%}")
    return share


if __name__ == "__main__":
    main()
