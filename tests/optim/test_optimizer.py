"""What all rules share: groups, checks, state, closures."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim


def parameter(*values: float) -> ss.Tensor:
    return ss.tensor(list(values) or [1.0], requires_grad=True)


MISTAKES = [
    (lambda: optim.Adam([parameter()], lr=-1), "Adam: expected lr >= 0, got -1."),
    (
        lambda: optim.Adam([parameter()], lr=-1, betas=(0.9, 1.0)),
        "Adam: expected lr >= 0, got -1; betas in [0, 1), got (0.9, 1.0).",
    ),
    (lambda: optim.Adam([parameter()], betas=(0.9,)), "Adam: expected two betas, got (0.9,)."),
    (lambda: optim.SGD([parameter()], lr=float("nan")), "SGD: expected lr >= 0, got nan."),
    (lambda: optim.SGD([parameter()], lr="fast"), "SGD: expected lr >= 0, got fast."),
    (
        lambda: optim.SGD([parameter()], nesterov=True),
        "SGD: expected momentum > 0 and dampening 0 with nesterov, got momentum=0.0",
    ),
    (lambda: optim.AdamW([parameter()], weight_decay=-0.1), "AdamW: expected weight_decay >= 0"),
    (
        lambda: optim.Optimizer([parameter()], {"lr": optim.optimizer.required}),
        "Optimizer: expected lr in every group, got none.",
    ),
    (lambda: optim.SGD([]), "SGD: expected at least one parameter, got none"),
    (
        lambda: optim.SGD([{"params": [parameter()], "lr": -2.0}]),
        "SGD: expected lr >= 0, got -2.0.",
    ),
]


@pytest.mark.parametrize(("call", "text"), MISTAKES)
def test_mistakes_are_named(call, text):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  # the text is compared below
        call()
    assert text in str(caught.value)


def test_parameters_are_checked():
    p = parameter()
    with pytest.raises(ValueError, match=r"got number 1, of shape \(1,\), twice"):
        optim.SGD([p, p])
    with pytest.raises(ValueError, match="twice"):
        optim.SGD([{"params": [p]}, {"params": p}])
    with pytest.raises(ValueError, match="float parameters that no operation made, got number 0"):
        optim.SGD([p * 2])
    with pytest.raises(TypeError, match="expected parameters to be tensors, got float"):
        optim.SGD([1.0])
    with pytest.raises(TypeError, match="expected an iterable of parameters or groups, got Tensor"):
        optim.SGD(p)
    with pytest.raises(TypeError, match=r"got Linear; use model\.parameters\(\)"):
        optim.SGD(nn.Linear(2, 1))
    with pytest.raises(TypeError, match="expected groups to be dictionaries with 'params'"):
        optim.SGD([{"lr": 1.0}])


def test_groups_take_the_defaults_they_leave_out():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(
        [{"params": model.weight, "lr": 0.5}, {"params": [model.bias]}], lr=0.1, momentum=0.9
    )
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.1]
    assert [group["momentum"] for group in optimizer.param_groups] == [0.9, 0.9]
    optimizer.add_param_group({"params": [parameter()], "momentum": 0.0})
    assert optimizer.param_groups[2]["lr"] == 0.1


def test_named_parameters_are_taken():
    model = nn.Linear(2, 1)
    optimizer = optim.SGD(model.named_parameters(), lr=0.1)
    assert optimizer.param_groups[0]["params"][0] is model.weight
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]


def test_parameters_without_gradient_stay():
    moved, still = parameter(), parameter()
    optimizer = optim.AdamW([moved, still], lr=0.1)
    moved.grad = ss.tensor([1.0])
    optimizer.step()
    assert still.item() == 1.0
    assert moved.item() < 1.0
    assert still not in optimizer.state


def test_gradients_are_forgotten():
    p = parameter()
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = ss.tensor([1.0])
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert p.grad is None


def test_a_closure_is_called_with_gradients():
    p = parameter(3.0)
    optimizer = optim.SGD([p], lr=0.5)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with ss.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 9.0
    assert p.item() == 0.0


def test_nothing_is_recorded():
    p = parameter(3.0)
    optimizer = optim.Adam([p], lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()
    assert p.is_leaf
    assert p.requires_grad
    assert all(value.is_leaf for value in optimizer.state[p].values())


def test_state_has_pytorchs_layout():
    torch = pytest.importorskip("torch")
    p, q = parameter(1.0, 2.0), torch.tensor([1.0, 2.0], requires_grad=True)
    ours, theirs = optim.Adam([p], amsgrad=True), torch.optim.Adam([q], amsgrad=True)
    p.grad, q.grad = ss.tensor([0.5, 0.5]), torch.tensor([0.5, 0.5])
    ours.step()
    theirs.step()
    state, expected = ours.state_dict(), theirs.state_dict()
    assert set(state) == set(expected)
    assert set(state["state"][0]) == set(expected["state"][0])
    assert state["param_groups"][0]["params"] == [0]
    for key, value in expected["state"][0].items():
        np.testing.assert_allclose(state["state"][0][key].numpy(), value.numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("SGD", {}),
        ("SGD", {"momentum": 0.9, "dampening": 0.5}),
        ("Adadelta", {}),
        ("Adafactor", {}),
        ("Adagrad", {}),
        ("Adam", {"amsgrad": True}),
        ("AdamW", {}),
        ("Adamax", {}),
        ("ASGD", {"t0": 2}),
        ("Muon", {}),
        ("NAdam", {}),
        ("RAdam", {}),
        ("RMSprop", {"centered": True}),
        ("Rprop", {}),
    ],
)
def test_states_cross_to_pytorch_and_back(name, options, monkeypatch):
    torch = pytest.importorskip("torch")
    # PyTorch's Muon computes in it, Schuss's in the parameters' dtype.
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 2))
    gradients = rng.normal(size=(8, 3, 2))

    def made(library):
        p = (ss if library == "ss" else torch).tensor(start, requires_grad=True)
        rules = optim if library == "ss" else torch.optim
        return p, getattr(rules, name)([p], lr=0.01, **options)

    def after(first, second):
        p, optimizer = made(first)
        for number, gradient in enumerate(gradients):
            if number == 5 and second != first:
                q, other = made(second)
                values = p.detach().numpy().copy()
                (q.assign if second == "ss" else q.data.copy_)(
                    values if second == "ss" else torch.tensor(values)
                )
                state = optimizer.state_dict()
                if second == "torch":
                    state = for_torch(torch, state)
                other.load_state_dict(state)
                p, optimizer = q, other
            p.grad = (ss if isinstance(p, ss.Tensor) else torch).tensor(gradient)
            optimizer.step()
        return p.detach().numpy()

    expected = after("torch", "torch")
    for way in (("torch", "ss"), ("ss", "torch")):
        np.testing.assert_allclose(after(*way), expected, rtol=1e-10)


def for_torch(torch, state):
    """What PyTorch reads of a state that was saved: its tensors."""
    tensors = {
        number: {name: torch.tensor(value.numpy()) for name, value in held.items()}
        for number, held in state["state"].items()
    }
    return {"state": tensors, "param_groups": state["param_groups"]}


def test_state_of_another_optimizer_is_refused():
    one, two = optim.Adam([parameter()]), optim.Adam([parameter(1.0, 2.0)])
    both = optim.Adam([parameter(), parameter()])
    two.param_groups[0]["params"][0].grad = ss.tensor([1.0, 1.0])
    two.step()
    with pytest.raises(ValueError, match=r"state 'exp_avg' of shape \(1,\), got \(2,\)"):
        one.load_state_dict(two.state_dict())
    assert one.state == {}
    with pytest.raises(ValueError, match=r"expected groups of \[2\] parameters, got \[1\]"):
        both.load_state_dict(two.state_dict())


def test_a_state_dict_moves_on_with_the_state():
    p = parameter()
    optimizer = optim.Adam([p])
    p.grad = ss.tensor([1.0])
    optimizer.step()
    saved = optimizer.state_dict()["state"][0]
    optimizer.step()
    now = {key: value.tolist() for key, value in optimizer.state[p].items()}
    assert {key: value.tolist() for key, value in saved.items()} == now
    assert now["step"] == 2.0


def test_repr_says_what_is_descended():
    text = repr(optim.SGD(nn.Linear(3, 2).parameters(), lr=0.1))
    assert text.splitlines()[0] == "SGD"
    assert "group 0: 2 tensors, 8 parameters; lr=0.1, momentum=0.0" in text


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize(
    ("name", "value", "dtype", "text"),
    [
        ("lr", 1e308, "float32", "SGD: expected lr to be finite in float32, got 1e\\+308."),
        ("momentum", 1e39, "float32", "SGD: expected momentum to be finite in float32, got"),
        ("lr", float("nan"), "float64", "SGD: expected lr .*, got nan."),
        ("lr", float("inf"), "float64", "SGD: expected lr .*, got inf."),
    ],
)
def test_hyperparameters_that_do_not_fit_are_refused_at_each_step(
    compiled: bool, at_once: bool, name: str, value: float, dtype: str, text: str
) -> None:
    p = ss.nn.Parameter(ss.tensor([1.0, -2.0], dtype=dtype))

    def step() -> None:
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()

    run = ss.compile(step) if compiled else step
    given = {"lr": 0.1, "momentum": 0.5} | ({name: value} if at_once else {})
    with pytest.raises(ValueError, match=text):
        optimizer = optim.SGD([p], **given)
        run()
        run()
        before = p.tolist()
        optimizer.param_groups[0][name] = value
        run()
    if not at_once:
        assert p.tolist() == before
        optimizer.param_groups[0][name] = 0.25
        run()
        assert p.tolist() != before


@pytest.mark.parametrize("compiled", [False, True])
def test_what_float64_holds_is_taken_there(compiled: bool) -> None:
    p = ss.nn.Parameter(ss.tensor([1e-300], dtype="float64"))
    optimizer = optim.SGD([p], lr=1e300)

    def step() -> None:
        optimizer.zero_grad()
        (p * p).sum().backward()
        optimizer.step()

    (ss.compile(step) if compiled else step)()
    np.testing.assert_allclose(p.numpy(), [-2.0])


def test_a_state_with_hyperparameters_out_of_range_is_refused() -> None:
    parameter = ss.tensor([1.0], requires_grad=True)
    optimizer = ss.optim.Adam([parameter], lr=0.1)
    state = optimizer.state_dict()
    for name, value in (("betas", (1e30, 0.9)), ("lr", float("inf"))):
        changed = {**state, "param_groups": [{**state["param_groups"][0], name: value}]}
        with pytest.raises(ValueError, match=f"Adam: expected {name}"):
            optimizer.load_state_dict(changed)
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_names_are_for_all_parameters_or_none() -> None:
    a, b = (nn.Parameter(ss.ones(2)) for _ in "ab")
    with pytest.raises(ValueError, match="expected names with all parameters or with none"):
        optim.SGD([("a", a), b], lr=0.1)
    optimizer = optim.SGD([("a", a)], lr=0.1)
    with pytest.raises(ValueError, match="expected names in all groups"):
        optimizer.add_param_group({"params": [b]})
