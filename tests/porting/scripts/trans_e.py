"""Knowledge graph embedding: TransE with margins, corrupted triples, and ranks for evaluation."""

import torch
import torch.nn as nn
import torch.optim as optim


class TransE(nn.Module):
    def __init__(self, entities, relations, dim=8, norm=1, margin=1.0):
        super(TransE, self).__init__()
        self.norm, self.dim = norm, dim
        self.entities_emb = self._emb(entities)
        self.relations_emb = self._emb(relations)
        self.criterion = nn.MarginRankingLoss(margin=margin, reduction="none")

    def _emb(self, n):
        emb = nn.Embedding(num_embeddings=n + 1, embedding_dim=self.dim, padding_idx=n)
        uniform_range = 6 / self.dim**0.5
        emb.weight.data.uniform_(-uniform_range, uniform_range)
        emb.weight.data[:-1, :].div_(emb.weight.data[:-1, :].norm(p=1, dim=1, keepdim=True))
        return emb

    def forward(self, positive, negative):
        self.entities_emb.weight.data[:-1, :].div_(
            self.entities_emb.weight.data[:-1, :].norm(p=2, dim=1, keepdim=True)
        )
        p, n = self._distance(positive), self._distance(negative)
        target = torch.tensor([-1], dtype=torch.long)
        return self.criterion(p, n, target), p, n

    def _distance(self, triplets):
        assert triplets.size()[1] == 3
        heads, relations, tails = triplets[:, 0], triplets[:, 1], triplets[:, 2]
        return (
            self.entities_emb(heads) + self.relations_emb(relations) - self.entities_emb(tails)
        ).norm(p=self.norm, dim=1)


def hits_at_k(predictions, truth, k=3):
    zero, one = torch.tensor([0]), torch.tensor([1])
    _, indices = predictions.topk(k=k, largest=False)
    return torch.where(indices == truth, one, zero).sum().item()


def mrr(predictions, truth):
    indices = predictions.argsort()
    return (1.0 / (indices == truth).nonzero()[:, 1].double().add(1.0)).sum().item()


def train(given):
    n, r = 9, 3
    model = given.fill(TransE(n, r))
    optimizer = optim.SGD(model.parameters(), lr=0.05)
    triples = torch.stack(
        (given.integers(n, 20), given.integers(r, 20), given.integers(n, 20)), dim=1
    )
    out = []
    for _ in range(6):
        broken = torch.where(given.integers(2, 20) == 1, 1, 0)
        random_entities = given.integers(n, 20)
        heads = torch.where(broken == 1, random_entities, triples[:, 0])
        tails = torch.where(broken == 0, random_entities, triples[:, 2])
        negative = torch.stack((heads, triples[:, 1], tails), dim=1)
        optimizer.zero_grad()
        loss, pd, nd = model(triples, negative)
        loss.mean().backward()
        out += [loss.mean().item(), pd.sum().item()]
        optimizer.step()
    model.eval()
    entity_ids = torch.arange(end=n, start=0).unsqueeze(0)
    head = triples[:4, 0].reshape(-1, 1).repeat(1, n)
    relation, tails = triples[:4, 1].reshape(-1, 1).repeat(1, n), entity_ids.repeat(4, 1)
    predictions = model._distance(
        torch.stack((head, relation, tails), dim=2).reshape(-1, 3)
    ).reshape(4, -1)
    truth = triples[:4, 2].reshape(-1, 1)
    return out + [hits_at_k(predictions, truth), mrr(predictions, truth)]
