"""Optimal transport: Sinkhorn's iterations in log space, and a map trained through them."""

import torch
import torch.nn as nn


class SinkhornDistance(nn.Module):
    def __init__(self, eps, max_iter, reduction="none"):
        super().__init__()
        self.eps, self.max_iter, self.reduction = eps, max_iter, reduction

    def forward(self, x, y):
        C = self._cost_matrix(x, y)
        x_points, y_points = x.shape[-2], y.shape[-2]
        batch_size = 1 if x.dim() == 2 else x.shape[0]
        mu = (
            torch.empty(batch_size, x_points, dtype=x.dtype, requires_grad=False)
            .fill_(1.0 / x_points)
            .squeeze()
        )
        nu = (
            torch.empty(batch_size, y_points, dtype=x.dtype, requires_grad=False)
            .fill_(1.0 / y_points)
            .squeeze()
        )
        u, v = torch.zeros_like(mu), torch.zeros_like(nu)
        for _ in range(self.max_iter):
            u1 = u
            u = self.eps * (torch.log(mu + 1e-8) - torch.logsumexp(self.M(C, u, v), dim=-1)) + u
            v = (
                self.eps
                * (
                    torch.log(nu + 1e-8)
                    - torch.logsumexp(self.M(C, u, v).transpose(-2, -1), dim=-1)
                )
                + v
            )
            err = (u - u1).abs().sum(-1).mean()
            if err.item() < 1e-1:
                break
        pi = torch.exp(self.M(C, u, v))
        cost = torch.sum(pi * C, dim=(-2, -1))
        return (cost.mean() if self.reduction == "mean" else cost), pi

    def M(self, C, u, v):
        return (-C + u.unsqueeze(-1) + v.unsqueeze(-2)) / self.eps

    @staticmethod
    def _cost_matrix(x, y, p=2):
        return torch.sum((torch.abs(x.unsqueeze(-2) - y.unsqueeze(-3))) ** p, -1)


def mmd(x, y, bandwidths=(0.5, 1.0, 2.0)):
    xy = torch.vstack((x, y))
    d2 = torch.cdist(xy, xy, p=2) ** 2
    k = sum(torch.exp(-d2 / (2 * b**2)) for b in bandwidths)
    n = len(x)
    return k[:n, :n].mean() + k[n:, n:].mean() - 2 * k[:n, n:].mean()


def train(given):
    mapping = given.fill(nn.Sequential(nn.Linear(2, 12), nn.Softsign(), nn.Linear(12, 2)))
    x, y = given.normal(3, 10, 2), given.normal(3, 8, 2) + 1
    sinkhorn = SinkhornDistance(eps=0.3, max_iter=12, reduction="mean")
    optimizer = torch.optim.Adadelta(mapping.parameters(), lr=1.0)
    out = []
    for _ in range(5):
        optimizer.zero_grad()
        moved = mapping(x) + x
        cost, plan = sinkhorn(moved, y)
        loss = cost + mmd(moved.flatten(0, 1), y.flatten(0, 1))
        loss.backward()
        optimizer.step()
        out += [cost.item(), loss.item(), plan.sum().item()]
    return out
