"""What is held of a random sequence: PyTorch's values, gradients and flags, or a refusal."""

from __future__ import annotations

import random
import re
from collections import Counter
from typing import Any

import numpy as np

import schuss as ss
from schuss.errors import TraceError
from sequences import MAKERS, REFUSALS, VIEWS, Player, Step, is_small, random_step

LENGTH = 14
OUTCOMES: Counter[str] = Counter()


def arrays(seed: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    shape = [(3, 4), (4,), (2, 3, 2)][seed % 3]
    return rng.normal(size=shape), rng.normal(size=shape)


def generate(torch: Any, seed: int) -> tuple[list[Step], Player]:
    """Return steps that PyTorch takes, and that Schuss does not refuse; with PyTorch's tensors.

    Both take them in turn, so that no one goes on from what the other refused.
    """
    rng = random.Random(seed)
    data, parameter = arrays(seed)
    theirs = Player(torch, torch.tensor(data), torch.tensor(parameter, requires_grad=True))
    ours = Player(ss, ss.tensor(data), ss.tensor(parameter, requires_grad=True))
    steps: list[Step] = []
    for _ in range(LENGTH):
        step = random_step(rng, theirs.pool)
        try:
            ours.play(step)
        except REFUSALS:
            OUTCOMES["write refused"] += 1
            continue
        try:
            theirs.play(step)
        except REFUSALS:
            OUTCOMES["write refused by torch"] += 1
            break
        steps.append(step)
        if step[0] in MAKERS and not is_small(theirs.pool[-1]):
            break
    return steps, theirs


def replay(lib: Any, steps: list[Step], data: Any, parameter: Any) -> Player:
    """Take all steps."""
    player = Player(lib, data, parameter)
    for step in steps:
        player.play(step)
    return player


def gradient_of(lib: Any, player_total: Any, parameter: Any) -> Any:
    try:
        player_total.backward()
    except RuntimeError as error:
        return str(error)
    return parameter.grad


def compare(values: Any, total: Any, theirs: Player, where: str) -> None:
    for n, (mine, other) in enumerate(zip(values, theirs.pool, strict=True)):
        np.testing.assert_allclose(
            mine.detach().numpy(), other.detach().numpy(), rtol=1e-9, atol=1e-9,
            err_msg=f"{where}: tensor {n}",
        )  # fmt: skip
    np.testing.assert_allclose(
        total.detach().numpy(),
        theirs.total.detach().numpy(),
        rtol=1e-9,
        atol=1e-9,
        err_msg=f"{where}: total",
    )


def check(torch: Any, seed: int, *, compiled: bool) -> None:
    """Raise AssertionError where the two differ."""
    steps, theirs = generate(torch, seed)
    data, parameter = arrays(seed)
    p = ss.tensor(parameter, requires_grad=True)
    ours = replay(ss, steps, ss.tensor(data), p)
    compare(ours.pool, ours.total, theirs, "eager")
    flags = [x.requires_grad for x in ours.pool]
    assert flags == [x.requires_grad for x in theirs.pool], (flags, "requires_grad")
    wanted = gradient_of(torch, theirs.total, theirs.parameter)
    hold(gradient_of(ss, ours.total, p), wanted, "eager")
    if compiled:
        check_compiled(steps, theirs, wanted, ss.tensor(data), ss.tensor(parameter))


def hold(found: Any, wanted: Any, where: str) -> None:
    if isinstance(found, str):
        assert "changed in place" in found, found
        OUTCOMES[f"{where}: both refuse" if isinstance(wanted, str) else f"{where}: refused"] += 1
    elif isinstance(wanted, str):
        OUTCOMES[f"{where}: torch refuses"] += 1
    else:
        np.testing.assert_allclose(
            found.numpy(), wanted.numpy(), rtol=1e-9, atol=1e-9, err_msg=f"{where}: gradient"
        )
        OUTCOMES[f"{where}: equal"] += 1


def check_compiled(steps: list[Step], theirs: Player, wanted: Any, data: Any, p: Any) -> None:
    """Take the first views outside, and the rest in a compiled function."""
    p.requires_grad_()
    player = Player(ss, data, p)
    outside = next((n for n, step in enumerate(steps) if step[0] not in VIEWS), len(steps))
    for step in steps[:outside]:
        player.play(step)

    def run() -> Any:
        inner = Player(ss, data, p)
        inner.pool = list(player.pool)
        for step in steps[outside:]:
            inner.play(step)
        p.grad = None
        inner.total.backward()
        return [x.detach() for x in inner.pool], inner.total.detach()

    try:
        values, total = ss.compile(run)()
    except (RuntimeError, ValueError, TraceError) as error:
        text = str(error)
        if "changed in place" in text:
            hold(text, wanted, "compiled")
        else:
            OUTCOMES["compiled: refused " + re.sub(r"/[^ ]*", "", text)[:90]] += 1
        return
    compare(values, total, theirs, "compiled")
    for n, x in enumerate(player.pool):
        np.testing.assert_allclose(
            x.detach().numpy(), theirs.pool[n].detach().numpy(), rtol=1e-9, atol=1e-9,
            err_msg=f"outside: tensor {n}",
        )  # fmt: skip
    hold(p.grad, wanted, "compiled")


def steps_of(torch: Any, seed: int) -> str:
    return "\n".join(map(str, generate(torch, seed)[0]))
