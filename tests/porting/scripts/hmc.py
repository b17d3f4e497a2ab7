"""Hamiltonian Monte Carlo over the weights of a Bayesian logistic regression."""

import torch
from torch.distributions import Bernoulli, Normal


def train(given, compiled):
    x = given.normal(30, 3)
    w_true = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    y = (x @ w_true > 0).double()
    prior = Normal(torch.zeros(4, dtype=torch.float64), 2.0)

    def log_joint(theta):
        logits = x @ theta[:-1] + theta[-1]
        return prior.log_prob(theta).sum() + Bernoulli(logits=logits).log_prob(y).sum()

    def grad_u(theta):
        theta = theta.detach().requires_grad_(True)
        u = -log_joint(theta)
        (g,) = torch.autograd.grad(u, theta)
        return g

    grad_u = compiled(grad_u)

    def leapfrog(q, p, eps, steps):
        p = p - 0.5 * eps * grad_u(q)
        for i in range(steps):
            q = q + eps * p
            if i != steps - 1:
                p = p - eps * grad_u(q)
        return q, -(p - 0.5 * eps * grad_u(q))

    q = torch.zeros(4, dtype=torch.float64)
    momenta, uniforms = given.normal(12, 4), given.uniform(12)
    samples, energies, accepted = [], [], 0
    for p0, u in zip(momenta, uniforms):
        q_new, p_new = leapfrog(q.clone(), p0.clone(), 0.15, 6)
        with torch.no_grad():
            h0 = -log_joint(q) + 0.5 * p0.dot(p0)
            h1 = -log_joint(q_new) + 0.5 * torch.dot(p_new, p_new)
            if u.log() < h0 - h1:
                q = q_new
                accepted += 1
        samples.append(q)
        energies.append(h0.item())
    draws = torch.stack(samples)
    mean, std = draws.mean(0), draws.std(0, unbiased=False)
    lag = ((draws[1:] - mean) * (draws[:-1] - mean)).mean(0) / std.square()
    return [*energies, accepted, *mean.tolist(), *std.tolist(), *lag.tolist()]
