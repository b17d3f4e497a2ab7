"""The hyperparameters of a Gaussian process by its marginal likelihood, and a prediction."""

import math

import torch


def train(given, compiled):
    x = torch.sort(given.uniform(15) * 4)[0]
    y = torch.sin(x) + 0.1 * given.normal(15)
    raw = {
        k: torch.nn.Parameter(torch.zeros((), dtype=torch.float64))
        for k in ("length", "scale", "noise")
    }
    optimizer = torch.optim.Adam(raw.values(), lr=0.1)

    def kernel(a, b):
        distance = (a.unsqueeze(1) - b.unsqueeze(0)) ** 2
        return raw["scale"].exp() * torch.exp(-0.5 * distance / raw["length"].exp() ** 2)

    def step(x, y):
        K = kernel(x, x) + (raw["noise"].exp() + 1e-6) * torch.eye(len(x), dtype=x.dtype)
        L = torch.linalg.cholesky(K)
        alpha = torch.linalg.solve_triangular(L, y.unsqueeze(-1), upper=False)
        logdet = 2 * torch.log(torch.diagonal(L)).sum()
        _, same = torch.linalg.slogdet(K)
        nll = 0.5 * (alpha.squeeze(-1).dot(alpha[:, 0]) + 0.5 * (logdet + same))
        nll = nll + 0.5 * len(x) * math.log(2 * math.pi)
        optimizer.zero_grad()
        nll.backward()
        optimizer.step()
        return nll

    step = compiled(step)
    history = [step(x, y).item() for _ in range(5)]
    with torch.no_grad():
        K = kernel(x, x) + raw["noise"].exp() * torch.eye(15).double()
        mean = kernel(x, x) @ torch.cholesky_solve(y[:, None], torch.linalg.cholesky(K))
        again = kernel(x, x) @ torch.linalg.solve(K, y)
    return [*history, mean.norm().item(), again.mean().item()]
