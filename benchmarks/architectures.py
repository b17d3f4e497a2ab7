"""Training steps of whole architectures beside PyTorch: pictures, sequences, attention.

    python benchmarks/architectures.py [network ...] [--threads N] [--memory]

Each network is written once, as a function of the module `nn`, and starts from the same weights in
both libraries. A step is forward, loss, backward and (fused) Adam in float32; with "-bf16" behind
the name, it is in the `autocast` of both. Losses of the first
steps are compared before anything is timed; then rounds of both take turns. PyTorch gets pictures
with channels last, which is faster there. With `--threads 1` the processor's seconds are taken,
which other programs disturb less. With `--memory` each runs in a process of its own, and the most
memory above the level before the network was built is printed, too.

JAX has no layers of its own, and is left out here; see step.py.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

import numpy as np

import schuss as ss
from peers import machine
from peers.alone import forget_peak, peak, resident

ROUNDS, STEPS, TOLERANCE = 7, 5, 5e-3
REST_SECONDS, ROUND_SECONDS = 0.1, 0.15


@dataclass(frozen=True)
class Network:
    """One architecture.

    Args:
        make: takes a library, and returns the network.
        shape: of a batch of inputs; of whole numbers below `words`, where these are given.
        classes: of the targets, one for each picture, or each place of a sequence.
        words: of the vocabulary.
        in_bfloat16: whether products are computed in bfloat16, by `autocast`.
    """

    make: Callable[[Any], Any]
    shape: tuple[int, ...]
    classes: int = 10
    words: int = 0
    in_bfloat16: bool = False

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a batch and its targets."""
        rng = np.random.default_rng(0)
        if self.words:
            return tuple(rng.integers(0, self.words, self.shape) for _ in range(2))
        x = rng.normal(size=self.shape).astype(np.float32)
        return x, rng.integers(0, self.classes, self.shape[0])


def plain(lib: Any) -> Any:
    """Two convolutions, a pooling and a linear layer."""
    nn = lib.nn
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64 * 14 * 14, 10),
    )  # fmt: skip


def residual(lib: Any, stem: list[Any], widths: tuple[int, ...], blocks: int) -> Any:
    """A residual network (He et al., 2015) behind a stem."""
    nn = lib.nn

    class Block(nn.Module):
        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.relu = nn.ReLU()
            self.shortcut = nn.Identity()
            if stride != 1 or inputs != outputs:
                same = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
                self.shortcut = nn.Sequential(same, nn.BatchNorm2d(outputs))

        def forward(self, x: Any) -> Any:
            y = self.relu(self.bn1(self.conv1(x)))
            return self.relu(self.bn2(self.conv2(y)) + self.shortcut(x))

    layers, channels = list(stem), widths[0]
    for i, width in enumerate(widths):
        for block in range(blocks):
            layers.append(Block(channels, width, 2 if i and not block else 1))
            channels = width
    head = (nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))
    return nn.Sequential(*layers, *head)


def resnet8(lib: Any) -> Any:
    """ResNet-8 of 16, 32 and 64 channels."""
    nn = lib.nn
    stem = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return residual(lib, stem, (16, 32, 64), 1)


def resnet18(lib: Any) -> Any:
    """ResNet-18 as published."""
    nn = lib.nn
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return residual(lib, [*stem, nn.MaxPool2d(3, 2, 1)], (64, 128, 256, 512), 2)


def separable(lib: Any) -> Any:
    """Depthwise-separable blocks (Howard et al., 2017) of 32 to 128 channels."""
    nn = lib.nn
    layers = [nn.Conv2d(3, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU()]
    channels = 32
    for outputs, stride in ((64, 1), (64, 2), (128, 1), (128, 2), (128, 1)):
        layers += [
            nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False),
            nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
        ]  # fmt: skip
        channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


def waves(lib: Any) -> Any:
    """Four convolutions along recordings."""
    nn = lib.nn
    layers: list[Any] = []
    channels = 1
    for outputs in (16, 32, 64, 64):
        layers += [nn.Conv1d(channels, outputs, 9, 4, 4), nn.ReLU()]
        channels = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(channels, 10))


def recurrent(lib: Any, kind: str, **options: Any) -> Any:
    """A recurrent layer of 128, and a linear one on what comes last."""
    nn = lib.nn

    class Sequences(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = getattr(nn, kind)(64, 128, batch_first=True, **options)
            self.head = nn.Linear(256 if options.get("bidirectional") else 128, 10)

        def forward(self, x: Any) -> Any:
            return self.head(self.rnn(x)[0][:, -1])

    return Sequences()


def gpt(lib: Any, layers: int, width: int, heads: int, context: int, words: int) -> Any:
    """A transformer that predicts the next word at every place."""
    nn = lib.nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
            self.attend, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
            self.mlp = nn.Sequential(
                nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
            )

        def forward(self, x: Any) -> Any:
            batch, length = x.shape[0], x.shape[1]
            parts = self.attend(self.norm1(x)).view(batch, length, 3, heads, width // heads)
            q, k, v = parts.permute(2, 0, 3, 1, 4).unbind(0)
            y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
            return x + self.mlp(self.norm2(x))

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words = nn.Embedding(words, width)
            self.places = nn.Parameter(lib.zeros(context, width))
            self.blocks = nn.Sequential(*[Block() for _ in range(layers)])
            self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, words, bias=False)

        def forward(self, x: Any) -> Any:
            y = self.head(self.norm(self.blocks(self.words(x) + self.places)))
            return y.reshape(-1, words)

    return Transformer()


def attention(lib: Any) -> Any:
    """Attention alone: 8 heads of 64."""
    nn = lib.nn

    class Heads(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(lib.ones(3, 1, 1, 1, 1))

        def forward(self, x: Any) -> Any:
            q, k, v = (x * self.scale).unbind(0)
            y = nn.functional.scaled_dot_product_attention(q, k, v)
            return y.mean((1, 2))[:, :10].repeat(3, 1)

    return Heads()


NETWORKS = {
    "plain": Network(plain, (64, 1, 28, 28)),
    "resnet8": Network(resnet8, (64, 3, 32, 32)),
    "resnet18": Network(resnet18, (16, 3, 64, 64)),
    "separable": Network(separable, (64, 3, 32, 32)),
    "waves": Network(waves, (16, 1, 8000)),
    "lstm": Network(lambda lib: recurrent(lib, "LSTM"), (32, 100, 64)),
    "gru": Network(lambda lib: recurrent(lib, "GRU"), (32, 100, 64)),
    "bilstm": Network(
        lambda lib: recurrent(lib, "LSTM", num_layers=2, bidirectional=True), (32, 100, 64)
    ),
    "gpt": Network(lambda lib: gpt(lib, 4, 128, 4, 128, 96), (16, 128), words=96),
    "gpt6": Network(lambda lib: gpt(lib, 6, 384, 6, 256, 96), (8, 256), words=96),
    "attention": Network(attention, (3, 1, 8, 2048, 64)),
}
NETWORKS |= {f"{name}-bf16": replace(NETWORKS[name], in_bfloat16=True) for name in list(NETWORKS)}


def schuss_step(network: Network, weights: dict[str, np.ndarray] | None) -> Callable[[], float]:
    """Return our compiled step; it returns the loss."""
    model = network.make(ss)
    if weights is not None:
        model.load_state_dict({k: ss.tensor(v) for k, v in weights.items()})
    optimizer = ss.optim.Adam(model.parameters(), lr=1e-3)

    @ss.compile
    def step(x: Any, y: Any) -> Any:
        with ss.autocast("bfloat16", enabled=network.in_bfloat16):
            loss = ss.nn.functional.cross_entropy(model(x), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x, y = map(ss.tensor, network.data())
    return lambda: float(step(x, y).item())


def torch_step(network: Network) -> tuple[Callable[[], float], dict[str, np.ndarray]]:
    """Return PyTorch's step, and the weights that it begins with."""
    import torch

    model = network.make(torch)
    weights = {k: v.numpy().copy() for k, v in model.state_dict().items()}
    x, y = map(torch.tensor, network.data())
    if x.ndim == 4:
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)

    def step() -> float:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=network.in_bfloat16):
            loss = torch.nn.functional.cross_entropy(model(x), y.reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step, weights


def timed(step: Callable[[], float], clock: Callable[[], float]) -> float:
    """Return the seconds of a step in a round of some, after a rest.

    Threads of a library go on spinning for a while, and would take cores from the other one.
    """
    time.sleep(REST_SECONDS)
    step()
    count, begin, start = 0, clock(), time.perf_counter()
    while time.perf_counter() - start < ROUND_SECONDS:
        step()
        count += 1
    return (clock() - begin) / count


def compare(name: str, threads: int) -> None:
    """Time both, in turns, and print a row."""
    clock = time.thread_time if threads == 1 else time.perf_counter
    theirs, weights = torch_step(NETWORKS[name])
    ours = schuss_step(NETWORKS[name], weights)
    start = time.perf_counter()
    first = ours()
    seconds = time.perf_counter() - start
    losses = [(first, theirs()), *[(ours(), theirs()) for _ in range(STEPS)]]
    far = max(abs(a - b) / max(abs(b), 0.1) for a, b in losses)
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for step, found in zip((ours, theirs), times, strict=True):
            found.append(timed(step, clock))
    mine, other = (1e3 * statistics.median(t) for t in times)
    allowed = 10 * TOLERANCE if NETWORKS[name].in_bfloat16 else TOLERANCE
    note = "" if far < allowed and math.isfinite(far) else f" losses differ by {far:.1e}!"
    least = min(times[0]) / min(times[1])
    print(
        f"| {name} | {mine:.2f} | {other:.2f} | {mine / other:.2f} | {least:.2f} | {seconds:.2f} |"
        f"{note}",
        flush=True,
    )


def memory(name: str, library: str) -> None:
    """Print the most memory of some steps above the level before the network was built, in MB."""
    if library == "torch":
        # What it takes to load it does not count.
        import_module("torch")
    before = resident()
    forget_peak()
    network = NETWORKS[name]
    step = torch_step(network)[0] if library == "torch" else schuss_step(network, None)
    for _ in range(STEPS):
        step()
    print(json.dumps((peak() - before) / 1e6))


def main() -> None:
    """Compare the chosen networks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("networks", nargs="*", choices=[*NETWORKS, []])
    parser.add_argument("--threads", type=int, default=machine.cores())
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    ss.set_num_threads(options.threads)
    if options.measure:
        return memory(*options.measure)
    import torch

    torch.set_num_threads(options.threads)
    unit = "processor ms" if options.threads == 1 else "ms"
    chosen = options.networks or [name for name in NETWORKS if not name.endswith("-bf16")]
    print(machine.describe())
    print(f"\n| network | Schuss, {unit} | PyTorch | ratio | of the least | first call, s |")
    print("|---|---|---|---|---|---|")
    for name in chosen:
        compare(name, options.threads)
    if options.memory:
        print("\n| network | Schuss, MB | PyTorch |\n|---|---|---|")
        for name in chosen:
            found = []
            for library in ("schuss", "torch"):
                command = [sys.executable, __file__, "--measure", name, library]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
                found.append(json.loads(done.stdout.splitlines()[-1]))
            print(f"| {name} | {found[0]:.0f} | {found[1]:.0f} |", flush=True)
    return None


if __name__ == "__main__":
    main()
