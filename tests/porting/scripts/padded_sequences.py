"""Sequences of many lengths: a collate function that pads, masks, and attention pooling."""

import torch
import torch.nn as nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset, Subset


class Sequences(Dataset):
    def __init__(self, given, n):
        lengths = [3 + (5 * i) % 7 for i in range(n)]
        self.items = [(given.integers(20, length) + 1, i % 3) for i, length in enumerate(lengths)]

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        return self.items[index]


def collate(batch):
    tokens, labels = zip(*batch)
    lengths = torch.tensor([len(t) for t in tokens])
    padded = pad_sequence(tokens, batch_first=True, padding_value=0)
    mask = torch.arange(padded.size(1))[None, :] < lengths[:, None]
    return padded, mask, torch.tensor(labels, dtype=torch.long)


class AttentionPool(nn.Module):
    def __init__(self, vocabulary=21, dim=8, classes=3):
        super().__init__()
        self.embed = nn.Embedding(vocabulary, dim, padding_idx=0)
        self.query = nn.Parameter(torch.zeros(dim))
        self.key = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, classes)

    def forward(self, tokens, mask):
        e = self.embed(tokens)
        scores = torch.tanh(self.key(e)) @ self.query
        scores = scores.masked_fill(~mask, float("-inf"))
        attention = torch.softmax(scores, dim=1).unsqueeze(-1)
        return self.out(torch.sum(attention * e, dim=1))


def train(given, compiled):
    data = Sequences(given, 18)
    train_set, test_set = Subset(data, range(12)), Subset(data, range(12, 18))
    loader = DataLoader(train_set, batch_size=4, shuffle=False, collate_fn=collate, num_workers=0)
    model = given.fill(AttentionPool())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, amsgrad=True)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)

    @compiled
    def step(tokens, mask, labels):
        loss = criterion(model(tokens, mask), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    losses = []
    for _ in range(3):
        for tokens, mask, labels in loader:
            losses.append(step(tokens, mask, labels).item())
    with torch.inference_mode():
        for tokens, mask, labels in DataLoader(test_set, batch_size=6, collate_fn=collate):
            losses.append(criterion(model(tokens, mask), labels).item())
    losses.append(model.embed.weight[0].abs().sum().item())
    return losses
