"""A generative adversarial network that learns to draw points on a circle.

python examples/gan.py [--steps 2000]
"""

from __future__ import annotations

import argparse

import numpy as np

import schuss as ss
from schuss import nn, optim


def network(inputs: int, outputs: int, width: int = 64) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, width),
        nn.LeakyReLU(0.2),
        nn.Linear(width, outputs),
    )


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args(arguments)

    ss.manual_seed(0)
    generator, critic = network(4, 2), network(2, 1)
    of_generator = optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))
    of_critic = optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
    criterion = nn.BCEWithLogitsLoss()

    @ss.compile
    def step(real: ss.Tensor) -> tuple[ss.Tensor, ss.Tensor]:
        ones, zeros = ss.ones(len(real), 1), ss.zeros(len(real), 1)
        # The critic learns to tell real points from drawn ones ...
        drawn = generator(ss.randn(len(real), 4))
        critic_loss = criterion(critic(real), ones) + criterion(critic(drawn.detach()), zeros)
        of_critic.zero_grad()
        critic_loss.backward()
        of_critic.step()
        # ... and the generator to be taken for real.
        loss = criterion(critic(drawn), ones)
        of_generator.zero_grad()
        loss.backward()
        of_generator.step()
        return loss, critic_loss

    rng = np.random.default_rng(0)
    distance = 0.0
    for number in range(1, options.steps + 1):
        angle = rng.uniform(0, 2 * np.pi, 256)
        real = np.stack([np.cos(angle), np.sin(angle)], 1) + 0.02 * rng.normal(size=(256, 2))
        loss, critic_loss = step(ss.tensor(real.astype(np.float32)))
        if number % 400 == 0 or number in (1, options.steps):
            with ss.no_grad():
                points = generator(ss.randn(1000, 4)).numpy()
            distance = float(np.mean(abs(np.hypot(*points.T) - 1.0)))
            print(
                f"step {number}: loss {loss.item():.3f}, the critic's {critic_loss.item():.3f}, "
                f"distance from the circle {distance:.3f}"
            )
    return distance


if __name__ == "__main__":
    main()
