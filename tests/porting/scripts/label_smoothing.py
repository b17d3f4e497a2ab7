"""Cross-entropy with smoothed labels, by the library and by hand; a cosine schedule."""

import torch


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional

    class Smooth(nn.Module):
        def __init__(self, smoothing=0.1):
            super().__init__()
            self.smoothing = smoothing

        def forward(self, x, target):
            with torch.no_grad():
                wanted = torch.zeros_like(x)
                wanted.fill_(self.smoothing / x.size(-1))
                wanted.scatter_(1, target.unsqueeze(1), 1 - self.smoothing * (1 - 1 / x.size(-1)))
            return torch.mean(torch.sum(-wanted * x.log_softmax(dim=-1), dim=-1))

    model = given.fill(nn.Linear(6, 5))
    weight = torch.tensor([1.0, 2.0, 1.0, 0.5, 1.0], dtype=torch.double)
    library = nn.CrossEntropyLoss(weight=weight, label_smoothing=0.1, ignore_index=4)
    by_hand = Smooth()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5, eta_min=0.01)

    def step(x, y):
        logits = model(x)
        loss = library(logits, y) + by_hand(logits, y)
        loss = loss + F.cross_entropy(logits, F.one_hot(y, 5).to(logits), label_smoothing=0.2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    history = []
    x, y = given.normal(20, 6), given.integers(5, 20)
    for _ in range(5):
        history.append(step(x, y).item())
        scheduler.step()
        history.append(optimizer.param_groups[0]["lr"])
    return history
