"""Masks by size and rounding with a straight-through gradient."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class RoundSTE(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return torch.round(x)

    @staticmethod
    def backward(ctx, g):
        return g.clone()


class FakeQuant(nn.Module):
    def __init__(self, bits=4):
        super().__init__()
        self.qmin, self.qmax = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
        self.step = nn.Parameter(torch.tensor(0.1))
        self.register_buffer("n_seen", torch.zeros((), dtype=torch.long))

    def forward(self, x):
        self.n_seen += 1
        g = 1.0 / ((x.numel() * self.qmax) ** 0.5)
        s = self.step * g + (self.step - self.step * g).detach()
        v = torch.clamp(x / s, self.qmin, self.qmax)
        return RoundSTE.apply(v) * s


class MaskedLinear(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o)
        self.register_buffer("mask", torch.ones_like(self.lin.weight, dtype=torch.bool))
        self.q = FakeQuant()

    def prune(self, frac):
        w = self.lin.weight.detach().abs()
        k = int(frac * w.numel())
        thr = w.flatten().kthvalue(k).values
        self.mask = w > thr

    def forward(self, x):
        return F.linear(x, self.q(self.lin.weight * self.mask), self.lin.bias)


def train(given, compiled):
    net = nn.Sequential(MaskedLinear(6, 12), nn.ReLU6(), nn.Dropout(p=0.0), MaskedLinear(12, 3))
    given.fill(net)
    net[0].q.step.data.abs_().clamp_(min=0.05), net[3].q.step.data.abs_().clamp_(min=0.05)
    opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    x, y = given.normal(30, 6), given.integers(3, 30)

    def step(x, y):
        opt.zero_grad()
        loss = F.cross_entropy(net(x), y, label_smoothing=0.1)
        loss.backward()
        for m in net.modules():
            if isinstance(m, MaskedLinear):
                m.lin.weight.grad.mul_(m.mask)
        opt.step()
        return loss

    step = compiled(step)
    out = []
    for i in range(9):
        if i % 3 == 2:
            for m in net:
                if isinstance(m, MaskedLinear):
                    m.prune(0.2 * (i // 3 + 1))
        out.append(step(x, y).item())
    out.append(sum(m.mask.float().mean().item() for m in net.modules() if hasattr(m, "mask")))
    out.append(float(net[0].q.n_seen))
    return out
