"""Prototypical networks: episodes from a batch sampler, distances to class means."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader, Sampler, TensorDataset


class EpisodeSampler(Sampler):
    def __init__(self, labels, n_way, n_shot, n_query, episodes):
        self.labels = torch.as_tensor(labels)
        self.classes = torch.unique(self.labels)
        self.n_way, self.per_class, self.episodes = n_way, n_shot + n_query, episodes

    def __len__(self):
        return self.episodes

    def __iter__(self):
        for e in range(self.episodes):
            batch = []
            for c in self.classes[[(e + i) % len(self.classes) for i in range(self.n_way)]]:
                (where,) = torch.where(self.labels == c)
                batch.append(where.roll(e)[: self.per_class])
            yield torch.stack(batch).reshape(-1).tolist()


def euclidean_dist(x, y):
    n, m, d = x.size(0), y.size(0), x.size(1)
    assert d == y.size(1)
    x = x.unsqueeze(1).expand(n, m, d)
    y = y.unsqueeze(0).expand(n, m, d)
    return torch.pow(x - y, 2).sum(2)


def train(given, compiled):
    n_way, n_shot, n_query = 3, 2, 3
    labels = torch.arange(5).repeat_interleave(6)
    data = given.normal(5, 4)[labels] + 0.5 * given.normal(30, 4)
    loader = DataLoader(
        TensorDataset(data, labels), batch_sampler=EpisodeSampler(labels, n_way, n_shot, n_query, 6)
    )
    encoder = given.fill(nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 6)))
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-2)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)

    @compiled
    def episode(x):
        z = encoder(x).view(n_way, n_shot + n_query, -1)
        prototypes = z[:, :n_shot].mean(1)
        queries = z[:, n_shot:].contiguous().view(n_way * n_query, -1)
        log_p = F.log_softmax(-euclidean_dist(queries, prototypes), dim=1).view(n_way, n_query, -1)
        target = torch.arange(n_way).view(n_way, 1, 1).expand(n_way, n_query, 1).long()
        loss = -log_p.gather(2, target).squeeze().view(-1).mean()
        accuracy = log_p.max(2)[1].eq(target.squeeze(2)).double().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss, accuracy

    out = []
    for x, _ in loader:
        out += [v.item() for v in episode(x)]
        scheduler.step()
    return out
