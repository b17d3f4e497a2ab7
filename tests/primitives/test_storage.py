"""Tensors share memory where PyTorch's do, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim

X = np.arange(1.0, 13.0).reshape(3, 4)
SHARING: dict[str, Any] = {
    "element": lambda lib, x: x[1, 2],
    "row": lambda lib, x: x[1],
    "columns": lambda lib, x: x[:, ::2],
    "transposed": lambda lib, x: x.T,
    "reshaped": lambda lib, x: x.reshape(2, 6),
    "diagonal": lambda lib, x: x.diagonal(1),
    "expanded": lambda lib, x: x[0].expand(5, 4),
    "narrow": lambda lib, x: x.narrow(0, 1, 2),
    "detached": lambda lib, x: x.detach(),
    "detached row": lambda lib, x: x[2].detach()[1:],
}
COPYING: dict[str, Any] = {
    "flip": lambda lib, x: lib.flip(x, (0,)),
    "flip of no axis": lambda lib, x: lib.flip(x, ()),
    "roll by nothing": lambda lib, x: lib.roll(x, 0, 0),
    "tile once": lambda lib, x: lib.tile(x, (1, 1)),
    "prod of one": lambda lib, x: x.unsqueeze(0).prod(0),
    "cumprod of one": lambda lib, x: x.unsqueeze(0).cumprod(0),
    "diag": lambda lib, x: lib.diag(x),
    "flattened transpose": lambda lib, x: x.T.flatten(),
    "contiguous transpose": lambda lib, x: x.T.contiguous(),
    "clone": lambda lib, x: x.clone(),
    "list": lambda lib, x: x[[0, 1, 2]],
}


@pytest.mark.parametrize("name", [*SHARING, *COPYING])
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("requires_grad", [False, True])
def test_what_was_taken_before_a_write(name: str, compiled: bool, requires_grad: bool) -> None:
    torch = pytest.importorskip("torch")
    take = (SHARING | COPYING)[name]

    def run(lib: Any, x: Any) -> Any:
        x = x.clone()
        taken = take(lib, x)
        with lib.no_grad() if not requires_grad else lib.enable_grad():
            x.mul_(2.0)
            x[1] = 100.0
        return taken * 1

    expected = run(torch, torch.tensor(X, requires_grad=requires_grad))
    step = (lambda x: run(ss, x).detach()) if requires_grad else (lambda x: run(ss, x))
    found = (ss.compile(step) if compiled else step)(ss.tensor(X, requires_grad=requires_grad))
    np.testing.assert_array_equal(found.numpy(), expected.detach().numpy())
    before = take(torch, torch.tensor(X)).numpy()
    assert np.array_equal(found.numpy(), before) == (name in COPYING)


@pytest.mark.parametrize("name", SHARING)
def test_what_is_written_through_a_view_is_in_all(name: str) -> None:
    if name == "expanded":
        return
    x = ss.tensor(X)
    others = {other: take(ss, x) for other, take in SHARING.items()}
    others[name].fill_(-1.0)
    for other, take in SHARING.items():
        np.testing.assert_array_equal(others[other].numpy(), take(ss, x).numpy())
    assert (x.numpy() == -1.0).sum() == others[name].numel()


def test_numpy_shares_memory_in_both_directions() -> None:
    array = X.copy()
    x, copied = ss.from_numpy(array), ss.tensor(array)
    x[0] = 7.0
    array[1] = 8.0
    np.testing.assert_array_equal(x.numpy(), array)
    np.testing.assert_array_equal(array[:2], [[7.0] * 4, [8.0] * 4])
    np.testing.assert_array_equal(copied.numpy(), X)
    x.numpy()[2] = 9.0
    assert x[2, 0].item() == 9.0


def test_memory_that_cannot_be_written_to_is_refused() -> None:
    array = X.copy()
    array.flags.writeable = False
    with pytest.raises(ValueError, match=r"^assign: .*read-only array; change a clone"):
        ss.from_numpy(array).fill_(1.0)
    with pytest.raises(ValueError, match="expand"):
        ss.broadcast_to(ss.zeros(2), (3, 2)).add_(1.0)


@pytest.mark.parametrize(
    "change",
    [
        lambda w, y: y.detach().zero_(),
        lambda w, y: y.numpy() is None or ss.from_numpy(y.numpy()).fill_(0.0),
        lambda w, y: y.detach()[0].fill_(3.0),
    ],
)
def test_a_needed_value_that_changed_through_another_tensor_is_an_error(change: Any) -> None:
    w = ss.tensor(X, requires_grad=True)
    y = (w * 0.1).exp()
    loss = (y * y).sum()
    change(w, y)
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_a_factor_that_changed_through_another_view_is_an_error() -> None:
    w, data = ss.tensor([1.0, 2.0], requires_grad=True), ss.tensor([[3.0, 4.0], [5.0, 6.0]])
    row, same = data[0], data[0]
    loss = (w * row).sum()
    same.zero_()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("part", [slice(None), slice(0, 1)])
def test_a_buffer_that_a_program_wrote_is_an_error(compiled: bool, part: slice) -> None:
    w, buffer = ss.tensor([3.0, 4.0], requires_grad=True), ss.tensor([1.0, 2.0])

    def step() -> ss.Tensor:
        buffer.mul_(2.0)
        return buffer.sum()

    run = ss.compile(step) if compiled else step
    run()
    run()
    used = buffer if part == slice(None) else buffer[part]
    loss = (w * used).sum()
    run()
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()
    (w * buffer).sum().backward()
    assert w.grad is not None
    assert w.grad.tolist() == buffer.tolist()


def test_gradients_have_memory_of_their_own() -> None:
    x, y = ss.tensor(X, requires_grad=True), ss.tensor(X, requires_grad=True)
    (x + y).sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    x.grad.mul_(3.0)
    np.testing.assert_array_equal(x.grad.numpy(), np.full((3, 4), 3.0))
    np.testing.assert_array_equal(y.grad.numpy(), np.ones((3, 4)))


@pytest.mark.parametrize("compiled", [False, True])
def test_a_row_of_a_parameter_is_used_in_every_step(compiled: bool) -> None:
    torch = pytest.importorskip("torch")

    def train(lib: Any, weight: Any, wrap: Any) -> Any:
        layer = lib.nn.Linear(4, 3, bias=False)
        with lib.no_grad():
            layer.weight.copy_(lib.tensor(weight))
        row = layer.weight[0]
        optimizer = lib.optim.Adam(layer.parameters(), lr=0.1)
        x = lib.tensor(X.astype(np.float32))

        def step() -> Any:
            optimizer.zero_grad()
            loss = (layer(x) ** 2).mean() + (row * row * row).sum()
            loss.backward()
            optimizer.step()
            return loss.detach()

        losses = [wrap(step)().item() for _ in range(5)]
        return losses, row.detach().numpy()

    weight = (X[::-1] / 10).astype(np.float32)
    wanted = train(torch, weight, lambda f: f)
    compile_once: dict[int, Any] = {}
    wrap = (lambda f: compile_once.setdefault(0, ss.compile(f))) if compiled else (lambda f: f)
    found = train(ss, weight, wrap)
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5)


def test_views_join_in_when_their_root_begins_to_take_part() -> None:
    w, x = ss.tensor([2.0, 3.0], requires_grad=True), ss.zeros(3, 2)
    row, element = x[1], x[1][0]
    x[1] = w * w
    assert row.requires_grad
    assert element.requires_grad
    (row.sum() + element).backward()
    assert w.grad is not None
    assert w.grad.tolist() == [8.0, 6.0]


def test_a_state_dict_shares_memory_with_the_module() -> None:
    layer = nn.Linear(2, 1)
    kept = layer.state_dict()
    kept["weight"].copy_([[5.0, 6.0]])
    assert layer.weight.tolist() == [[5.0, 6.0]]
    layer.bias.grad = ss.ones(1)
    before = layer.bias.item()
    optim.SGD(layer.parameters(), lr=0.5).step()
    assert kept["bias"].item() == before - 0.5
