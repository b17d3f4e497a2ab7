"""torch.func beyond grad: products with Jacobians, clipped gradients of samples, Laplacians."""

import torch
import torch.nn as nn
from torch.func import functional_call, grad, hessian, jacrev, jvp, vjp, vmap


def train(given, compiled):
    net = given.fill(nn.Sequential(nn.Linear(3, 6), nn.Tanh(), nn.Linear(6, 1)))
    params = {k: v.detach() for k, v in net.named_parameters()}
    x, y = given.normal(10, 3), given.normal(10, 1)

    def f(params, x):
        return functional_call(net, params, (x.unsqueeze(0),)).squeeze(0)

    def loss(params, x, y):
        return ((f(params, x) - y) ** 2).mean()

    per_sample = vmap(grad(loss), in_dims=(None, 0, 0))

    @compiled
    def clipped_step(params, x, y):
        grads = per_sample(params, x, y)
        norms = torch.stack([g.flatten(1).norm(dim=1) for g in grads.values()]).norm(dim=0)
        factor = (1.0 / (norms + 1e-6)).clamp(max=1.0)
        return {
            k: p - 0.1 * torch.einsum("b,b...->...", factor, grads[k]) / x.shape[0]
            for k, p in params.items()
        }, norms.mean()

    out = []
    for _ in range(4):
        params, norm = clipped_step(params, x, y)
        out.append(norm.item())
    tangents = {k: torch.ones_like(v) for k, v in params.items()}
    value, tangent = jvp(lambda p: vmap(f, (None, 0))(p, x), (params,), (tangents,))
    out += [value.sum().item(), tangent.sum().item()]
    _, back = vjp(lambda x: vmap(f, (None, 0))(params, x), x)
    out.append(back(torch.ones(10, 1, dtype=torch.float64))[0].abs().sum().item())
    laplacian = vmap(lambda x: hessian(lambda x: f(params, x).sum())(x).trace())(x)
    out.append(laplacian.sum().item())
    J = jacrev(lambda x: f(params, x))(x[0])
    return out + [J.norm().item()]
