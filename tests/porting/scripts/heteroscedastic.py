"""Regression with its own noise: Gaussian likelihood, counts, ordinal targets, several margins."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 16), nn.Hardswish(), nn.Linear(16, 8), nn.PReLU())
        self.mean, self.log_var = nn.Linear(8, 1), nn.Linear(8, 1)
        self.rate, self.order, self.tags = nn.Linear(8, 1), nn.Linear(8, 1), nn.Linear(8, 4)
        self.cuts = nn.Parameter(torch.arange(3).float() - 1.0)

    def forward(self, x):
        h = self.body(x)
        return (
            self.mean(h),
            F.softplus(self.log_var(h)) + 1e-6,
            self.rate(h),
            self.order(h),
            self.tags(h),
        )

    def ordinal(self, score, y):
        cumulative = torch.sigmoid(self.cuts - score)
        edges = F.pad(cumulative, (1, 1), value=0.0)
        edges = torch.cat([edges[:, :-1], torch.ones_like(edges[:, :1])], dim=1)
        probs = edges[:, 1:] - edges[:, :-1]
        return -torch.log(probs.clamp_min(1e-9)[torch.arange(len(y)), y]).mean()


def train(given, compiled):
    model = given.fill(Heads())
    x = given.normal(24, 4)
    y, count = given.normal(24, 1), given.integers(5, 24).double().unsqueeze(1)
    grade, tags = given.integers(4, 24), given.integers(2, 24, 4).double()
    gaussian, poisson = nn.GaussianNLLLoss(full=True), nn.PoissonNLLLoss(log_input=True)
    multi, hinge, margin = (
        nn.MultiLabelSoftMarginLoss(),
        nn.HingeEmbeddingLoss(margin=0.5),
        nn.MultiMarginLoss(p=2),
    )
    soft = nn.SoftMarginLoss()
    optimizer = torch.optim.Rprop(model.parameters(), lr=1e-3, etas=(0.5, 1.1))

    @compiled
    def step(x, y, count, grade, tags):
        mean, var, rate, order, logits = model(x)
        sign = 2 * tags - 1
        loss = (
            gaussian(mean, y, var)
            + poisson(rate, count)
            + model.ordinal(order, grade)
            + multi(logits, tags)
            + hinge(logits, sign)
            + margin(logits, grade)
            + soft(logits, sign)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return [step(x, y, count, grade, tags).item() for _ in range(10)]
