"""A fixed slice of the programs and sessions that are held to PyTorch; see `run.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

torch: Any = pytest.importorskip("torch")

from torch_checks import check, everything_shared, fault_of_session  # noqa: E402
from torch_sessions import Session  # noqa: E402
from torch_tensors import make  # noqa: E402

import schuss as ss  # noqa: E402
from schuss import optim  # noqa: E402
from schuss.compiler.specialization import Specialization  # noqa: E402


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
