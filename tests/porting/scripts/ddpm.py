"""A step of a denoising diffusion model, and of its sampling."""

import torch


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional
    steps = 20
    betas = torch.linspace(1e-4, 0.2, steps, dtype=torch.float64)
    alphas = 1.0 - betas
    bar = torch.cumprod(alphas, axis=0)
    previous = F.pad(bar[:-1], (1, 0), value=1.0)
    variance = betas * (1.0 - previous) / (1.0 - bar)

    def extract(a, t, shape):
        return a.gather(-1, t).reshape(t.shape[0], *((1,) * (len(shape) - 1)))

    class Denoiser(nn.Module):
        def __init__(self):
            super().__init__()
            self.time = nn.Embedding(steps, 8)
            self.net = nn.Sequential(nn.Linear(2 + 8, 24), nn.SiLU(), nn.Linear(24, 2))

        def forward(self, x, t):
            return self.net(torch.cat([x, self.time(t)], dim=-1))

    model = given.fill(Denoiser())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def step(x, t, noise):
        noisy = extract(bar.sqrt(), t, x.shape) * x + extract((1 - bar) ** 0.5, t, x.shape) * noise
        loss = F.smooth_l1_loss(noise, model(noisy, t))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    x = given.normal(16, 2) * 0.3 + 1
    history = [step(x, given.integers(steps, 16), given.normal(16, 2)).item() for _ in range(5)]

    @torch.no_grad()
    def sample(x):
        for i in reversed(range(steps)):
            t = torch.full((x.shape[0],), i, dtype=torch.long)
            mean = torch.rsqrt(extract(alphas, t, x.shape)) * (
                x - extract(betas, t, x.shape) * model(x, t) / (1 - bar[i]).sqrt()
            )
            x = mean + (torch.sqrt(variance[i]) * given.normal(*x.shape) if i > 0 else 0)
        return x

    return [*history, sample(given.normal(3, 2)).abs().sum().item()]
