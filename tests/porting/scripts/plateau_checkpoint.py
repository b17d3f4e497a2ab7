"""The best weights are saved; training resumes from a file; the rate falls where progress stops."""

import os
import tempfile
from collections import OrderedDict

import torch
import torch.nn as nn
import torch.optim as optim
from torch.utils.data import DataLoader, TensorDataset


def make_model():
    return nn.Sequential(
        OrderedDict([("fc1", nn.Linear(5, 20)), ("act1", nn.ReLU()), ("fc2", nn.Linear(20, 2))])
    )


def evaluate(model, loader, criterion):
    model.eval()
    total, correct, n = 0.0, 0, 0
    with torch.no_grad():
        for inputs, targets in loader:
            outputs = model(inputs)
            total += criterion(outputs, targets).item() * inputs.size(0)
            _, predicted = outputs.max(1)
            correct += predicted.eq(targets).sum().item()
            n += targets.size(0)
    return total / n, 100.0 * correct / n


def train(given):
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model = given.fill(make_model()).to(device)
    x = given.normal(50, 5)
    y = (x[:, 0] * x[:, 1] > 0).long()
    train_loader = DataLoader(
        TensorDataset(x[:40], y[:40]), batch_size=16, shuffle=False, drop_last=False
    )
    val_loader = DataLoader(TensorDataset(x[40:], y[40:]), batch_size=10)
    criterion = nn.CrossEntropyLoss()
    optimizer = optim.SGD(model.parameters(), lr=0.3, momentum=0.9, nesterov=True)
    scheduler = optim.lr_scheduler.ReduceLROnPlateau(
        optimizer, mode="min", factor=0.5, patience=1, min_lr=1e-3
    )
    history, best = [], float("inf")
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "best.pt")
        for epoch in range(8):
            model.train()
            for inputs, targets in train_loader:
                inputs, targets = inputs.to(device), targets.to(device)
                optimizer.zero_grad()
                loss = criterion(model(inputs), targets)
                loss.backward()
                optimizer.step()
            val_loss, accuracy = evaluate(model, val_loader, criterion)
            scheduler.step(val_loss)
            history += [loss.item(), val_loss, accuracy, optimizer.param_groups[0]["lr"]]
            if val_loss < best:
                best = val_loss
                torch.save(
                    {
                        "epoch": epoch,
                        "model_state_dict": model.state_dict(),
                        "optimizer_state_dict": optimizer.state_dict(),
                        "scheduler": scheduler.state_dict(),
                        "best": best,
                    },
                    path,
                )
        checkpoint = torch.load(path, map_location=device)
        other = make_model().double().to(device)
        other.load_state_dict(checkpoint["model_state_dict"])
        optimizer = optim.SGD(other.parameters(), lr=0.1, momentum=0.9, nesterov=True)
        optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
        history += [
            checkpoint["best"],
            float(checkpoint["epoch"]),
            evaluate(other, val_loader, criterion)[0],
        ]
        for inputs, targets in train_loader:
            optimizer.zero_grad()
            loss = criterion(other(inputs), targets)
            loss.backward()
            optimizer.step()
            history.append(loss.item())
    return history
