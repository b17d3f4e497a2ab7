"""An energy-based model: samples from Langevin dynamics with a replay buffer push energy up."""

import random

import torch
import torch.nn as nn


class Swish(nn.Module):
    def forward(self, x):
        return x * torch.sigmoid(x)


class Energy(nn.Module):
    def __init__(self, dim=2, hidden=16):
        super().__init__()
        self.model = nn.Sequential(
            nn.Linear(dim, hidden),
            Swish(),
            nn.Linear(hidden, hidden),
            Swish(),
            nn.Linear(hidden, 1),
        )

    def forward(self, x):
        return self.model(x).squeeze(dim=-1)


class Sampler:
    def __init__(self, model, given, size=16, max_len=64):
        self.model, self.size, self.max_len = model, size, max_len
        self.given = given
        self.examples = list(given.uniform(size, 1, 2) * 2 - 1)
        self.rng = random.Random(3)

    def sample(self, steps=5, step_size=0.2):
        n_new = 4
        fresh = self.given.uniform(n_new, 2) * 2 - 1
        old = torch.cat(self.rng.choices(self.examples, k=self.size - n_new), dim=0)
        x = torch.cat([fresh, old], dim=0).detach()
        x = self.langevin(x, steps, step_size)
        self.examples = list(x.chunk(self.size, dim=0)) + self.examples
        self.examples = self.examples[: self.max_len]
        return x

    def langevin(self, x, steps, step_size):
        is_training = self.model.training
        self.model.eval()
        for p in self.model.parameters():
            p.requires_grad = False
        x.requires_grad = True
        had_gradients = torch.is_grad_enabled()
        torch.set_grad_enabled(True)
        for _ in range(steps):
            x.data.add_(0.05 * self.given.normal(*x.shape))
            x.data.clamp_(min=-2.0, max=2.0)
            energy = -self.model(x)
            energy.sum().backward()
            x.grad.data.clamp_(-0.5, 0.5)
            x.data.add_(-step_size * x.grad.data)
            x.grad.detach_()
            x.grad.zero_()
            x.data.clamp_(min=-2.0, max=2.0)
        for p in self.model.parameters():
            p.requires_grad = True
        self.model.train(is_training)
        torch.set_grad_enabled(had_gradients)
        return x.detach()


def train(given):
    model = given.fill(Energy())
    sampler = Sampler(model, given)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3, betas=(0.0, 0.999))
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 3, gamma=0.7)
    angle = given.uniform(16) * 6.28
    real = torch.stack([angle.cos(), angle.sin()], dim=1)
    losses = []
    for _ in range(7):
        fake = sampler.sample()
        inp = torch.cat([real, fake], dim=0)
        real_out, fake_out = model(inp).chunk(2, dim=0)
        reg = 0.1 * (real_out**2 + fake_out**2).mean()
        cd = fake_out.mean() - real_out.mean()
        loss = reg + cd
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        scheduler.step()
        losses += [loss.item(), cd.item()]
    return losses
