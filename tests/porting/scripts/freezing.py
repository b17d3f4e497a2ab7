"""Train the head first, then let the body move, too."""

import torch


def train(given):
    nn = torch.nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU())
            self.fc = nn.Linear(8, 10)

        def forward(self, x):
            return self.fc(self.body(x))

    model = given.fill(Net())
    for name, param in model.named_parameters():
        if not name.startswith("fc"):
            param.requires_grad = False
    model.fc = given.fill(nn.Linear(model.fc.in_features, 3))
    optimizer = torch.optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=1e-2)
    x, y = given.normal(20, 4), given.integers(3, 20)
    history = []
    for epoch in range(6):
        if epoch == 3:
            model.body.requires_grad_(True)
            optimizer.add_param_group({"params": model.body.parameters(), "lr": 1e-3})
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x), y)
        loss.backward()
        optimizer.step()
        trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
        history += [loss.item(), trained, sum(p.grad is None for p in model.parameters())]
    return history
