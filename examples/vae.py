"""A variational autoencoder of small pictures: blobs, drawn here, in two numbers each.

python examples/vae.py [--steps 600]
"""

from __future__ import annotations

import argparse

import numpy as np

import schuss as ss
from schuss import nn, optim

SIZE = 12


class VAE(nn.Module):
    """Pictures to the mean and spread of a code, and a draw of it back to a picture."""

    def __init__(self, code: int = 2, width: int = 128) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(SIZE * SIZE, width), nn.SiLU(), nn.Linear(width, 2 * code)
        )
        self.decoder = nn.Sequential(
            nn.Linear(code, width), nn.SiLU(), nn.Linear(width, SIZE * SIZE)
        )

    def forward(self, x: ss.Tensor) -> tuple[ss.Tensor, ss.Tensor, ss.Tensor]:
        mean, log_variance = self.encoder(x).chunk(2, -1)
        code = mean + (0.5 * log_variance).exp() * ss.randn_like(mean)
        return self.decoder(code), mean, log_variance


def blobs(count: int) -> np.ndarray:
    """Return pictures of a blob each, somewhere."""
    places = np.random.default_rng(0).uniform(2, SIZE - 3, (count, 2, 1, 1))
    rows, columns = np.mgrid[:SIZE, :SIZE]
    distance = (rows - places[:, 0]) ** 2 + (columns - places[:, 1]) ** 2
    return np.exp(-distance / 4).reshape(count, -1).astype(np.float32)


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args(arguments)
    pictures = blobs(2000)

    ss.manual_seed(0)
    model = VAE()
    optimizer = optim.Adam(model.parameters(), lr=3e-3)

    @ss.compile
    def step(x: ss.Tensor) -> ss.Tensor:
        logits, mean, log_variance = model(x)
        error = nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
        loss = (error + divergence) / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    rng = np.random.default_rng(1)
    for number in range(1, options.steps + 1):
        loss = step(ss.tensor(pictures[rng.integers(0, len(pictures), 100)]))
        if number % 100 == 0 or number in (1, options.steps):
            print(f"step {number}: loss {loss.item():.2f}")

    with ss.no_grad():
        drawn = model.decoder(ss.randn(1, 2)).sigmoid().numpy().reshape(SIZE, SIZE)
    print("\n".join("".join(" .:-=+*#%@"[int(v * 9.99)] for v in row) for row in drawn))
    return loss.item()


if __name__ == "__main__":
    main()
