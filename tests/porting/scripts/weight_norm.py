"""Layers whose weight is a direction and a length, and one whose norm is bounded."""

import torch


def train(given, compiled):
    nn = torch.nn
    weight_norm = torch.nn.utils.parametrizations.weight_norm
    model = given.fill(
        nn.Sequential(weight_norm(nn.Linear(3, 8)), nn.ReLU(), weight_norm(nn.Linear(8, 1), dim=0))
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)

    def step(x, y):
        optimizer.zero_grad()
        loss = (model(x) - y).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    x, y = given.normal(20, 3), given.normal(20, 1)
    history = [step(x, y).item() for _ in range(5)]
    names = sorted(n for n, _ in model.named_parameters())
    return [*history, model[0].weight.norm().item(), len("".join(names))]
