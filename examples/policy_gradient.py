"""REINFORCE on a pole that is balanced on a cart, whose equations of motion are written here.

python examples/policy_gradient.py [--updates 60]
"""

from __future__ import annotations

import argparse

import numpy as np

import schuss as ss
from schuss import nn, optim

STEPS, CARTS = 200, 32


class Carts:
    """Carts with a pole each (Barto et al., 1983): places, speeds, angles and theirs."""

    def __init__(self, count: int, rng: np.random.Generator) -> None:
        self.state = rng.uniform(-0.05, 0.05, (count, 4))

    def move(self, is_right: np.ndarray) -> np.ndarray:
        """Push each cart to one side for 0.02 s; return which poles still stand."""
        _, speed, angle, turn = self.state.T
        force = np.where(is_right, 10.0, -10.0)
        sin, cos = np.sin(angle), np.cos(angle)
        pushed = (force + 0.05 * turn**2 * sin) / 1.1
        turning = (9.8 * sin - cos * pushed) / (0.5 * (4 / 3 - 0.1 * cos**2 / 1.1))
        moving = pushed - 0.05 * turning * cos / 1.1
        self.state = self.state + 0.02 * np.stack([speed, moving, turn, turning], 1)
        return (abs(self.state[:, 0]) < 2.4) & (abs(self.state[:, 2]) < 0.21)


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--updates", type=int, default=60)
    options = parser.parse_args(arguments)

    ss.manual_seed(0)
    policy = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 2))
    optimizer = optim.Adam(policy.parameters(), lr=1e-2)

    @ss.compile
    def shares(state: ss.Tensor) -> ss.Tensor:
        return policy(state).softmax(-1)

    @ss.compile
    def step(states: ss.Tensor, actions: ss.Tensor, gains: ss.Tensor) -> ss.Tensor:
        chosen = policy(states).log_softmax(-1).gather(-1, actions[..., None])[..., 0]
        loss = -(chosen * gains).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    rng = np.random.default_rng(0)
    stood = 0.0
    for update in range(1, options.updates + 1):
        carts, alive = Carts(CARTS, rng), np.ones(CARTS, bool)
        states = np.zeros((STEPS, CARTS, 4), np.float32)
        actions, rewards = np.zeros((STEPS, CARTS), int), np.zeros((STEPS, CARTS))
        for t in range(STEPS):
            states[t] = carts.state
            with ss.no_grad():
                right = shares(ss.tensor(states[t])).numpy()[:, 1]
            actions[t], rewards[t] = rng.random(CARTS) < right, alive
            alive &= carts.move(actions[t] == 1)
        # What each action still brought, discounted, beside the mean at that time; 0 once it fell.
        gains = np.zeros_like(rewards)
        for t in reversed(range(STEPS)):
            gains[t] = rewards[t] + 0.98 * (gains[t + 1] if t + 1 < STEPS else 0.0)
        gains = (gains - gains.mean(1, keepdims=True)) * rewards / (gains.std() + 1e-8)
        loss = step(ss.tensor(states), ss.tensor(actions), ss.tensor(gains.astype(np.float32)))
        stood = float(rewards.sum(0).mean())
        if update % 10 == 0 or update in (1, options.updates):
            print(f"update {update}: loss {loss.item():+.4f}, stood for {stood:.0f} steps")
    return stood


if __name__ == "__main__":
    main()
