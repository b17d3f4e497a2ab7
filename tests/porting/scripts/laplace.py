"""Laplace's approximation: the Hessian at the optimum gives the uncertainty of predictions."""

import torch
from torch import nn
from torch.autograd.functional import hessian, jacobian
from torch.nn.utils import parameters_to_vector, vector_to_parameters


def unflatten(vector, shapes):
    parts, i = {}, 0
    for name, shape in shapes.items():
        n = shape.numel()
        parts[name] = vector[i : i + n].view(shape)
        i += n
    return parts


def train(given):
    net = given.fill(nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1)))
    shapes = {k: p.shape for k, p in net.named_parameters()}
    x = torch.linspace(-1.0, 1.0, 12, dtype=torch.float64)[:, None]
    y = torch.sin(3 * x) + 0.1 * given.normal(12, 1)
    prior, noise = 0.1, 0.1

    def posterior(theta):
        out = torch.func.functional_call(net, unflatten(theta, shapes), x)
        return ((out - y) ** 2).sum() / (2 * noise**2) + 0.5 * prior * theta.pow(2).sum()

    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = posterior(parameters_to_vector(net.parameters()))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    theta = parameters_to_vector(net.parameters()).detach()
    H = hessian(posterior, theta)
    H = 0.5 * (H + H.T)
    eigenvalues, Q = torch.linalg.eigh(H)
    covariance = Q @ torch.diag(1.0 / eigenvalues.clamp(min=prior)) @ Q.mT
    test = torch.tensor([[-1.5], [0.3], [1.5]], dtype=torch.float64)
    J = jacobian(
        lambda t: torch.func.functional_call(net, unflatten(t, shapes), test).squeeze(-1), theta
    )
    variance = torch.einsum("np,pq,nq->n", J, covariance, J)
    evidence = (
        -losses[-1] - 0.5 * torch.logdet(H + 1e-3 * torch.eye(len(theta), dtype=H.dtype)).item()
        if eigenvalues.min() > 0
        else 0.0
    )
    vector_to_parameters(theta * 0.5, net.parameters())
    return [
        *losses[::8],
        *variance.sqrt().tolist(),
        eigenvalues.max().item(),
        evidence,
        net(test).sum().item(),
    ]
