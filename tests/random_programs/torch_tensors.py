"""Random programs as PyTorch's users write them: lines of Python that mean the same in Schuss.

Each line is chosen by what PyTorch makes of it, and runs unchanged on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch_lines

LENGTHS = (0, 1, 1, 2, 3, 4, 5, 7, 9, 13, 17, 33)
REFUSALS = (RuntimeError, LookupError, ValueError, TypeError, AttributeError, NameError)
_MOST_ELEMENTS, _LARGEST = 4_000, 1e4


@dataclass(frozen=True)
class Given:
    """An argument.

    Args:
        name: in the program.
        kind: "f", "i" or "b".
        shape: its shape.
        layout: how its memory lies: "plain", "backward", "every other", "transposed", "read-only".
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    layout: str

    def array(self, seed: int) -> np.ndarray:
        """Return other contents for each seed."""
        rng = np.random.default_rng([seed, *map(ord, self.name)])
        shape = self.shape[::-1] if self.layout == "transposed" else self.shape
        if self.layout == "every other":
            shape = tuple(2 * n for n in shape)
        if self.kind == "f":
            made: np.ndarray = rng.normal(size=shape)
            # Ties, and numbers that are exact.
            made = np.round(made, 1) if rng.random() < 0.3 else made
        elif self.kind == "i":
            made = rng.integers(-4, 5, shape)
        else:
            made = rng.random(shape) < 0.5
        if self.layout == "transposed":
            return made.T
        if self.layout == "backward":
            return made[tuple(slice(None, None, -1) for _ in shape)]
        if self.layout == "every other":
            return made[tuple(slice(None, None, 2) for _ in shape)]
        if self.layout == "read-only" and self.shape:
            made.flags.writeable = False
        return made


@dataclass(frozen=True)
class Lines:
    """A program: what it is given, and its lines, each of which gives one name a value."""

    given: tuple[Given, ...]
    lines: tuple[tuple[str, str], ...]

    def function(self, lib: Any) -> Callable[..., dict[str, Any]]:
        """Return the program on a library, from arguments to all its values."""
        body = "\n".join(f"    {line}" for _, line in self.lines)
        names = ", ".join(f'"{name}": {name}' for name, _ in self.lines)
        given = ", ".join(g.name for g in self.given)
        scope = {"T": lib, "F": lib.nn.functional}
        exec(f"def program({given}):\n{body}\n    return {{{names}}}", scope)
        return scope["program"]

    def smaller(self) -> Iterator[Lines]:
        """Yield programs without one of the lines."""
        for i in reversed(range(len(self.lines))):
            yield replace(self, lines=self.lines[:i] + self.lines[i + 1 :])

    def __str__(self) -> str:
        given = [f"{g.name}: {g.kind}{list(g.shape)}, {g.layout}" for g in self.given]
        return "\n".join([*given, *[line for _, line in self.lines]])


def make(seed: int, torch: Any, ours: Any) -> Lines:
    """Return the random program of a seed, of lines that both libraries take."""
    rng = np.random.default_rng(seed)
    given = []
    for i in range(rng.integers(1, 5)):
        lengths = LENGTHS if rng.random() < 0.2 else LENGTHS[1:]
        shape = tuple(int(n) for n in rng.choice(lengths, rng.integers(0, 4)))
        while np.prod(shape, dtype=int) > 1_000:
            shape = shape[1:]
        # Often the shape of the one before, so that they go together.
        if given and rng.random() < 0.4:
            shape = given[-1].shape
        kind = str(rng.choice(["f", "f", "f", "i", "b"])) if i else "f"
        layouts = ["plain", "plain", "backward", "every other", "transposed", "read-only"]
        given.append(Given(f"a{i}", kind, shape, str(rng.choice(layouts))))
    values = {g.name: torch.tensor(g.array(0).copy()) for g in given}
    known = {g.name: ours.tensor(g.array(0)) for g in given}
    lines: list[tuple[str, str]] = []
    program = Lines(tuple(given), ())
    wanted = int(rng.integers(2, 12))
    for _ in range(6 * wanted):
        name = f"v{len(lines)}"
        line = _Writer(rng, values, name).line()
        if line is None:
            continue
        made = _done(line, name, torch, values)
        if not (isinstance(made, torch.Tensor) and _is_usable(made, torch)):
            continue
        # What is not there, or not in this spelling, is refused by a line that says so.
        same = _done(line, name, ours, known)
        if not isinstance(same, ours.Tensor):
            continue
        values[name], known[name] = made, same
        lines.append((name, line))
        if len(lines) == wanted:
            break
    return replace(program, lines=tuple(lines))


def _done(line: str, name: str, lib: Any, values: dict[str, Any]) -> Any:
    """Return what a line gives a name, or None where it is refused."""
    scope = {"T": lib, "F": lib.nn.functional, **values}
    try:
        exec(line, scope)
    except REFUSALS:
        return None
    return scope[name]


def _is_usable(x: Any, torch: Any) -> bool:
    if x.numel() > _MOST_ELEMENTS or x.ndim > 5:
        return False
    if x.dtype not in (torch.float64, torch.int64, torch.bool):
        return False
    return x.dtype is torch.bool or not x.numel() or bool((x.abs() < _LARGEST).all())


class _Writer:
    """Writes one line.

    Args:
        rng: what chooses.
        values: what there is, by name.
        name: what the line gives a value.
    """

    def __init__(self, rng: np.random.Generator, values: dict[str, Any], name: str) -> None:
        self.rng = rng
        self.values = values
        self.name = name

    def line(self) -> str | None:
        """Return a line, or None where there is nothing that it could be about."""
        kind = self._choice("ffffffib")
        x = self._pick(kind)
        if x is None:
            return None
        way = self.rng.random()
        if way < 0.2:
            return self._filled(torch_lines.MOVES, x, kind)
        if way < 0.32 and kind != "b":
            made = f"{x}.clone()" if kind == "i" or self.rng.random() < 0.7 else f"{x} * 1.5"
            lines = [
                self._filled(torch_lines.CHANGES, x, kind, written=self.name)
                for _ in range(self.rng.integers(1, 3))
            ]
            return None if None in lines else "; ".join([f"{self.name} = {made}", *lines])
        if way < 0.5 and kind == "f":
            return self._filled(torch_lines.ALONG, x, kind)
        tables = {"f": torch_lines.FLOATS, "i": torch_lines.INTEGERS, "b": torch_lines.MASKS}
        return self._filled(tables[kind], x, kind)

    def _filled(self, table: list[str], x: str, kind: str, written: str = "") -> str | None:
        """Return a line of a table with something in its braces."""
        words = self._words(x, kind)
        line = str(self._choice(table))
        if any(word is None and f"{{{name}}}" in line for name, word in words.items()):
            return None
        if written:
            return line.format(**{**words, "x": written})
        return f"{self.name} = {line.format(**words)}"

    def _words(self, x: str, kind: str) -> dict[str, Any]:
        rng, shape = self.rng, tuple(self.values[x].shape)
        n = max(len(shape), 1)
        d, e = int(rng.integers(-n, n)), int(rng.integers(n))
        length = shape[d] if shape else 1
        low, high = sorted(int(i) for i in rng.integers(0, length + 1, 2))
        i = self._pick("i")
        step = "1.7e-5" if kind == "f" else "9"
        items = [":", "::2", "1:", ":-1", "0", "-1", "None", "1::3"]
        parts = ["[0]", "[-1:]", "[::2]", "[..., 0]", "[..., 1:]", "[:, ::2]", "[1:, :-1]"]
        parts += ["[[-1]]", ".T[0]", "[0][1:]"]
        return {
            "x": x,
            "y": (rng.random() < 0.5 and self._pick(kind, shape)) or self._pick(kind),
            "z": self._pick("f"),
            "u": f"({x} + T.arange({x}.numel(), dtype={x}.dtype).reshape({x}.shape) * {step})",
            "i": i,
            "m": self._pick("b"),
            "labels": i and f"{i}.reshape(-1)[:{x}.shape[0]] % {x}.shape[1]",
            "d": d,
            "e": e,
            "k": int(rng.integers(-length, length)) if length else 0,
            "low": low,
            "count": max(high - low, 1),
            "order": ", ".join(str(int(i)) for i in rng.permutation(n)),
            "item": self._choice(items),
            "items": ", ".join(self._choice(items) for _ in range(n)),
            "twice": ", ".join("12"[i % 2] for i in range(n + 1)),
            "expanded": ", ".join(["-1"] * e + ["2"] + ["-1"] * (n - e)),
            "picked": [int(i) for i in rng.integers(0, max(length, 1), int(rng.integers(1, 5)))],
            "keep": self._choice(["", ", keepdim=True"]),
            "part": self._choice(parts),
            "number": "0.5" if kind == "f" else "3",
        }

    def _pick(self, kind: str, shape: tuple[int, ...] | None = None) -> str | None:
        """Return the name of a value of a kind (and shape), mostly a late one."""
        dtype = {"f": "torch.float64", "i": "torch.int64", "b": "torch.bool"}[kind]
        found = [
            name
            for name, x in self.values.items()
            if str(x.dtype) == dtype and (shape is None or tuple(x.shape) == shape)
        ]
        place = min(int(self.rng.geometric(0.4)) - 1, len(found) - 1)
        return found[-1 - place] if found else None

    def _choice(self, items: Any) -> Any:
        return items[int(self.rng.integers(len(items)))]
