"""Values that are refused: the error of eager evaluation, before a step has changed anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.runtime.executable import Program
from schuss.nn import functional as F

RNG = np.random.default_rng(0)
X = RNG.integers(0, 6000, (16, 4))
Y = RNG.integers(0, 3, 16)


class Setting:
    """A network with all kinds of state, and a step of it.

    Args:
        sparse: whether the table's gradient is.
        width: of the hidden layer; threads share the step of a wide one.
    """

    def __init__(self, *, sparse: bool, width: int = 8) -> None:
        ss.manual_seed(0)
        self.model = nn.Sequential(
            nn.Embedding(6000, 8, sparse=sparse),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(32, width),
            nn.BatchNorm1d(width),
            nn.ReLU(),
            nn.Linear(width, 3),
        )
        table, *others = self.model.parameters()
        first = optim.SparseAdam([table], lr=0.1) if sparse else optim.Adam([table], lr=0.1)
        self.rules = [first, optim.AdamW(others, lr=0.1)]

    def step(self, x: Any, y: Any) -> Any:
        for rule in self.rules:
            rule.zero_grad()
        loss = F.cross_entropy(self.model(x), y)
        loss.backward()
        for rule in self.rules:
            rule.step()
        return loss

    def contents(self) -> list[np.ndarray]:
        """Copies of everything that lives longer than a step."""
        found = [*self.model.parameters(), *self.model.buffers()]
        found += [p.grad for p in self.model.parameters() if p.grad is not None]
        for rule in self.rules:
            found += [value for state in rule.state.values() for value in state.values()]
        return [*[np.array(t.array) for t in found], ss.random.get_state()]


def after_calls(rows: np.ndarray, **options: Any) -> list[np.ndarray]:
    """What a network is after a call of its step for each batch of rows."""
    setting = Setting(**options)
    step = compile(setting.step)
    for part in rows:
        step(ss.tensor(X[part]), ss.tensor(Y[part]))
    return setting.contents()


def with_wrong(values: np.ndarray, place: Any, wrong: int) -> np.ndarray:
    changed = values.copy()
    changed[place] = wrong
    return changed


def message_of(function: Callable[..., Any], *arguments: Any) -> tuple[type, str]:
    with pytest.raises(Exception) as caught:  # noqa: PT011  # compared with another one
        function(*arguments)
    return caught.type, str(caught.value)


def equal(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("width", [8, 256])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_call_that_is_refused_changes_nothing(sparse: bool, width: int) -> None:
    setting = Setting(sparse=sparse, width=width)
    step = compile(setting.step)
    for _ in range(3):
        step(ss.tensor(X), ss.tensor(Y))
    before = setting.contents()
    for x, y in (
        (with_wrong(X, (3, 2), 6000), Y),
        (with_wrong(X, (3, 2), -1), Y),
        (X, with_wrong(Y, 7, 3)),
        (X, with_wrong(Y, 0, -1)),
    ):
        expected = message_of(
            lambda x, y: F.cross_entropy(setting.model(x), y), *map(ss.tensor, (x, y))
        )
        ss.random.set_state(before[-1])
        for buffer, was in zip(setting.model.buffers(), before[7:], strict=False):
            buffer.assign(was)
        before = setting.contents()
        assert message_of(step, ss.tensor(x), ss.tensor(y)) == expected
        assert equal(before, setting.contents())
    step(ss.tensor(X), ss.tensor(Y))


@pytest.mark.parametrize("width", [8, 256])
@pytest.mark.parametrize("sparse", [False, True])
def test_a_scan_stops_before_the_step_that_is_refused(sparse: bool, width: int) -> None:
    rows = np.arange(16).reshape(4, 4)
    y = with_wrong(Y, 9, 5)
    expected = after_calls(rows[:2], sparse=sparse, width=width)
    scanned = Setting(sparse=sparse, width=width)
    step = compile(scanned.step)
    with pytest.raises(IndexError, match=r"got 5 at target\[1\].*step 2 of the scan.*2 before it"):
        step.scan((ss.tensor(X), ss.tensor(y)), rows)
    assert equal(expected, scanned.contents())
    before = scanned.contents()
    with pytest.raises(IndexError, match="step 0 of the scan.*nothing has changed"):
        step.scan((ss.tensor(X), ss.tensor(y)), rows[2:])
    assert equal(before, scanned.contents())
    step.scan((ss.tensor(X), ss.tensor(y)), rows[:2])


def test_an_index_of_a_scan_is_looked_at_before_the_first_step() -> None:
    setting = Setting(sparse=False)
    step = compile(setting.step)
    step(ss.tensor(X), ss.tensor(Y))
    before = setting.contents()
    with pytest.raises(
        IndexError, match=r"scan: expected rows from -16 to 15, got 16 at index\[1, 2"
    ):
        step.scan((ss.tensor(X), ss.tensor(Y)), [[0, 1, 2, 3], [4, 5, 16, -1]])
    with pytest.raises(IndexError, match=r"got -17 at index\[0, 0"):
        step.scan((ss.tensor(X), ss.tensor(Y)), [[-17, 1, 2, 3]])
    assert equal(before, setting.contents())


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, MemoryError])
def test_a_scan_that_is_interrupted_has_done_whole_steps(
    interrupt: type[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.arange(16).reshape(4, 4)
    # The first native call of a scan is of one step, which leaves the gradients.
    expected = after_calls(rows[:1], sparse=False)
    setting = Setting(sparse=False)
    step = compile(setting.step)
    run = Program._run

    def interrupted(self: Any, *arguments: Any, **options: Any) -> None:
        run(self, *arguments, **options)
        raise interrupt

    monkeypatch.setattr(Program, "_run", interrupted)
    with pytest.raises(interrupt):
        step.scan((ss.tensor(X), ss.tensor(Y)), rows)
    monkeypatch.undo()
    assert equal(expected, setting.contents())


def test_a_hook_that_fails_leaves_whole_steps() -> None:
    rows = np.arange(16).reshape(4, 4)
    setting = Setting(sparse=False)
    step = compile(setting.step)
    step.scan((ss.tensor(X), ss.tensor(Y)), rows)
    before = setting.contents()

    def fail(number: int) -> None:
        if number == 2:
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        step.scan((ss.tensor(X), ss.tensor(Y)), rows, before=fail)
    assert equal(before, setting.contents())


V = ss.tensor([0.1, 0.2, 0.3])
M = ss.tensor(RNG.normal(size=(3, 4)).astype(np.float32))
LOGITS = ss.tensor(RNG.normal(size=(2, 3)).astype(np.float32))
FACTORS = ss.tensor([1.0, 2.0, 3.0])


def put(x: Any, i: Any) -> Any:
    y = x.clone()
    y[i] = 1.0
    return y


def clipped(x: Any) -> Any:
    w = ss.tensor([1.0, 2.0, 3.0], requires_grad=True)
    (w * x).sum().backward()
    return optim.clip_grad_norm_([w], 1.0, error_if_nonfinite=True)


def of(*values: Any) -> ss.Tensor:
    return ss.tensor(np.array(values))


# A function, arguments that it takes, and others that it refuses.
REFUSED: dict[str, tuple[Callable[..., Any], tuple[Any, ...], tuple[Any, ...]]] = {
    "rows": (lambda x, i: x[i], (V, of(0, -3)), (V, of(0, 3))),
    "rows from the end": (lambda x, i: x[i], (V, of(0, -3)), (V, of(0, -4))),
    "a number": (lambda x, i: x[i], (V, ss.tensor(2)), (V, ss.tensor(3))),
    "columns": (lambda x, i: x[:, i], (M, of(0, 3)), (M, of(4, 0))),
    "both": (lambda x, i, j: x[i, j], (M, of(0), of(3)), (M, of(2), of(4))),
    "behind an ellipsis": (lambda x, i: x[..., i], (M, of(0, 3)), (M, of(4, 0))),
    "take": (lambda x, i: ss.take(x, i, axis=1), (M, of(0, 3)), (M, of(4, 0))),
    "take_along_axis": (
        lambda x, i: ss.take_along_axis(x, i, axis=1),
        (M, of([0], [1], [3])),
        (M, of([0], [1], [4])),
    ),
    "gather": (lambda x, i: ss.gather(x, 0, i), (V, of(0, 2)), (V, of(0, -4))),
    "searchsorted": (
        lambda x, i: ss.searchsorted(x, V, sorter=i),
        (V, of(0, 1, 2)),
        (V, of(0, 1, 3)),
    ),
    "scatter_add": (lambda x, i: ss.scatter_add(x, 0, i, x), (V, of(0, 2, 2)), (V, of(0, 2, -1))),
    "scatter": (lambda x, i: ss.scatter(x, 0, i, 1.0), (V, of(0, 2)), (V, of(0, 3))),
    "index_add": (lambda x, i: ss.index_add(x, 0, i, x), (V, of(0, 2, -3)), (V, of(0, 2, -4))),
    "chances": (lambda x: ss.multinomial(x, 1), (of(0.0, 1.0),), (of(0.0, -1.0),)),
    "too many draws": (
        lambda x: F.softmax(ss.multinomial(x, 2).sum().astype("float32") * x, -1),
        (of(0.0, 1.0, 1.0),),
        (of(0.0, 1.0, 0.0),),
    ),
    "bernoulli": (ss.bernoulli, (of(0.0, 1.0),), (of(0.0, 1.5),)),
    "std": (lambda s: ss.normal(1.0, s), (of(0.0, 0.0),), (of(0.0, -1.0),)),
    "setitem": (put, (V, of(0, -3)), (V, of(0, 3))),
    "cross_entropy": (F.cross_entropy, (LOGITS, of(0, -100)), (LOGITS, of(0, 3))),
    "cross_entropy, weights": (
        lambda x, y: F.cross_entropy(x, y, FACTORS, ignore_index=2, label_smoothing=0.1),
        (LOGITS, of(0, 2)),
        (LOGITS, of(-1, 2)),
    ),
    "cross_entropy, ignoring": (
        lambda x, y: F.cross_entropy(x, y, ignore_index=7),
        (LOGITS, of(0, 7)),
        (LOGITS, of(0, 8)),
    ),
    "nll_loss": (F.nll_loss, (LOGITS, of(0, 2)), (LOGITS, of(0, 3))),
    "embedding": (F.embedding, (of(0, 2), M), (of(0, -1), M)),
    "embedding, limited": (
        lambda i: F.embedding(i, M.clone(), max_norm=0.5),
        (of(0, 2),),
        (of(0, 3),),
    ),
    "probabilities": (F.binary_cross_entropy, (V, V), (V - 0.2, V)),
    "probabilities above": (F.binary_cross_entropy, (V, V), (V * 4.0, V)),
    "probabilities, nan": (F.binary_cross_entropy, (V, V), (V * np.nan, V)),
    "a parameter": (lambda s: ss.distributions.Normal(0.0, s).log_prob(V), (V,), (V - 0.2,)),
    "a value": (lambda x: ss.distributions.Uniform(V - 1.0, V).log_prob(x), (V - 0.5,), (V + 0.5,)),
    "a norm": (clipped, (V,), (V * np.inf,)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_error_is_that_of_eager_evaluation(name: str) -> None:
    function, taken, refused = REFUSED[name]
    compiled = compile(function)
    for _ in range(2):
        np.testing.assert_allclose(compiled(*taken).array, function(*taken).array, rtol=1e-5)
        assert message_of(compiled, *refused) == message_of(function, *refused)


def test_what_is_known_while_tracing_is_looked_at_once() -> None:
    fixed = compile(lambda x: x[np.array([0, 2])] + x[ss.tensor([1, 1])])
    assert fixed(V).shape == (2,)
    (build,) = fixed._builds.values()
    assert not build.program.artifact.has_checks
    with pytest.raises(IndexError, match="index: index 3 is out of bounds for axis 0 with size 3"):
        compile(lambda x: x[ss.tensor([0, 3])])(V)
    with pytest.raises(ValueError, match="negative integer powers"):
        compile(lambda x: x**-1)(of(2, 3))


@pytest.mark.parametrize(
    "function",
    [lambda x: ss.sort(x)[0], lambda x: ss.sort(x, axis=0), ss.median, lambda x: ss.topk(x, 2)[0]],
)
def test_positions_that_schuss_finds_need_no_check(function: Callable[..., Any]) -> None:
    compiled = compile(function)
    np.testing.assert_array_equal(compiled(V).array, function(V).array)
    (build,) = compiled._builds.values()
    assert not build.program.artifact.has_checks


def test_a_check_behind_an_update_holds_the_update_back() -> None:
    w = ss.tensor([0.5, 0.5], requires_grad=True)
    rule = optim.SGD([w], lr=1.0)

    @compile
    def step(x: Any, y: Any) -> Any:
        rule.zero_grad()
        ((w - x) ** 2).sum().backward()
        rule.step()
        loss = F.binary_cross_entropy(w, y)
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss

    y = ss.tensor([1.0, 0.0])
    step(ss.tensor([0.4, 0.4]), y)
    before = [w.tolist(), w.grad.tolist() if w.grad is not None else None]
    with pytest.raises(ValueError, match="binary_cross_entropy: expected input from 0 to 1"):
        step(ss.tensor([9.0, 9.0]), y)
    assert [w.tolist(), w.grad.tolist() if w.grad is not None else None] == before


def test_a_gradient_that_was_left_before_stays_readable() -> None:
    setting = Setting(sparse=False)
    step = compile(setting.step)
    for _ in range(2):
        step(ss.tensor(X), ss.tensor(Y))
    table = next(iter(setting.model.parameters()))
    eager = Setting(sparse=False)
    for _ in range(2):
        eager.step(ss.tensor(X), ss.tensor(Y))
    expected = next(iter(eager.model.parameters())).grad
    with pytest.raises(IndexError):
        step(ss.tensor(X[::-1].copy()), ss.tensor(with_wrong(Y, 3, 3)))
    # It is computed now, of what the step before the refused one left in the program's memory.
    assert table.grad is not None
    assert expected is not None
    np.testing.assert_allclose(table.grad.array, expected.array, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("many", [False, True])
def test_a_call_of_numpy_that_fails_changes_nothing(many: bool) -> None:
    size = 64 if many else 3
    w = ss.tensor(np.eye(size), requires_grad=True)
    rule = optim.Adam([w], lr=0.1)

    @compile
    def step(x: Any) -> Any:
        rule.zero_grad()
        loss = (ss.linalg.inv(x) @ w).sum() + (ss.rand(size) * w).sum()
        loss.backward()
        rule.step()
        return loss

    step(ss.tensor(2.0 * np.eye(size)))
    assert w.grad is not None
    before = [w.array.copy(), w.grad.array.copy(), ss.random.get_state()]
    with pytest.raises(np.linalg.LinAlgError, match="ingular"):
        step(ss.tensor(np.zeros((size, size))))
    assert equal(before, [w.array, w.grad.array, ss.random.get_state()])
    step(ss.tensor(2.0 * np.eye(size)))
