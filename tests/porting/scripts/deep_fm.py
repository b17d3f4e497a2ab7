"""DeepFM: factorised interactions of fields beside a deep network; ranking by pairs (BPR)."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class FeaturesLinear(nn.Module):
    def __init__(self, dims, output=1):
        super().__init__()
        self.fc = nn.Embedding(sum(dims), output)
        self.bias = nn.Parameter(torch.zeros((output,)))
        self.register_buffer(
            "offsets", torch.tensor((0, *torch.cumsum(torch.tensor(dims), 0)[:-1].tolist()))
        )

    def forward(self, x):
        return torch.sum(self.fc(x + self.offsets.unsqueeze(0)), dim=1) + self.bias


class DeepFM(nn.Module):
    def __init__(self, dims, k=4):
        super().__init__()
        self.linear = FeaturesLinear(dims)
        self.embedding = nn.Embedding(sum(dims), k)
        nn.init.xavier_uniform_(self.embedding.weight.data)
        self.bag = nn.EmbeddingBag(10, k, mode="sum")
        self.mlp = nn.Sequential(
            nn.Linear(len(dims) * k, 12),
            nn.BatchNorm1d(12),
            nn.ReLU(),
            nn.Dropout(p=0.0),
            nn.Linear(12, 1),
        )
        self.bilinear = nn.Bilinear(k, k, 1)

    def forward(self, x, history, offsets):
        e = self.embedding(x + self.linear.offsets)
        square_of_sum = torch.sum(e, dim=1) ** 2
        sum_of_square = torch.sum(e**2, dim=1)
        fm = 0.5 * (square_of_sum - sum_of_square).sum(dim=1, keepdim=True)
        user = self.bag(history, offsets)
        out = self.linear(x) + fm + self.mlp(e.flatten(start_dim=1)) + self.bilinear(user, e[:, 0])
        return torch.sigmoid(out.squeeze(1))


def auc(scores, labels):
    pos, neg = scores[labels == 1], scores[labels == 0]
    return (pos[:, None] > neg[None, :]).double().mean().item()


def train(given, compiled):
    dims = (4, 6, 3)
    model = given.fill(DeepFM(dims))
    x = torch.stack([given.integers(d, 16) for d in dims], 1)
    history = given.integers(10, 40)
    offsets = torch.arange(0, 32, 2)
    y = (x[:, 1] > 2).double()
    optimizer = torch.optim.Adam(params=model.parameters(), lr=0.02, weight_decay=1e-6)
    criterion = nn.BCELoss()

    @compiled
    def step(x, history, offsets, y):
        p = model(x, history, offsets)
        loss = criterion(p, y)
        model.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, p.detach()

    out = []
    for _ in range(6):
        loss, p = step(x, history, offsets, y)
        out.append(loss.item())
    users, items = nn.Parameter(given.normal(5, 3)), nn.Parameter(given.normal(7, 3))
    bpr = torch.optim.ASGD([users, items], lr=0.1)
    for _ in range(4):
        u, i, j = given.integers(5, 12), given.integers(7, 12), given.integers(7, 12)
        diff = (users[u] * (items[i] - items[j])).sum(dim=-1)
        loss = -F.logsigmoid(diff).mean() + 0.01 * (users.norm() ** 2 + items.norm() ** 2)
        bpr.zero_grad()
        loss.backward()
        bpr.step()
        out.append(loss.item())
    return [*out, auc(p, y)]
