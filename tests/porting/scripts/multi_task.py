"""Several tasks: weights by uncertainty, conflicting gradients projected, logs."""

import random
from collections import defaultdict

import torch
import torch.nn as nn
import torch.nn.functional as F


class MultiTask(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(5, 16), nn.CELU(1.2))
        self.heads = nn.ModuleDict(
            {"reg": nn.Linear(16, 1), "cls": nn.Linear(16, 3), "count": nn.Linear(16, 1)}
        )
        self.log_vars = nn.ParameterDict({k: nn.Parameter(torch.zeros(())) for k in self.heads})

    def forward(self, x):
        h = self.shared(x)
        return {name: head(h) for name, head in self.heads.items()}


def losses_of(out, y):
    return {
        "reg": F.mse_loss(out["reg"].squeeze(1), y["reg"]),
        "cls": F.cross_entropy(out["cls"], y["cls"]),
        "count": F.poisson_nll_loss(
            out["count"].squeeze(1), y["count"], log_input=True, full=False
        ),
    }


def pcgrad(grads, rng):
    projected = [g.clone() for g in grads]
    for g in projected:
        others = list(grads)
        rng.shuffle(others)
        for h in others:
            inner = torch.dot(g, h)
            if inner < 0:
                g -= inner * h / h.norm() ** 2
    return torch.stack(projected).mean(dim=0)


def train(given):
    model = given.fill(MultiTask())
    with torch.no_grad():
        for p in model.log_vars.values():
            p.zero_()
    x = given.normal(18, 5)
    y = {
        "reg": given.normal(18),
        "cls": given.integers(3, 18),
        "count": given.integers(4, 18).double(),
    }
    optimizer = torch.optim.NAdam(model.parameters(), lr=5e-3)
    shared = list(model.shared.parameters())
    shared_optimizer = torch.optim.RAdam(shared, lr=5e-3)
    logs, rng = defaultdict(list), random.Random(5)
    for epoch in range(8):
        optimizer.zero_grad()
        terms = losses_of(model(x), y)
        if epoch % 2 == 0:
            loss = sum(
                torch.exp(-model.log_vars[k]) * v + model.log_vars[k] for k, v in terms.items()
            )
            loss.backward()
            optimizer.step()
        else:
            grads = []
            for v in terms.values():
                g = torch.autograd.grad(v, shared, retain_graph=True)
                grads.append(torch.cat([t.flatten() for t in g]))
            merged = pcgrad(grads, rng)
            for p, chunk in zip(shared, merged.split([p.numel() for p in shared])):
                p.grad = chunk.view_as(p).clone()
            shared_optimizer.step()
            loss = sum(terms.values())
        logs["loss"].append(loss.item())
        for k, v in terms.items():
            logs[k].append(v.item())
    return [v for values in logs.values() for v in values]
