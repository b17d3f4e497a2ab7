"""N-BEATS: stacks of blocks forecast, and take away what they explain of the past."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, units, thetas_dim, backcast_length, forecast_length, share_thetas=False):
        super().__init__()
        self.fcs = nn.ModuleList(
            [nn.Linear(backcast_length if i == 0 else units, units) for i in range(3)]
        )
        if share_thetas:
            self.theta_f_fc = self.theta_b_fc = nn.Linear(units, thetas_dim, bias=False)
        else:
            self.theta_b_fc = nn.Linear(units, thetas_dim, bias=False)
            self.theta_f_fc = nn.Linear(units, thetas_dim, bias=False)

    def hidden(self, x):
        for fc in self.fcs:
            x = F.relu(fc(x))
        return x


class TrendBlock(Block):
    def __init__(self, units, degree, b, f):
        super().__init__(units, degree, b, f, share_thetas=True)
        t = np.concatenate([np.arange(b), b + np.arange(f)]) / (b + f)
        basis = np.stack([t**i for i in range(degree)])
        self.register_buffer("back", torch.tensor(basis[:, :b]), persistent=False)
        self.register_buffer("fore", torch.tensor(basis[:, b:]), persistent=False)

    def forward(self, x):
        h = self.hidden(x)
        return self.theta_b_fc(h).mm(self.back), self.theta_f_fc(h).mm(self.fore)


class SeasonalityBlock(Block):
    def __init__(self, units, harmonics, b, f):
        super().__init__(units, 2 * harmonics, b, f)
        self.b, self.f, self.h = b, f, harmonics

    def basis(self, t):
        k = torch.arange(1, self.h + 1, dtype=t.dtype).unsqueeze(1)
        return torch.cat([torch.cos(2 * np.pi * k * t), torch.sin(2 * np.pi * k * t)])

    def forward(self, x):
        h = self.hidden(x)
        t = torch.linspace(0, 1, self.b + self.f, dtype=x.dtype)
        return self.theta_b_fc(h) @ self.basis(t[: self.b]), self.theta_f_fc(h) @ self.basis(
            t[self.b :]
        )


class GenericBlock(Block):
    def __init__(self, units, thetas, b, f):
        super().__init__(units, thetas, b, f)
        self.backcast_fc, self.forecast_fc = nn.Linear(thetas, b), nn.Linear(thetas, f)

    def forward(self, x):
        h = self.hidden(x)
        return self.backcast_fc(F.relu(self.theta_b_fc(h))), self.forecast_fc(
            F.relu(self.theta_f_fc(h))
        )


class NBeats(nn.Module):
    def __init__(self, b=10, f=3):
        super().__init__()
        self.f = f
        self.stacks = nn.ModuleList(
            [
                nn.ModuleList([TrendBlock(12, 3, b, f), TrendBlock(12, 3, b, f)]),
                nn.ModuleList([SeasonalityBlock(12, 2, b, f)]),
                nn.ModuleList([GenericBlock(12, 4, b, f)]),
            ]
        )

    def forward(self, backcast):
        forecast = torch.zeros(size=(backcast.size()[0], self.f), dtype=backcast.dtype)
        for stack in self.stacks:
            for block in stack:
                b, f = block(backcast)
                backcast = backcast - b
                forecast = forecast + f
        return backcast, forecast


def smape(forecast, target):
    denom = forecast.abs() + target.abs()
    flag = denom == 0.0
    return 200 * torch.mean(
        torch.where(flag, torch.zeros_like(denom), (forecast - target).abs() / (denom + flag))
    )


def train(given, compiled):
    t = torch.arange(60, dtype=torch.float64)
    series = 0.02 * t + torch.sin(t / 3) + 0.05 * given.normal(60) + 3
    windows = series.unfold(0, 13, 1)
    x, y = windows[:, :10], windows[:, 10:]
    net = given.fill(NBeats())
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)

    @compiled
    def step(x, y):
        optimizer.zero_grad()
        _, forecast = net(x)
        loss = smape(forecast, y) / 100 + F.huber_loss(forecast, y, delta=0.7)
        loss.backward()
        optimizer.step()
        return loss

    mean, std = x.mean(dim=1, keepdim=True), x.std(dim=1, keepdim=True)
    out = [step((x - mean) / std, y).item() for _ in range(6)]
    net.eval()
    return out + [
        torch.sqrt(F.mse_loss(net((x - mean) / std)[1], y)).item(),
        float(len(net.state_dict())),
    ]
