"""A sparse mixture of experts: noisy top-k gates, a dispatcher, and a loss for balance."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class Expert(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.w1 = nn.Linear(dim, hidden, bias=False)
        self.w2 = nn.Linear(hidden, dim, bias=False)
        self.w3 = nn.Linear(dim, hidden, bias=False)

    def forward(self, x):
        return self.w2(F.silu(self.w1(x)) * self.w3(x))


class SparseMoE(nn.Module):
    def __init__(self, dim=8, experts=4, k=2):
        super().__init__()
        self.k, self.n = k, experts
        self.gate = nn.Linear(dim, experts, bias=False)
        self.experts = nn.ModuleList([Expert(dim, 12) for _ in range(experts)])

    def forward(self, x):
        b, s, d = x.shape
        flat = x.view(-1, d)
        logits = self.gate(flat)
        routing = F.softmax(logits, dim=1)
        weights, selected = torch.topk(routing, self.k, dim=-1)
        weights /= weights.sum(dim=-1, keepdim=True)
        final = torch.zeros((b * s, d), dtype=x.dtype, device=x.device)
        mask = F.one_hot(selected, num_classes=self.n).permute(2, 1, 0)
        for e, expert in enumerate(self.experts):
            idx, top_x = torch.where(mask[e])
            if top_x.shape[0] == 0:
                continue
            current = expert(flat[None, top_x].reshape(-1, d)) * weights[top_x, idx, None]
            final.index_add_(0, top_x, current.to(x.dtype))
        tokens = F.one_hot(selected, self.n).double().mean(dim=0)
        balance = torch.sum(tokens * routing.mean(dim=0).unsqueeze(0)) * self.n
        return final.reshape(b, s, d), balance


class RMSNorm(nn.Module):
    def __init__(self, dim, eps=1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def _norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x):
        return self._norm(x).type_as(x) * self.weight


class Net(nn.Module):
    def __init__(self, dim=8):
        super().__init__()
        self.norm, self.moe, self.out = RMSNorm(dim), SparseMoE(dim), nn.Linear(dim, 3)

    def forward(self, x):
        h, balance = self.moe(self.norm(x))
        return self.out((x + h).mean(dim=1)), balance


def train(given):
    model = given.fill(Net())
    x, y = given.normal(6, 5, 8), given.integers(3, 6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(8):
        logits, balance = model(x)
        loss = F.cross_entropy(logits, y) + 0.02 * balance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses += [loss.item(), balance.item()]
    return losses
