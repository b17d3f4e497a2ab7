"""Whether results differ by more than rounding.

Sums in another order, or an exp of another library, round otherwise, and what follows may amplify
that: a division by a small difference, a comparison of what is nearly equal. How much is measured,
not guessed: the same is computed eagerly again with noise of a few units in the last place on the
result of every operation. Results may be off by as much as that moves them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, TypeAlias

import numpy as np

from schuss.core import TRACER, Tensor, leaf, next_stamp
from schuss.lowering.kinds import Elementwise, Kernel, Reduction
from schuss.primitives.base import record, result_dtype

__all__ = ["Arrays", "difference"]

Arrays: TypeAlias = Sequence[np.ndarray]
# Sums of the same numbers, by other code.
TOLERANCES = {"float32": 1e-5, "float64": 2e-14}
# Units in the last place, runs with noise, and how much further than in any of them is a fault.
_UNITS, _RUNS, _MARGIN = 2.0, 6, 8.0
# The distance of bfloat16s, relative to them.
_BFLOAT16 = 2.0**-7


class _Noisy:
    """Takes the place of a trace, and evaluates each primitive with noise on its result.

    Args:
        seed: other noise for each.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self.scope = None
        self.dictionaries: list[Any] = []

    def apply(self, primitive: Any, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Tensor:
        """Return the value of a primitive, rounded worse than it is."""
        weighed = inputs[1:] if primitive.name == "where" else inputs
        kind = result_dtype(*[x.dtype for x in weighed if isinstance(x, Tensor)])
        arrays = [x.array if isinstance(x, Tensor) else np.asarray(x, kind) for x in inputs]
        out = np.asarray(primitive.value(*arrays, **attributes))
        is_rounded = isinstance(primitive.lower, (Elementwise, Reduction, Kernel))
        if is_rounded and out.dtype.kind == "f":
            size, unit = out, _UNITS * np.finfo(out.dtype).eps
            if primitive.name == "bfloat16_rounded":
                # What lies between two numbers goes to the one or to the other.
                unit = _BFLOAT16
            if not isinstance(primitive.lower, Elementwise):
                # Each addition rounds by what is added up so far, however little remains.
                size = primitive.value(*map(_size, arrays), **attributes)
                unit *= np.sqrt(max(arrays[0].size / max(out.size, 1), 1.0))
            noise = self._rng.uniform(-1.0, 1.0, out.shape)
            out = np.asarray(out + size * unit * noise, out.dtype)
        wanted = any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
        return record(primitive, inputs, attributes, out, wanted)

    def call(self, module: Any, *inputs: Any, **options: Any) -> Any:
        """Call a module."""
        return module.forward(*inputs, **options)

    def attribute(self, owner: Any, name: str) -> Any:
        """Return an attribute as it is."""
        return getattr(owner, name)

    def options(self, group: Any, check: Any) -> Any:
        """Return the hyperparameters as they are."""
        return group

    def contents(self, tensor: Tensor) -> np.ndarray:
        """Return an array as it is now."""
        return tensor.array.copy()

    def memory(self, tensor: Tensor) -> np.ndarray:
        """Return an array that lies in memory as a tensor does."""
        return tensor.array

    def assign(self, tensor: Tensor, value: Any) -> None:
        """Give a tensor other contents."""
        made = value.array if isinstance(value, Tensor) else np.asarray(value)
        tensor.array = np.array(made, tensor.dtype)
        tensor.stamp = next_stamp()

    def nonzero(self, x: Any) -> list[Tensor]:
        """Return where something is not zero."""
        found = np.nonzero(x.array if isinstance(x, Tensor) else x)
        return [leaf(places) for places in found]

    def custom(self, name: str, inputs: Any, result: Tensor, derivative: Any) -> Tensor:
        """Return a result as it is: nobody outside differentiates it."""
        return result

    def tensors(self) -> list[Tensor]:
        """Return the views that have to follow their tensor: none is used after that."""
        return []

    def within(self, *_: Any) -> Any:
        """Enter nothing."""
        return nullcontext()

    def __getattr__(self, name: str) -> Any:
        # What a trace notes, and this need not.
        return lambda *_: None


def _size(x: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(x)) if x.dtype.kind == "f" else x


@contextmanager
def _noise(seed: int) -> Iterator[None]:
    """Have operations round worse than they do, otherwise for each seed."""
    token = TRACER.set(_Noisy(seed))
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        TRACER.reset(token)


def difference(
    found: Arrays,
    wanted: Arrays,
    again: Callable[[], Arrays],
    tolerances: Mapping[str, float] = TOLERANCES,
) -> tuple[int, str] | None:
    """Return the first result that differs by more than rounding, and how; or None.

    Args:
        found: what is looked at.
        wanted: what it should be.
        again: computes the same as is looked at, eagerly.
        tolerances: relative to the largest number of a result, by dtype, without a look at what
            amplifies it.
    """
    far = {}
    for place, (got, right) in enumerate(zip(found, wanted, strict=True)):
        if got.shape != right.shape or got.dtype != right.dtype:
            kinds = [f"{x.dtype}{list(x.shape)}" for x in (got, right)]
            return place, f"{kinds[0]} in the place of {kinds[1]}"
        off = _distance(got, right)
        if off > _allowed(right, tolerances):
            far[place] = off
    if not far:
        return None
    # Not beside what is wanted, which may be off by more than noise.
    exact, moved = again(), dict.fromkeys(far, 0.0)
    for seed in range(_RUNS):
        with _noise(seed):
            run = again()
        for place in list(far):
            moved[place] = max(moved[place], _distance(run[place], exact[place]))
            if far[place] <= _allowed(wanted[place], tolerances) + _MARGIN * moved[place]:
                # More noise would allow more still.
                del far[place]
        if not far:
            return None
    place, off = next(iter(far.items()))
    return place, f"off by {off:.2g} of the largest; rounding moves it by {moved[place]:.2g}"


def _allowed(wanted: np.ndarray, tolerances: Mapping[str, float]) -> float:
    return tolerances.get(str(wanted.dtype), 0.0)


def _distance(got: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest difference relative to the largest number, infinite for other kinds."""
    if wanted.dtype.kind != "f":
        return 0.0 if np.array_equal(got, wanted) else np.inf
    same = np.isfinite(wanted)
    if not np.array_equal(got[~same], wanted[~same], equal_nan=True):
        return np.inf
    if not same.any():
        return 0.0
    with np.errstate(all="ignore"):
        worst = float(np.abs(got[same] - wanted[same]).max())
        largest = max(float(np.abs(x[same]).max()) for x in (got, wanted))
    return worst / max(largest, 1e-3) if np.isfinite(worst) else np.inf
