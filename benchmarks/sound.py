"""`schuss train` on folders of recordings: accuracy on held-out ones, and a step beside PyTorch.

    python benchmarks/sound.py FOLDER                                  # a random tenth held out
    python benchmarks/sound.py FOLDER --groups '(?P<group>[a-z]+)_.*'  # each group left out in turn
    python benchmarks/sound.py FOLDER --peer                           # epochs beside PyTorch's

All defaults, several seeds. With `--groups` the files of one group after the other are the test
files, and nothing is known of the group in training. With `--peer` the same network with the same
changes of its spectrograms is written in PyTorch, where two workers of a DataLoader make the
changes; epochs of both take turns, and the median seconds of each are printed. They take the same
steps, so that their ratio is that of the times to the same accuracy.
"""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import schuss as ss
from peers import machine
from schuss.training.sound.features import TOP_DB
from schuss.training.sound.kind import KIND
from schuss.training.sound.network import SoundNetwork
from schuss.training.sound.preparation import SoundPreparation, examine
from schuss.training.sound.warping import DRAWS, SoundChanges

EPOCHS = 3
BATCH = 64


def main() -> None:
    read = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    read.add_argument("folder", type=Path)
    read.add_argument("--groups", metavar="REGEX")
    read.add_argument("--seeds", type=int, nargs="+", default=[0])
    read.add_argument("--epochs", type=int)
    read.add_argument("--peer", action="store_true")
    given = read.parse_args()
    print(machine.describe())
    if given.peer:
        beside_pytorch(given.folder)
        return
    files = sorted(p for p in given.folder.rglob("*") if p.suffix.lower() in KIND.suffixes)
    names = [file.relative_to(given.folder).as_posix() for file in files]
    groups = KIND.groups(names, {"group_pattern": given.groups}) or [""] * len(names)
    found = []
    for group in sorted(set(groups)):
        for seed in given.seeds:
            held = [n for n, g in zip(names, groups, strict=True) if given.groups and g == group]
            accuracy, seconds, cpu = trained(given.folder, names, held, seed, given.epochs)
            found.append(accuracy)
            title = f"without {group}" if given.groups else "random split"
            print(f"{title}, seed {seed}: {accuracy:.4f} in {seconds:.0f} s ({cpu:.0f} of CPU)")
    print(f"mean {statistics.mean(found):.4f}")


def trained(
    folder: Path, names: list[str], held: list[str], seed: int, epochs: int | None
) -> tuple[float, float, float]:
    """Return accuracy on held-out recordings, wall and processor seconds of the whole job."""
    with tempfile.TemporaryDirectory() as place:
        parts = {"train": sorted(set(names) - set(held)), "test": held}
        for part, chosen in parts.items():
            for name in chosen:
                target = Path(place) / part / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / name, target)
        begun, cpu = time.perf_counter(), time.process_time()
        run = ss.train(
            Path(place) / "train",
            test=Path(place) / "test" if held else None,
            out=Path(place) / "run",
            seed=seed,
            epochs=epochs,
            quiet=True,
        )
        spent = time.perf_counter() - begun, time.process_time() - cpu
        return (run.test["accuracy"] or 0.0, *spent)


# The same in PyTorch.


def beside_pytorch(folder: Path) -> None:
    """Time epochs of both, which take turns."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in KIND.suffixes)
    contents = [file.read_bytes() for file in files]
    preparation = SoundPreparation.of_facts(np.array([examine(content) for content in contents]))
    stored = np.stack([preparation.store(content) for content in contents])
    names = sorted({file.parent.name for file in files})
    labels = np.array([names.index(file.parent.name) for file in files])
    rows = len(labels) // BATCH * BATCH
    ours = schuss_epoch(preparation, stored[:rows], labels[:rows], len(names))
    theirs = pytorch_epoch(preparation, stored[:rows], labels[:rows], len(names))
    ours(0), theirs(0)
    seconds: dict[str, list[float]] = {"schuss": [], "pytorch": []}
    for epoch in range(1, EPOCHS + 1):
        for name, run in (("schuss", ours), ("pytorch", theirs)):
            begun = time.perf_counter()
            run(epoch)
            seconds[name].append(time.perf_counter() - begun)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        print(f"{name}: {median:.2f} s an epoch of {rows:,} recordings")
    print(f"ratio {medians['schuss'] / medians['pytorch']:.2f}")


def schuss_epoch(preparation: Any, stored: np.ndarray, labels: np.ndarray, classes: int) -> Any:
    """Return what takes an epoch of steps."""
    from schuss import optim
    from schuss.training.items.mixing import MixedCrossEntropyLoss

    ss.manual_seed(0)
    network = SoundNetwork(classes, preparation.format.to_config())
    optimizer = optim.AdamW(network.parameters(), lr=4e-3, weight_decay=0.05)
    loss = MixedCrossEntropyLoss(label_smoothing=0.1)

    @ss.compile
    def step(x: Any, y: Any) -> Any:
        found = loss(network(x), y)
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        return found

    def run(epoch: int) -> None:
        draw = np.random.default_rng(epoch)
        order = draw.permutation(len(labels))
        for start in range(0, len(order), BATCH):
            rows = order[start : start + BATCH]
            draws = draw.random((len(rows), preparation.draws))
            batch = preparation.training_batch(list(stored[rows]), draws)
            step(ss.tensor(batch), ss.tensor(labels[rows]))

    return run


def pytorch_epoch(preparation: Any, stored: np.ndarray, labels: np.ndarray, classes: int) -> Any:
    """Return what takes an epoch of steps in PyTorch."""
    import torch
    from torch import nn

    functional = nn.functional
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    shape, to = preparation.format, SoundChanges()
    low, high = (2595 * math.log10(1 + f / 700) for f in (shape.low_hz, shape.sample_rate / 2))
    bands, apart = 40, (high - low) / (shape.mels + 1)
    centers = low + (high - low) * torch.arange(1, bands + 1) / (bands + 1)
    hertz = 700 * (10 ** (centers / 2595) - 1)
    along = torch.linspace(0, 1, bands)
    waves = torch.stack([torch.sin(math.pi * k * along) / k for k in (1, 2, 3)])

    def hats(places: Any, length: int, width: float) -> Any:
        return (1 - (places[:, None] - torch.arange(length)).abs() / width).clamp(min=0)

    def changed(x: Any) -> Any:
        """Change one spectrogram, (mels, frames)."""
        u = torch.rand(DRAWS)
        tract, speed, shift, *bends = (2 * v - 1 for v in (*u[:3], *u[4:7]))
        mel = 2595 * torch.log10(1 + hertz * torch.exp(tract * to.tract) / 700)
        bend = torch.stack(bends) @ waves * (to.bend * shape.mels)
        place = ((mel - low) / apart - 1 + bend).clamp(0, shape.mels - 1)
        rows = hats(place, shape.mels, (shape.mels + 1) / (bands + 1))
        frame = torch.arange(shape.window) - (shape.window - 1) / 2
        frame = (frame - shift * to.shift * shape.window) * torch.exp(speed * to.speed)
        columns = hats(frame + (shape.frames - 1) / 2, shape.frames, 1.0)
        picture = (rows / rows.sum(1, keepdim=True)) @ x @ columns.T
        sound = (picture.amax(0) > 0).float()
        level = u[3] * (TOP_DB - to.noise + 15) - 15
        scale = math.log(10) / 10
        picture = torch.logaddexp(picture * scale, level * scale) / scale
        frames = sound.sum().clamp(min=1)
        picture = picture - (picture * sound).sum(1, keepdim=True) / frames
        picture = picture / (((picture**2) * sound).sum() / (frames * bands) + 1e-6).sqrt()
        for k, axis, share in ((7, 0, 0.2), (9, 0, 0.2), (11, 1, 0.16), (13, 1, 0.16)):
            length = picture.shape[axis]
            width = int(u[k] * (share * length + 1))
            start = int(u[k + 1] * (length + 1 - width))
            picture.narrow(axis, start, width).zero_()
        return picture[None]

    class Recordings(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return len(labels)

        def __getitem__(self, k: int) -> tuple[Any, int]:
            return changed(torch.from_numpy(stored[k]).float() * 0.2), int(labels[k])

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
            past: list[Any] = []
            if stride != 1:
                past.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
                past += [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
            self.past = nn.Sequential(*past)

        def forward(self, x: Any) -> Any:
            y = functional.relu(self.bn1(self.conv1(x)))
            return functional.relu(self.bn2(self.conv2(y)) + self.past(x))

    width = 32
    network = nn.Sequential(
        nn.Conv2d(1, width, 5, 2, 2, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
        Block(width, width), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(0.2), nn.Linear(4 * width, classes),
    ).to(memory_format=torch.channels_last)  # fmt: skip
    optimizer = torch.optim.AdamW(network.parameters(), lr=4e-3, weight_decay=0.05, fused=True)
    loader = torch.utils.data.DataLoader(
        Recordings(), BATCH, shuffle=True, num_workers=2, persistent_workers=True
    )

    def run(epoch: int) -> None:
        for x, y in loader:
            share = torch.rand(len(x))
            share = torch.maximum(share, 1 - share)
            own = share[:, None, None, None]
            logits = network(own * x + (1 - own) * x.flip(0))
            loss = sum(
                (
                    part
                    * functional.cross_entropy(logits, of, reduction="none", label_smoothing=0.1)
                ).mean()
                for part, of in ((share, y), (1 - share, y.flip(0)))
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return run


if __name__ == "__main__":
    main()
