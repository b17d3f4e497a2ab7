"""Keep the best weights so far, and stop when validation has not improved for a while."""

import copy

import torch


def train(given):
    nn = torch.nn
    model = given.fill(nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1)))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    criterion = nn.MSELoss()
    x, y, x_val, y_val = (given.normal(15, n) for n in (3, 1, 3, 1))
    best_loss, best_weights, waited, history = float("inf"), None, 0, []
    for epoch in range(30):
        for phase in ["train", "val"]:
            model.train(phase == "train")
            inputs, targets = (x, y) if phase == "train" else (x_val, y_val)
            optimizer.zero_grad()
            with torch.set_grad_enabled(phase == "train"):
                loss = criterion(model(inputs), targets)
                if phase == "train":
                    loss.backward()
                    optimizer.step()
        history.append(loss.item())
        if loss < best_loss:
            best_loss, waited = loss.item(), 0
            best_weights = copy.deepcopy(model.state_dict())
        else:
            waited += 1
            if waited > 3:
                break
    model.load_state_dict(best_weights)
    model.eval()
    with torch.inference_mode():
        history.append(criterion(model(x_val), y_val).item())
    return [*history, best_loss, epoch]
