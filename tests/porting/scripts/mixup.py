"""Examples and targets mixed with a permutation of the batch."""

import torch


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional
    model = given.fill(nn.Sequential(nn.Linear(6, 16), nn.Hardswish(), nn.Linear(16, 4)))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, dampening=0.1)
    warmup = torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=3)
    decay = torch.optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    scheduler = torch.optim.lr_scheduler.SequentialLR(optimizer, [warmup, decay], milestones=[3])

    def step(x, y, index, lam):
        mixed = lam * x + (1 - lam) * x[index, :]
        y_a, y_b = y, y[index]
        out = model(mixed)
        loss = lam * F.cross_entropy(out, y_a) + (1 - lam) * F.cross_entropy(out, y_b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        _, predicted = torch.max(out.data, 1)
        correct = lam * predicted.eq(y_a).sum() + (1 - lam) * predicted.eq(y_b).sum()
        return loss, correct / len(x)

    step = compiled(step)
    x, y = given.normal(20, 6), given.integers(4, 20)
    history = []
    for _ in range(6):
        index = torch.argsort(given.uniform(20))
        loss, correct = step(x, y, index, given.uniform(1))
        scheduler.step()
        history += [loss.item(), correct.item(), scheduler.get_last_lr()[-1]]
    return history
