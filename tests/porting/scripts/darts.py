"""Architecture search: weights of operations and of layers by turns, with a hypergradient."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F

OPS = {
    "none": lambda c: Zero(),
    "skip": lambda c: nn.Identity(),
    "avg": lambda c: nn.AvgPool1d(3, stride=1, padding=1, count_include_pad=False),
    "conv": lambda c: nn.Sequential(
        nn.ReLU(inplace=False), nn.Conv1d(c, c, 3, padding=1, bias=False), nn.GroupNorm(1, c)
    ),
    "dil": lambda c: nn.Sequential(nn.SiLU(), nn.Conv1d(c, c, 3, padding=2, dilation=2)),
}


class Zero(nn.Module):
    def forward(self, x):
        return x.mul(0.0)


class MixedOp(nn.Module):
    def __init__(self, c):
        super().__init__()
        self._ops = nn.ModuleList(make(c) for make in OPS.values())

    def forward(self, x, weights):
        return sum(w * op(x) for w, op in zip(weights, self._ops))


class Network(nn.Module):
    def __init__(self, c=4, layers=2):
        super().__init__()
        self.stem = nn.Conv1d(2, c, 1)
        self.cells = nn.ModuleDict({f"cell_{i}": MixedOp(c) for i in range(layers)})
        self.classifier = nn.Linear(c, 3)
        self._arch_parameters = [torch.zeros(layers, len(OPS), dtype=torch.float64)]
        self._arch_parameters[0].requires_grad = True

    def arch_parameters(self):
        return self._arch_parameters

    def forward(self, x):
        x = self.stem(x)
        weights = F.softmax(self._arch_parameters[0], dim=-1)
        for i, cell in enumerate(self.cells.values()):
            x = cell(x, weights[i])
        return self.classifier(F.adaptive_avg_pool1d(x, 1).squeeze(-1))


def unrolled(model, criterion, x, y, xv, yv, eta, momentum, optimizer):
    loss = criterion(model(x), y)
    theta = [p.data for p in model.parameters()]
    moments = [optimizer.state[p].get("momentum_buffer", torch.zeros_like(p)) for p in
               model.parameters()]  # fmt: skip
    grads = torch.autograd.grad(loss, list(model.parameters()))
    other = copy.deepcopy(model)
    other._arch_parameters = [a.detach().clone().requires_grad_() for a in model.arch_parameters()]
    for p, t, m, g in zip(other.parameters(), theta, moments, grads):
        p.data.copy_(t - eta * (m * momentum + g + 3e-4 * t))
    valid = criterion(other(xv), yv)
    valid.backward()
    dalpha = [a.grad for a in other.arch_parameters()]
    vector = [p.grad.data for p in other.parameters()]
    r = 1e-2 / torch.cat([v.reshape(-1) for v in vector]).norm()
    sides = []
    for sign in (1, -2, 1):
        for p, v in zip(model.parameters(), vector):
            p.data.add_(v, alpha=sign * r.item())
        if sign != 1 or not sides:
            sides.append(torch.autograd.grad(criterion(model(x), y), model.arch_parameters()))
    hessian = [(a - b).div_(2 * r) for a, b in zip(*sides)]
    for a, d, h in zip(model.arch_parameters(), dalpha, hessian):
        a.grad = d.data.sub(h, alpha=eta)
    return valid


def train(given):
    model = given.fill(Network())
    criterion = nn.CrossEntropyLoss(label_smoothing=0.05)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=3e-4)
    architect = torch.optim.Adam(model.arch_parameters(), lr=0.05, betas=(0.5, 0.999))
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 6.0, eta_min=1e-3)
    x, y = given.normal(6, 2, 8, 2, 7), given.integers(3, 6, 2, 8)
    history = []
    for i in range(6):
        lr = scheduler.get_last_lr()[0]
        architect.zero_grad()
        valid = unrolled(model, criterion, x[i, 0], y[i, 0], x[i, 1], y[i, 1], lr, 0.9, optimizer)
        architect.step()
        optimizer.zero_grad()
        loss = criterion(model(x[i, 0]), y[i, 0])
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        scheduler.step()
        history += [valid.item(), loss.item()]
    alphas = model.arch_parameters()[0].detach()
    return [
        *history,
        *F.softmax(alphas, -1).flatten().tolist(),
        *alphas.topk(2, -1)[1].sum(0).tolist(),
    ]
