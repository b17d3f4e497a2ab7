"""Survival times by Cox's partial likelihood."""

import torch


def train(given, compiled):
    nn = torch.nn
    model = given.fill(nn.Sequential(nn.Linear(4, 8), nn.SELU(), nn.Linear(8, 1, bias=False)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    x, durations = given.normal(30, 4), given.uniform(30)
    events = given.integers(2, 30)

    def step(x, durations, events):
        order = durations.sort(descending=True)[1]
        risk = model(x).view(-1)[order]
        observed = events[order].to(risk.dtype)
        highest = risk.max()
        log_risk = risk.sub(highest).exp().cumsum(0).add(1e-7).log().add(highest)
        same = torch.logcumsumexp(risk, dim=0)
        loss = -((risk - 0.5 * (log_risk + same)) * observed).sum().div(observed.sum())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    return [step(x, durations, events).item() for _ in range(5)]
