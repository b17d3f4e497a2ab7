"""Actor and critic with generalised advantages and an entropy bonus."""

from collections import namedtuple

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.distributions import Categorical

Transition = namedtuple("Transition", ["log_prob", "value", "reward", "entropy", "mask"])
eps = np.finfo(np.float32).eps.item()


class Corridor:
    def __init__(self, length=6):
        self.length = length

    def reset(self):
        self.position, self.t = 0, 0
        return self.observe()

    def observe(self):
        state = np.zeros(self.length)
        state[self.position] = 1.0
        return state

    def step(self, action):
        self.position = int(np.clip(self.position + (1 if action == 1 else -1), 0, self.length - 1))
        self.t += 1
        done = self.position == self.length - 1 or self.t >= 20
        return self.observe(), 1.0 if self.position == self.length - 1 else -0.05, done, {}


class Policy(nn.Module):
    def __init__(self, states, actions):
        super().__init__()
        self.affine1 = nn.Linear(states, 16)
        self.action_head = nn.Linear(16, actions)
        self.value_head = nn.Linear(16, 1)

    def forward(self, x):
        x = F.relu(self.affine1(x))
        return F.softmax(self.action_head(x), dim=-1), self.value_head(x)


def gae(next_value, rewards, masks, values, gamma=0.97, tau=0.9):
    values = values + [next_value]
    advantage, returns = 0, []
    for step in reversed(range(len(rewards))):
        delta = rewards[step] + gamma * values[step + 1] * masks[step] - values[step]
        advantage = delta + gamma * tau * masks[step] * advantage
        returns.insert(0, advantage + values[step])
    return returns


def train(given):
    env = Corridor()
    model = given.fill(Policy(6, 2))
    optimizer = optim.Adam(model.parameters(), lr=2e-2)
    uniforms = iter(given.uniform(2000).tolist())
    out = []
    for _ in range(5):
        state, done, saved, total = env.reset(), False, [], 0.0
        while not done:
            state = torch.from_numpy(state)
            probs, value = model(state)
            m = Categorical(probs)
            action = torch.tensor(int(next(uniforms) > m.probs[0].item()))
            state, reward, done, _ = env.step(action.item())
            total += reward
            saved.append(
                Transition(m.log_prob(action), value, reward, m.entropy(), 1.0 - float(done))
            )
        batch = Transition(*zip(*saved))
        with torch.no_grad():
            _, next_value = model(torch.as_tensor(state))
        returns = torch.cat(
            gae(next_value, batch.reward, batch.mask, list(v.detach() for v in batch.value))
        )
        values, log_probs = torch.cat(batch.value), torch.stack(batch.log_prob)
        advantage = returns.detach() - values
        normalised = (advantage - advantage.mean()) / (advantage.std() + eps)
        actor_loss = -(log_probs * normalised.detach()).mean()
        critic_loss = F.smooth_l1_loss(values, returns)
        loss = actor_loss + 0.5 * critic_loss - 0.01 * torch.stack(batch.entropy).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        out += [loss.item(), total, float(len(saved))]
    return out
