"""Parameter groups without decay, linear warm-up into a cosine, clipping and accumulation."""

import math

import torch
from torch import nn, optim
from torch.optim.lr_scheduler import LambdaLR


class Block(nn.Module):
    def __init__(self, dim, hidden, residual_scale=1.0):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.act = nn.GELU()
        self.scale = nn.Parameter(residual_scale * torch.ones(dim))

    def forward(self, x):
        return x + self.scale * self.fc2(self.act(self.fc1(self.norm(x))))


def param_groups(model, weight_decay):
    decay, no_decay = [], []
    for name, param in model.named_parameters():
        if not param.requires_grad:
            continue
        if param.ndim <= 1 or name.endswith(".bias"):
            no_decay.append(param)
        else:
            decay.append(param)
    return [
        {"params": decay, "weight_decay": weight_decay},
        {"params": no_decay, "weight_decay": 0.0, "lr": 2e-2},
    ]


def cosine_with_warmup(optimizer, warmup, total, floor=0.1, last_epoch=-1):
    def factor(step):
        if step < warmup:
            return float(step + 1) / float(max(1, warmup))
        progress = (step - warmup) / max(1, total - warmup)
        return max(floor, 0.5 * (1.0 + math.cos(math.pi * progress)))

    return LambdaLR(optimizer, factor, last_epoch)


def train(given, compiled):
    model = given.fill(
        nn.Sequential(nn.Linear(8, 12), *[Block(12, 24) for _ in range(2)], nn.Linear(12, 1))
    )
    optimizer = optim.AdamW(param_groups(model, 0.1), lr=1e-2, betas=(0.9, 0.95), eps=1e-8)
    scheduler = cosine_with_warmup(optimizer, warmup=3, total=10)
    criterion = nn.SmoothL1Loss(beta=0.5)
    x, y = given.normal(40, 8), given.normal(40, 1)
    accumulate = 2

    def micro_step(x, y):
        loss = criterion(model(x), y) / accumulate
        loss.backward()
        return loss.detach()

    micro_step = compiled(micro_step)
    losses = []
    for _ in range(5):
        running = 0.0
        for i, (xb, yb) in enumerate(zip(x.split(10), y.split(10))):
            running += micro_step(xb, yb).item()
            if (i + 1) % accumulate == 0:
                norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5)
                optimizer.step()
                optimizer.zero_grad()
                scheduler.step()
                losses.append(norm.item())
        losses.append(running)
        losses.append(optimizer.param_groups[1]["lr"])
        losses.extend(scheduler.get_last_lr())
    return losses
