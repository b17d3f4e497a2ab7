"""A classifier with batch normalization and dropout, which is off while this one trains."""

import torch


def train(given, compiled):
    nn = torch.nn

    class Classifier(nn.Module):
        def __init__(self, inputs, hidden, classes):
            super().__init__()
            self.features = nn.Sequential(
                nn.Linear(inputs, hidden), nn.BatchNorm1d(hidden), nn.ReLU(inplace=True)
            )
            self.dropout = nn.Dropout(p=0.5)
            self.head = nn.Linear(hidden, classes)

        def forward(self, x):
            x = self.features(x)
            return self.head(self.dropout(x))

    x, y = given.normal(60, 5), given.integers(3, 60)
    model = given.fill(Classifier(5, 16, 3)).to("cpu")
    model.train()
    model.dropout.eval()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.01)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    history = []
    for epoch in range(3):
        for i in range(0, len(x), 20):
            history.append(step(x[i : i + 20], y[i : i + 20]).item())
    model.eval()
    with torch.no_grad():
        logits = model(x)
        history.append(nn.functional.cross_entropy(logits, y).item())
        history.append((logits.argmax(dim=1) == y).sum().item() / len(y))
    return history
