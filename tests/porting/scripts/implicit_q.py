"""Implicit Q-learning: expectiles, advantage weights, a squashed normal policy, slow targets."""

from collections import namedtuple
from itertools import chain

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Normal

Batch = namedtuple("Batch", "s a r s2 done")


class TwinQ(nn.Module):
    def __init__(self, s, a):
        super().__init__()
        self.q1, self.q2 = (
            nn.Sequential(nn.Linear(s + a, 16), nn.Mish(), nn.Linear(16, 1), nn.Flatten(0))
            for _ in range(2)
        )

    def both(self, s, a):
        sa = torch.cat([s, a], 1)
        return self.q1(sa), self.q2(sa)

    def forward(self, s, a):
        return torch.min(*self.both(s, a))


class Policy(nn.Module):
    LOG_STD_MIN, LOG_STD_MAX = -5.0, 2.0

    def __init__(self, s, a):
        super().__init__()
        self.trunk = nn.Sequential(nn.LayerNorm(s), nn.Linear(s, 16), nn.Tanh())
        self.mean = nn.Linear(16, a)
        self.log_std = nn.Parameter(torch.zeros(a, dtype=torch.float32))

    def forward(self, obs):
        mean = torch.tanh(self.mean(self.trunk(obs)))
        std = torch.exp(self.log_std.clamp(self.LOG_STD_MIN, self.LOG_STD_MAX))
        return Normal(mean, std)

    def log_prob(self, obs, action):
        pre = torch.atanh(action.clamp(-1 + 1e-6, 1 - 1e-6))
        squash = 2 * (torch.log(torch.tensor(2.0)).to(pre) - pre - F.softplus(-2 * pre))
        return (self(obs).log_prob(pre) - squash).sum(-1)


def asymmetric_l2_loss(u, tau):
    return torch.mean(torch.abs(tau - (u < 0).float().to(u.dtype)) * u**2)


def update_exponential_moving_average(target, source, alpha):
    for target_param, source_param in zip(target.parameters(), source.parameters()):
        target_param.data.mul_(1.0 - alpha).add_(source_param.data, alpha=alpha)


def train(given, compiled):
    qf, policy = given.fill(TwinQ(3, 2)), given.fill(Policy(3, 2))
    vf = given.fill(nn.Sequential(nn.Linear(3, 16), nn.GELU(approximate="tanh"), nn.Linear(16, 1)))
    q_target = TwinQ(3, 2).double().requires_grad_(False)
    q_target.load_state_dict(qf.state_dict())
    v_opt = torch.optim.Adam(vf.parameters(), lr=3e-3)
    q_opt = torch.optim.Adam(qf.parameters(), lr=3e-3)
    p_opt = torch.optim.Adam(chain(policy.parameters()), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(p_opt, T_max=10)

    def step(s, a, r, s2, done):
        batch = Batch(s, a, r, s2, done)
        with torch.no_grad():
            target_q = q_target(batch.s, batch.a)
            next_v = vf(batch.s2).squeeze(-1)
        v = vf(batch.s).squeeze(-1)
        adv = target_q - v
        v_loss = asymmetric_l2_loss(adv, 0.7)
        v_opt.zero_grad(set_to_none=True)
        v_loss.backward()
        v_opt.step()
        targets = batch.r + (1.0 - batch.done.to(r.dtype)) * 0.99 * next_v.detach()
        q_loss = sum(F.mse_loss(q, targets) for q in qf.both(batch.s, batch.a)) / 2
        q_opt.zero_grad(set_to_none=True)
        q_loss.backward()
        q_opt.step()
        update_exponential_moving_average(q_target, qf, 0.05)
        exp_adv = torch.exp(3.0 * adv.detach()).clamp(max=100.0)
        p_loss = (exp_adv * -policy.log_prob(batch.s, batch.a)).mean()
        p_opt.zero_grad(set_to_none=True)
        p_loss.backward()
        p_opt.step()
        return v_loss.detach(), q_loss.detach(), p_loss.detach()

    step = compiled(step)
    history = []
    for _ in range(6):
        s, s2 = given.normal(8, 3), given.normal(8, 3)
        a = torch.tanh(given.normal(8, 2))
        history += [x.item() for x in step(s, a, given.normal(8), s2, given.integers(2, 8).bool())]
        schedule.step()
    return history
