"""Every rule: PyTorch's sequence of 100 steps, steps worked by hand, Rosenbrock's valley."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schuss as ss
from schuss import optim

RULES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.01, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.9}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.001, "momentum": 0.9, "maximize": True}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "weight_decay": 0.1}),
    ("Adagrad", {"lr": 0.1, "initial_accumulator_value": 0.5, "eps": 1e-3}),
    ("Adagrad", {"lr": 0.01, "maximize": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.8, "weight_decay": 0.1, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.01, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.01, "centered": True}),
    ("RMSprop", {"lr": 0.01, "centered": True, "momentum": 0.5, "maximize": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "amsgrad": True}),
    ("Adam", {"lr": 0.01, "maximize": True}),
    ("Adam", {"lr": 0.01, "betas": (0.0, 0.9)}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True, "betas": (0.95, 0.99)}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.0}),
    ("Adamax", {"lr": 0.01}),
    ("Adamax", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("Adamax", {"lr": 0.01, "maximize": True}),
    ("NAdam", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "momentum_decay": 0.1}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01, "betas": (0.9, 0.5)}),  # never rectified
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.01, "maximize": True}),
    ("ASGD", {"lr": 0.01}),
    ("ASGD", {"lr": 0.1, "lambd": 0.01, "alpha": 0.5, "t0": 10, "weight_decay": 0.1}),
    ("ASGD", {"lr": 0.001, "maximize": True}),
    ("Rprop", {"lr": 0.01}),
    ("Rprop", {"lr": 0.01, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.05)}),
    ("Rprop", {"lr": 0.001, "maximize": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.7, "eps": 1e-3, "weight_decay": 0.1}),
    ("Adadelta", {"maximize": True}),
]
SHAPES = [(3, 4), (4,), ()]
STEPS = 100


def start() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in SHAPES]


def gradient(values: np.ndarray, step: int, number: int) -> np.ndarray:
    """A gradient that depends on the place, with noise."""
    noise = np.random.default_rng(1000 * step + number).normal(size=values.shape)
    return np.sin(3 * values) + 0.3 * values + 0.5 * noise


def skipped(step: int, number: int) -> bool:
    """Say which gradients are missing: now and then one, at times all but one, at first two."""
    return (
        (step < 3 and number > 0)
        or (step % 7 == 2 and number == 1)
        or (step % 11 == 5 and number != 1)
    )


def run(optimizer, parameters, wrap, read, skip, steps=range(STEPS)) -> None:
    for step in steps:
        optimizer.zero_grad()
        for number, parameter in enumerate(parameters):
            if not (skip and skipped(step, number)):
                parameter.grad = wrap(gradient(read(parameter), step, number))
        optimizer.step()


def ours(name, options, groups=None):
    parameters = [ss.tensor(v, requires_grad=True) for v in start()]
    given = parameters if groups is None else groups(parameters)
    return getattr(optim, name)(given, **options), parameters


def theirs(torch, name, options, groups=None):
    parameters = [torch.tensor(v, requires_grad=True) for v in start()]
    given = parameters if groups is None else groups(parameters)
    return getattr(torch.optim, name)(given, **options), parameters


def compare(torch, name, options, skip=False, groups=None):
    optimizer, parameters = ours(name, options, groups)
    run(optimizer, parameters, ss.tensor, lambda p: p.numpy(), skip)
    other, expected = theirs(torch, name, options, groups)
    run(other, expected, torch.tensor, lambda p: p.detach().numpy(), skip)
    for p, q in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-10, atol=1e-13)


def test_every_public_rule_is_in_the_table():
    public = {
        name
        for name in optim.__all__
        if isinstance(getattr(optim, name), type)
        and issubclass(getattr(optim, name), optim.Optimizer)
    }
    # What takes sparse gradients alone has a table of its own, in test_sparse.py; what computes
    # the loss many times a step, in test_lbfgs.py.
    others = {"Optimizer", "LBFGS"}
    dense = {name for name in public - others if not getattr(optim, name).needs_rows}
    assert dense - {name for name, _ in RULES} == set()


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(("name", "options"), RULES)
def test_a_hundred_steps_equal_pytorchs(name, options, skip):
    compare(pytest.importorskip("torch"), name, options, skip)


@pytest.mark.parametrize("name", sorted({name for name, _ in RULES}))
def test_groups_equal_pytorchs(name):
    def groups(parameters):
        return [
            {"params": parameters[:1], "lr": 0.002, "weight_decay": 0.2},
            {"params": parameters[1:]},
        ]

    compare(pytest.importorskip("torch"), name, {"lr": 0.01}, skip=True, groups=groups)


@pytest.mark.parametrize(("name", "options"), RULES)
def test_defaults_equal_pytorchs(name, options):
    torch = pytest.importorskip("torch")
    optimizer, _ = ours(name, {})
    other, _ = theirs(torch, name, {})
    group, expected = optimizer.param_groups[0], other.param_groups[0]
    for key in optimizer.defaults:
        assert group[key] == expected[key], key


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(("name", "options"), RULES)
def test_a_resumed_run_ends_bit_for_bit_where_the_unbroken_one_does(name, options, skip):
    def read(parameter):
        return parameter.numpy()

    whole, expected = ours(name, options)
    run(whole, expected, ss.tensor, read, skip, range(40))
    first, halfway = ours(name, options)
    run(first, halfway, ss.tensor, read, skip, range(17))
    saved = first.state_dict()
    run(first, [p.detach() for p in halfway], ss.tensor, read, skip, range(17, 20))
    second, parameters = ours(name, {"lr": 123.0})
    for parameter, value in zip(parameters, halfway, strict=True):
        parameter.assign(value.numpy())
    second.load_state_dict(saved)
    run(second, parameters, ss.tensor, read, skip, range(17, 40))
    for p, q in zip(parameters, expected, strict=True):
        assert p.numpy().tobytes() == q.numpy().tobytes()


@pytest.mark.parametrize(("name", "options"), RULES)
def test_float32_stays_float32(name, options):
    parameter = ss.tensor([1.0, -2.0], requires_grad=True)
    optimizer = getattr(optim, name)([parameter], **options)
    for _ in range(3):
        parameter.grad = ss.tensor([0.5, 0.25])
        optimizer.step()
    assert parameter.dtype == np.float32
    for key, value in optimizer.state[parameter].items():
        assert value.dtype == (np.float64 if key == "step" else np.float32), key
        assert not value.requires_grad


def test_adams_first_steps_by_hand():
    parameter = ss.tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.Adam([parameter], lr=0.1)
    parameter.grad = ss.tensor(np.array([3.0]))
    optimizer.step()
    # m / (1 - 0.9) = 3 and v / (1 - 0.999) = 9.
    assert parameter.item() == pytest.approx(1 - 0.1 * 3 / (3 + 1e-8), abs=1e-15)
    parameter.grad = ss.tensor(np.array([-1.0]))
    before = parameter.item()
    optimizer.step()
    m = (0.9 * 0.3 - 0.1) / (1 - 0.9**2)
    v = (0.999 * 0.009 + 0.001) / (1 - 0.999**2)
    assert parameter.item() == pytest.approx(before - 0.1 * m / (math.sqrt(v) + 1e-8), abs=1e-14)


def test_adamax_by_hand():
    parameter = ss.tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.Adamax([parameter], lr=0.1, betas=(0.5, 0.25), eps=0.0)
    for gradient, place in [(2.0, 0.9), (-1.0, 0.9)]:
        parameter.grad = ss.tensor(np.array([gradient]))
        optimizer.step()
        # Means 1 and 0, largest 2 and max(0.5, 1).
        assert parameter.item() == pytest.approx(place, abs=1e-15)


def test_adadelta_by_hand():
    parameter = ss.tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.Adadelta([parameter], rho=0.5, eps=1.0)
    parameter.grad = ss.tensor(np.array([4.0]))
    optimizer.step()
    # The mean square is 8, the step 4 / 3; its own mean square then 8 / 9.
    assert parameter.item() == pytest.approx(1 - 4 / 3, abs=1e-15)
    optimizer.step()
    step = 4 * math.sqrt(8 / 9 + 1) / math.sqrt(12 + 1)
    assert parameter.item() == pytest.approx(1 - 4 / 3 - step, abs=1e-15)


def test_nadam_by_hand():
    parameter = ss.tensor(np.array([1.0]), requires_grad=True)
    options = {"betas": (0.5, 0.0), "eps": 1.0, "momentum_decay": 0.0}
    optimizer = optim.NAdam([parameter], lr=1.0, **options)
    parameter.grad = ss.tensor(np.array([3.0]))
    optimizer.step()
    # Momenta are 1 / 4, means 1.5; 3 / 4 * 3 / (3 / 4) + 1 / 4 * 1.5 / (15 / 16) is 3.4.
    assert parameter.item() == pytest.approx(1 - 3.4 / 4, abs=1e-15)


def test_radam_by_hand():
    parameter = ss.tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.RAdam([parameter], lr=0.1, betas=(0.0, 0.9), eps=0.0)
    places = []
    for _ in range(8):
        parameter.grad = ss.tensor(np.array([2.0]))
        optimizer.step()
        places.append(parameter.item())
    # While rho is at most 5, the gradient itself; then a sign, times a factor that grows.
    assert places[:4] == pytest.approx([0.8, 0.6, 0.4, 0.2], abs=1e-15)
    kept, longest = 0.9**8, 19.0
    rho = longest - 16 * kept / (1 - kept)
    factor = math.sqrt((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
    assert places[6] - places[7] == pytest.approx(0.1 * factor, abs=1e-15)


def test_asgd_keeps_a_mean_of_the_places():
    parameter = ss.tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.ASGD([parameter], lr=0.5, lambd=0.0, t0=1.0)
    places = []
    for gradient in (1.0, -2.0, 0.5, 4.0):
        parameter.grad = ss.tensor(np.array([gradient]))
        optimizer.step()
        places.append(parameter.item())
    assert places == [0.5, 1.5, 1.25, -0.75]
    # The weights are 1, 1, 1 and 1 / 2: what came before the third place is forgotten.
    assert optimizer.state[parameter]["ax"].tolist() == [0.25]


def test_rprop_by_hand():
    parameter = ss.tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.Rprop([parameter], lr=0.25, etas=(0.5, 2.0), step_sizes=(0.125, 0.5))
    places = []
    for gradient in (3.0, 0.1, 7.0, -1.0, -1.0, -1.0):
        parameter.grad = ss.tensor(np.array([gradient]))
        optimizer.step()
        places.append(parameter.item())
    assert places == [0.75, 0.25, -0.25, -0.25, 0.0, 0.5]


def test_momentum_by_hand():
    parameter = ss.tensor(np.array([0.0]), requires_grad=True)
    optimizer = optim.SGD([parameter], lr=1.0, momentum=0.5)
    places = []
    for _ in range(3):
        parameter.grad = ss.tensor(np.array([1.0]))
        optimizer.step()
        places.append(parameter.item())
    assert places == [-1.0, -2.5, -4.25]


@pytest.mark.parametrize(
    ("name", "options", "steps"),
    [
        ("SGD", {"lr": 1e-3, "momentum": 0.9}, 3000),
        ("Adagrad", {"lr": 0.5}, 3000),
        ("RMSprop", {"lr": 1e-3, "momentum": 0.5}, 3000),
        ("Adam", {"lr": 0.02}, 2000),
        ("AdamW", {"lr": 0.02, "weight_decay": 0.0}, 2000),
        ("Adamax", {"lr": 0.2}, 2000),
        ("NAdam", {"lr": 0.02}, 2000),
        ("RAdam", {"lr": 5e-3}, 8000),
        ("ASGD", {"lr": 1e-3, "lambd": 0.0}, 6000),
        ("Rprop", {"lr": 0.01}, 2000),
    ],
)
def test_rosenbrocks_valley_is_descended(name, options, steps):
    place = ss.tensor(np.array([-1.2, 1.0]), requires_grad=True)
    optimizer = getattr(optim, name)([place], **options)
    for _ in range(steps):
        optimizer.zero_grad()
        x, y = place[0], place[1]
        loss = (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.01


def test_lr_and_momentum_may_change_between_steps():
    torch = pytest.importorskip("torch")
    found = []
    for module, make in ((optim, ss.tensor), (torch.optim, torch.tensor)):
        parameter = make(np.array([1.0, 2.0]), requires_grad=True)
        optimizer = module.Adam([parameter], lr=0.1)
        for step in range(20):
            optimizer.param_groups[0]["lr"] = 0.1 / (step + 1)
            optimizer.param_groups[0]["betas"] = (0.9 - step / 100, 0.999)
            parameter.grad = make(np.array([0.3, -0.2]) * (step + 1))
            optimizer.step()
        found.append(parameter.detach().numpy())
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)


def test_momentum_raised_from_zero():
    parameter = ss.tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.SGD([parameter], lr=1.0)
    for momentum in (0.0, 0.5, 0.5):
        optimizer.param_groups[0]["momentum"] = momentum
        parameter.grad = ss.tensor(np.array([1.0]))
        optimizer.step()
    assert parameter.item() == 1 - 1 - 1 - 1.5
