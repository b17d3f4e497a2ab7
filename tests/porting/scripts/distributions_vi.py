"""Variational inference: a mixture as the prior, divergences, independent and several normals."""

import math

import torch
import torch.distributions as dist
import torch.nn as nn
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence


class ScaleMixture:
    def __init__(self, pi, sigma1, sigma2):
        self.pi = pi
        self.g1, self.g2 = (
            Normal(torch.tensor(0.0, dtype=torch.float64), sigma1),
            Normal(torch.tensor(0.0, dtype=torch.float64), sigma2),
        )

    def log_prob(self, x):
        p = torch.exp(self.g1.log_prob(x)) * self.pi + (1 - self.pi) * torch.exp(
            self.g2.log_prob(x)
        )
        return torch.log(p).sum()


class BayesianLinear(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.mu = nn.Parameter(torch.empty(o, i).uniform_(-0.2, 0.2))
        self.rho = nn.Parameter(torch.empty(o, i).uniform_(-5, -4))
        self.prior = ScaleMixture(0.5, math.exp(-0.0), math.exp(-3.0))

    @property
    def sigma(self):
        return torch.log1p(torch.exp(self.rho))

    def forward(self, x, eps):
        weight = self.mu + self.sigma * eps
        q = Normal(self.mu, self.sigma)
        self.kl = q.log_prob(weight).sum() - self.prior.log_prob(weight)
        return x @ weight.t()


def train(given):
    layer = given.fill(BayesianLinear(4, 2))
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.01)
    x, y = given.normal(12, 4), given.normal(12, 2)
    out = []
    for _ in range(5):
        optimizer.zero_grad()
        mean = layer(x, given.normal(2, 4))
        likelihood = Independent(Normal(mean, 0.5), 1)
        closed = kl_divergence(
            Normal(layer.mu, layer.sigma),
            Normal(torch.zeros_like(layer.mu), torch.ones_like(layer.mu)),
        ).sum()
        loss = -likelihood.log_prob(y).sum() + 0.1 * layer.kl + 0.01 * closed
        loss.backward()
        optimizer.step()
        out += [loss.item(), layer.kl.item()]
    cov = 0.1 * torch.eye(2, dtype=torch.float64) + 0.05
    mvn = MultivariateNormal(mean.detach()[0], covariance_matrix=cov)
    out += [mvn.log_prob(y).sum().item(), mvn.entropy().item()]
    out += [dist.Categorical(logits=mean.detach()).entropy().sum().item()]
    out += [
        dist.Beta(torch.tensor([2.0, 3.0]).double(), torch.tensor([1.5, 0.5]).double())
        .log_prob(torch.tensor([0.3, 0.6]).double())
        .sum()
        .item()
    ]
    out += [
        dist.Gamma(2.0, torch.tensor([1.0, 2.0]).double())
        .log_prob(torch.tensor([0.3, 0.6]).double())
        .sum()
        .item()
    ]
    return out
