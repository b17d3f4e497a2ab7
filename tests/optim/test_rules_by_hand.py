"""Steps of rules worked by hand, Rosenbrock's valley, hyperparameters that change on the way."""

from __future__ import annotations

import math

import numpy as np
import pytest

import schuss as ss
from schuss import optim


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


def test_lamb_by_hand_with_corrected_means():
    place, rate, decay = np.array([3.0, -4.0]), 0.1, 0.5
    parameter = ss.tensor(place, requires_grad=True)
    optimizer = optim.LAMB([parameter], lr=rate, betas=(0.5, 0.75), eps=0.0, weight_decay=decay)
    mean, square = np.zeros(2), np.zeros(2)
    for step, g in enumerate(([1.0, 2.0], [-1.0, 4.0], [0.5, 0.5]), 1):
        gradient = np.array(g)
        mean = 0.5 * mean + 0.5 * gradient
        square = 0.75 * square + 0.25 * gradient**2
        way = mean / (1 - 0.5**step) / np.sqrt(square / (1 - 0.75**step)) + decay * place
        place = place - rate * np.linalg.norm(place) / np.linalg.norm(way) * way
        parameter.grad = ss.tensor(gradient)
        optimizer.step()
        np.testing.assert_allclose(parameter.numpy(), place, rtol=1e-13)


def test_no_weights_and_no_direction_have_a_trust_ratio_of_one():
    parameter = ss.tensor(np.zeros(2), requires_grad=True)
    optimizer = optim.LAMB([parameter], lr=0.5, betas=(0.0, 0.0), eps=0.0)
    parameter.grad = ss.tensor(np.array([2.0, -3.0]))
    optimizer.step()
    assert parameter.tolist() == [-0.5, 0.5]


def test_matrices_are_made_orthogonal():
    from schuss.optim.muon import orthogonalized

    matrix = np.random.default_rng(0).normal(size=(6, 4))
    u, s, vh = np.linalg.svd(matrix, full_matrices=False)
    s = s / np.linalg.norm(s)
    for _ in range(5):
        s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
    found = orthogonalized(ss.tensor(matrix), (3.4445, -4.775, 2.0315), 5, 1e-7)
    np.testing.assert_allclose(found.numpy(), u * s @ vh, rtol=1e-10)


def test_muon_in_bfloat16_is_near():
    torch = pytest.importorskip("torch")
    start = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    p = ss.tensor(start, requires_grad=True)
    q = torch.tensor(start, requires_grad=True)
    ours, theirs = optim.Muon([p], lr=0.02), torch.optim.Muon([q], lr=0.02)
    for step in range(20):
        gradient = np.random.default_rng(step + 1).normal(size=(8, 6)).astype(np.float32)
        p.grad, q.grad = ss.tensor(gradient), torch.tensor(gradient)
        ours.step()
        theirs.step()
    np.testing.assert_allclose(p.numpy(), q.detach().numpy(), atol=0.02 * 20 * 2**-7)


def test_muon_wants_matrices():
    with pytest.raises(ValueError, match=r"Muon: expected matrices, got a parameter of shape \(3,"):
        optim.Muon([ss.tensor([1.0, 2.0, 3.0], requires_grad=True)])


def test_what_is_left_to_adamw():
    matrix = np.random.default_rng(0).normal(size=(3, 4))
    p, q = (ss.tensor(matrix, requires_grad=True) for _ in range(2))
    one = optim.MuonAdamW([{"params": [p], "use_muon": False}], lr=0.1)
    other = optim.AdamW([q], lr=0.1, weight_decay=0.1, betas=(0.9, 0.95))
    for _ in range(3):
        p.grad = q.grad = ss.tensor(np.cos(p.numpy()))
        one.step()
        other.step()
    np.testing.assert_allclose(p.numpy(), q.numpy(), rtol=1e-14)


def test_schedule_free_goes_between_its_two_places():
    parameter = ss.tensor(np.array([1.0]), requires_grad=True)
    optimizer = optim.SGDScheduleFree([parameter], lr=0.5, momentum=0.5)
    with pytest.raises(RuntimeError, match=r"expected training mode, .* call optimizer.train\(\)"):
        optimizer.step()
    optimizer.train()
    places = []
    for _ in range(3):
        parameter.grad = ss.tensor(np.array([1.0]))
        optimizer.step()
        optimizer.eval()
        places.append(parameter.item())
        optimizer.train()
    # z is 0.5, 0, -0.5: the average of those.
    assert places == pytest.approx([0.5, 0.25, 0.0], abs=1e-15)


def test_groups_that_share_an_estimate_have_one_rate_or_none():
    p, q = (ss.tensor(np.array([1.0]), requires_grad=True) for _ in range(2))
    groups = [{"params": [p]}, {"params": [q], "lr": 0.0}]
    optimizer = optim.Prodigy(groups, d0=0.1)
    for _ in range(3):
        p.grad = q.grad = ss.tensor(np.array([1.0]))
        optimizer.step()
    assert p.item() < 1.0
    assert q.item() == 1.0
    optimizer.param_groups[1]["lr"] = 0.5
    with pytest.raises(ValueError, match=r"expected one lr for all groups, or 0, got \[0.5, 1.0\]"):
        optimizer.step()
    with pytest.raises(ValueError, match="DAdaptSGD: expected one momentum for all groups"):
        optim.DAdaptSGD([{"params": [p]}, {"params": [q], "momentum": 0.5}])


@pytest.mark.parametrize("rule", [optim.Prodigy, optim.DAdaptAdam, optim.DAdaptSGD])
def test_without_any_gradient_nothing_is_learned(rule):
    p = ss.tensor(np.array([1.0, 2.0]), requires_grad=True)
    optimizer = rule([p])
    optimizer.step()
    p.grad = ss.tensor(np.zeros(2))
    optimizer.step()
    assert p.tolist() == [1.0, 2.0]
    assert optimizer.state_dict()["param_groups"][0]["k"] == 0.0
