"""Sets of different sizes, summed by scatter_add and index_add."""

import torch


def train(given, compiled):
    nn = torch.nn

    class DeepSets(nn.Module):
        def __init__(self, inputs, hidden):
            super().__init__()
            self.phi = nn.Sequential(nn.Linear(inputs, hidden), nn.ELU())
            self.rho = nn.Sequential(nn.Linear(2 * hidden, hidden), nn.ELU(), nn.Linear(hidden, 1))

        def forward(self, x, batch, sets):
            h = self.phi(x)
            index = batch.unsqueeze(-1).expand_as(h)
            total = torch.zeros(sets, h.size(1), dtype=h.dtype).scatter_add_(0, index, h)
            again = h.new_zeros(sets, h.size(1)).index_add(0, batch, h * h)
            count = h.new_zeros(sets).index_add_(0, batch, h.new_ones(len(batch))).clamp(min=1)
            return self.rho(torch.hstack([total / count[:, None], again])).squeeze(-1)

    model = given.fill(DeepSets(3, 8))
    optimizer = torch.optim.Adamax(model.parameters(), lr=1e-2)
    x, batch = given.normal(30, 3), given.integers(6, 30)
    target = torch.zeros(6).double().index_add_(0, batch, x[:, 0])

    def step(x, batch, target):
        optimizer.zero_grad()
        loss = nn.functional.l1_loss(model(x, batch, 6), target)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    return [step(x, batch, target).item() for _ in range(5)]
