"""A fixed slice of the programs and sessions that are held to PyTorch; see `run.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")

from torch_checks import check, everything_shared  # noqa: E402

from schuss.compiler.runtime.python_guard import PythonGuard  # noqa: E402
from schuss.compiler.specialization import Specialization  # noqa: E402
from schuss.functions import inplace  # noqa: E402
from schuss.nn.functional import classification  # noqa: E402
from schuss.primitives.base import REGISTRY  # noqa: E402


@pytest.fixture(autouse=True)
def _shared() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with everything_shared():
        yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("first", range(0, 64, 16))
def test_programs_and_sessions_are_as_with_pytorch(first: int) -> None:
    reports = [check(seed) for seed in range(first, first + 16)]
    assert not any(reports), "\n\n".join(filter(None, reports))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 2000, 50))
def test_more_programs_and_sessions(first: int) -> None:
    reports = [check(seed) for seed in range(first, first + 50)]
    assert not any(reports), "\n\n".join(filter(None, reports))


def _a_wrong_derivative(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(REGISTRY["sqrt"], "derivative", (lambda g, y, x: g / y,))


def _changes_bring_other_values(patch: pytest.MonkeyPatch) -> None:
    right = inplace.put
    patch.setattr(inplace, "put", lambda x, index, value: right(x, index, value * 2.0))


def _python_state_is_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(PythonGuard, "changed", lambda self: None)


def _gradients_are_not_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Specialization, "leave_gradients", lambda self: None)


def _hyperparameters_stay(patch: pytest.MonkeyPatch) -> None:
    read = Specialization.read_numbers
    known: dict[int, list[float]] = {}

    def first(self: Specialization) -> list[float]:
        return known.setdefault(id(self), read(self))

    patch.setattr(Specialization, "read_numbers", first)


def _smoothing_forgets_the_weights(patch: pytest.MonkeyPatch) -> None:
    right = classification._smoothed

    def smoothed(*inputs: Any) -> Any:
        loss, spread = right(*inputs)
        return loss, spread * 1.5

    patch.setattr(classification, "_smoothed", smoothed)


# Each with a seed from which on it is found soon.
FAULTS = {
    _a_wrong_derivative: 303,
    _changes_bring_other_values: 330,
    _python_state_is_not_looked_at: 303,
    _gradients_are_not_left: 303,
    _hyperparameters_stay: 303,
    _smoothing_forgets_the_weights: 327,
}


@pytest.mark.parametrize("plant", FAULTS, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_fault_is_found(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    first = FAULTS[plant]
    assert any(check(seed, makes_small=False) for seed in range(first, first + 40))
