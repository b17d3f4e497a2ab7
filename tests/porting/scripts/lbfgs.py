"""L-BFGS: Rosenbrock's valley, logistic regression, and a temperature that calibrates."""

import torch
import torch.nn as nn
import torch.optim as optim


def rosenbrock(p):
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def train(given):
    out = []
    p = torch.tensor([-1.5, 1.0], dtype=torch.float64, requires_grad=True)
    optimizer = optim.LBFGS([p], lr=1, max_iter=5, history_size=10, line_search_fn="strong_wolfe")
    for _ in range(4):

        def closure():
            optimizer.zero_grad()
            loss = rosenbrock(p)
            loss.backward()
            return loss

        out.append(optimizer.step(closure).item())

    x, y = given.normal(40, 3), given.integers(3, 40)
    model = given.fill(nn.Linear(3, 3))
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=4)
    criterion = nn.CrossEntropyLoss()
    for _ in range(4):

        def closure():
            if torch.is_grad_enabled():
                optimizer.zero_grad()
            loss = criterion(model(x), y) + 1e-2 * sum((w**2).sum() for w in model.parameters())
            if loss.requires_grad:
                loss.backward()
            return loss

        optimizer.step(closure)
        out.append(closure().item())

    temperature = nn.Parameter(torch.ones(1, dtype=torch.float64) * 1.5)
    logits = 3 * model(x).detach()
    optimizer = optim.LBFGS([temperature], lr=0.01, max_iter=10)

    def eval():
        optimizer.zero_grad()
        loss = criterion(
            logits / temperature.unsqueeze(1).expand(logits.size(0), logits.size(1)), y
        )
        loss.backward()
        return loss

    optimizer.step(eval)
    return out + [temperature.item()]
