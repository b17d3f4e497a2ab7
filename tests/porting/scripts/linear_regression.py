"""Linear regression, with weights that are plain tensors and a descent by hand."""

import torch


def train(given, compiled):
    x = given.normal(50, 3)
    y = x @ torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64) + 0.1 * given.normal(50)
    w = given.normal(3).requires_grad_()
    b = torch.zeros(1, dtype=torch.float64, requires_grad=True)

    def step(x, y):
        loss = ((x @ w + b - y) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w.sub_(0.1 * w.grad)
            b.sub_(0.1 * b.grad)
            w.grad.zero_()
            b.grad.zero_()
        return loss

    step = compiled(step)
    return [step(x, y).item() for _ in range(8)]
