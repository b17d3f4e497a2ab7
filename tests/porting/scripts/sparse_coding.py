"""Sparse coding by ISTA and a learned version of it (LISTA); dictionary atoms of norm one."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ISTA(nn.Module):
    def __init__(self, n, m, lambd=0.1, steps=8):
        super().__init__()
        self.U = nn.Linear(m, n, bias=False)
        self.lambd, self.steps = lambd, steps
        self.normalize_weights()

    @torch.no_grad()
    def normalize_weights(self):
        self.U.weight.data = F.normalize(self.U.weight.data, dim=0)

    def soft_threshold_(self, a):
        with torch.no_grad():
            a.data = torch.sign(a) * F.relu(torch.abs(a) - self.lambd)

    def infer(self, x):
        a = torch.zeros(x.shape[0], self.U.in_features, dtype=x.dtype, requires_grad=True)
        lr = 0.1
        for _ in range(self.steps):
            loss = ((x - self.U(a)) ** 2).sum()
            loss.backward()
            with torch.no_grad():
                a -= lr * a.grad
            a.grad.zero_()
            self.soft_threshold_(a)
        self.zero_grad()
        return a.detach()


class LISTA(nn.Module):
    def __init__(self, n, m, steps=3):
        super().__init__()
        self.We, self.S = nn.Linear(n, m, bias=False), nn.Linear(m, m, bias=False)
        self.theta = nn.Parameter(torch.full((steps, 1), 0.1))
        self.steps = steps

    def forward(self, x):
        b = self.We(x)
        z = F.softshrink(b, 0.05)
        for i in range(self.steps):
            c = b + self.S(z)
            z = torch.sign(c) * torch.clamp(c.abs() - self.theta[i], min=0.0)
        return z


def train(given):
    x = given.normal(16, 6)
    net, lista = ISTA(6, 9), given.fill(LISTA(6, 9))
    given.fill(net)
    net.normalize_weights()
    opt = torch.optim.SGD([{"params": net.U.weight, "lr": 0.05}])
    opt2 = torch.optim.Adagrad(lista.parameters(), lr=0.05)
    out = []
    for _ in range(6):
        codes = net.infer(x)
        opt.zero_grad()
        loss = F.mse_loss(net.U(codes), x, reduction="sum") / x.size(0)
        loss.backward()
        opt.step()
        net.normalize_weights()
        opt2.zero_grad()
        imitation = F.l1_loss(lista(x), codes) + 1e-3 * sum(
            p.abs().sum() for p in lista.parameters()
        )
        imitation.backward()
        opt2.step()
        out += [loss.item(), imitation.item(), (codes != 0).double().mean().item()]
    return out
