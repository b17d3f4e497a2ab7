"""A GAN whose discriminator has spectral norms, hinge losses and two time scales."""

import torch
import torch.nn as nn
from torch.nn.utils.parametrizations import spectral_norm


def discriminator():
    return nn.Sequential(
        spectral_norm(nn.Linear(2, 16)),
        nn.LeakyReLU(0.2, inplace=True),
        spectral_norm(nn.Linear(16, 1), n_power_iterations=2),
    )


def train(given):
    torch.manual_seed(0)
    G = given.fill(nn.Sequential(nn.Linear(3, 16), nn.ReLU(True), nn.Linear(16, 2)))
    D = discriminator().double()
    for i in (0, 2):
        weight = D[i].parametrizations.weight
        with torch.no_grad():
            weight.original.copy_(given.normal(*weight.original.shape) / 2)
            D[i].bias.copy_(given.normal(*D[i].bias.shape) / 2)
            u, v = weight[0]._u, weight[0]._v
            u.copy_(nn.functional.normalize(given.normal(*u.shape), dim=0))
            v.copy_(nn.functional.normalize(given.normal(*v.shape), dim=0))
    opt_d = torch.optim.Adam(D.parameters(), lr=4e-3, betas=(0.0, 0.9))
    opt_g = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.0, 0.9))
    out = []
    for _ in range(6):
        real, z = given.normal(16, 2) * 0.3 + 1.0, given.normal(16, 3)
        opt_d.zero_grad()
        fake = G(z).detach()
        d_loss = nn.ReLU()(1.0 - D(real)).mean() + nn.ReLU()(1.0 + D(fake)).mean()
        d_loss.backward()
        opt_d.step()
        opt_g.zero_grad()
        g_loss = -D(G(z)).mean()
        g_loss.backward()
        opt_g.step()
        out += [d_loss.item(), g_loss.item(), torch.linalg.matrix_norm(D[0].weight, ord=2).item()]
    D.eval()
    out.append(D(real).sum().item())
    return out
