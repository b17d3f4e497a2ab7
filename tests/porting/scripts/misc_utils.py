"""Odds and ends: seeds, freezing by name, endless loaders, weights that fit copied."""

import os
import random
from collections import OrderedDict
from functools import partial
from itertools import chain, islice

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    IterableDataset,
    SequentialSampler,
    TensorDataset,
)


def seed_everything(seed):
    random.seed(seed)
    os.environ["PYTHONHASHSEED"] = str(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


class Stream(IterableDataset):
    def __init__(self, x, y):
        self.x, self.y = x, y

    def __iter__(self):
        while True:
            yield from zip(self.x, self.y)


def set_requires_grad(module, value, exclude=()):
    for name, p in module.named_parameters():
        if not any(name.startswith(e) for e in exclude):
            p.requires_grad_(value)


def grad_norm(parameters, norm_type=2):
    parameters = [p for p in parameters if p.grad is not None]
    total = 0
    for p in parameters:
        total += p.grad.data.norm(norm_type).item() ** norm_type
    return total ** (1.0 / norm_type)


def train(given):
    seed_everything(3)
    dense = partial(nn.Linear, bias=True)
    net = nn.Sequential(
        OrderedDict(
            backbone=nn.Sequential(dense(4, 8), nn.ReLU(), dense(8, 8)),
            act=nn.GELU(),
            head=dense(8, 2),
        )
    )
    given.fill(net)
    x, y = given.normal(20, 4), given.normal(20, 2)
    set_requires_grad(net, False, exclude=["head"])
    optimizer = torch.optim.SGD(filter(lambda p: p.requires_grad, net.parameters()), lr=0.1)
    loader = DataLoader(Stream(x, y), batch_size=6)
    out = []
    for i, (xb, yb) in enumerate(islice(loader, 5)):
        loss = nn.functional.mse_loss(net(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        out += [loss.item(), grad_norm(net.parameters())]
        optimizer.step()
        if i == 2:
            set_requires_grad(net, True)
            optimizer.add_param_group({"params": net.backbone.parameters(), "lr": 0.01})
    both = ConcatDataset([TensorDataset(x, y), TensorDataset(-x, y)])
    batches = DataLoader(
        both, batch_sampler=BatchSampler(SequentialSampler(both), batch_size=16, drop_last=True)
    )
    out += [sum(b[0].sum().item() for b in batches), float(len(batches))]
    twin = nn.Sequential(
        OrderedDict(
            backbone=nn.Sequential(dense(4, 8), nn.ReLU(), dense(8, 8)),
            act=nn.GELU(),
            head=dense(8, 3),
        )
    ).double()
    pretrained = {
        k: v
        for k, v in net.state_dict().items()
        if k in twin.state_dict() and v.shape == twin.state_dict()[k].shape
    }
    result = twin.load_state_dict(pretrained, strict=False)
    out += [float(len(result.missing_keys)), float(len(result.unexpected_keys))]
    stats = torch.cat([p.view(-1) for p in chain(net.backbone.parameters(), net.head.parameters())])
    out += [
        stats.mean().item(),
        stats.std().item(),
        torch.quantile(stats, 0.9).item(),
        stats.median().item(),
    ]
    h = torch.histc(stats, bins=4, min=-1, max=1)
    return out + h.tolist()
