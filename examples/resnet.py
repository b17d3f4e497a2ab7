"""A small ResNet on pictures, drawn here or from a .npz file.

The file holds x, of shape (count, channels, height, width), and y, the classes from 0 on.

python examples/resnet.py [PICTURES.npz] [--epochs 5]
"""

from __future__ import annotations

import argparse

import numpy as np

import schuss as ss
from schuss import nn, optim


class Block(nn.Module):
    """Two convolutions, added to what goes past them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.past: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.past = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: ss.Tensor) -> ss.Tensor:
        return nn.functional.relu(self.main(x) + self.past(x))


def resnet(channels: int, classes: int, width: int = 16) -> nn.Module:
    """Return pictures to logits."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        Block(width, width, 1),
        Block(width, 2 * width, 2),
        Block(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(4 * width, classes),
    )


def drawn(count: int, size: int = 16) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy pictures of bars that lie (0), stand (1) or go across (2)."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, count)
    rows, columns = np.mgrid[:size, :size]
    shift = rng.integers(3, size - 3, (count, 1, 1))
    along = np.stack([rows + 0 * columns, columns, (rows + columns) // 2])[y]
    x = (abs(along - shift) < 2) + 0.5 * rng.normal(size=(count, size, size))
    return x[:, None].astype(np.float32), y


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", nargs="?", help="an .npz file; drawn ones by default")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--count", type=int, default=1280, help="of pictures that are drawn")
    options = parser.parse_args(arguments)
    if options.pictures:
        with np.load(options.pictures) as file:
            x, y = file["x"].astype(np.float32), file["y"]
    else:
        x, y = drawn(options.count)
    batch, held_out = 64, len(x) // 5

    ss.manual_seed(0)
    model = resnet(x.shape[1], int(y.max()) + 1)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)

    @ss.compile
    def step(x: ss.Tensor, y: ss.Tensor) -> ss.Tensor:
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    @ss.compile
    def classes(x: ss.Tensor) -> ss.Tensor:
        return model(x).argmax(1)

    rng = np.random.default_rng(1)
    share = 0.0
    for epoch in range(1, options.epochs + 1):
        model.train()
        order = held_out + rng.permutation(len(x) - held_out)
        losses = [
            step(ss.tensor(x[rows]), ss.tensor(y[rows])).item()
            for rows in order[: len(order) // batch * batch].reshape(-1, batch)
        ]
        model.eval()
        with ss.no_grad():
            found = classes(ss.tensor(x[:held_out])).numpy()
        share = float(np.mean(found == y[:held_out]))
        print(f"epoch {epoch}: loss {np.mean(losses):.3f}, right {share:.1%}")
    return share


if __name__ == "__main__":
    main()
