"""Meta-SGD: the inner rates are learned with the start, by second derivatives through updates."""

from collections import OrderedDict

import torch
import torch.nn as nn
import torch.nn.functional as F


class Learner(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.ParameterList()
        for i, o in ((1, 10), (10, 10), (10, 1)):
            self.w.append(nn.Parameter(torch.zeros(o, i)))
            self.w.append(nn.Parameter(torch.zeros(o)))

    def forward(self, x, params=None):
        params = list(self.w) if params is None else params
        for i in range(0, len(params), 2):
            x = F.linear(x, params[i], params[i + 1])
            if i < len(params) - 2:
                x = F.relu(x)
        return x


class MetaSGD(nn.Module):
    def __init__(self, learner, lr=0.05):
        super().__init__()
        self.learner = learner
        self.alpha = nn.ParameterList([nn.Parameter(lr * torch.ones_like(p)) for p in learner.w])

    def adapt(self, x, y, steps=2, first_order=False):
        fast = [p for p in self.learner.parameters()]
        for _ in range(steps):
            loss = F.mse_loss(self.learner(x, fast), y)
            grads = torch.autograd.grad(loss, fast, create_graph=not first_order)
            fast = list(map(lambda t: t[0] - t[1] * t[2], zip(fast, self.alpha, grads)))
        return fast


def sinusoids(given, n, k):
    amplitude, phase = 0.1 + 4.9 * given.uniform(n, 1, 1), 3.14 * given.uniform(n, 1, 1)
    x = given.uniform(n, k, 1) * 10 - 5
    return x, amplitude * torch.sin(x - phase)


def train(given, compiled):
    model = MetaSGD(Learner())
    given.fill(model.learner)
    model.double()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def meta_step(x, y):
        k = x.size(1) // 2
        optimizer.zero_grad()
        total = 0.0
        for i in range(x.size(0)):
            fast = model.adapt(x[i, :k], y[i, :k])
            total = total + F.mse_loss(model.learner(x[i, k:], fast), y[i, k:])
        loss = total / x.size(0)
        loss.backward()
        optimizer.step()
        return loss

    meta_step = compiled(meta_step)
    out = [meta_step(*sinusoids(given, 3, 10)).item() for _ in range(5)]
    stats = OrderedDict(
        (k, v.mean().item()) for k, v in model.named_parameters() if k.startswith("alpha")
    )
    return out + list(stats.values())
