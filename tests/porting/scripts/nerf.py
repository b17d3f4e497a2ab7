"""A radiance field: positional encoding, and colours blended along rays."""

import torch


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional

    def encode(x, levels=4):
        frequencies = 2.0 ** torch.arange(levels, dtype=x.dtype, device=x.device)
        angles = (x[..., None] * frequencies).flatten(-2)
        return torch.cat([x, angles.sin(), angles.cos()], -1)

    model = given.fill(nn.Sequential(nn.Linear(27, 24), nn.ReLU(), nn.Linear(24, 4)))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def render(origins, directions):
        t = torch.linspace(0.5, 2.0, steps=8, dtype=origins.dtype)
        points = origins[:, None, :] + t[None, :, None] * directions.unsqueeze(1)
        raw = model(encode(points))
        rgb, sigma = torch.sigmoid(raw[..., :3]), F.softplus(raw[..., 3])
        delta = torch.cat([t[1:] - t[:-1], t.new_tensor([1e10])])
        alpha = 1.0 - torch.exp(-sigma * delta)
        through = torch.cumprod(1.0 - alpha + 1e-10, dim=-1)
        through = torch.cat([torch.ones_like(through[:, :1]), through[:, :-1]], dim=-1)
        weights = alpha * through
        return (weights[..., None] * rgb).sum(-2)

    def step(origins, directions, colours):
        directions = F.normalize(directions, dim=-1)
        loss = F.mse_loss(render(origins, directions), colours)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        return -10.0 * torch.log10(loss)

    step = compiled(step)
    origins, directions, colours = given.normal(10, 3), given.normal(10, 3), given.uniform(10, 3)
    return [step(origins, directions, colours).item() for _ in range(5)]
