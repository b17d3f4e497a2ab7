"""k-means from far starts, then soft assignments trained as in deep embedded clustering."""

import torch
from torch import nn
from torch.nn import Parameter


def kmeans(x, k, iterations=20, tol=1e-6):
    centers = x[:1]
    for _ in range(k - 1):
        d = torch.cdist(x, centers).min(dim=1).values
        centers = torch.cat([centers, x[d.argmax()].unsqueeze(0)])
    for _ in range(iterations):
        dist = ((x[:, None, :] - centers[None]) ** 2).sum(-1)
        labels = dist.argmin(dim=1)
        new = torch.zeros_like(centers).scatter_add_(0, labels[:, None].expand_as(x), x)
        count = torch.bincount(labels, minlength=k).clamp_(min=1).type_as(x)
        new /= count.unsqueeze(1)
        shift = (new - centers).norm(dim=1).sum()
        centers = new
        if shift < tol:
            break
    inertia = dist.gather(1, labels.unsqueeze(1)).sum()
    return centers, labels, inertia


class ClusterAssignment(nn.Module):
    def __init__(self, k, dim, alpha=1.0, centers: torch.Tensor = None):
        super().__init__()
        self.alpha = alpha
        if centers is None:
            centers = torch.zeros(k, dim, dtype=torch.float)
            nn.init.xavier_uniform_(centers)
        self.cluster_centers = Parameter(centers)

    def forward(self, batch):
        norm_squared = torch.sum((batch.unsqueeze(1) - self.cluster_centers) ** 2, 2)
        numerator = 1.0 / (1.0 + (norm_squared / self.alpha))
        numerator = numerator ** (float(self.alpha + 1) / 2)
        return numerator / torch.sum(numerator, dim=1, keepdim=True)


def target_distribution(q):
    weight = (q**2) / torch.sum(q, 0)
    return (weight.t() / torch.sum(weight, 1)).t()


def train(given, compiled):
    x = torch.cat([given.normal(15, 4) * 0.4 + 2 * i for i in range(3)])
    encoder = given.fill(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
    with torch.no_grad():
        centers, labels, inertia = kmeans(encoder(x), 3)
    assignment = ClusterAssignment(3, 2, centers=centers.clone())
    params = list(encoder.parameters()) + list(assignment.parameters())
    optimizer = torch.optim.SGD(params=params, lr=0.05, momentum=0.9)
    kl = nn.KLDivLoss(reduction="sum")

    @compiled
    def step(x):
        q = assignment(encoder(x))
        p = target_distribution(q).detach()
        loss = kl(q.log(), p) / q.shape[0]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step(closure=None)
        return loss

    out = [inertia.item(), *[float((labels == i).sum()) for i in range(3)]]
    return out + [step(x).item() for _ in range(8)]
