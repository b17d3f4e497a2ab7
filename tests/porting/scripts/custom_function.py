"""Functions with a derivative of their own: a straight-through estimate, and exp."""

import torch


def train(given, compiled):
    nn = torch.nn

    class Sign(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.sign(x)

        @staticmethod
        def backward(ctx, grad_output):
            (x,) = ctx.saved_tensors
            grad_input = grad_output.clone()
            grad_input[x.abs() > 1] = 0
            return grad_input

    class Scale(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.factor = factor
            y = torch.exp(x * factor)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, grad_output):
            (y,) = ctx.saved_tensors
            return grad_output * y * ctx.factor, None

    first, second = given.fill(nn.Linear(4, 10)), given.fill(nn.Linear(10, 1))
    optimizer = torch.optim.SGD([*first.parameters(), *second.parameters()], lr=0.05)

    def step(x, y):
        optimizer.zero_grad()
        out = Scale.apply(second(Sign.apply(first(x))), 0.5)
        loss = (out - y).pow(2).mean()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    x, y = given.normal(20, 4), given.normal(20, 1)
    return [step(x, y).item() for _ in range(5)]
