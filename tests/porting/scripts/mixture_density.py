"""A mixture density network: the likelihood is a logsumexp over its components."""

import math

import torch


def train(given, compiled):
    nn = torch.nn

    class MDN(nn.Module):
        def __init__(self, hidden, components):
            super().__init__()
            self.hidden = nn.Sequential(nn.Linear(1, hidden), nn.Tanh())
            self.heads = nn.Linear(hidden, 3 * components)

        def forward(self, x):
            logits, mu, log_sigma = self.heads(self.hidden(x)).chunk(3, dim=1)
            return torch.log_softmax(logits, dim=1), mu, torch.exp(log_sigma)

    def nll(log_pi, mu, sigma, y):
        z = (y.expand_as(mu) - mu) / sigma
        log_normal = -0.5 * z.pow(2) - torch.log(sigma) - 0.5 * math.log(2 * math.pi)
        return -torch.logsumexp(log_pi + log_normal, dim=1).mean()

    model = given.fill(MDN(12, 4))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, amsgrad=True)

    def step(x, y):
        optimizer.zero_grad()
        loss = nll(*model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    y = given.uniform(40, 1) * 4 - 2
    x = y + 0.3 * torch.sin(4 * y) + 0.05 * given.normal(40, 1)
    return [step(x, y).item() for _ in range(6)]
