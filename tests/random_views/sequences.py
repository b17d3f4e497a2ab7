"""Random sequences of views, writes and reads, played by PyTorch and by Schuss."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

Step = tuple[str, int, Any]

# What gives a tensor from one of the pool; most are views of it.
MAKERS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "index": lambda lib, x, index: x[index],
    "reshape": lambda lib, x, shape: x.reshape(shape),
    "transpose": lambda lib, x, _: x.T if x.ndim == 2 else x,
    "flatten": lambda lib, x, _: x.flatten(),
    "unsqueeze": lambda lib, x, _: x.unsqueeze(0),
    "expand": lambda lib, x, _: x.unsqueeze(0).expand(2, *x.shape),
    "diagonal": lambda lib, x, offset: x.diagonal(offset) if x.ndim == 2 else x,
    "detach": lambda lib, x, _: x.detach(),
    "clone": lambda lib, x, _: x.clone(),
    "double": lambda lib, x, _: x + x,
    "exp": lambda lib, x, _: (x * 0.1).exp(),
    "contiguous": lambda lib, x, _: x.contiguous(),
    "flip": lambda lib, x, _: lib.flip(x, (0,)) if x.ndim else x,
}
VIEWS = ("index", "reshape", "transpose", "flatten", "unsqueeze", "expand", "diagonal", "detach")
# What changes one of the pool; `given` is another one's first elements, or a number.
WRITERS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "fill_": lambda lib, x, given: x.fill_(1.5),
    "zero_": lambda lib, x, given: x.zero_(),
    "add_": lambda lib, x, given: x.add_(given),
    "mul_": lambda lib, x, given: x.mul_(given),
    "copy_": lambda lib, x, given: x.copy_(given if hasattr(given, "shape") else x * 0 + given),
    "setitem": lambda lib, x, given: x.__setitem__(..., given),
    "set_first": lambda lib, x, given: x.__setitem__(0, given) if x.ndim else x.fill_(0.5),
}
READERS: dict[str, Callable[[Any], Any]] = {
    "sum": lambda x: x.sum(),
    "squares": lambda x: (x * x).sum(),
    "negative": lambda x: (-x).sum(),
}
# What a library says that it will not do.
REFUSALS = (RuntimeError, ValueError)


class Played(NamedTuple):
    """What came of a sequence: the values of the pool, and the gradient, or why there is none."""

    values: list[Any]
    wanted: list[bool]
    total: Any
    gradient: Any


class Player:
    """One library, with the tensors that it has made so far.

    Args:
        lib: torch or schuss.
        data: of no gradient.
        parameter: requires one.
    """

    def __init__(self, lib: Any, data: Any, parameter: Any) -> None:
        self.lib = lib
        self.parameter = parameter
        self.pool = [data, parameter]
        self.total = (parameter * 0).sum()

    def play(self, step: Step) -> None:
        """Take one step."""
        name, place, argument = step
        x = self.pool[place]
        if name in MAKERS:
            self.pool.append(MAKERS[name](self.lib, x, argument))
        elif name in READERS:
            self.total = self.total + READERS[name](x)
        else:
            given, quiet = argument
            if isinstance(given, int):
                # A copy: what PyTorch makes of x.add_(x[0]) is anybody's guess.
                given = self.pool[given].reshape(-1)[0].clone()
            if quiet:
                with self.lib.no_grad():
                    WRITERS[name](self.lib, x, given)
            else:
                WRITERS[name](self.lib, x, given)


def random_step(rng: random.Random, pool: list[Any]) -> Step:
    """Return a step that can be taken with tensors of these shapes."""
    place = rng.randrange(len(pool))
    x = pool[place]
    kind = rng.random()
    if kind < 0.4:
        name = rng.choice(list(MAKERS))
        argument: Any = None
        if name == "index":
            if not x.ndim:
                return "clone", place, None
            n = x.shape[0]
            start = rng.randrange(n)
            argument = rng.choice(
                [start, slice(start, None), slice(None, None, 2), (..., -1), None]
            )
        elif name == "reshape":
            size = x.numel()
            argument = rng.choice(
                [(size,), (1, size), (size // 2, 2)] if size % 2 == 0 else [(-1,)]
            )
        elif name == "diagonal":
            argument = rng.choice([0, 1, -1])
        return name, place, argument
    if kind < 0.7:
        quiet = rng.random() < 0.25
        return (
            rng.choice(list(WRITERS)),
            place,
            (rng.choice([0.5, -2.0, rng.randrange(len(pool))]), quiet),
        )
    return rng.choice(list(READERS)), place, None


def is_small(x: Any) -> bool:
    """Return whether a tensor is worth going on with."""
    return 0 < x.numel() <= 64
