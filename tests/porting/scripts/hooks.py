"""Hooks that read activations and gradients, and change them."""

import torch


def train(given):
    nn = torch.nn
    model = given.fill(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)))
    activations, norms = {}, []

    def get_activation(name):
        def hook(module, input, output):
            activations[name] = output.detach()

        return hook

    handles = [m.register_forward_hook(get_activation(n)) for n, m in model.named_children()]
    model[0].register_forward_pre_hook(lambda module, args: (args[0] * 2,))
    model[2].register_full_backward_hook(lambda m, gi, go: norms.append(go[0].norm().item()))
    model[0].weight.register_hook(lambda grad: grad.clamp(-0.01, 0.01))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    x, y = given.normal(12, 4), given.normal(12, 2)
    history = []
    for i in range(4):
        if i == 3:
            for handle in handles:
                handle.remove()
            activations.clear()
        optimizer.zero_grad()
        out = model(x)
        out.retain_grad()
        out.register_hook(lambda g: g * 0.5)
        loss = (out - y).abs().mean()
        loss.backward()
        optimizer.step()
        history += [loss.item(), out.grad.sum().item()]
        history += [a.mean().item() for a in activations.values()]
    return history + norms
