"""Weights of one bit by a straight-through estimator of one's own."""

import torch
from torch import nn
from torch.autograd import Function


class BinarizeSTE(Function):
    @staticmethod
    def forward(ctx, input, threshold):
        ctx.save_for_backward(input)
        ctx.threshold = threshold
        return torch.where(input >= 0, torch.ones_like(input), -torch.ones_like(input))

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        grad_input = grad_output.clone()
        grad_input[input.abs() > ctx.threshold] = 0
        return grad_input, None


binarize = BinarizeSTE.apply


class BinaryLinear(nn.Linear):
    def forward(self, input):
        alpha = self.weight.abs().mean(dim=1, keepdim=True).detach()
        return nn.functional.linear(input, alpha * binarize(self.weight, 0.8), self.bias)

    def extra_repr(self):
        return super().extra_repr() + ", bits=1"


def train(given):
    model = nn.Sequential(BinaryLinear(6, 12), nn.Hardtanh(), BinaryLinear(12, 1), nn.Flatten(0))
    given.fill(model)
    assert "bits=1" in repr(model)
    x = given.normal(32, 6)
    y = torch.sign(x[:, 0] + x[:, 1])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    hinge = lambda out, target: torch.clamp(1 - out * target, min=0).mean()
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = hinge(model(x), y)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for module in model.modules():
                if isinstance(module, BinaryLinear):
                    module.weight.clamp_(-1, 1)
        losses.append(loss.item())
    return losses
