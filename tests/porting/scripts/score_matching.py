"""Score matching: denoising, the trace of the Jacobian, and sliced; annealed sampling."""

import torch
import torch.nn as nn


class ConditionalScore(nn.Module):
    def __init__(self, levels, hidden=16):
        super().__init__()
        self.lin1, self.emb1 = nn.Linear(2, hidden), nn.Embedding(levels, hidden)
        self.lin2, self.emb2 = nn.Linear(hidden, hidden), nn.Embedding(levels, hidden)
        self.out = nn.Linear(hidden, 2)

    def forward(self, x, t):
        h = nn.functional.softplus(self.emb1(t) * self.lin1(x))
        h = nn.functional.softplus(self.emb2(t) * self.lin2(h))
        return self.out(h)


def dsm(model, x, sigmas, labels, noise):
    used = sigmas[labels].view(x.shape[0], *([1] * len(x.shape[1:])))
    perturbed = x + noise * used
    target = -1 / (used**2) * (perturbed - x)
    scores = model(perturbed, labels)
    return (0.5 * ((scores - target) ** 2).sum(dim=-1) * used.squeeze() ** 2).mean(dim=0)


def exact_score_matching(model, x, t):
    x = x.clone().requires_grad_(True)
    score = model(x, t)
    trace = torch.zeros(x.shape[0], dtype=x.dtype)
    for i in range(x.shape[1]):
        trace += torch.autograd.grad(score[:, i].sum(), x, create_graph=True, retain_graph=True)[0][
            :, i
        ]
    return (trace + 0.5 * score.pow(2).sum(1)).mean()


def sliced(model, x, t, v):
    x = x.detach().requires_grad_()
    score = model(x, t)
    sv = torch.sum(score * v)
    (grad,) = torch.autograd.grad(sv, x, create_graph=True)
    return (torch.sum(v * grad, dim=-1) + 0.5 * torch.sum(v * score, dim=-1) ** 2).mean()


def train(given, compiled):
    levels = 5
    sigmas = torch.logspace(0, -1, levels, dtype=torch.float64)
    model = given.fill(ConditionalScore(levels))
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    data = given.normal(20, 2) * 0.2 + torch.tensor([1.0, -1.0], dtype=torch.float64)
    zeros = torch.zeros(20, dtype=torch.long)

    def step(x, labels, noise, v):
        loss = (
            dsm(model, x, sigmas, labels, noise)
            + 0.1 * exact_score_matching(model, x, zeros)
            + 0.1 * sliced(model, x, zeros, v)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    out = [
        step(data, given.integers(levels, 20), given.normal(20, 2), given.normal(20, 2)).item()
        for _ in range(6)
    ]
    with torch.no_grad():
        x = given.uniform(8, 2) * 4 - 2
        for i, sigma in enumerate(sigmas):
            labels = torch.ones(8, dtype=torch.int64) * i
            alpha = 0.01 * (sigma / sigmas[-1]) ** 2
            for _ in range(2):
                x = x + alpha / 2 * model(x, labels) + torch.sqrt(alpha) * given.normal(8, 2)
    return out + x.mean(0).tolist()
