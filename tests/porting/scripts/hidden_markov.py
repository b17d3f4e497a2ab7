"""A hidden Markov model trained by gradients through the forward algorithm in log space."""

import torch
from torch import nn


class HMM(nn.Module):
    def __init__(self, states, symbols):
        super().__init__()
        self.N = states
        self.start = nn.Parameter(torch.randn(states))
        self.transition = nn.Parameter(torch.randn(states, states))
        self.emission = nn.Parameter(torch.randn(states, symbols))

    @property
    def log_start(self):
        return self.start.log_softmax(0)

    def log_matmul(self, log_a, log_b):
        return torch.logsumexp(log_a[:, :, None] + log_b[None], dim=1)

    def forward(self, x, lengths):
        batch, t_max = x.shape
        log_t = nn.functional.log_softmax(self.transition, dim=0)
        log_e = nn.functional.log_softmax(self.emission, dim=1)
        log_alpha = torch.zeros(batch, t_max, self.N, dtype=log_t.dtype)
        log_alpha[:, 0, :] = log_e[:, x[:, 0]].transpose(0, 1) + self.log_start
        for t in range(1, t_max):
            previous = log_alpha[:, t - 1, :].clone()
            log_alpha[:, t, :] = log_e[:, x[:, t]].t() + self.log_matmul(previous, log_t.t())
        log_sums = log_alpha.logsumexp(dim=2)
        return torch.gather(log_sums, 1, lengths.view(-1, 1) - 1)


def train(given, compiled):
    model = given.fill(HMM(4, 6))
    x, lengths = given.integers(6, 5, 8), torch.LongTensor([8, 6, 7, 8, 5])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

    @compiled
    def step(x, lengths):
        loss = -model(x, lengths).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return [step(x, lengths).item() for _ in range(8)]
