"""Random programs: what they are made of, and how one that fails is made small."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

import schuss as ss
from schuss.nn import functional as F

Shape = tuple[int, ...]
LENGTHS = (0, 1, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 31, 33, 64, 65)


@dataclass(frozen=True)
class Step:
    """One operation: its name, the places of the values that it takes, and its arguments."""

    name: str
    inputs: tuple[int, ...]
    options: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Program:
    """Values one after the other: arguments, then the results of the steps; the last are returned.

    Args:
        shapes: of the arguments, floats.
        dtype: of the arguments.
        steps: in their order.
        mode: "value", or "gradient" of a weighed sum of the results by the arguments.
    """

    shapes: tuple[Shape, ...]
    dtype: str
    steps: tuple[Step, ...]
    mode: str

    def run(self, *arguments: Any) -> list[Any]:
        """Run it; nothing here knows whether it is being compiled."""
        if self.mode == "value":
            return self._results(arguments)
        places = tuple(range(len(arguments)))
        return list(ss.grad(self._weighed, places)(*arguments))

    def _weighed(self, *arguments: Any) -> Any:
        total: Any = ss.zeros((), dtype=self.dtype)
        for number, x in enumerate(self._results(arguments)):
            if x.dtype.kind == "f":
                weights = np.cos(np.arange(x.size, dtype=x.dtype) + number).reshape(x.shape)
                total = total + (x * ss.tensor(weights)).sum()
        # Every argument has a gradient.
        return total + sum((x * 0.5).sum() for x in arguments)

    def _results(self, arguments: Sequence[Any]) -> list[Any]:
        values = list(arguments)
        for step in self.steps:
            values.append(_operation(step.name)(*[values[i] for i in step.inputs], *step.options))
        return values[len(arguments) :][-3:] or [values[0] * 2.0]

    def arguments(self, seed: int) -> list[Any]:
        """Return arguments, other ones for each seed."""
        rng = np.random.default_rng(seed)
        return [ss.tensor(rng.normal(size=s).astype(self.dtype)) for s in self.shapes]

    def __str__(self) -> str:
        lines = [f"# {self.mode}, {self.dtype}"]
        lines += [f"v{i} = argument{list(s)}" for i, s in enumerate(self.shapes)]
        for place, step in enumerate(self.steps, len(self.shapes)):
            given = [f"v{i}" for i in step.inputs] + [repr(o) for o in step.options]
            lines.append(f"v{place} = {step.name}({', '.join(given)})")
        return "\n".join(lines)


def _rows_of(x: Any) -> Any:
    return x.reshape((x.shape[0] if x.ndim else 1, -1)) if x.size else x.reshape((1, 0))


def _index(x: Any, axis: int, seed: int) -> Any:
    count = x.shape[axis]
    picked = np.random.default_rng(seed).integers(-count, count, max(count - 1, 1))
    return ss.take(x, ss.tensor(picked), axis=axis)


def _spread(x: Any, y: Any) -> Any:
    """Return y cut and repeated so that it broadcasts with x."""
    shape = tuple(
        n if y.ndim > i and y.shape[-1 - i] == n else 1 for i, n in enumerate(x.shape[::-1])
    )
    cut = tuple(slice(0, 1) if n == 1 else slice(None) for n in shape[::-1][-y.ndim :])
    return y[cut] if y.ndim and y.ndim <= x.ndim else y.sum()


def _picture(x: Any) -> Any:
    """Return x as pictures: (batch, channels, height, width)."""
    return x.reshape((*(1,) * (4 - x.ndim), *x.shape))


def _kernel(x: Any, *shape: int) -> Any:
    """Return numbers for weights, of x's dtype."""
    return ss.tensor(np.cos(np.arange(np.prod(shape))).reshape(shape).astype(x.dtype) * 0.3)


def _convolved(x: Any, outputs: int = 3, **options: Any) -> Any:
    p = _picture(x)
    return F.conv2d(p, _kernel(p, outputs, p.shape[1], 2, 3), padding=(1, 2), **options)


def _of_channels(x: Any, stride: int) -> Any:
    """Return a depthwise convolution."""
    p, channels = _picture(x), _picture(x).shape[1]
    return F.conv2d(p, _kernel(p, channels, 1, 3, 2), None, stride, (2, 1), groups=channels)


def _taken_back(x: Any) -> Any:
    p = _picture(x)
    return F.conv_transpose2d(p, _kernel(p, p.shape[1], 2, 3, 2), None, (2, 1), 1, (1, 0))


def _with_itself(x: Any) -> Any:
    p = _picture(x)
    return F.conv2d(p, ss.tanh(p[:2, :, :2, :2]), padding=1) * 0.1


UNARY: dict[str, Callable[[Any], Any]] = {
    "tanh": ss.tanh,
    "sigmoid": ss.sigmoid,
    "relu": ss.relu,
    "exp": lambda x: ss.exp(ss.clip(x, -8.0, 3.0)),
    "log": lambda x: ss.log(ss.abs(x) + 0.3),
    "sqrt": lambda x: ss.sqrt(x * x + 0.1),
    "sin": ss.sin,
    "square": lambda x: x * x * 0.5,
    "negative": lambda x: -x,
    "scale": lambda x: x * 0.7 + 0.2,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
    "hardswish": F.hardswish,
    "erf": ss.erf,
    "atan": ss.atan,
    "reciprocal": lambda x: 1.0 / (ss.abs(x) + 0.5),
    "masked": lambda x: ss.where(x > 0.1, x, x * 0.3),
    "clip": lambda x: ss.clip(x, -0.9, 1.1),
    "copy": lambda x: ss.astype(x, x.dtype, copy=True),
    "detached": lambda x: x.detach() * 0.5 + x,
    "transposed": lambda x: x.permute(tuple(range(x.ndim))[::-1]),
    "flat": lambda x: x.reshape((-1,)),
    "rows": _rows_of,
    "outer axis": lambda x: x.reshape((1, *x.shape)),
    "inner axis": lambda x: x.reshape((*x.shape, 1)),
    "gram": lambda x: _rows_of(x) @ _rows_of(x).T * 0.1,
    "product with itself": lambda x: _rows_of(x).T @ _rows_of(x) * 0.1,
    "with its transposed": lambda x: x * 0.5 + x.T if x.ndim == 2 and len(set(x.shape)) == 1 else x,
    "total": lambda x: x.sum(),
    "hypot": lambda x: ss.hypot(x, x * 0.5 + 1.0),
    "rotated": lambda x: x.permute((*range(1, x.ndim), 0)) if x.ndim else x,
    "channels last": lambda x: _picture(x).permute(0, 2, 3, 1),
    "convolved": _convolved,
    "convolved to many": lambda x: _convolved(x, 20, stride=2),
    "dilated": lambda x: _convolved(x, 4, dilation=(1, 2)),
    "convolved by channel": lambda x: _of_channels(x, 1),
    "strided by channel": lambda x: _of_channels(x, 2),
    "taken back": _taken_back,
    "convolved with itself": _with_itself,
    "largest of windows": lambda x: F.max_pool2d(_picture(x), (2, 3), (2, 1), (1, 1)),
    "means of windows": lambda x: F.avg_pool2d(_picture(x), 2, 1, 1, ceil_mode=True),
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + _spread(x, y),
    "subtract": lambda x, y: _spread(x, y) - x,
    "multiply": lambda x, y: x * _spread(x, y),
    "divide": lambda x, y: x / (ss.abs(_spread(x, y)) + 0.5),
    "maximum": lambda x, y: ss.maximum(x, _spread(x, y)),
    "minimum": lambda x, y: ss.minimum(x, _spread(x, y)),
    "less": lambda x, y: x * (x < _spread(x, y)),
    "by columns": lambda x, y: (
        _rows_of(x) @ ss.tanh(_rows_of(y)[:, :1].T[:, :1] + _rows_of(x)).T * 0.1
    ),
    "logaddexp": lambda x, y: ss.logaddexp(x, _spread(x, y)),
    "mixed product": lambda x, y: (
        ss.einsum("ij,kj->ki", _rows_of(x), _rows_of(x) * _spread(x, y).sum()) * 0.05
    ),
}
ALONG: dict[str, Callable[[Any, int], Any]] = {
    "sum": lambda x, a: x.sum(a),
    "mean kept": lambda x, a: ss.mean(x, axis=a, keepdims=True),
    "max": lambda x, a: ss.max(x, axis=a),
    "min kept": lambda x, a: ss.min(x, axis=a, keepdims=True),
    "variance": lambda x, a: ss.var(x, axis=a),
    "softmax": lambda x, a: ss.softmax(x, a),
    "log softmax": lambda x, a: ss.log_softmax(x, a),
    "logsumexp": lambda x, a: ss.logsumexp(x, axis=a),
    "standardized": lambda x, a: (
        (x - ss.mean(x, axis=a, keepdims=True)) / (ss.std(x, axis=a, keepdims=True) + 0.1)
    ),
    "running sum": lambda x, a: ss.cumulative_sum(x, axis=a) * 0.2,
    "sorted": lambda x, a: ss.sort(x, axis=a),
    "flipped": lambda x, a: ss.flip(x, axis=a),
    "doubled": lambda x, a: ss.concat([x, x * 0.5], axis=a),
    "shifted": lambda x, a: ss.roll(x, 1, axis=a),
    "stacked": lambda x, a: ss.stack([x, ss.tanh(x)], axis=a),
    "halved": lambda x, a: x[(slice(None),) * a + (slice(None, None, 2),)],
    "reversed part": lambda x, a: x[(slice(None),) * a + (slice(None, 0, -1),)],
    "first": lambda x, a: x[(slice(None),) * a + (slice(0, 1),)],
    "picked": lambda x, a: _index(x, a, 3),
    "one dropped": lambda x, a: x[(slice(None),) * a + (0,)] if x.ndim > 1 else x,
    # NumPy, called from the program.
    "spectrum": lambda x, a: ss.fft.rfft_as_real(x, dim=a) * 0.3,
    "norm": lambda x, a: x / (ss.norm(x, axis=a, keepdims=True) + 1.0),
    "largest picked": lambda x, a: ss.take_along_axis(
        x, ss.expand_dims(ss.argmax(x, axis=a), axis=a), axis=a
    ),
}


def _scan(name: str, reverse: bool) -> Callable[[Any, int], Any]:
    """Return a recurrence along an axis, with an operation in its step and weights from outside."""

    def run(x: Any, a: int) -> Any:
        rows = x.permute((a, *[i for i in range(x.ndim) if i != a]))
        weights = rows.sum(0)

        def step(h: Any, row: Any) -> Any:
            both = row + h * 0.3
            made = BINARY[name](both, h) if name in BINARY else UNARY[name](both)
            new = ss.tanh(h * 0.5 + ss.sin(_spread(h, made) + weights))
            return new, (new * row, made)

        last, (ys, found) = ss.scan(step, ss.tanh(rows[0]), rows, reverse=reverse)
        return ys + last * ss.tanh(found).sum()

    return run


SCANS = (
    *("tanh", "transposed", "gram", "total", "detached", "masked", "convolved", "channels last"),
    *("by columns", "mixed product", "logaddexp"),
)
ALONG |= {f"scan of {name}": _scan(name, i % 2 == 1) for i, name in enumerate(SCANS)}
# These have no value along an axis without elements.
NOT_EMPTY = {"max", "min kept", "picked", "one dropped", "largest picked", "first", "mean kept"}
NOT_EMPTY |= {"spectrum", "variance", "softmax", "log softmax", "logsumexp", "standardized"}
NOT_EMPTY |= {name for name in ALONG if name.startswith("scan")}
OPERATIONS: dict[str, Callable[..., Any]] = {**UNARY, **BINARY, **ALONG}
# A trace looks through what a function reads in a dictionary, which takes a while for this one.
_operation = OPERATIONS.__getitem__
_MOST_ELEMENTS = 30_000


def make(seed: int) -> Program:
    """Return the random program of a seed."""
    rng = np.random.default_rng(seed)
    dtype = "float32" if rng.random() < 0.3 else "float64"
    shapes = []
    for _ in range(rng.integers(1, 4)):
        lengths = LENGTHS if rng.random() < 0.3 else LENGTHS[3:]
        shape = tuple(int(n) for n in rng.choice(lengths, rng.integers(1, 4)))
        while np.prod(shape, dtype=int) > 5_000:
            shape = shape[1:]
        shapes.append(shape)
    mode = "gradient" if rng.random() < 0.5 else "value"
    program = Program(tuple(shapes), dtype, (), mode)
    values = program.arguments(0)
    steps: list[Step] = []
    wanted = int(rng.integers(3, 20))
    for _ in range(4 * wanted):
        step = _random_step(rng, values)
        if step is None:
            continue
        try:
            with np.errstate(all="ignore"):
                made = OPERATIONS[step.name](*[values[i] for i in step.inputs], *step.options)
        except (ValueError, TypeError, IndexError):
            continue
        if made.size > _MOST_ELEMENTS or made.ndim > 4 or made.dtype != program.dtype:
            continue
        if made.size and not float(ss.max(ss.abs(made)).item()) < 1e3:
            continue
        values.append(made)
        steps.append(step)
        if len(steps) == wanted:
            break
    return replace(program, steps=tuple(steps))


def _random_step(rng: np.random.Generator, values: list[Any]) -> Step | None:
    # What was made last is taken most often, so that programs are deep.
    place = int(len(values) - 1 - min(rng.geometric(0.45) - 1, len(values) - 1))
    x = values[place]
    kind = rng.random()
    if kind < 0.4:
        return Step(str(rng.choice(list(UNARY))), (place,))
    if kind < 0.65:
        return Step(str(rng.choice(list(BINARY))), (place, int(rng.integers(len(values)))))
    if not x.ndim:
        return None
    name, axis = str(rng.choice(list(ALONG))), int(rng.integers(x.ndim))
    if name in NOT_EMPTY and not x.shape[axis]:
        return None
    return Step(name, (place,), (axis,))


def reduced(program: Program, fails: Callable[[Program], bool]) -> Program:
    """Return a smaller program that fails, too: with fewer steps and shorter arguments."""
    found = program
    changed = True
    while changed:
        changed = False
        for candidate in _smaller(found):
            if fails(candidate):
                found, changed = candidate, True
                break
    return found


def _smaller(program: Program) -> Any:
    first = len(program.shapes)
    for count in range(len(program.steps)):
        yield replace(program, steps=program.steps[:count])
    for gone in range(len(program.steps)):
        # Who reads what is gone reads what that would have read.
        source = program.steps[gone].inputs[0]
        place = first + gone

        def moved(i: int, place: int = place, source: int = source) -> int:
            i = source if i == place else i
            return i - 1 if i > place else i

        rest = [
            replace(step, inputs=tuple(map(moved, step.inputs)))
            for number, step in enumerate(program.steps)
            if number != gone
        ]
        yield replace(program, steps=tuple(rest))
    if program.mode == "gradient":
        yield replace(program, mode="value")
    for i, shape in enumerate(program.shapes):
        for axis, n in enumerate(shape):
            for less in dict.fromkeys([n // 2, n - 1]):
                if 0 < less < n:
                    short = (*shape[:axis], less, *shape[axis + 1 :])
                    yield replace(
                        program, shapes=(*program.shapes[:i], short, *program.shapes[i + 1 :])
                    )
