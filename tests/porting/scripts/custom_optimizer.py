"""An optimiser of one's own: a subclass with state, groups and a closure."""

import math

import torch


def train(given, compiled):
    nn = torch.nn

    class Belief(torch.optim.Optimizer):
        def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8):
            if lr < 0:
                raise ValueError(f"Invalid learning rate: {lr}")
            super().__init__(params, dict(lr=lr, betas=betas, eps=eps))

        @torch.no_grad()
        def step(self, closure=None):
            loss = None
            if closure is not None:
                with torch.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                beta1, beta2 = group["betas"]
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    state = self.state[p]
                    if len(state) == 0:
                        state["step"] = 0
                        state["exp_avg"] = torch.zeros_like(p)
                        state["exp_avg_var"] = torch.zeros_like(p.data)
                    state["step"] += 1
                    mean, var = state["exp_avg"], state["exp_avg_var"]
                    mean.mul_(beta1).add_(p.grad, alpha=1 - beta1)
                    error = p.grad - mean
                    var.mul_(beta2).addcmul_(error, error, value=1 - beta2)
                    correction = math.sqrt(1 - beta2 ** state["step"])
                    denominator = var.sqrt().div_(correction).add_(group["eps"])
                    size = group["lr"] / (1 - beta1 ** state["step"])
                    p.addcdiv_(mean, denominator, value=-size)
            return loss

    model = given.fill(nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1)))
    optimizer = Belief(model.parameters(), lr=1e-2)
    x, y = given.normal(20, 3), given.normal(20, 1)

    def step(x, y):
        def closure():
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(closure)

    step = compiled(step)
    return [step(x, y).item() for _ in range(5)]
