"""An LSTM cell unrolled by hand over a sequence with a mask of lengths."""

import torch


def train(given, compiled):
    nn = torch.nn

    class Cell(nn.Module):
        def __init__(self, inputs, hidden):
            super().__init__()
            self.x2h, self.h2h = nn.Linear(inputs, 4 * hidden), nn.Linear(hidden, 4 * hidden)

        def forward(self, x, state):
            h, c = state
            i, f, g, o = (self.x2h(x) + self.h2h(h)).chunk(4, 1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            return o.sigmoid() * c.tanh(), c

    cell, head = given.fill(Cell(3, 6)), given.fill(nn.Linear(6, 2))
    params = list(cell.parameters()) + list(head.parameters())
    optimizer = torch.optim.RMSprop(params, lr=5e-3, alpha=0.95, momentum=0.5, centered=True)

    def step(x, y, lengths):
        mask = torch.arange(x.size(1))[None, :] < lengths[:, None]
        state = (x.new_zeros(x.size(0), 6), x.new_zeros(x.size(0), 6))
        outputs = []
        for t in range(x.shape[1]):
            h, c = cell(x[:, t], state)
            keep = mask[:, t].unsqueeze(1)
            state = (torch.where(keep, h, state[0]), torch.where(keep, c, state[1]))
            outputs.append(head(state[0]))
        logits = torch.stack(outputs, dim=1)
        losses = nn.functional.cross_entropy(logits.transpose(1, 2), y, reduction="none")
        loss = (losses * mask).sum() / mask.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    x, y, lengths = given.normal(5, 7, 3), given.integers(2, 5, 7), given.integers(7, 5) + 1
    return [step(x, y, lengths).item() for _ in range(4)]
