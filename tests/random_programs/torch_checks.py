"""Holding programs and sessions of PyTorch's to what PyTorch itself makes of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from checks import everything_shared, settings
from rounding import Arrays, difference
from torch_sessions import Session
from torch_tensors import REFUSALS, Lines, make

import schuss as ss
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.errors import TraceError

__all__ = ["check", "everything_shared", "fault_of_lines"]

# PyTorch's own sums, products and functions.
_TOLERANCES = {"float64": 1e-12}


def _weighed(lib: Any, values: dict[str, Any], tensor: Callable[[Any], Any]) -> Any:
    """Return a number that every float of a program decides."""
    total = 0.0
    for number, x in enumerate(values.values()):
        if x.dtype == lib.float64:
            weights = np.cos(np.arange(x.numel(), dtype=np.float64) + number)
            total = total + (x * tensor(weights.reshape(tuple(x.shape)))).sum()
    return total


def _of_torch(program: Lines, seed: int) -> Arrays:
    """Return a program's values and gradients, as PyTorch has them."""
    inputs = []
    for given in program.given:
        x = torch.tensor(given.array(seed).copy())
        inputs.append(x.requires_grad_() if given.kind == "f" else x)
    floats = [x for x in inputs if x.requires_grad]
    values = program.function(torch)(*inputs)
    found = [x.detach().numpy().copy() for x in values.values()]
    loss = _weighed(torch, values, torch.tensor) + sum(x.sum() for x in floats)
    return found + [g.numpy() for g in torch.autograd.grad(loss, floats)]


def _ours(program: Lines) -> Callable[..., list[Any]]:
    """Return the function of a program's arguments that has its values and gradients."""
    function = program.function(ss)
    places = [i for i, given in enumerate(program.given) if given.kind == "f"]

    def loss(*inputs: Any) -> Any:
        values = function(*inputs)
        return _weighed(ss, values, ss.tensor) + sum(inputs[i].sum() for i in places)

    def run(*inputs: Any) -> list[Any]:
        return [*function(*inputs).values(), *ss.grad(loss, tuple(places))(*inputs)]

    return run


def _arguments(program: Lines, seed: int) -> list[Any]:
    take = (ss.tensor, ss.from_numpy)
    return [take[(seed + i) % 2](given.array(seed)) for i, given in enumerate(program.given)]


def fault_of_lines(program: Lines) -> str | None:
    """Return how a program differs from PyTorch's, eagerly or compiled, or None."""
    if not program.lines:
        return None
    try:
        wanted = [_of_torch(program, seed) for seed in (1, 2)]
    except REFUSALS:
        return None
    run = _ours(program)
    names = [name for name, _ in program.lines]
    names += [f"gradient of {given.name}" for given in program.given if given.kind == "f"]

    def results(call: Callable[..., list[Any]], seed: int) -> Arrays:
        return [x.array.copy() for x in call(*_arguments(program, seed))]

    compiled = ss.compile(run)
    for way, call in (("eager", run), ("compiled", compiled)):
        for seed, right in zip((1, 2), wanted, strict=True):
            ThreadTuner.always = 1 + seed % 3
            try:
                with np.errstate(all="ignore"):
                    found = results(call, seed)
            except TraceError:
                break
            except Exception as error:
                return f"{way}: {type(error).__name__}: {error}"
            far = difference(found, right, partial(results, run, seed), _TOLERANCES)
            if far is not None:
                return f"{way}, {names[far[0]]}: {far[1]}"
    return None


def fault_of_session(session: Session) -> str | None:
    """Return how a session differs from the one with PyTorch, eagerly or compiled, or None."""

    def itself(function: Any) -> Any:
        return function

    try:
        wanted = session.seen(torch, itself)
    except REFUSALS:
        # What is left of a session may ask for what is not there.
        return None
    for way, wrap in (("eager", itself), ("compiled", ss.compile)):
        ThreadTuner.always = 1 + session.seed % 3
        try:
            seen = session.seen(ss, wrap)
        except Exception as error:
            return f"{way}: {type(error).__name__}: {error}"
        fault = _difference_of_sessions(session, seen, wanted)
        if fault is not None:
            return f"{way}, {fault}"
    return None


def _difference_of_sessions(session: Session, seen: Any, wanted: Any) -> str | None:
    labels, ours = [label for label, _ in seen], [x for _, x in seen]
    theirs_labels, theirs = [label for label, _ in wanted], [x for _, x in wanted]
    if labels != theirs_labels:
        return f"other things to see: {sorted({*labels} ^ {*theirs_labels})[:5]}"
    for label, got, right in zip(labels, ours, theirs, strict=True):
        if got.dtype.kind == "U" and str(got) != str(right):
            return f"{label}: {got} in the place of {right}"

    end = next((i for i, x in enumerate(theirs) if _has_blown_up(x)), len(theirs))

    def again() -> Arrays:
        return [x for _, x in session.seen(ss, lambda f: f)][:end]

    far = difference(ours[:end], theirs[:end], again, _TOLERANCES)
    return None if far is None else f"{labels[far[0]]}: {far[1]}"


def _has_blown_up(x: np.ndarray) -> bool:
    """Whether squares of numbers overflow soon, here or there first."""
    return x.dtype.kind == "f" and bool(np.any(np.abs(x[np.isfinite(x)]) > 1e100))


def check(seed: int, *, makes_small: bool = True) -> str | None:
    """Return a report on the program (or each fourth time, the session) of a seed, if it fails."""
    with settings(seed), warnings.catch_warnings():
        # PyTorch's, of what will not be allowed any more.
        warnings.simplefilter("ignore")
        if seed % 4 == 3:
            return _report(Session(seed), fault_of_session, makes_small=makes_small)
        return _report(make(seed, torch, ss), fault_of_lines, makes_small=makes_small)


def _report(found: Any, fault_of: Callable[[Any], str | None], *, makes_small: bool) -> str | None:
    """Return a report on what fails, or None."""
    fault = fault_of(found)
    if fault is None:
        return None
    changed = makes_small
    while changed:
        changed = False
        for candidate in found.smaller():
            smaller = fault_of(candidate)
            if smaller is not None:
                found, fault, changed = candidate, smaller, True
                break
    return f"{found}\n{fault}"
