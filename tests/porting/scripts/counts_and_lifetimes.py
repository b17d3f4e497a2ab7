"""Counts and times by their distributions: several likelihoods in one loss."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Gumbel, HalfNormal, NegativeBinomial, Poisson, Weibull


class CountNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 8), nn.ELU())
        self.rate = nn.Linear(8, 1)
        self.nb = nn.Linear(8, 2)
        self.log_sigma = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        h = self.body(x)
        r, l = self.nb(h).unbind(-1)
        return self.rate(h).squeeze(-1), F.softplus(r) + 1e-3, l


def train(given, compiled):
    model = given.fill(CountNet())
    opt = torch.optim.Rprop(model.parameters(), lr=1e-2)
    x = given.normal(24, 3)
    y = given.integers(6, 24).double()
    t = given.uniform(24) + 0.1

    @compiled
    def loss_fn(lr, r, l, y, t):
        a = -Poisson(lr.exp()).log_prob(y).mean()
        b = -NegativeBinomial(total_count=r, logits=l).log_prob(y).mean()
        c = F.poisson_nll_loss(lr, y, log_input=True, full=True)
        d = -Weibull(r, torch.ones_like(r) * 1.5).log_prob(t).mean()
        e = -HalfNormal(model.log_sigma.exp()).log_prob(t).mean()
        g = -Gumbel(lr, model.log_sigma.exp()).log_prob(t).mean()
        return a + b + c + d + e + g

    out = []
    for _ in range(6):
        opt.zero_grad()
        loss = loss_fn(*model(x), y, t)
        loss.backward()
        opt.step()
        out.append(loss.item())
    return out
