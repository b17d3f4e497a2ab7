"""Distributional Q-learning: the Bellman update is projected onto fixed atoms."""

import random
from collections import deque

import torch
import torch.nn as nn
import torch.nn.functional as F


class NoisyLinear(nn.Module):
    def __init__(self, in_features, out_features):
        super().__init__()
        self.weight_mu = nn.Parameter(torch.empty(out_features, in_features))
        self.weight_sigma = nn.Parameter(torch.empty(out_features, in_features))
        self.register_buffer("weight_epsilon", torch.zeros(out_features, in_features))
        bound = 1 / in_features**0.5
        self.weight_mu.data.uniform_(-bound, bound)
        self.weight_sigma.data.fill_(0.5 * bound)

    def reset_noise(self, eps_in, eps_out):
        scale = lambda x: x.sign().mul_(x.abs().sqrt_())
        self.weight_epsilon.copy_(scale(eps_out).ger(scale(eps_in)))

    def forward(self, x):
        if self.training:
            return F.linear(x, self.weight_mu + self.weight_sigma * self.weight_epsilon)
        return F.linear(x, self.weight_mu)


class C51(nn.Module):
    def __init__(self, n_obs, n_actions, atoms=11, v_min=-2.0, v_max=2.0):
        super().__init__()
        self.n_actions, self.atoms = n_actions, atoms
        self.fc1 = nn.Linear(n_obs, 24)
        self.noisy = NoisyLinear(24, n_actions * atoms)
        self.register_buffer("support", torch.linspace(v_min, v_max, atoms))

    def forward(self, x):
        logits = self.noisy(F.relu(self.fc1(x))).view(-1, self.n_actions, self.atoms)
        return F.log_softmax(logits, dim=2)

    def q(self, x):
        return (self(x).exp() * self.support).sum(2)


def project(target, rewards, dones, next_states, gamma, v_min=-2.0, v_max=2.0):
    batch, atoms = rewards.shape[0], target.atoms
    dz = (v_max - v_min) / (atoms - 1)
    with torch.no_grad():
        probs = target(next_states).exp()
        action = target.q(next_states).max(1)[1]
        chosen = probs.gather(1, action.view(-1, 1, 1).expand(-1, 1, atoms)).squeeze(1)
        tz = rewards.unsqueeze(1) + gamma * (1 - dones.unsqueeze(1)) * target.support.unsqueeze(0)
        b = (tz.clamp(v_min, v_max) - v_min) / dz
        l, u = b.floor().long(), b.ceil().long()
        l[(u > 0) * (l == u)] -= 1
        u[(l < (atoms - 1)) * (l == u)] += 1
        m = torch.zeros(batch, atoms, dtype=probs.dtype)
        offset = torch.arange(0, batch * atoms, atoms).unsqueeze(1).expand(batch, atoms)
        m.view(-1).index_add_(0, (l + offset).view(-1), (chosen * (u.to(b.dtype) - b)).view(-1))
        m.view(-1).index_add_(0, (u + offset).view(-1), (chosen * (b - l.to(b.dtype))).view(-1))
    return m


def train(given):
    online, target = given.fill(C51(4, 3)), C51(4, 3).double()
    target.load_state_dict(online.state_dict())
    target.eval()
    optimizer = torch.optim.Adam(online.parameters(), lr=5e-3, eps=1.5e-4)
    memory, rng = deque(maxlen=40), random.Random(0)
    states = given.normal(60, 4)
    actions = given.integers(3, 60)
    losses = []
    for t in range(59):
        reward = float(states[t, 0] > 0)
        memory.append((states[t], actions[t], reward, states[t + 1], t % 10 == 9))
        if t < 16 or t % 6:
            continue
        online.noisy.reset_noise(given.normal(24), given.normal(33))
        batch = rng.sample(memory, 8)
        s, a, r, s2, d = map(list, zip(*batch))
        s, s2, a = torch.stack(s), torch.stack(s2), torch.stack(a)
        r, d = torch.tensor(r, dtype=torch.float64), torch.tensor(d, dtype=torch.float64)
        log_p = online(s)[range(8), a]
        m = project(target, r, d, s2, 0.9)
        loss = -torch.sum(m * log_p, 1)
        optimizer.zero_grad()
        loss.mean().backward()
        optimizer.step()
        losses += [loss.mean().item(), loss.max().item()]
        if t % 12 == 0:
            for tp, op in zip(target.parameters(), online.parameters()):
                tp.data.copy_(0.5 * op.data + (1.0 - 0.5) * tp.data)
    return losses
