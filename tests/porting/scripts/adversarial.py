"""Adversarial training: FGSM and projected gradient descent within a ball; TRADES."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def fgsm(model, x, y, eps):
    x = x.clone().detach()
    x.requires_grad = True
    loss = F.cross_entropy(model(x), y)
    model.zero_grad()
    loss.backward()
    return torch.clamp(x + eps * x.grad.data.sign(), -3, 3).detach()


def pgd_attack(model, x, y, start, eps=0.3, alpha=0.1, iters=3):
    delta = start.clone().detach().requires_grad_(True)
    for _ in range(iters):
        loss = F.cross_entropy(model(x + delta), y)
        grad = torch.autograd.grad(loss, [delta])[0]
        delta.data = (delta + alpha * torch.sign(grad.detach())).clamp(-eps, eps)
        delta.data = torch.max(torch.min(3.0 - x, delta.data), -3.0 - x)
    return (x + delta).detach()


def trades(model, x, y, optimizer, noise, beta=2.0, eps=0.2):
    criterion_kl = nn.KLDivLoss(reduction="batchmean")
    model.eval()
    x_adv = x.detach() + 0.001 * noise.detach()
    for _ in range(2):
        x_adv.requires_grad_()
        with torch.enable_grad():
            loss_kl = criterion_kl(F.log_softmax(model(x_adv), dim=1), F.softmax(model(x), dim=1))
        grad = torch.autograd.grad(loss_kl, [x_adv])[0]
        x_adv = x_adv.detach() + 0.1 * torch.sign(grad.detach())
        x_adv = torch.min(torch.max(x_adv, x - eps), x + eps)
    model.train()
    optimizer.zero_grad()
    logits = model(x)
    natural = F.cross_entropy(logits, y)
    robust = (1.0 / len(x)) * nn.KLDivLoss(reduction="sum")(
        F.log_softmax(model(x_adv), dim=1), F.softmax(model(x), dim=1)
    )
    return natural + beta * robust


def train(given):
    model = given.fill(nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)))
    x, y = given.normal(20, 6), given.integers(3, 20)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, dampening=0.1)
    out = []
    for _ in range(3):
        for attack in (
            lambda: fgsm(model, x, y, 0.1),
            lambda: pgd_attack(model, x, y, 0.1 * given.normal(20, 6)),
        ):
            x_adv = attack()
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x_adv), y)
            loss.backward()
            optimizer.step()
            out += [loss.item(), (x_adv - x).abs().max().item()]
        loss = trades(model, x, y, optimizer, given.normal(20, 6))
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return out
