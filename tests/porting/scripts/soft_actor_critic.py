"""A squashed policy, two critics with the lower one taken, a temperature, soft updates."""

import itertools
from copy import deepcopy

import torch


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional

    def mlp(sizes):
        layers = []
        for a, b in itertools.pairwise(sizes):
            layers += [nn.Linear(a, b), nn.ReLU()]
        return given.fill(nn.Sequential(*layers[:-1]))

    policy, q1, q2 = mlp([3, 12, 4]), mlp([5, 12, 1]), mlp([5, 12, 1])
    targets = deepcopy(nn.ModuleList([q1, q2]))
    log_alpha = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    pi_optimizer = torch.optim.Adam(policy.parameters(), lr=1e-3)
    q_optimizer = torch.optim.Adam(itertools.chain(q1.parameters(), q2.parameters()), lr=1e-3)
    alpha_optimizer = torch.optim.Adam([log_alpha], lr=1e-2)

    def act(obs, noise):
        mean, log_std = torch.chunk(policy(obs), 2, dim=-1)
        std = torch.exp(torch.clamp(log_std, -5, 2))
        u = mean + std * noise
        log_prob = torch.distributions.Normal(mean, std).log_prob(u).sum(-1)
        log_prob -= (2 * (0.6931471805599453 - u - F.softplus(-2 * u))).sum(axis=1)
        return torch.tanh(u), log_prob

    def step(o, a, r, o2, noise):
        alpha = log_alpha.exp().detach()
        with torch.no_grad():
            a2, logp2 = act(o2, noise[0])
            both = [q(torch.cat([o2, a2], -1)).squeeze(-1) for q in targets]
            backup = r + 0.99 * (torch.minimum(*both) - alpha * logp2)
        oa = torch.cat([o, a], dim=-1)
        q_loss = sum(F.mse_loss(q(oa).squeeze(-1), backup) for q in (q1, q2))
        q_optimizer.zero_grad()
        q_loss.backward()
        q_optimizer.step()

        pi, logp = act(o, noise[1])
        q_pi = torch.stack([q(torch.cat([o, pi], -1)).squeeze(-1) for q in (q1, q2)]).min(0)[0]
        pi_loss = (alpha * logp - q_pi).mean()
        pi_optimizer.zero_grad()
        pi_loss.backward()
        pi_optimizer.step()

        alpha_loss = -(log_alpha * (logp.detach() - 2.0)).mean()
        alpha_optimizer.zero_grad()
        alpha_loss.backward()
        alpha_optimizer.step()
        with torch.no_grad():
            for q, target in zip((q1, q2), targets):
                for p, p_target in zip(q.parameters(), target.parameters()):
                    p_target.data.mul_(0.9)
                    p_target.data.add_(0.1 * p.data)
        return q_loss, pi_loss, alpha_loss

    step = compiled(step)
    o, a, r, o2 = given.normal(10, 3), given.uniform(10, 2), given.normal(10), given.normal(10, 3)
    history = []
    for _ in range(3):
        history += [loss.item() for loss in step(o, a, r, o2, given.normal(2, 10, 2))]
    return history
