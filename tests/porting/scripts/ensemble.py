"""An ensemble trained at once: stacked weights, vmap over members, gradients by torch.func."""

import copy

import torch
from torch import nn
from torch.func import functional_call, grad_and_value, stack_module_state, vmap


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(3, 10), nn.Linear(10, 2)

    def forward(self, x):
        return self.fc2(self.fc1(x).relu())


def train(given, compiled):
    models = [given.fill(MLP()) for _ in range(4)]
    params, buffers = stack_module_state(models)
    params = {k: v.detach() for k, v in params.items()}
    base = copy.deepcopy(models[0]).to("cpu")
    x, y = given.normal(20, 3), given.integers(2, 20)
    folds = torch.stack([given.integers(20, 12) for _ in range(4)])

    def loss_fn(params, buffers, x, y):
        out = functional_call(base, (params, buffers), (x,))
        return nn.functional.cross_entropy(out, y)

    def update(params, x, y):
        grads, losses = vmap(grad_and_value(loss_fn), in_dims=(0, 0, 0, 0))(params, buffers, x, y)
        return {k: p - 0.3 * grads[k] for k, p in params.items()}, losses

    update = compiled(update)
    out = []
    for _ in range(6):
        params, losses = update(params, x[folds], y[folds])
        out += losses.tolist()
    logits = vmap(lambda p, b: functional_call(base, (p, b), (x,)))(params, buffers)
    probs = logits.softmax(-1).mean(0)
    entropy = -(probs * probs.log()).sum(-1)
    return out + [entropy.mean().item(), probs.max(-1).values.sum().item()]
