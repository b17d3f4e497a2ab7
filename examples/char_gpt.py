"""A character-level GPT: learns the text of a file, or of sums that it writes itself.

python examples/char_gpt.py [TEXT_FILE] [--steps 600]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import schuss as ss
from schuss import nn, optim


class Block(nn.Module):
    """Attention to what came before, then a small network; both are added."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: ss.Tensor) -> ss.Tensor:
        batch, length, width = x.shape
        qkv = self.qkv(self.norm1(x)).view(batch, length, 3, self.heads, width // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        y = nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).reshape(batch, length, width))
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    """Characters to logits of the next ones."""

    def __init__(self, characters: int, length: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.token = nn.Embedding(characters, width)
        self.position = nn.Embedding(length, width)
        self.blocks = nn.Sequential(*[Block(width, heads) for _ in range(depth)])
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, characters))

    def forward(self, x: ss.Tensor) -> ss.Tensor:
        place = ss.arange(x.shape[1])
        return self.head(self.blocks(self.token(x) + self.position(place)))


def sums(count: int) -> str:
    """Return lines such as 3+4=7."""
    pairs = np.random.default_rng(0).integers(0, 10, (count, 2))
    return "".join(f"{a}+{b}={a + b}\n" for a, b in pairs)


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", nargs="?", help="a text file; sums by default")
    parser.add_argument("--steps", type=int, default=600)
    options = parser.parse_args(arguments)
    text = Path(options.text).read_text() if options.text else sums(5000)
    characters = sorted(set(text))
    codes = np.array([characters.index(c) for c in text])
    length, batch = 32, 32

    ss.manual_seed(0)
    model = GPT(len(characters), length, width=64, heads=4, depth=2)
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)

    @ss.compile
    def step(x: ss.Tensor, y: ss.Tensor) -> ss.Tensor:
        logits = model(x)
        loss = nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), y.view(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    rng = np.random.default_rng(1)
    for number in range(1, options.steps + 1):
        starts = rng.integers(0, len(codes) - length - 1, batch)
        rows = codes[starts[:, None] + np.arange(length + 1)]
        loss = step(ss.tensor(rows[:, :-1]), ss.tensor(rows[:, 1:]))
        if number % 50 == 0 or number in (1, options.steps):
            print(f"step {number}: loss {loss.item():.3f}")

    @ss.compile
    def predict(x: ss.Tensor) -> ss.Tensor:
        return model(x).softmax(-1)

    written = list(codes[:length])
    with ss.no_grad():
        for _ in range(40):
            shares = predict(ss.tensor([written[-length:]])).numpy()[0, -1].astype(float)
            written.append(int(rng.choice(len(characters), p=shares / shares.sum())))
    print("".join(characters[c] for c in written[length:]))
    return loss.item()


if __name__ == "__main__":
    main()
