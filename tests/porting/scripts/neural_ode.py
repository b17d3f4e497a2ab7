"""A neural ODE, integrated by Runge-Kutta's method of fourth order, learns a spiral."""

import torch
import torch.nn as nn


def rk4_step(func, t, dt, y):
    k1 = func(t, y)
    k2 = func(t + dt / 2, y + dt * k1 / 2)
    k3 = func(t + dt / 2, y + dt * k2 / 2)
    k4 = func(t + dt, y + dt * k3)
    return y + dt / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)


def odeint(func, y0, t):
    solution = [y0]
    for i in range(len(t) - 1):
        y0 = rk4_step(func, t[i], t[i + 1] - t[i], y0)
        solution.append(y0)
    return torch.stack(solution)


class ODEFunc(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(2, hidden), nn.Tanh(), nn.Linear(hidden, 2))
        for m in self.net.modules():
            if isinstance(m, nn.Linear):
                nn.init.normal_(m.weight, mean=0, std=0.1)
                nn.init.constant_(m.bias, val=0)

    def forward(self, t, y):
        return self.net(y**3)


class RunningAverageMeter:
    def __init__(self, momentum=0.99):
        self.momentum, self.val, self.avg = momentum, None, 0

    def update(self, val):
        self.avg = val if self.val is None else self.avg * self.momentum + val * (1 - self.momentum)
        self.val = val


def train(given, compiled):
    true_A = torch.tensor([[-0.1, 2.0], [-2.0, -0.1]], dtype=torch.float64)
    t = torch.linspace(0.0, 2.0, 11, dtype=torch.float64)
    y0 = torch.tensor([[2.0, 0.0]], dtype=torch.float64)
    with torch.no_grad():
        true_y = odeint(lambda t, y: torch.mm(y**3, true_A), y0, t)
    func = given.fill(ODEFunc())
    optimizer = torch.optim.RMSprop(func.parameters(), lr=1e-3)
    meter = RunningAverageMeter(0.97)

    def step(batch_y0, batch_t, batch_y):
        optimizer.zero_grad()
        pred = odeint(func, batch_y0, batch_t)
        loss = torch.mean(torch.abs(pred - batch_y))
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    losses = []
    for i in range(6):
        s = torch.tensor([0, 2, 4, 5]) if i % 2 else torch.tensor([1, 3, 4, 6])
        batch_y = torch.stack([true_y[s + j] for j in range(4)], dim=0)
        loss = step(true_y[s], t[:4], batch_y)
        meter.update(loss.item())
        losses += [loss.item(), meter.avg]
    with torch.no_grad():
        losses.append((odeint(func, y0, t) - true_y).abs().mean().item())
    return losses
