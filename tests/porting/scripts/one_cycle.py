"""One cycle of learning rate and momentum, as in super-convergence."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class ResidualMLP(nn.Module):
    def __init__(self, in_features, hidden, out_features, depth=3):
        super().__init__()
        self.stem = nn.Linear(in_features, hidden, bias=False)
        self.blocks = nn.ModuleList()
        for _ in range(depth):
            self.blocks.append(
                nn.ModuleDict({"lin": nn.Linear(hidden, hidden), "bn": nn.BatchNorm1d(hidden)})
            )
        self.head = nn.Linear(hidden, out_features)

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + F.relu(block["bn"](block["lin"](x)), inplace=True)
        return self.head(x)

    @property
    def num_parameters(self):
        return sum(p.numel() for p in self.parameters() if p.requires_grad)


def train(given, compiled):
    model = given.fill(ResidualMLP(7, 10, 3))
    x, y = given.normal(48, 7), given.integers(3, 48)
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    epochs, batches = 3, 4
    sched = torch.optim.lr_scheduler.OneCycleLR(
        opt,
        max_lr=0.2,
        steps_per_epoch=batches,
        epochs=epochs,
        pct_start=0.3,
        anneal_strategy="cos",
    )

    @compiled
    def train_batch(xb, yb):
        opt.zero_grad()
        out = model(xb)
        loss = F.nll_loss(F.log_softmax(out, dim=1), yb)
        loss.backward()
        opt.step()
        return loss, (out.argmax(dim=1, keepdim=True) == yb.view(-1, 1)).sum()

    results = [model.num_parameters]
    for _ in range(epochs):
        for i in range(batches):
            xb, yb = x[i * 12 : (i + 1) * 12], y[i * 12 : (i + 1) * 12]
            loss, correct = train_batch(xb, yb)
            sched.step()
            results += [
                loss.item(),
                int(correct),
                sched.get_last_lr()[0],
                opt.param_groups[0]["momentum"],
            ]
    return results
