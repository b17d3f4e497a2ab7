"""Matrix factorisation with biases and a largest norm: squared errors, pairs of items, ranking."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, WeightedRandomSampler, random_split


class MatrixFactorization(nn.Module):
    def __init__(self, n_users, n_items, n_factors=8, mean=0.0):
        super().__init__()
        self.user_factors = nn.Embedding(n_users, n_factors)
        self.item_factors = nn.Embedding(n_items, n_factors, max_norm=2.0)
        self.user_biases, self.item_biases = nn.Embedding(n_users, 1), nn.Embedding(n_items, 1)
        self.mean = nn.Parameter(torch.FloatTensor([mean]), False)
        for emb in (self.user_biases, self.item_biases):
            emb.weight.data.zero_()

    def forward(self, user, item):
        pred = self.user_biases(user) + self.item_biases(item)
        pred += (self.user_factors(user) * self.item_factors(item)).sum(dim=1, keepdim=True)
        return pred.squeeze() + self.mean

    def predict(self, user, item):
        return self.forward(user, item)


def ndcg_at_k(scores, relevance, k=3):
    _, top = torch.topk(scores, k, dim=-1)
    gains = relevance.gather(-1, top) / torch.log2(torch.arange(2, k + 2))
    ideal = relevance.sort(dim=-1, descending=True).values[..., :k] / torch.log2(
        torch.arange(2, k + 2, dtype=torch.float)
    )
    return (gains.sum(-1) / ideal.sum(-1).clamp(min=1e-9)).mean()


def train(given, compiled):
    rng = np.random.default_rng(9)
    users, items = rng.integers(0, 12, 90), rng.integers(0, 10, 90)
    ratings = (rng.normal(size=12)[users] + rng.normal(size=10)[items] + 3).astype(np.float32)
    ds = TensorDataset(
        torch.LongTensor(users), torch.from_numpy(items).long(), torch.tensor(ratings).double()
    )
    train_ds, test_ds = random_split(ds, [70, 20], generator=torch.Generator().manual_seed(42))
    assert len(set(train_ds.indices) | set(test_ds.indices)) == 90
    train_ds.indices, test_ds.indices = list(range(70)), list(range(70, 90))
    model = given.fill(MatrixFactorization(12, 10, mean=float(ratings.mean())))
    optimizer = torch.optim.SGD(
        [
            {
                "params": [model.user_factors.weight, model.item_factors.weight],
                "weight_decay": 1e-3,
            },
            {
                "params": list(model.user_biases.parameters())
                + list(model.item_biases.parameters()),
                "lr": 0.5,
            },
        ],
        lr=1.0,
    )
    scheduler = torch.optim.lr_scheduler.SequentialLR(
        optimizer,
        [
            torch.optim.lr_scheduler.LinearLR(optimizer, 0.5, total_iters=2),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=3),
        ],
        milestones=[2],
    )
    mse = nn.MSELoss()

    @compiled
    def step(u, i, r):
        optimizer.zero_grad()
        loss = mse(model(u, i), r)
        loss.backward()
        optimizer.step()
        return loss.detach()

    history = []
    for epoch in range(4):
        running = 0.0
        for u, i, r in DataLoader(train_ds, batch_size=32):
            running += step(u, i, r).item() * len(u)
        scheduler.step()
        with torch.no_grad():
            u, i, r = zip(*[test_ds[k] for k in range(len(test_ds))])
            u, i, r = torch.stack(u), torch.stack(i), torch.stack(r)
            rmse = torch.sqrt(mse(model.predict(u, i), r)).item()
        history.extend([running / len(train_ds), rmse, *scheduler.get_last_lr()])
    # BPR, by hand
    lr = 0.1
    for k in range(3):
        u, i, j = given.integers(12, 16), given.integers(10, 16), given.integers(10, 16)
        loss = -nn.functional.logsigmoid(model(u, i) - model(u, j)).mean()
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is None:
                    continue
                p -= lr * p.grad
        history.append(loss.item())
    with torch.no_grad():
        scores = (
            model.user_factors.weight @ model.item_factors.weight.T + model.item_biases.weight.T
        )
        relevance = torch.zeros(12, 10, dtype=torch.float64)
        relevance.index_put_((ds.tensors[0], ds.tensors[1]), ds.tensors[2])
        U, S, Vh = torch.linalg.svd(relevance, full_matrices=False)
        low = (U[:, :2] * S[:2]) @ Vh[:2]
    sampler = WeightedRandomSampler(weights=torch.ones(5), num_samples=7, replacement=True)
    assert len(list(sampler)) == 7
    norms = model.item_factors.weight.norm(dim=1)
    return [
        *history,
        ndcg_at_k(scores, relevance).item(),
        low.norm().item(),
        norms.max().item(),
        (scores > scores.mean()).sum().item(),
    ]
