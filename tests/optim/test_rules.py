"""Every rule: the oracle's sequence of 100 steps, compiled, resumed, uphill, in float32."""

from __future__ import annotations

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
    ("Adafactor", {}),
    ("Adafactor", {"lr": 0.1, "beta2_decay": -0.5, "eps": (1e-4, 0.1), "d": 2.0}),
    ("Adafactor", {"lr": 0.1, "weight_decay": 0.1, "maximize": True}),
    ("Muon", {"lr": 0.02}),
    ("Muon", {"lr": 0.02, "momentum": 0.8, "nesterov": False, "weight_decay": 0.0}),
    ("Muon", {"lr": 0.01, "ns_steps": 3, "adjust_lr_fn": "match_rms_adamw", "eps": 1e-3}),
    ("MuonAdamW", {"lr": 0.01}),
    ("MuonAdamW", {"lr": 0.01, "betas": (0.8, 0.9), "adamw_eps": 1e-3, "adjust_lr_fn": None}),
    ("Lion", {}),
    ("Lion", {"lr": 0.01, "betas": (0.95, 0.98), "weight_decay": 0.1}),
    ("LAMB", {"lr": 0.01, "bias_correction": False}),
    ("LAMB", {"lr": 0.01, "bias_correction": False, "weight_decay": 0.1, "betas": (0.8, 0.9)}),
    ("SGDScheduleFree", {"lr": 0.1}),
    ("SGDScheduleFree", {"lr": 0.1, "momentum": 0.7, "weight_decay": 0.1, "warmup_steps": 10}),
    ("SGDScheduleFree", {"lr": 0.1, "r": 1.0, "weight_lr_power": 0.0}),
    ("AdamWScheduleFree", {"lr": 0.01}),
    ("AdamWScheduleFree", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "warmup_steps": 7}),
    ("AdamWScheduleFree", {"lr": 0.01, "weight_decay": 0.1, "r": 0.5, "weight_lr_power": 1.0}),
    ("Prodigy", {}),
    ("Prodigy", {"d0": 1e-3, "d_coef": 0.5, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("Prodigy", {"weight_decay": 0.1, "decouple": False, "use_bias_correction": True}),
    ("Prodigy", {"growth_rate": 1.1, "safeguard_warmup": True, "lr": 0.5, "beta3": 0.9}),
    ("Prodigy", {"betas": (0.0, 0.9), "eps": 1e-3, "d0": 1e-2}),
    ("Prodigy", {"slice_p": 3, "weight_decay": 0.1, "decouple": False}),
    ("DAdaptAdam", {}),
    ("DAdaptAdam", {"d0": 1e-3, "betas": (0.8, 0.9), "weight_decay": 0.1}),
    ("DAdaptAdam", {"weight_decay": 0.1, "decouple": True, "use_bias_correction": True}),
    ("DAdaptAdam", {"growth_rate": 1.1, "lr": 0.5, "eps": 1e-3}),
    ("DAdaptSGD", {}),
    ("DAdaptSGD", {"d0": 1e-3, "momentum": 0.9, "lr": 0.5}),
    ("DAdaptSGD", {"growth_rate": 1.1, "weight_decay": 0.1}),
    ("Shampoo", {"lr": 0.1}),
    ("Shampoo", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.1, "matrix_eps": 1e-2}),
    ("Shampoo", {"lr": 0.1, "preconditioning_compute_steps": 7}),
    ("Shampoo", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True, "momentum": 0.9}),
    ("SOAP", {"lr": 0.01}),
    ("SOAP", {"lr": 0.01, "precondition_frequency": 3, "betas": (0.9, 0.8), "weight_decay": 0.1}),
    ("SOAP", {"lr": 0.01, "correct_bias": False, "shampoo_beta": 0.8, "eps": 1e-3}),
    ("SOAP", {"lr": 0.01, "max_precondition_dim": 3, "precondition_1d": True}),
    ("SOAP", {"lr": 0.01, "max_precondition_dim": 6, "merge_dims": True}),
    ("SOAP", {"lr": 0.01, "max_precondition_dim": 3, "merge_dims": True}),
]
# What the gradients are of; Muon takes matrices alone. A vector of two has second moments whose
# eigenvectors are known after a step.
SHAPES = {
    "Muon": [(3, 4), (4, 3), (2, 2)],
    "Shampoo": [(3, 4), (2,), (), (2, 3, 2, 2)],
    "SOAP": [(3, 4), (2,), (), (2, 3, 2, 3)],
}
STEPS = 100
# Rules that share one learning rate between groups.
OF_ONE_RATE = ("Prodigy", "DAdaptAdam", "DAdaptSGD")
# Their oracles count the steps of a group, not of a parameter, or fail without any gradient.
WITHOUT_SKIPS = ("LAMB", "Shampoo", "SOAP", "DAdaptSGD")
# How far from the oracle: that of SOAP computes QR in float32, and steps of 1e-6 that grow
# a millionfold let rounding grow, too.
TOLERANCE = {"SOAP": 1e-5, "DAdaptAdam": 1e-6}


class Both:
    """PyTorch's Muon and AdamW, as MuonAdamW has them."""

    def __init__(self, torch, params, *, betas=(0.9, 0.95), adamw_eps=1e-8, **options):
        groups = params if isinstance(params[0], dict) else [{"params": params}]
        options = {"adjust_lr_fn": "match_rms_adamw"} | options
        own = {"betas": betas, "eps": adamw_eps, "lr": options["lr"], "weight_decay": 0.1}

        def only(matrices):
            return [
                group | {"params": [p for p in group["params"] if (p.ndim > 1) == matrices]}
                for group in groups
            ]

        self.rules = [torch.optim.Muon(only(True), **options)]
        self.rules.append(torch.optim.AdamW(only(False), **own))

    def zero_grad(self):
        for rule in self.rules:
            rule.zero_grad()

    def step(self):
        for rule in self.rules:
            rule.step()


def renamed(options, **names):
    return {names.get(k, k): v for k, v in options.items() if names.get(k, k)}


def oracle_of(name):
    """What makes another library's optimizer of parameters and our options."""
    torch = pytest.importorskip("torch")
    if name == "MuonAdamW":
        return lambda params, **options: Both(torch, params, **options)
    if name == "Lion":
        return pytest.importorskip("lion_pytorch").Lion
    if name.endswith("ScheduleFree"):
        return getattr(pytest.importorskip("schedulefree"), name)
    if name == "Prodigy":
        return pytest.importorskip("prodigyopt").Prodigy
    if name.startswith("DAdapt"):
        return getattr(pytest.importorskip("dadaptation"), name)
    if name == "LAMB":
        rule = pytest.importorskip("pytorch_optimizer").Lamb
        return lambda params, **options: rule(
            params,
            **renamed(options, bias_correction=None),
            weight_decouple=False,
            adam_debias=True,  # neither mean is corrected
        )
    if name == "Shampoo":
        rule = pytest.importorskip("pytorch_optimizer").Shampoo
        names = {"decoupled_weight_decay": "weight_decouple"}
        return lambda params, **options: rule(params, **renamed(options, **names))
    if name == "SOAP":
        rule = pytest.importorskip("pytorch_optimizer").SOAP

        class OfVectorsToo(rule):
            def merge_dims(self, grad, max_precondition_dim):  # which fails for vectors
                return super().merge_dims(grad, max_precondition_dim) if grad.dim() > 1 else grad

        return OfVectorsToo
    return getattr(torch.optim, name)


@pytest.fixture(autouse=True)
def in_the_parameters_dtype(monkeypatch):
    """Let PyTorch's Muon compute in float64, where it takes bfloat16 otherwise."""
    try:
        import torch
    except ImportError:
        return
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda x: x.clone())


def shapes_of(name):
    return SHAPES.get(name, [(3, 4), (4,), ()])


def start(name) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes_of(name)]


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
    parameters = [ss.tensor(v, requires_grad=True) for v in start(name)]
    given = parameters if groups is None else groups(parameters)
    optimizer = getattr(optim, name)(given, **options)
    if hasattr(optimizer, "train"):
        optimizer.train()
    return optimizer, parameters


def theirs(name, options, groups=None):
    import torch

    parameters = [torch.tensor(v, requires_grad=True) for v in start(name)]
    given = parameters if groups is None else groups(parameters)
    optimizer = oracle_of(name)(given, **options)
    if hasattr(optimizer, "train"):
        optimizer.train()
    return optimizer, parameters


def compare(name, options, skip=False, groups=None):
    torch = pytest.importorskip("torch")
    oracle_of(name)
    optimizer, parameters = ours(name, options, groups)
    run(optimizer, parameters, ss.tensor, lambda p: p.numpy(), skip)
    other, expected = theirs(name, options, groups)
    run(other, expected, torch.tensor, lambda p: p.detach().numpy(), skip)
    close(name, parameters, expected)
    if hasattr(optimizer, "eval"):
        optimizer.eval()
        other.eval()
        close(name, parameters, expected)


def close(name, parameters, expected):
    tolerance = TOLERANCE.get(name, 1e-10)
    for p, q in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(
            p.numpy(), q.detach().numpy(), rtol=tolerance, atol=tolerance / 1e3
        )


def test_every_public_rule_is_in_the_table():
    public = {
        name
        for name in optim.__all__
        if isinstance(getattr(optim, name), type)
        and issubclass(getattr(optim, name), optim.Optimizer)
    }
    # What takes sparse gradients alone has a table of its own, in test_sparse.py; what computes
    # the loss many times a step, in test_lbfgs.py; what wraps another, in test_wrappers.py.
    others = {"Optimizer", "LBFGS", "SAM", "Lookahead"}
    dense = {name for name in public - others if not getattr(optim, name).needs_rows}
    assert dense - {name for name, _ in RULES} == set()


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize(("name", "options"), RULES)
def test_a_hundred_steps_equal_the_oracles(name, options, skip):
    if skip and name in WITHOUT_SKIPS:
        pytest.skip("the oracle knows no such steps")
    compare(name, options, skip)


@pytest.mark.parametrize("name", sorted({name for name, _ in RULES}))
def test_groups_equal_the_oracles(name):
    own = {"weight_decay": 0.2} | ({} if name in OF_ONE_RATE else {"lr": 0.002})
    if name == "DAdaptSGD":  # its oracle takes the first group's decay for all
        own = {}

    def groups(parameters):
        return [{"params": parameters[:1], **own}, {"params": parameters[1:]}]

    options = {} if name in OF_ONE_RATE else {"lr": 0.01}
    if name == "LAMB":
        options["bias_correction"] = False
    compare(name, options, skip=name not in WITHOUT_SKIPS, groups=groups)


@pytest.mark.parametrize("name", sorted({name for name, _ in RULES} - {"MuonAdamW"}))
def test_defaults_equal_the_oracles(name):
    optimizer, _ = ours(name, {})
    oracle_of(name)
    other, _ = theirs(name, {})
    group, expected = optimizer.param_groups[0], other.param_groups[0]
    shared = optimizer.defaults.keys() & expected.keys()
    assert {"lr", "weight_decay"} & optimizer.defaults.keys() <= shared
    for key in shared:
        assert group[key] == expected[key], key


@pytest.mark.parametrize("name", sorted({name for name, _ in RULES}))
def test_uphill_is_downhill_of_the_negative(name):
    ends = []
    for sign, options in ((1, {}), (-1, {"maximize": True})):
        optimizer, parameters = ours(name, options)
        run(optimizer, parameters, lambda g, s=sign: ss.tensor(s * g), lambda p: p.numpy(), False)
        ends.append([p.tolist() for p in parameters])
    assert ends[0] == ends[1]


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
def test_compiled_steps_equal_eager_ones(name, options):
    optimizer, parameters = ours(name, options)
    other, expected = ours(name, options)

    def step(*gradients):
        for parameter, g in zip(parameters, gradients, strict=True):
            parameter.grad = g
        optimizer.step()

    compiled = ss.compile(step)
    for number in range(25):
        given = [ss.tensor(gradient(p.numpy(), number, i)) for i, p in enumerate(expected)]
        compiled(*given)
        for parameter, g in zip(expected, given, strict=True):
            parameter.grad = g
        other.step()
        if number == 20:  # what a schedule does
            for group in (*optimizer.param_groups, *other.param_groups):
                group["lr"] = group["lr"] * 0.5
    assert len(compiled._builds) == 1
    for p, q in zip(parameters, expected, strict=True):
        np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-9, atol=1e-12)
    for name, value in optimizer.state_dict()["param_groups"][0].items():
        theirs = other.state_dict()["param_groups"][0][name]
        assert value == (pytest.approx(theirs, rel=1e-9) if type(value) is float else theirs)


@pytest.mark.parametrize(("name", "options"), RULES)
def test_float32_stays_float32(name, options):
    parameter = ss.tensor([[1.0, -2.0]], requires_grad=True)
    optimizer = getattr(optim, name)([parameter], **options)
    if hasattr(optimizer, "train"):
        optimizer.train()
    for _ in range(3):
        parameter.grad = ss.tensor([[0.5, 0.25]])
        optimizer.step()
    assert parameter.dtype == np.float32
    assert np.isfinite(parameter.numpy()).all()
    for key, value in optimizer.state[parameter].items():
        assert value.dtype == (np.float64 if key == "step" else np.float32), key
        assert not value.requires_grad
