"""Save the model, the optimiser and the epoch in the middle; go on from the file."""

import os
import tempfile

import torch


def train(given):
    nn = torch.nn

    def make():
        model = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 1))
        optimizer = torch.optim.Adam(model.double().parameters(), lr=1e-2)
        return model, optimizer, torch.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5)

    x, y = given.normal(20, 3), given.normal(20, 1)
    model, optimizer, scheduler = make()
    given.fill(model)
    history = []

    def epoch():
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
        scheduler.step()
        history.append(loss.item())

    for _ in range(3):
        epoch()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "checkpoint.pth")
        torch.save(
            {
                "epoch": 3,
                "model_state_dict": model.state_dict(),
                "optimizer_state_dict": optimizer.state_dict(),
                "scheduler": scheduler.state_dict(),
                "loss": history[-1],
            },
            path,
        )
        model, optimizer, scheduler = make()
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    keys = model.load_state_dict(checkpoint["model_state_dict"], strict=True)
    assert not keys.missing_keys
    assert not keys.unexpected_keys
    optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
    scheduler.load_state_dict(checkpoint["scheduler"])
    history.append(checkpoint["loss"] + checkpoint["epoch"])
    for _ in range(3):
        epoch()
    return history
