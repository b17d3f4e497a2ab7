"""Objects' fields: read where they are, or not at all where the layout is not known."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss.native import cpython
from schuss.native.cpython import (
    array_data_address,
    layout_is_known,
    refcount_address,
    reference_count,
    slot_address,
    unknown_layout,
)

known = pytest.mark.skipif(not layout_is_known(), reason=unknown_layout())


class Point:
    __slots__ = ("x", "y")


class Named(Point):
    """Has a property of the name of a slot, and slots of its own."""

    __slots__ = ("name",)

    @property
    def x(self) -> str:
        return "not the slot's"


@pytest.fixture
def _plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpython, "unknown_layout", lambda: "it is switched off")


def arrays() -> list[np.ndarray]:
    array = np.arange(6.0).reshape(2, 3)
    return [array, array[1:], array.T, np.ones(()), np.zeros((0, 3))]


@pytest.mark.parametrize("array", arrays(), ids=lambda a: f"{a.shape} {a.strides}")
def test_an_array_begins_where_numpy_says(array: np.ndarray, request: Any) -> None:
    expected = array.__array_interface__["data"][0]
    assert array_data_address(array) == expected
    request.getfixturevalue("_plain")
    assert array_data_address(array) == expected


@known
def test_a_slot_holds_the_id_of_its_value() -> None:
    for holder, name in [(Point(), "x"), (Point(), "y"), (Named(), "name"), (Named(), "y")]:
        value = object()
        setattr(holder, name, value)
        address = slot_address(holder, name)
        assert address is not None
        assert cpython._word(address) == id(value)
    hidden = Named()
    Point.x.__set__(hidden, value)
    assert cpython._word(slot_address(hidden, "x") or 0) == id(value)


@known
def test_references_are_counted() -> None:
    array = np.zeros(3)
    key = id(array)
    assert reference_count(key) == 1
    view = array[1:]
    assert reference_count(key) == 2
    assert cpython._word(refcount_address(key) or 0) == 2
    del view
    assert reference_count(key) == 1


@pytest.mark.usefixtures("_plain")
def test_where_the_layout_is_not_known_there_are_no_addresses() -> None:
    point = Point()
    assert not layout_is_known()
    assert slot_address(point, "x") is None
    assert refcount_address(id(point)) is None
    assert reference_count(id(point)) is None


@known
@pytest.mark.parametrize(
    ("owner", "name", "value", "reason"),
    [
        (os, "environ", {"SCHUSS_PLAIN_PYTHON": "1"}, "SCHUSS_PLAIN_PYTHON is set"),
        (sys, "implementation", type("", (), {"name": "pypy"}), "the interpreter is pypy"),
        (cpython.ctypes, "sizeof", lambda _: 4, "not of 64 bits"),
        (cpython, "_HEAD", 32, "another head"),
        (cpython, "_refcounts_are_as_expected", lambda: False, "counted in another way"),
        (cpython, "_numpy_abi", lambda: 0x03000000, "another \\(0x3000000\\)"),
        (cpython, "_DTYPE", 48, "other fields"),
        (cpython, "_FLAGS", 1 << 20, "other fields"),
    ],
)
def test_what_is_not_known_is_named(
    owner: Any, name: str, value: Any, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, value)
        found = unknown_layout.__wrapped__()
    assert re.search(reason, found)


PACKAGE = Path(cpython.__file__).parents[1]


def test_no_other_file_reads_objects_memory() -> None:
    reads = re.compile(
        r"getrefcount|pythonapi|__basicsize__|from_address\(id\(|PyCapsule|_ARRAY_API"
    )
    found = {path.name for path in PACKAGE.rglob("*.py") if reads.search(path.read_text("utf-8"))}
    assert found == {"cpython.py"}


IRIS = """
import hashlib
import numpy as np
import schuss as ss
from schuss import nn, optim
from schuss.native.cpython import unknown_layout
from schuss.nn import functional as F

ss.manual_seed(0)
rng = np.random.default_rng(0)
x, y = rng.normal(size=(150, 4)).astype("f4"), rng.integers(0, 3, 150)
model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 3))
rule = optim.Adam(model.parameters(), lr=0.01)

@ss.compile
def step(x, y):
    loss = F.cross_entropy(model(x), y)
    rule.zero_grad()
    loss.backward()
    rule.step()
    return loss.detach()

for start in [*range(0, 150, 30)] * 4:
    step(ss.tensor(x[start : start + 30]), ss.tensor(y[start : start + 30]))
view = model[0].weight.array[1:]
before = view.copy()
step.scan((ss.tensor(x), ss.tensor(y)), rng.integers(0, 150, (20, 30)))
# It shares the weight's memory.
assert np.array_equal(view, model[0].weight.array[1:]) and not np.array_equal(view, before)
bits = b"".join(p.array.tobytes() for p in model.parameters())
print(hashlib.sha256(bits).hexdigest(), unknown_layout())
"""


@known
def test_training_in_plain_python_gives_the_same_bits(tmp_path: Path) -> None:
    def train(**settings: str) -> tuple[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", IRIS],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"SCHUSS_CACHE": str(tmp_path)} | settings,
        )
        assert done.returncode == 0, done.stderr
        digest, _, unknown = done.stdout.strip().partition(" ")
        return digest, unknown

    native, plain = train(), train(SCHUSS_PLAIN_PYTHON="1")
    assert native[1] == ""
    assert plain == (native[0], "SCHUSS_PLAIN_PYTHON is set")


@known
def test_the_word_of_a_dictionary_is_another_one_after_each_change() -> None:
    class Holder:
        def __init__(self) -> None:
            self.x, self.y = 0, 0

    holder = Holder()
    held = vars(holder)
    address = cpython.dict_version_address(held)
    if address is None:
        pytest.skip("this interpreter's dictionaries have no such word")
    seen = [cpython.word_at(address)]
    for turn in range(2000):
        # Long enough for the interpreter to specialise how it stores.
        holder.x = turn + 1000
        seen.append(cpython.word_at(address))
    held["y"] = 1
    seen.append(cpython.word_at(address))
    del holder.y
    seen.append(cpython.word_at(address))
    assert len(set(seen)) == len(seen)
    assert cpython.word_at(address) == seen[-1]


@known
def test_the_word_of_a_cell_follows_its_variable() -> None:
    value: object = None

    def change() -> None:
        nonlocal value
        value = object()

    (cell,) = change.__closure__ or ()
    address = cpython.cell_address(cell)
    assert address is not None
    for _ in range(3):
        change()
        assert cpython.word_at(address) == id(value)
