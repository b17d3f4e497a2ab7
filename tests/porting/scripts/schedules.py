"""Many schedules one after the other, each read as users read it."""

import torch


def train(given):
    lr_scheduler = torch.optim.lr_scheduler
    model = given.fill(torch.nn.Linear(3, 1))
    x, y = given.normal(10, 3), given.normal(10, 1)
    makers = [
        lambda o: lr_scheduler.LambdaLR(o, lr_lambda=lambda epoch: 0.9**epoch),
        lambda o: lr_scheduler.PolynomialLR(o, total_iters=4, power=2.0),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, T_0=2, T_mult=2),
        lambda o: lr_scheduler.ConstantLR(o, factor=0.5, total_iters=2),
        lambda o: lr_scheduler.ReduceLROnPlateau(o, mode="min", factor=0.5, patience=0),
    ]
    history = []
    for make in makers:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.5)
        scheduler = make(optimizer)
        for _ in range(5):
            optimizer.zero_grad()
            loss = torch.nn.functional.mse_loss(model(x), y)
            loss.backward()
            optimizer.step()
            if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
                scheduler.step(loss.item() + 0.1 * len(history))
            else:
                scheduler.step()
            history += [loss.item(), *(g["lr"] for g in optimizer.param_groups)]
    return history
