"""Every scheduler: PyTorch's learning rates over 100 steps, resuming, mistakes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import schuss as ss
from schuss import optim
from schuss.optim import lr_scheduler, schedules

STEPS = 100
SCHEDULERS = [
    ("LambdaLR", {"lr_lambda": lambda step: 0.95**step / (step + 1)}),
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 1, "gamma": 0.9}),
    ("MultiStepLR", {"milestones": [30, 10, 60], "gamma": 0.5}),
    ("MultiStepLR", {"milestones": [10, 10, 20]}),
    ("ConstantLR", {}),
    ("ConstantLR", {"factor": 0.5, "total_iters": 40}),
    ("LinearLR", {}),
    ("LinearLR", {"start_factor": 0.01, "end_factor": 0.7, "total_iters": 33}),
    ("ExponentialLR", {"gamma": 0.97}),
    ("PolynomialLR", {"total_iters": 60, "power": 2.0}),
    ("CosineAnnealingLR", {"T_max": 99}),
    ("CosineAnnealingLR", {"T_max": 30, "eta_min": 0.01}),
    ("CosineAnnealingWarmRestarts", {"T_0": 9}),
    ("CosineAnnealingWarmRestarts", {"T_0": 5, "T_mult": 2, "eta_min": 0.001}),
    ("CosineAnnealingWarmRestarts", {"T_0": 1, "T_mult": 3}),
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": STEPS + 1}),
    ("MultiplicativeLR", {"lr_lambda": lambda step: 0.9 + 0.01 * (step % 7)}),
    ("CyclicLR", {"base_lr": 0.001, "max_lr": 0.1, "step_size_up": 7}),
    (
        "CyclicLR",
        {"base_lr": [0.01, 0.02], "max_lr": 0.3, "step_size_up": 5, "step_size_down": 11}
        | {"mode": "triangular2", "base_momentum": [0.5, 0.6], "max_momentum": 0.95},
    ),
    (
        "CyclicLR",
        {"base_lr": 0.001, "max_lr": 0.1, "step_size_up": 9, "mode": "exp_range", "gamma": 0.98},
    ),
    (
        "CyclicLR",
        {"base_lr": 0.001, "max_lr": 0.1, "step_size_up": 4, "cycle_momentum": False}
        | {"scale_fn": lambda x: 0.5 + 0.5 * math.sin(x), "scale_mode": "iterations"},
    ),
    # A last call of step() goes beyond the cycle.
    ("OneCycleLR", {"max_lr": 0.3, "total_steps": STEPS}),
    ("OneCycleLR", {"max_lr": [0.3, 0.1], "total_steps": 120, "anneal_strategy": "linear"}),
    ("OneCycleLR", {"max_lr": 0.3, "epochs": 11, "steps_per_epoch": 10, "three_phase": True}),
    (
        "OneCycleLR",
        {
            "max_lr": 0.3,
            "total_steps": 101,
            "pct_start": 0.5,
            "div_factor": 5,
            "base_momentum": 0.7,
        },
    ),
]


def optimizer_of(module, make, rule="SGD"):
    groups = [
        {"params": [make(np.array([1.0]), requires_grad=True)]},
        {"params": [make(np.array([1.0]), requires_grad=True)], "lr": 0.02},
    ]
    options = {"momentum": 0.9} if rule == "SGD" else {}
    return getattr(module, rule)(groups, lr=0.1, **options)


def ours(rule="SGD"):
    return optimizer_of(optim, ss.tensor, rule)


def pair(rule="SGD"):
    torch = pytest.importorskip("torch")
    return ours(rule), optimizer_of(torch.optim, torch.tensor, rule), torch.optim.lr_scheduler


def sequence(optimizer, scheduler, step=lambda scheduler, number: scheduler.step(), steps=STEPS):
    found = []
    for number in range(steps):
        group = optimizer.param_groups
        extra = [g.get("betas", (g.get("momentum"),))[0] for g in group]
        found.append([*(g["lr"] for g in group), *extra, *scheduler.get_last_lr()])
        optimizer.step()
        step(scheduler, number)
    return np.array(found)


def test_every_public_scheduler_is_in_a_test():
    others = {"LRScheduler", "SequentialLR", "ChainedScheduler", "ReduceLROnPlateau"}
    tested = {name for name, _ in SCHEDULERS} | others | {"WarmupStableDecayLR"}
    assert set(lr_scheduler.__all__) - tested == set()


@pytest.mark.parametrize("rule", ["SGD", "Adam"])
@pytest.mark.parametrize(("name", "options"), SCHEDULERS)
def test_learning_rates_equal_pytorchs(name, options, rule):
    optimizer, other, theirs = pair(rule)
    expected = sequence(other, getattr(theirs, name)(other, **options))
    found = sequence(optimizer, getattr(lr_scheduler, name)(optimizer, **options))
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-15)


def test_sequences_equal_pytorchs():
    def build(module, optimizer):
        return module.SequentialLR(
            optimizer,
            [
                module.LinearLR(optimizer, start_factor=0.1, total_iters=10),
                module.CosineAnnealingLR(optimizer, T_max=50, eta_min=0.01),
                module.ExponentialLR(optimizer, gamma=0.9),
            ],
            [10, 60],
        )

    optimizer, other, theirs = pair()
    expected = sequence(other, build(theirs, other))
    found = sequence(optimizer, build(lr_scheduler, optimizer))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_chains_equal_pytorchs():
    def build(module, optimizer):
        parts = [
            module.ConstantLR(optimizer, factor=0.1, total_iters=7),
            module.ExponentialLR(optimizer, gamma=0.97),
            module.CosineAnnealingLR(optimizer, T_max=30, eta_min=0.001),
            module.LinearLR(optimizer, start_factor=0.5, total_iters=9),
        ]
        return module.ChainedScheduler(parts, optimizer)

    optimizer, other, theirs = pair()
    expected = sequence(other, build(theirs, other))
    scheduler = build(lr_scheduler, optimizer)
    np.testing.assert_allclose(sequence(optimizer, scheduler), expected, rtol=1e-10, atol=1e-15)
    shown = repr(scheduler)
    assert shown.startswith("ChainedScheduler([ConstantLR, ExponentialLR, CosineAnnealingLR, Linea")
    again = build(lr_scheduler, ours())
    again.load_state_dict(json.loads(json.dumps(scheduler.state_dict())))
    scheduler.step()
    again.step()
    assert again.get_last_lr() == scheduler.get_last_lr()


def test_sequences_of_factors_equal_pytorchs():
    def build(module, optimizer):
        parts = [
            module.ConstantLR(optimizer, 0.1, 5),
            module.MultiplicativeLR(optimizer, lambda step: 0.9),
            module.LambdaLR(optimizer, lambda step: 1 / (step + 1)),
        ]
        return module.SequentialLR(optimizer, parts, [8, 20])

    optimizer, other, theirs = pair()
    expected = sequence(other, build(theirs, other))
    np.testing.assert_allclose(
        sequence(optimizer, build(lr_scheduler, optimizer)), expected, rtol=1e-10, atol=1e-15
    )


def test_a_chain_comes_first_in_a_sequence():
    optimizer = ours()
    chain = [lr_scheduler.ConstantLR(optimizer, 0.5, 2), lr_scheduler.StepLR(optimizer, 1, 0.5)]
    parts = [lr_scheduler.ChainedScheduler(chain), lr_scheduler.StepLR(optimizer, 1, 0.5)]
    scheduler, found = lr_scheduler.SequentialLR(optimizer, parts, [3]), []
    for _ in range(5):
        found.append(scheduler.get_last_lr()[0])
        scheduler.step()
    assert found == [0.05, 0.025, 0.025, 0.1, 0.05]
    with pytest.raises(ValueError, match="expected single schedulers after the first one"):
        lr_scheduler.SequentialLR(optimizer, parts[::-1], [3])


@pytest.mark.parametrize(("name", "options"), SCHEDULERS)
def test_rates_set_by_hand_are_gone_on_from_as_in_pytorch(name, options):
    def step(scheduler, number):
        if number in (4, 31, 58):
            scheduler.optimizer.param_groups[0]["lr"] *= 0.3
            scheduler.optimizer.param_groups[1]["lr"] = 0.05
        scheduler.step()

    optimizer, other, theirs = pair()
    expected = sequence(other, getattr(theirs, name)(other, **options), step)
    found = sequence(optimizer, getattr(lr_scheduler, name)(optimizer, **options), step)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize(("name", "options"), SCHEDULERS)
def test_pytorchs_state_is_gone_on_from(name, options):
    optimizer, other, theirs = pair()
    scheduler, another = (
        getattr(module, name)(rule, **options)
        for module, rule in ((lr_scheduler, optimizer), (theirs, other))
    )
    for _ in range(17):
        other.step()
        another.step()
    for mine, group in zip(optimizer.param_groups, other.param_groups, strict=True):
        mine.update({k: v for k, v in group.items() if k != "params"})
    scheduler.load_state_dict(another.state_dict())
    for _ in range(40):
        scheduler.step()
        another.step()
        np.testing.assert_allclose(scheduler.get_last_lr(), another.get_last_lr(), rtol=1e-10)


# PyTorch takes restarts for their first cycle, whatever their number, where it goes on so, and
# multiplies once too often where a step of StepLR's was reached.
@pytest.mark.parametrize(
    ("name", "options"),
    [s for s in SCHEDULERS if "Warm" not in s[0] and s[1].get("step_size") != 1],
)
def test_a_number_to_go_on_from_is_pytorchs(name, options):
    torch = pytest.importorskip("torch")
    found = []
    for module, make in ((optim, ss.tensor), (torch.optim, torch.tensor)):
        schedule = getattr(module.lr_scheduler, name)
        first, second = (optimizer_of(module, make) for _ in range(2))
        scheduler = schedule(first, **options)
        for _ in range(17):
            first.step()
            scheduler.step()
        for group, saved in zip(second.param_groups, first.param_groups, strict=True):
            group.update({k: v for k, v in saved.items() if k != "params"})
        found.append(sequence(second, schedule(second, last_epoch=16, **options), steps=30))
    np.testing.assert_allclose(*found, rtol=1e-10, atol=1e-15)


def test_restarts_take_parts_of_epochs():
    optimizer, other, theirs = pair()
    found, expected = [], []
    for module, rule, rates in ((lr_scheduler, optimizer, found), (theirs, other, expected)):
        scheduler = module.CosineAnnealingWarmRestarts(rule, T_0=2, T_mult=2)
        for epoch in [0.0, 0.25, 1.75, 2.0, 3.5, 7.25, 26, None, None, 0.5, None]:
            rule.step()
            scheduler.step(epoch)
            rates += [*scheduler.get_last_lr(), scheduler.last_epoch]
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    with pytest.raises(ValueError, match="expected epoch >= 0, got -1"):
        lr_scheduler.CosineAnnealingWarmRestarts(optimizer, T_0=2).step(-1)


def own_schedule(module):
    class InverseRoot(module._LRScheduler):
        """A warm-up, then the inverse root of the step, as users write it."""

        def __init__(self, optimizer, warm, after=None, last_epoch=-1):
            self.warm, self.after = warm, after
            super().__init__(optimizer, last_epoch)

        def get_lr(self):
            step = max(1, self._step_count)
            if self.after is not None and self.last_epoch > self.warm:
                return [lr * 0.5 for lr in self.after.get_last_lr()]
            return [base * min(step**-0.5, step * self.warm**-1.5) for base in self.base_lrs]

        def step(self, epoch=None):
            if self.after is not None and self.last_epoch >= self.warm:
                self.after.step(None if epoch is None else epoch - self.warm)
            super().step(epoch)

    return InverseRoot


def test_schedules_of_ones_own_are_as_in_pytorch():
    optimizer, other, theirs = pair()
    found, expected = [
        sequence(rule, own_schedule(m)(rule, 5, m.ExponentialLR(rule, 0.9)))
        for m, rule in ((lr_scheduler, optimizer), (theirs, other))
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def wave(number):
    number = min(number, 60)
    return math.exp(-number / 20) + 0.1 * math.sin(number * 1.7) + (5 if number == 50 else 0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 2, "factor": 0.5},
        {"patience": 1, "cooldown": 3, "min_lr": 0.001},
        {"patience": 0, "threshold": 0.05, "threshold_mode": "abs", "min_lr": [0.01, 0.001]},
        {"mode": "max", "patience": 3, "factor": 0.9},
        {"mode": "max", "patience": 3, "threshold_mode": "abs", "eps": 1e-3},
    ],
)
def test_plateaus_equal_pytorchs(options):
    optimizer, other, theirs = pair()

    def step(scheduler, number):
        scheduler.step(wave(number))

    expected = sequence(other, theirs.ReduceLROnPlateau(other, **options), step)
    found = sequence(optimizer, lr_scheduler.ReduceLROnPlateau(optimizer, **options), step)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert expected[-1, 0] < expected[0, 0]


def test_plateau_takes_tensors_and_counts_nan_as_bad():
    optimizer = ours()
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, factor=0.5)
    scheduler.step(ss.tensor(1.0))
    scheduler.step(ss.tensor(float("nan")))
    assert scheduler.get_last_lr() == [0.05, 0.01]


@pytest.mark.parametrize(("name", "options"), SCHEDULERS)
def test_a_resumed_schedule_goes_on(name, options):
    optimizer = ours()
    expected = sequence(optimizer, getattr(lr_scheduler, name)(optimizer, **options))
    first = ours()
    scheduler = getattr(lr_scheduler, name)(first, **options)
    for _ in range(40):
        scheduler.step()
    saved = json.loads(json.dumps([scheduler.state_dict(), first.state_dict()["param_groups"]]))
    second = ours()
    again = getattr(lr_scheduler, name)(second, **options)
    second.load_state_dict({"state": {}, "param_groups": saved[1]})
    again.load_state_dict(saved[0])
    for row in expected[40:]:
        found = [g["lr"] for g in second.param_groups]
        assert found == list(row[:2])
        assert found == again.get_last_lr()
        assert [g["momentum"] for g in second.param_groups] == list(row[2:4])
        if again.last_epoch < STEPS - 1:
            again.step()


def test_a_resumed_sequence_and_plateau_go_on():
    def build(optimizer):
        warm = lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=10)
        rest = lr_scheduler.CosineAnnealingLR(optimizer, T_max=50)
        return lr_scheduler.SequentialLR(optimizer, [warm, rest], [10])

    optimizer = ours()
    expected = sequence(optimizer, build(optimizer))
    first = build(ours())
    for _ in range(7):
        first.step()
    second = build(ours())
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for row in expected[7:]:
        assert second.get_last_lr() == list(row[:2])
        second.step()

    plateau = lr_scheduler.ReduceLROnPlateau(ours(), patience=2)
    for number in range(30):
        plateau.step(wave(number))
    other = lr_scheduler.ReduceLROnPlateau(ours(), patience=2)
    other.load_state_dict(json.loads(json.dumps(plateau.state_dict())))
    for number in range(30, 60):
        plateau.step(wave(number))
        other.step(wave(number))
        assert other.get_last_lr() == plateau.get_last_lr()


def test_restarts_begin_exactly_where_they_should():
    for first in (1, 2, 3, 7, 10):
        for growth in (2, 3, 5, 10):
            begun, length = 0, first
            for _ in range(8):
                value = schedules.cosine_restarts(begun, 1.0, first=first, growth=growth)
                assert value == 1.0, (first, growth, begun)
                last = begun + length - 1
                if length > 1:
                    expected = schedules.cosine(length - 1, 1.0, total=length)
                    value = schedules.cosine_restarts(last, 1.0, first=first, growth=growth)
                    assert value == expected, (first, growth, last)
                begun, length = begun + length, length * growth


def test_a_warm_up_goes_in_front_of_any_schedule():
    schedule = schedules.warm_up(
        lambda step: schedules.exponential(step, 0.8, gamma=0.5), steps=4, start=0.0
    )
    assert [schedule(step) for step in range(7)] == pytest.approx(
        [0.0, 0.2, 0.4, 0.6, 0.8, 0.4, 0.2]
    )


def test_mistakes_are_named():
    optimizer = ours()
    scheduler = lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=2)
    scheduler.step()
    scheduler.step()
    with pytest.raises(ValueError, match="OneCycleLR: expected at most 2 steps, got step 3"):
        scheduler.step()
    with pytest.raises(ValueError, match="expected total_steps, or epochs and steps_per_epoch"):
        lr_scheduler.OneCycleLR(optimizer, max_lr=1.0)
    with pytest.raises(ValueError, match="expected 2 values of max_lr, got 1"):
        lr_scheduler.OneCycleLR(optimizer, max_lr=[1.0], total_steps=2)
    with pytest.raises(ValueError, match="expected an optimizer with momentum or betas, got Adagr"):
        lr_scheduler.OneCycleLR(ours("Adagrad"), max_lr=1.0, total_steps=2)
    with pytest.raises(ValueError, match="StepLR: expected step_size >= 1, got 0"):
        lr_scheduler.StepLR(optimizer, step_size=0)
    with pytest.raises(ValueError, match=r"LinearLR: expected start_factor in \(0, 1\]"):
        lr_scheduler.LinearLR(optimizer, start_factor=0.0)
    with pytest.raises(ValueError, match="expected 2 functions, got 1"):
        lr_scheduler.LambdaLR(optimizer, [lambda step: 1.0])
    with pytest.raises(TypeError, match="StepLR: expected an optimizer, got int"):
        lr_scheduler.StepLR(3, step_size=1)
    with pytest.raises(ValueError, match="expected 'initial_lr' in group 0 to go on"):
        lr_scheduler.StepLR(ours(), step_size=1, last_epoch=5)
    steps = [lr_scheduler.StepLR(optimizer, 1), lr_scheduler.StepLR(optimizer, 1)]
    with pytest.raises(ValueError, match="expected 1 milestones in ascending order for 2"):
        lr_scheduler.SequentialLR(optimizer, steps, [3, 4])
    with pytest.raises(ValueError, match="ChainedScheduler: expected at least one scheduler"):
        lr_scheduler.ChainedScheduler([])
    with pytest.raises(ValueError, match="ChainedScheduler: expected schedulers of the same"):
        lr_scheduler.ChainedScheduler([*steps, lr_scheduler.StepLR(ours(), 1)])
    with pytest.raises(ValueError, match="CyclicLR: expected mode to be one of"):
        lr_scheduler.CyclicLR(optimizer, 0.1, 0.2, mode="square")
    with pytest.raises(ValueError, match="CyclicLR: expected an optimizer with momentum or betas"):
        lr_scheduler.CyclicLR(ours("Adagrad"), 0.1, 0.2)
    with pytest.raises(ValueError, match=r"expected factor in \[0, 1\), got 1.0"):
        lr_scheduler.ReduceLROnPlateau(optimizer, factor=1.0)


def test_a_scheduler_is_shown_on_a_line() -> None:
    optimizer = ours("SGD")
    step = lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.5)
    assert repr(step).startswith("StepLR(step_size=2, gamma=0.5): lr ")
    assert repr(step).endswith(" at step 0")
    parts = [step, lr_scheduler.ExponentialLR(optimizer, gamma=0.9)]
    shown = repr(lr_scheduler.SequentialLR(optimizer, parts, [3]))
    assert shown.startswith("SequentialLR([StepLR, ExponentialLR], milestones=[3]): lr ")
    plateau = repr(lr_scheduler.ReduceLROnPlateau(optimizer))
    assert plateau.startswith("ReduceLROnPlateau(mode='min', factor=0.1, patience=10")


class Halving:
    """A function with a state, which a saved schedule takes along."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, step):
        return self.factor**step


@pytest.mark.parametrize(
    ("name", "options"),
    [*SCHEDULERS, ("LambdaLR", {"lr_lambda": Halving(0.5)}), ("ReduceLROnPlateau", {})],
)
def test_a_saved_state_goes_on_in_pytorch_and_back(name, options):
    torch = pytest.importorskip("torch")
    found = []
    for first, second in (("ss", "torch"), ("torch", "ss"), ("ss", "ss"), ("torch", "torch")):
        steps = []
        state = groups = None
        for library, count in ((first, 7), (second, 9)):
            module, make = (optim, ss.tensor) if library == "ss" else (torch.optim, torch.tensor)
            optimizer = optimizer_of(module, make)
            given = {
                k: Halving(0.5 if state is None else 0.9) if isinstance(v, Halving) else v
                for k, v in options.items()
            }
            scheduler = getattr(module.lr_scheduler, name)(optimizer, **given)
            if state is not None:
                for group, saved in zip(optimizer.param_groups, groups, strict=True):
                    group.update({k: v for k, v in saved.items() if k != "params"})
                scheduler.load_state_dict(state)
            for _ in range(count):
                optimizer.step()
                scheduler.step(*[1.0] * (name == "ReduceLROnPlateau"))
                steps.append([g["lr"] for g in optimizer.param_groups])
            state, groups = scheduler.state_dict(), optimizer.param_groups
        found.append(steps)
    for other in found[1:]:
        np.testing.assert_allclose(found[0], other, rtol=1e-10, atol=1e-15)


def test_warm_up_stable_decay_rises_stays_and_falls():
    optimizer = ours()
    scheduler = lr_scheduler.WarmupStableDecayLR(
        optimizer, 10, warmup_iters=3, decay_iters=4, decay="linear", eta_min=0.02
    )
    rates = [row[0] for row in sequence(optimizer, scheduler, steps=12)]
    assert rates == pytest.approx(
        [0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.1, 0.08, 0.06, 0.04, 0.02, 0.02]
    )
    for shape, middle in (("sqrt", 1 - math.sqrt(0.5)), ("cosine", 0.5), ("linear", 0.5)):
        value = schedules.warmup_stable_decay(8, 1.0, total=10, falling=4, shape=shape)
        assert value == pytest.approx(middle)
    by_progress = schedules.BY_PROGRESS["warmup_stable_decay"]
    assert [round(by_progress(t), 3) for t in (0, 0.025, 0.05, 0.8, 0.85, 1)] == [
        0, 0.5, 1, 1, 0.5, 0,
    ]  # fmt: skip


def test_mistakes_of_warm_up_stable_decay():
    with pytest.raises(ValueError, match="expected a rise and a fall of at most 5 steps, got 3 an"):
        lr_scheduler.WarmupStableDecayLR(ours(), 5, 3, 3)
    with pytest.raises(ValueError, match="decay to be one of linear, sqrt, cosine, got 'steep'"):
        lr_scheduler.WarmupStableDecayLR(ours(), 5, decay="steep")
