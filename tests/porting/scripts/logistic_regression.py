"""Logistic regression with a penalty on the weights, class weights, and accuracy."""

import torch


def train(given, compiled):
    x = given.normal(80, 4)
    y = (x[:, 0] - x[:, 1] > 0).double()
    model = given.fill(torch.nn.Linear(4, 1))
    criterion = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor([1.5]).double())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9, nesterov=True)

    def step(x, y):
        optimizer.zero_grad(set_to_none=True)
        logits = model(x).squeeze(1)
        loss = criterion(logits, y)
        loss = loss + 1e-2 * sum(p.abs().sum() for p in model.parameters())
        loss.backward()
        optimizer.step()
        accuracy = ((logits > 0) == y.bool()).double().mean()
        return loss.detach(), accuracy

    step = compiled(step)
    history = []
    for _ in range(6):
        loss, accuracy = step(x, y)
        history += [loss.item(), accuracy.item()]
    return history
