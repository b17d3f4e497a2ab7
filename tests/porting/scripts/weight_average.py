"""An exponential average of the weights, beside the model that is trained."""

import copy

import torch


def train(given, compiled):
    nn = torch.nn
    model = given.fill(
        nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))
    )
    ema = copy.deepcopy(model).requires_grad_(False)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    @torch.no_grad()
    def update(decay):
        for p_ema, p in zip(ema.parameters(), model.parameters()):
            p_ema.mul_(decay).add_(p, alpha=1 - decay)
        for b_ema, b in zip(ema.buffers(), model.buffers()):
            b_ema.copy_(b)

    def step(x, y):
        optimizer.zero_grad()
        loss = (model(x) - y).abs().mean()
        loss.backward()
        optimizer.step()
        update(0.9)
        return loss

    step = compiled(step)
    x, y = given.normal(20, 3), given.normal(20, 1)
    history = [step(x, y).item() for _ in range(5)]
    for name, value in ema.state_dict().items():
        history.append(value.double().sum().item())
    return history
