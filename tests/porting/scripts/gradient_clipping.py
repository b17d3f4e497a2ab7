"""A recurrent network unrolled by hand, its gradients clipped by norm."""

import torch


def train(given, compiled):
    nn = torch.nn

    class Recurrent(nn.Module):
        def __init__(self, inputs, hidden):
            super().__init__()
            self.i2h = nn.Linear(inputs + hidden, hidden)
            self.h2o = nn.Linear(hidden, 1)
            self.hidden = hidden

        def forward(self, sequence):
            h = torch.zeros(sequence.size(1), self.hidden).to(sequence.dtype)
            for x in sequence:
                h = torch.tanh(self.i2h(torch.cat((x, h), 1)))
            return self.h2o(h)

    model = given.fill(Recurrent(2, 8))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    x = given.normal(6, 10, 2)
    y = x[:, :, 0].cumsum(dim=0)[-1].unsqueeze(1)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.25)
        optimizer.step()
        return loss, norm

    step = compiled(step)
    history = []
    for _ in range(5):
        loss, norm = step(x, y)
        history += [loss.item(), float(norm)]
    return history
