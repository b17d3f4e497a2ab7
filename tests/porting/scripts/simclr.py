"""SimCLR: two noisy views attract, all others of the batch repel (NT-Xent)."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def nt_xent(z1, z2, temperature=0.5):
    n = z1.size(0)
    z = F.normalize(torch.cat([z1, z2], dim=0), p=2, dim=1)
    sim = torch.mm(z, z.t()) / temperature
    sim.fill_diagonal_(-9e15) if hasattr(sim, "fill_diagonal_") and not sim.requires_grad else None
    mask = torch.eye(2 * n, dtype=torch.bool, device=z.device)
    sim = sim.masked_fill(mask, -9e15)
    targets = torch.cat([torch.arange(n, 2 * n), torch.arange(0, n)]).to(z.device)
    return F.cross_entropy(sim, targets)


class SimCLR(nn.Module):
    def __init__(self, encoder, dim, projection=8):
        super().__init__()
        self.encoder = encoder
        self.projector = nn.Sequential(
            nn.Linear(dim, dim, bias=False),
            nn.BatchNorm1d(dim),
            nn.ReLU(inplace=True),
            nn.Linear(dim, projection),
        )

    def forward(self, x):
        h = self.encoder(x)
        return h, self.projector(h)


class LARS(torch.optim.Optimizer):
    def __init__(self, params, lr=0.1, momentum=0.9, weight_decay=1e-6, eta=0.01):
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, eta=eta))

    @torch.no_grad()
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                g = p.grad
                if p.ndim > 1:
                    g = g.add(p, alpha=group["weight_decay"])
                    w_norm, g_norm = torch.norm(p), torch.norm(g)
                    one = torch.ones_like(w_norm)
                    trust = torch.where(
                        w_norm > 0.0,
                        torch.where(g_norm > 0, group["eta"] * w_norm / g_norm, one),
                        one,
                    )
                    g = g.mul(trust)
                state = self.state[p]
                if "mu" not in state:
                    state["mu"] = torch.zeros_like(p)
                mu = state["mu"]
                mu.mul_(group["momentum"]).add_(g)
                p.add_(mu, alpha=-group["lr"])
        return loss


def train(given, compiled):
    model = given.fill(SimCLR(nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 16)), 16))
    optimizer = LARS(model.parameters(), lr=0.5)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8, eta_min=0.01)
    x, noise = given.normal(12, 10), given.normal(8, 2, 12, 10)

    def step(a, b):
        optimizer.zero_grad()
        (_, z1), (_, z2) = model(a), model(b)
        loss = nt_xent(z1, z2)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    losses = []
    for a, b in noise:
        losses.append(step(x + 0.2 * a, x + 0.2 * b).item())
        scheduler.step()
    return losses
