"""Mean teacher: a student learns from labels and from an average of its own weights."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.optim import AdamW


class Net(nn.Module):
    def __init__(self, width=16, classes=4):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(6, width),
            nn.BatchNorm1d(width),
            nn.LeakyReLU(0.1),
            nn.Linear(width, width),
            nn.Mish(),
        )
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.body(x))


class ModelEMA:
    def __init__(self, model, decay=0.95, warmup=5):
        self.module = copy.deepcopy(model).eval()
        self.decay = decay
        self.warmup = warmup
        self.updates = 0
        for p in self.module.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def update(self, model):
        self.updates += 1
        d = min(self.decay, (1 + self.updates) / (self.warmup + self.updates))
        source = model.state_dict()
        for key, value in self.module.state_dict().items():
            if value.is_floating_point():
                value.mul_(d).add_(source[key].detach(), alpha=1 - d)
            else:
                value.copy_(source[key])


def train(given, compiled):
    student = given.fill(Net())
    ema = ModelEMA(student)
    optimizer = AdamW(student.parameters(), lr=5e-3, weight_decay=0.05)
    labelled, labels = given.normal(24, 6), given.integers(4, 24)
    unlabelled, noise = given.normal(32, 6), given.normal(2, 32, 6)

    def step(x, y, clean, noisy, weight):
        student.train()
        logits = student(torch.cat([x, noisy], dim=0))
        supervised, other = logits.split([x.shape[0], noisy.shape[0]])
        with torch.no_grad():
            target = ema.module(clean).softmax(dim=-1)
        consistency = F.mse_loss(other.softmax(-1), target)
        loss = F.cross_entropy(supervised, y) + weight * consistency
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    losses = []
    for epoch in range(6):
        weight = torch.tensor(min(1.0, epoch / 4), dtype=torch.float64)
        loss = step(
            labelled, labels, unlabelled + 0.1 * noise[0], unlabelled + 0.1 * noise[1], weight
        )
        ema.update(student)
        losses.append(loss.item())
    with torch.no_grad():
        accuracy = (ema.module(labelled).argmax(1) == labels).float().mean().item()
        losses += [accuracy, ema.module(unlabelled).pow(2).mean().item()]
    return losses
