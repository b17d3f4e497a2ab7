"""A denoising autoencoder of small pictures, with weights penalised by their gradient."""

import torch


def train(given, compiled):
    nn = torch.nn
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.GELU(), nn.Linear(16, 4))
    decoder = nn.Sequential(
        nn.Linear(4, 16), nn.SiLU(), nn.Linear(16, 64), nn.Sigmoid(), nn.Unflatten(1, (1, 8, 8))
    )
    model = given.fill(nn.ModuleDict({"encoder": encoder, "decoder": decoder}))
    images, noise = given.uniform(10, 1, 8, 8), given.normal(5, 10, 1, 8, 8)
    optimizer = torch.optim.Adam(
        [
            {"params": model["encoder"].parameters(), "lr": 5e-3, "weight_decay": 1e-3},
            {"params": model["decoder"].parameters()},
        ],
        lr=1e-2,
    )
    criterion = nn.MSELoss(reduction="sum")

    def step(batch, noise):
        code = model["encoder"](batch + 0.1 * noise)
        restored = model["decoder"](code)
        loss = criterion(restored, batch) / batch.size(0) + 1e-3 * code.abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    return [step(images, e).item() for e in noise]
