"""Several modules are compiled side by side, and nothing depends on it."""

from __future__ import annotations

import threading
from functools import partial

import numpy as np
import pytest

import schuss as ss
from schuss.compiler import compile
from schuss.compiler.codegen import llvm_module as module_text
from schuss.native import object_code

LOOP = """
define void @add_NAME(ptr %x, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %place = getelementptr float, ptr %x, i64 %i
  %value = load float, ptr %place
  %sum = fadd float %value, VALUE
  store float %sum, ptr %place
  %next = add i64 %i, 1
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""


def test_results_come_in_order_and_tasks_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_code, "usable_cores", lambda: 3)
    meeting = threading.Barrier(3, timeout=30)

    def task(i: int) -> int:
        if i < 3:
            meeting.wait()
        return i * i

    assert object_code.together([partial(task, i) for i in range(7)]) == [i * i for i in range(7)]
    assert object_code.together([]) == []


@pytest.mark.parametrize("count", [1, 4])
def test_a_failure_on_any_thread_is_raised(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(object_code, "usable_cores", lambda: count)

    def fail() -> int:
        raise ValueError("it failed")

    with pytest.raises(ValueError, match="it failed"):
        object_code.together([int, int, fail, int])


def test_wrong_text_is_an_error() -> None:
    with pytest.raises(RuntimeError, match="parsing"):
        object_code.generate("define nothing", None)


@pytest.mark.parametrize("prepare", [None, object_code.tidy, object_code.optimise])
def test_objects_are_the_same_side_by_side(monkeypatch: pytest.MonkeyPatch, prepare) -> None:
    texts = [LOOP.replace("NAME", str(i)).replace("VALUE", f"{i}.0") for i in range(12)]
    tasks = [partial(object_code.generate, text, prepare) for text in texts]
    monkeypatch.setattr(object_code, "usable_cores", lambda: 4)
    assert object_code.together(tasks) == [task() for task in tasks]


def test_modules_of_one_program_call_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module_text, "_LONG_TEXT", 1)

    def f(x):
        total = ss.exp(x).sum() + ss.tanh(x.reshape((4, 6))).sum(1).max()
        return total, ss.softmax(x, 0), ss.sort(x)[0], ss.log(ss.abs(x) + 1).reshape((3, 8)).sum(0)

    x = ss.tensor(np.random.default_rng(0).normal(size=24).astype(np.float32))
    compiled = compile(f)
    for got, expected in zip(compiled(x), f(x), strict=True):
        np.testing.assert_allclose(got.array, expected.array, rtol=2e-6)
    (program,) = compiled._builds.values()
    module = program.compilation.module
    assert min(len(module.loops), len(module.plain)) > 2
