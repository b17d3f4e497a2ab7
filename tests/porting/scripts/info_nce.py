"""Contrastive learning: two views of each example find each other in the batch."""

import torch


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional
    encoder = given.fill(nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 8)))
    optimizer = torch.optim.Adam(encoder.parameters(), lr=1e-2)

    def info_nce(features, temperature=0.5):
        n = features.shape[0] // 2
        labels = torch.cat([torch.arange(n) for _ in range(2)], dim=0)
        labels = (labels.unsqueeze(0) == labels.unsqueeze(1)).float()
        features = F.normalize(features, dim=1)
        similarity = torch.matmul(features, features.T)
        mask = torch.eye(labels.shape[0], dtype=torch.bool)
        labels = labels[~mask].view(labels.shape[0], -1)
        similarity = similarity[~mask].view(similarity.shape[0], -1)
        positives = similarity[labels.bool()].view(labels.shape[0], -1)
        negatives = similarity[~labels.bool()].view(similarity.shape[0], -1)
        logits = torch.cat([positives, negatives], dim=1) / temperature
        return F.cross_entropy(logits, torch.zeros(logits.shape[0], dtype=torch.long))

    x = given.normal(8, 6)
    first, second = x + 0.1 * given.normal(8, 6), x + 0.1 * given.normal(8, 6)

    def step(a, b):
        optimizer.zero_grad()
        loss = info_nce(encoder(torch.cat((a, b))))
        loss.backward()
        optimizer.step()
        return loss

    return [step(first, second).item() for _ in range(5)]
