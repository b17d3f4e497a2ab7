"""Transforms, what they make of distributions, which belong to constraints: as PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

torch = pytest.importorskip("torch")

NUMBERS = np.array([[-3.0, -0.7, 0.2], [0.9, 2.5, -1.0]])
POSITIVE = np.exp(NUMBERS)
SQUARES = np.random.default_rng(0).normal(size=(4, 3, 3))

# How a transform is made of a library's `distributions`, and what it is given.
CASES: dict[str, tuple[Any, np.ndarray[Any, Any]]] = {
    "exp": (lambda d, m: d.ExpTransform(), NUMBERS),
    "power": (lambda d, m: d.PowerTransform(m.tensor(2.5, dtype=m.float64)), POSITIVE),
    "sigmoid": (lambda d, m: d.SigmoidTransform(), NUMBERS),
    "softplus": (lambda d, m: d.SoftplusTransform(), NUMBERS),
    "tanh": (lambda d, m: d.TanhTransform(), NUMBERS),
    "affine": (lambda d, m: d.AffineTransform(0.5, -2.0), NUMBERS),
    "affine of tensors": (
        lambda d, m: d.AffineTransform(
            m.tensor([0.5, 1.0, 2.0], dtype=m.float64), m.tensor([[3.0], [-2.0]], dtype=m.float64)
        ),
        NUMBERS,
    ),
    "affine of events": (lambda d, m: d.AffineTransform(0.5, 3.0, event_dim=1), NUMBERS),
    "abs": (lambda d, m: d.AbsTransform(), NUMBERS),
    "softmax": (lambda d, m: d.SoftmaxTransform(), NUMBERS),
    "stick breaking": (lambda d, m: d.StickBreakingTransform(), NUMBERS),
    "cholesky": (lambda d, m: d.LowerCholeskyTransform(), SQUARES),
    "positive-definite": (lambda d, m: d.PositiveDefiniteTransform(), SQUARES),
    "reshape": (lambda d, m: d.ReshapeTransform((3,), (1, 3)), NUMBERS),
    "independent": (lambda d, m: d.IndependentTransform(d.ExpTransform(), 1), NUMBERS),
    "compose": (
        lambda d, m: d.ComposeTransform([d.AffineTransform(0.1, 0.5), d.TanhTransform()]),
        NUMBERS,
    ),
    "compose of events": (
        lambda d, m: d.ComposeTransform([d.SigmoidTransform(), d.ReshapeTransform((3,), (1, 3))]),
        NUMBERS,
    ),
    "identity": (lambda d, m: d.identity_transform, NUMBERS),
    "inverse": (lambda d, m: d.ExpTransform().inv, POSITIVE),
    "inverse of several": (
        lambda d, m: d.ComposeTransform([d.ExpTransform(), d.AffineTransform(0.0, 2.0)]).inv,
        POSITIVE,
    ),
    "cdf": (
        lambda d, m: d.CumulativeDistributionTransform(
            m.distributions.Normal(m.tensor(0.1, dtype=m.float64), 2.0)
        ),
        NUMBERS,
    ),
    "cat": (
        lambda d, m: d.CatTransform([d.ExpTransform(), d.TanhTransform()], dim=1, lengths=[1, 2]),
        NUMBERS,
    ),
    "stack": (
        lambda d, m: d.StackTransform([d.ExpTransform(), d.AffineTransform(0.0, 3.0)], dim=0),
        NUMBERS,
    ),
}
# Which PyTorch has no change of volume for.
FINITE = ("abs", "softmax", "cholesky", "positive-definite")


@pytest.mark.parametrize("name", CASES)
def test_transforms_are_pytorchs(name: str) -> None:
    make, array = CASES[name]
    found = []
    for m in (ss, torch):
        t = make(m.distributions.transforms, m)
        x = m.tensor(array, requires_grad=True)
        y = t(x)
        values = [y, t.inv(y)]
        if name not in FINITE:
            values.append(t.log_abs_det_jacobian(x, y))
        # The last change of volume is a 0-d mean in PyTorch where nothing changes it.
        total = sum((v * v).sum() for v in values)
        (slope,) = m.autograd.grad(total, [x])
        shapes = [tuple(t.forward_shape(array.shape)), tuple(t.inverse_shape(y.shape))]
        events = (t.domain.event_dim, t.codomain.event_dim, t.bijective)
        found.append((values, slope, shapes, events))
    (ours, slope, shapes, events), (theirs, their_slope, their_shapes, their_events) = found
    assert (shapes, events) == (their_shapes, their_events)
    for mine, other in zip(ours, theirs, strict=True):
        assert tuple(mine.shape) == tuple(other.shape)
        np.testing.assert_allclose(mine.detach(), other.detach().numpy(), 1e-9, 1e-12)
    np.testing.assert_allclose(slope, their_slope.numpy(), 1e-8, 1e-10)


@pytest.mark.parametrize("name", [n for n in CASES if n not in FINITE])
def test_the_change_of_volume_is_that_of_the_jacobian(name: str) -> None:
    make, array = CASES[name]
    t = make(ss.distributions.transforms, ss)
    x = ss.tensor(array)
    if x.ndim == 3 or t.domain.event_dim > 1 or name in ("cat", "stack", "stick breaking"):
        pytest.skip("its values have fewer degrees of freedom than elements, or others per part")
    jacobian = ss.func.jacrev(t)(x).numpy().reshape(array.size, array.size)
    wanted = np.linalg.slogdet(jacobian)[1]
    assert t.log_abs_det_jacobian(x, t(x)).sum().item() == pytest.approx(wanted, rel=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_compiled_transforms_are_eager_ones(name: str) -> None:
    make, array = CASES[name]

    def run(x: Any) -> Any:
        t = make(ss.distributions.transforms, ss)
        y = t(x)
        return y, t.inv(y), *(() if name in FINITE else (t.log_abs_det_jacobian(x, y),))

    for fast, slow in zip(ss.compile(run)(ss.tensor(array)), run(ss.tensor(array)), strict=True):
        np.testing.assert_allclose(fast, slow, 1e-9, 1e-12)


def test_the_change_of_volume_of_a_triangle() -> None:
    t, x = ss.distributions.LowerCholeskyTransform(), ss.tensor(SQUARES[0])
    rows, columns = np.tril_indices(3)
    jacobian = ss.func.jacrev(lambda v: t(v)[rows, columns])(x).numpy()[:, rows, columns]
    wanted = np.linalg.slogdet(jacobian)[1]
    assert t.log_abs_det_jacobian(x, t(x)).item() == pytest.approx(wanted, rel=1e-9)


def test_what_is_cached_comes_back() -> None:
    t = ss.distributions.TanhTransform(cache_size=1)
    x = ss.tensor([20.0, -30.0])
    y = t(x)
    assert y.tolist() == [1.0, -1.0]
    assert t.inv(y) is x
    assert t(x) is y
    assert np.isinf(ss.distributions.TanhTransform().inv(y).numpy()).all()
    assert t.inv.inv is t
    assert t.inv is t.inv
    composed = ss.distributions.ComposeTransform([t, ss.distributions.ExpTransform()], cache_size=1)
    z = composed(x)
    assert composed.inv(z) is x
    with pytest.raises(ValueError, match="cache_size 0 or 1, got 2"):
        ss.distributions.TanhTransform(cache_size=2)


def test_equality() -> None:
    d = ss.distributions
    assert d.ExpTransform() == d.ExpTransform() != d.TanhTransform()
    assert d.AffineTransform(1.0, 2.0) == d.AffineTransform(1.0, 2.0) != d.AffineTransform(1.0, 3.0)
    assert d.ExpTransform().inv == d.ExpTransform().inv != d.ExpTransform()
    first, second = (d.ComposeTransform([d.ExpTransform()]) for _ in range(2))
    assert first == second != d.identity_transform


# A distribution made of a library's `distributions`, and values to ask it of.
TRANSFORMED: dict[str, tuple[Any, Any]] = {
    "squashed": (
        lambda d, n: d.TransformedDistribution(
            d.Normal(n([0.0, 1.0, 2.0]), n([1.0, 0.5, 2.0])), [d.TanhTransform(cache_size=1)]
        ),
        [0.1, -0.5, 0.9],
    ),
    "falling": (
        lambda d, n: d.TransformedDistribution(
            d.Normal(n([0.0, 1.0, 2.0]), 1.0), [d.ExpTransform(), d.AffineTransform(3.0, -2.0)]
        ),
        [0.1, -0.5, 0.9],
    ),
    "one transform": (
        lambda d, n: d.TransformedDistribution(d.Uniform(n([0.0]), n([1.0])), d.ExpTransform()),
        [1.5],
    ),
    "no transform": (lambda d, n: d.TransformedDistribution(d.Normal(n([0.0]), 1.0), []), [1.5]),
    "of events": (
        lambda d, n: d.TransformedDistribution(
            d.Independent(d.Normal(n([[0.0, 1.0], [2.0, 3.0]]), 1.0), 1), [d.SigmoidTransform()]
        ),
        [[0.2, 0.6], [0.9, 0.1]],
    ),
    "made an event": (
        lambda d, n: d.TransformedDistribution(
            d.Normal(n([[0.0, 1.0], [2.0, 3.0]]), 1.0), [d.StickBreakingTransform()]
        ),
        [[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]],
    ),
    "expanded": (
        lambda d, n: d.TransformedDistribution(
            d.Normal(n(0.0), n(1.0)), [d.AffineTransform(n([1.0, 2.0]), 3.0)]
        ),
        [0.2, 0.6],
    ),
    "broadcast": (
        lambda d, n: d.TransformedDistribution(
            d.Normal(n([0.0]), n([1.0])), [d.ExpTransform()]
        ).expand((2, 3)),
        [[0.2, 0.6, 1.0], [3.0, 2.0, 0.1]],
    ),
}


@pytest.mark.parametrize("name", TRANSFORMED)
def test_transformed_distributions_are_pytorchs(name: str) -> None:
    make, value = TRANSFORMED[name]
    found = []
    for m in (ss, torch):
        d = make(m.distributions, lambda v, m=m: m.tensor(v, dtype=m.float64))
        x = m.tensor(value, dtype=m.float64, requires_grad=True)
        results = [d.log_prob(x)]
        if name not in ("of events", "made an event"):
            results.append(d.cdf(x))
            results.append(d.icdf(results[-1].detach()))
        slope = m.autograd.grad(results[0].sum(), [x])[0]
        draws = d.sample((5, 2))
        shapes = (tuple(d.batch_shape), tuple(d.event_shape), tuple(draws.shape), d.has_rsample)
        assert bool(d.support.check(draws).all())
        found.append(([*results, slope], shapes, d.support.event_dim))
    assert found[0][1:] == found[1][1:]
    for mine, other in zip(found[0][0], found[1][0], strict=True):
        assert tuple(mine.shape) == tuple(other.shape)
        np.testing.assert_allclose(mine.detach(), other.detach().numpy(), 1e-9, 1e-12)


def test_gradients_pass_through_squashed_draws() -> None:
    """The policy of soft actor-critic, eager and compiled."""

    def loss(mean: Any, scale: Any) -> Any:
        d = ss.distributions
        policy = d.Independent(
            d.TransformedDistribution(d.Normal(mean, scale), [d.TanhTransform(cache_size=1)]), 1
        )
        ss.manual_seed(0)
        action = policy.rsample()
        return (policy.log_prob(action) - action.sum(-1)).mean()

    mean, scale = ss.tensor([[0.1, -3.0], [9.0, 0.5]]), ss.tensor([[0.5, 0.1], [1.0, 2.0]])
    value = ss.value_and_grad(loss, argnums=(0, 1))
    eager, slopes = value(mean, scale)
    assert np.isfinite(eager.item())
    fast, others = ss.compile(value)(mean, scale)
    np.testing.assert_allclose(fast, eager, 1e-5)
    for mine, other in zip(others, slopes, strict=True):
        np.testing.assert_allclose(mine, other, 1e-4, 1e-5)


CONSTRAINTS: dict[str, Any] = {
    "real": lambda c: c.real,
    "positive": lambda c: c.positive,
    "nonnegative": lambda c: c.nonnegative,
    "greater_than": lambda c: c.greater_than(2.0),
    "less_than": lambda c: c.less_than(2.0),
    "unit_interval": lambda c: c.unit_interval,
    "interval": lambda c: c.interval(-2.0, 3.0),
    "half_open_interval": lambda c: c.half_open_interval(-2.0, 3.0),
    "simplex": lambda c: c.simplex,
    "independent": lambda c: c.independent(c.positive, 1),
    "real_vector": lambda c: c.real_vector,
    "cat": lambda c: c.cat([c.positive, c.real], dim=1, lengths=[2, 1]),
    "stack": lambda c: c.stack([c.positive, c.unit_interval], dim=0),
}


@pytest.mark.parametrize("registry", ["biject_to", "transform_to"])
@pytest.mark.parametrize("name", CONSTRAINTS)
def test_transforms_to_constraints_are_pytorchs(registry: str, name: str) -> None:
    ours = getattr(ss.distributions, registry)(CONSTRAINTS[name](ss.distributions.constraints))
    theirs = getattr(torch.distributions, registry)(
        CONSTRAINTS[name](torch.distributions.constraints)
    )
    wanted = theirs(torch.tensor(NUMBERS))
    found = ours(ss.tensor(NUMBERS))
    np.testing.assert_allclose(found, wanted.numpy(), 1e-12)
    np.testing.assert_allclose(ours.inv(found), theirs.inv(wanted).numpy(), 1e-9, 1e-12)


@pytest.mark.parametrize("name", ["lower_cholesky", "positive_definite"])
def test_transforms_to_matrices(name: str) -> None:
    ours = ss.distributions.transform_to(getattr(ss.distributions.constraints, name))
    theirs = torch.distributions.transform_to(getattr(torch.distributions.constraints, name))
    found = ours(ss.tensor(SQUARES))
    np.testing.assert_allclose(found, theirs(torch.tensor(SQUARES)).numpy(), 1e-12)
    assert getattr(ss.distributions.constraints, name).check(found).all()


def test_registering_ones_own() -> None:
    d = ss.distributions

    class Odd(d.constraints.Constraint):
        pass

    with pytest.raises(NotImplementedError, match="expected a constraint with a transform"):
        d.transform_to(Odd())

    @d.transform_to.register(Odd)
    def to_odd(constraint: Any) -> Any:
        return d.ExpTransform()

    assert d.transform_to(Odd()) == d.ExpTransform()
    with pytest.raises(TypeError, match="expected a constraint or its class"):
        d.transform_to.register(3, to_odd)


def test_what_is_refused() -> None:
    d = ss.distributions
    with pytest.raises(ValueError, match="expected transforms, got float"):
        d.TransformedDistribution(d.Normal(0.0, 1.0), [2.0])
    with pytest.raises(ValueError, match="base with at least 1 axes"):
        d.TransformedDistribution(d.Normal(0.0, 1.0), [d.StickBreakingTransform()])
    with pytest.raises(ValueError, match="TransformedDistribution: expected values above 0"):
        d.TransformedDistribution(d.Normal(0.0, 1.0), [d.ExpTransform()]).log_prob(-1.0)
    with pytest.raises(ValueError, match="as many elements"):
        d.ReshapeTransform((2, 3), (5,))
    with pytest.raises(NotImplementedError, match="AbsTransform: there is no log_abs_det"):
        d.AbsTransform().log_abs_det_jacobian(ss.ones(1), ss.ones(1))


def test_logistic_normal_is_pytorchs() -> None:
    found = []
    for m in (ss, torch):
        loc = m.tensor([[0.3, -0.5], [1.0, 2.0]], dtype=m.float64, requires_grad=True)
        d = m.distributions.LogisticNormal(loc, m.tensor([0.5, 1.5], dtype=m.float64))
        x = m.tensor([[0.1, 0.5, 0.4], [0.7, 0.2, 0.1]], dtype=m.float64)
        density = d.log_prob(x)
        shapes = (tuple(d.batch_shape), tuple(d.event_shape), tuple(d.rsample((4,)).shape))
        found.append((shapes, density, m.autograd.grad(density.sum(), [loc])[0]))
    assert found[0][0] == found[1][0]
    for mine, other in zip(found[0][1:], found[1][1:], strict=True):
        np.testing.assert_allclose(mine.detach(), other.detach().numpy(), 1e-9)
    with pytest.raises(ValueError, match=r"LogisticNormal: expected loc of shape"):
        ss.distributions.LogisticNormal(0.0, 1.0)


def test_gradients_go_straight_through_classes() -> None:
    logits = ss.tensor([[0.2, 0.3, -0.5], [1.0, 2.0, 0.0]], dtype="float64", requires_grad=True)
    weights = ss.tensor([1.0, -2.0, 3.0], dtype="float64")

    def slope(logits: ss.Tensor) -> tuple[ss.Tensor, ss.Tensor]:
        ss.manual_seed(0)
        drawn = ss.distributions.OneHotCategoricalStraightThrough(logits=logits).rsample()
        return drawn.detach(), ss.autograd.grad((drawn * weights).sum(), [logits])[0]

    (wanted,) = ss.autograd.grad((ss.softmax(logits, -1) * weights).sum(), [logits])
    for run in (slope, ss.compile(slope)):
        drawn, found = run(logits)
        np.testing.assert_allclose(np.sort(drawn.numpy()), [[0, 0, 1]] * 2, atol=1e-12)
        np.testing.assert_allclose(found, wanted, 1e-12)
