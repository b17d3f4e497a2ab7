"""Pictures: how good `train` is on folders of them, how long it takes, and PyTorch beside it.

python benchmarks/pictures.py FOLDER [FOLDER ...] [--seeds 1] [--time-budget 10m] [--torch]

Each folder has one folder of pictures a class; a tenth of them is held out. With --torch, the same
network on the same pictures, changed by the same functions, is trained in PyTorch for as many
epochs by the same rule, with two workers of its DataLoader. Seconds are those of the training;
in all there are the scan, the quick training that chooses the recipe, and the figures, too.
"""

from __future__ import annotations

import argparse
import platform
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

import schuss as ss
from schuss.training.evaluation.examples import Examples
from schuss.training.items.job import TEST, TRAIN, ItemJob
from schuss.training.items.options import ItemOptions
from schuss.training.pictures.kind import KIND


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, help="by default what `train` chooses")
    parser.add_argument("--time-budget")
    parser.add_argument("--torch", action="store_true", help="train in PyTorch, too")
    asked = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, {ss.get_num_threads()} threads, ", end="")
    print(f"Schuss {ss.__version__}, NumPy {np.__version__}")
    print(
        f"{'folder':24} {'seed':>4} {'by':8} {'right':>7} {'epochs':>6} {'seconds':>8} {'CPU s':>7}"
    )
    for folder in asked.folders:
        for seed in range(asked.seeds):
            epochs = _schuss(folder, seed, asked)
            if asked.torch:
                _torch(folder, seed, epochs)


def _row(
    folder: str, seed: int, by: str, right: float, epochs: int, seconds: float, whole: float
) -> None:
    name = Path(folder).name[:24]
    print(
        f"{name:24} {seed:4} {by:8} {right:7.2%} {epochs:6} {seconds:8.1f} {whole:7.1f}", flush=True
    )


def _schuss(folder: str, seed: int, asked: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as place:
        begun = perf_counter()
        run = ss.train(
            folder,
            out=Path(place) / "run",
            seed=seed,
            epochs=asked.epochs,
            time_budget=asked.time_budget,
            quiet=True,
        )
        right, whole = run.test["accuracy"] or 0.0, perf_counter() - begun
        _row(folder, seed, "Schuss", right, run.epochs, run.seconds, whole)
        return run.epochs


def _torch(folder: str, seed: int, epochs: int) -> None:
    import torch
    from torch.utils.data import DataLoader, Dataset

    whole = perf_counter()
    with tempfile.TemporaryDirectory() as place:
        options = dict.fromkeys(ItemOptions.__dataclass_fields__) | {"seed": seed, "epochs": epochs}
        own = {option.name: None for option in KIND.options}
        given = {**options, **own, "out": None, "test": None, "validation": None}
        del given["own"]
        job = ItemJob.prepare(
            KIND,
            ItemOptions.of_call(KIND, given),
            {"data": folder, "validation": None, "test": None},
            None,
            Path(place),
            quiet=True,
        )
        preparation, numbers, labels = job.preparation, job.numbers(TRAIN), job.labels(TRAIN)

        class Pictures(Dataset):  # type: ignore[type-arg]
            def __len__(self) -> int:
                return len(numbers)

            def __getitem__(self, k: int) -> tuple[Any, int]:
                draws = torch.rand((1, preparation.draws), dtype=torch.float64).numpy()
                item = job.store[int(numbers[k])]
                return preparation.training_batch([item], draws)[0], int(labels[k])

        torch.manual_seed(seed)
        model = _network(job.recipe.network)
        weights = {name: torch.tensor(x.array) for name, x in job.network().state_dict().items()}
        model.load_state_dict({n: w for n, w in weights.items() if n != "temperature"})
        model = model.to(memory_format=torch.channels_last)
        recipe = job.recipe
        loader = DataLoader(
            Pictures(), recipe.batch_size, shuffle=True, num_workers=2, drop_last=True,
            persistent_workers=True,
        )  # fmt: skip
        decayed = [p for p in model.parameters() if p.ndim > 1]
        others = [{"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0}]
        optimizer = torch.optim.SGD(
            [{"params": decayed}, *others], lr=recipe.lr, momentum=0.9, nesterov=True,
            weight_decay=recipe.weight_decay,
        )  # fmt: skip
        steps = epochs * len(loader)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.lr, total_steps=steps, cycle_momentum=False
        )
        loss = torch.nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
        begun = perf_counter()
        for _ in range(epochs):
            model.train()
            for x, y in loader:
                optimizer.zero_grad()
                loss(model(x), y).backward()
                optimizer.step()
                schedule.step()
        seconds = perf_counter() - begun
        model.eval()
        tested = job.examples(TEST)
        assert isinstance(tested, Examples)
        with torch.no_grad():
            found = [
                model(torch.from_numpy(x[0].array)).argmax(1) for x, _, _ in tested.batches(64)
            ]
        right = float((torch.cat(found).numpy() == tested.y).mean())
        _row(folder, seed, "PyTorch", right, epochs, seconds, perf_counter() - whole)


def _network(description: dict[str, Any]) -> Any:
    """Return `ResidualNetwork` in PyTorch, with the same names of weights."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            past: list[nn.Module] = []
            if stride != 1:
                past.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
            if stride != 1 or inputs != outputs:
                past += [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)]
            self.past = nn.Sequential(*past)

        def forward(self, x: Any) -> Any:
            y = torch.relu(self.bn1(self.conv1(x)))
            return torch.relu(self.bn2(self.conv2(y)) + self.past(x))

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            widths, before = description["widths"], description["widths"][0]
            stride, channels = description["stride"], description["channels"]
            self.stem = nn.Sequential(
                nn.Conv2d(channels, before, 3, stride, 1, bias=False), nn.BatchNorm2d(before),
                nn.ReLU(),
            )  # fmt: skip
            blocks = []
            for stage, width in enumerate(widths):
                blocks.append(Block(before, width, 2 if stage else 1))
                before = width
            self.stages = nn.Sequential(*blocks)
            self.head = nn.Linear(before, description["classes"])
            self.mean, self.std = (torch.tensor(description[n]) for n in ("mean", "std"))

        def logits(self, x: Any) -> Any:
            return self.head(self.stages(self.stem(x)).mean((2, 3)))

        def forward(self, pictures: Any) -> Any:
            if pictures.ndim == 5:
                several = self.forward(pictures.flatten(0, 1))
                return several.unflatten(0, pictures.shape[:2]).mean(1)
            x = ((pictures - self.mean) / self.std).permute(0, 3, 1, 2)
            if self.training or not description["mirror"]:
                return self.logits(x)
            return self.logits(x) + self.logits(x.flip(3))

    return Network()


if __name__ == "__main__":
    main()
