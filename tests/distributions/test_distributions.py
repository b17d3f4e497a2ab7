from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.distributions.gamma_slope import log_slope

torch = pytest.importorskip("torch")

# Kind, parameters, and values whose probability is asked for.
A, B = [0.3, 1.5, 4.0], [[0.7], [2.5]]
CASES: list[tuple[str, dict[str, Any], Any]] = [
    ("Normal", {"loc": A, "scale": B}, [-1.0, 0.2, 9.0]),
    ("LogNormal", {"loc": A, "scale": B}, [0.1, 0.2, 9.0]),
    ("Laplace", {"loc": A, "scale": B}, [-1.0, 1.5, 9.0]),
    ("Exponential", {"rate": A}, [0.0, 0.2, 9.0]),
    ("Uniform", {"low": [-1.0, 0.0, 2.0], "high": [0.5, 3.0, 9.0]}, [-0.5, 2.5, 2.0]),
    ("Bernoulli", {"probs": [0.0, 0.3, 1.0]}, [0.0, 1.0, 1.0]),
    ("Bernoulli", {"logits": [-20.0, 0.3, 2.0]}, [0.0, 1.0, 1.0]),
    ("Categorical", {"probs": [[0.2, 0.3, 0.5], [1.0, 3.0, 0.0]]}, [2, 0]),
    ("Categorical", {"logits": [[0.2, 0.3, -0.5], [1.0, 30.0, 0.0]]}, [2, 1]),
    ("OneHotCategorical", {"probs": [[0.2, 0.3, 0.5], [1.0, 3.0, 0.0]]}, [[0.0, 1, 0], [1, 0, 0]]),
    ("Gamma", {"concentration": A, "rate": B}, [0.01, 1.0, 30.0]),
    ("Chi2", {"df": [0.5, 2.0, 9.0]}, [0.01, 1.0, 30.0]),
    ("StudentT", {"df": [3.5, 12.0, 9.0], "loc": A, "scale": B}, [0.01, 1.0, 30.0]),
    ("Beta", {"concentration1": A, "concentration0": B}, [0.01, 0.5, 0.9]),
    ("Cauchy", {"loc": A, "scale": B}, [-1.0, 0.2, 9.0]),
    ("Gumbel", {"loc": A, "scale": B}, [-1.0, 0.2, 9.0]),
    ("HalfNormal", {"scale": B}, [0.0, 0.2, 9.0]),
    ("HalfCauchy", {"scale": B}, [0.1, 0.2, 9.0]),
    ("Weibull", {"scale": B, "concentration": [1.3, 1.5, 4.0]}, [0.1, 0.2, 9.0]),
    ("Pareto", {"scale": [0.1, 0.2, 1.5], "alpha": [[6.0], [9.0]]}, [0.1, 0.5, 9.0]),
    ("Poisson", {"rate": [0.3, 4.0, 20.0]}, [0.0, 3.0, 25.0]),
    ("Geometric", {"probs": [0.3, 0.9, 1.0]}, [2.0, 0.0, 0.0]),
    ("Geometric", {"logits": [-1.0, 0.3, 2.0]}, [2.0, 0.0, 1.0]),
    ("Binomial", {"total_count": [3.0, 5.0, 9.0], "probs": [0.2, 0.5, 0.9]}, [0.0, 5.0, 7.0]),
    ("Binomial", {"total_count": [3.0, 5.0, 9.0], "logits": [-1.0, 0.2, 2.0]}, [0.0, 5.0, 7.0]),
    ("NegativeBinomial", {"total_count": A, "probs": [0.2, 0.5, 0.9]}, [0.0, 5.0, 7.0]),
    ("NegativeBinomial", {"total_count": A, "logits": [-1.0, 0.2, 2.0]}, [0.0, 5.0, 7.0]),
    ("Dirichlet", {"concentration": [A, [8.0, 0.1, 30.0]]}, [[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]]),
]
IDS = [f"{name}-{'-'.join(p)}" for name, p, _ in CASES]
# What the two libraries refuse alike, or where ours says more than theirs.
ABSENT = (NotImplementedError, AttributeError)


def made(m: Any, name: str, parameters: dict[str, Any]) -> tuple[Any, list[Any]]:
    given = {k: m.tensor(v, dtype=m.float64, requires_grad=True) for k, v in parameters.items()}
    return getattr(m.distributions, name)(**given), list(given.values())


def values(m: Any, value: Any) -> Any:
    array = np.array(value)
    return m.tensor(value, dtype=m.int64 if array.dtype.kind == "i" else m.float64)


# Of these, the mode is a step of the parameters.
COUNTS = ("Poisson", "Binomial", "NegativeBinomial")


def compare(name: str, parameters: dict[str, Any], ask: Any) -> None:
    """Hold a result, and its gradient by the parameters, to PyTorch's."""
    # The second derivative of the gamma function's logarithm is right to that in PyTorch.
    by_gamma = ("Gamma", "Beta", "Dirichlet", "Chi2", "StudentT", "NegativeBinomial")
    tolerance = 1e-9 if name not in by_gamma else 3e-8
    found = []
    for m in (ss, torch):
        distribution, given = made(m, name, parameters)
        result = ask(distribution, m)
        slopes = []
        if result.requires_grad:
            finite = m.where(m.isfinite(result), result, m.zeros_like(result))
            slopes = m.autograd.grad(finite.sum(), given, allow_unused=True)
        found.append([result, *slopes])
    assert len(found[0]) == len(found[1])
    for ours, theirs in zip(*found, strict=True):
        assert (ours is None) == (theirs is None)
        if ours is not None:
            assert tuple(ours.shape) == tuple(theirs.shape)
            np.testing.assert_allclose(
                ours.detach().numpy(), theirs.detach().numpy(), rtol=tolerance, atol=1e-12
            )


@pytest.mark.parametrize(("name", "parameters", "value"), CASES, ids=IDS)
def test_probabilities(name: str, parameters: Any, value: Any) -> None:
    compare(name, parameters, lambda d, m: d.log_prob(values(m, value)))


@pytest.mark.parametrize("what", ["mean", "variance", "stddev", "mode", "entropy", "perplexity"])
@pytest.mark.parametrize(("name", "parameters", "value"), CASES, ids=IDS)
def test_figures(name: str, parameters: Any, value: Any, what: str) -> None:
    def ask(d: Any, m: Any) -> Any:
        found = getattr(d, what)
        found = found() if callable(found) else found
        return found.detach() if what == "mode" and name in COUNTS else found

    try:
        ask(made(torch, name, parameters)[0], torch)
    except ABSENT:
        with pytest.raises(NotImplementedError, match=name):
            ask(made(ss, name, parameters)[0], ss)
        return
    compare(name, parameters, ask)


@pytest.mark.parametrize(("name", "parameters", "value"), CASES[:5], ids=IDS[:5])
def test_distribution_functions(name: str, parameters: Any, value: Any) -> None:
    compare(name, parameters, lambda d, m: d.cdf(values(m, value)))
    quantiles = [0.01, 0.5, 0.975]
    compare(name, parameters, lambda d, m: d.icdf(values(m, quantiles)))


def test_quantiles_of_the_normal_distribution_far_out() -> None:
    p = np.array([0.0, 1e-300, 1e-12, 0.3, 0.5, 1 - 1e-12, 1.0, 1.5, np.nan])
    ours = ss.distributions.Normal(ss.tensor(0.0, "float64"), 1.0).icdf(ss.asarray(p))
    theirs = torch.distributions.Normal(0.0, 1.0, validate_args=False).icdf(torch.tensor(p))
    np.testing.assert_allclose(ours.numpy()[3:7], theirs.numpy()[3:7], rtol=1e-6, atol=1e-12)
    assert ours[0].item() == -np.inf
    assert ours[2].item() == pytest.approx(-7.034483825, rel=1e-6)
    assert np.isnan(ours.numpy()[7:]).all()


@pytest.mark.parametrize(("name", "parameters", "value"), [c for c in CASES if c[0] != "StudentT"])
def test_divergences(name: str, parameters: Any, value: Any) -> None:
    def ask(d: Any, m: Any) -> Any:
        other = {k: np.array(v)[..., ::-1].tolist() for k, v in parameters.items()}
        if name == "Uniform":
            other = {"low": [-1.0, -1.0, -1.0], "high": [9.0, 2.0, 9.0]}
        if name == "Binomial":
            other["total_count"] = parameters["total_count"]
        return m.distributions.kl_divergence(d, made(m, name, other)[0])

    try:
        ask(made(torch, name, parameters)[0], torch)
    except NotImplementedError:
        with pytest.raises(NotImplementedError, match="closed form"):
            ask(made(ss, name, parameters)[0], ss)
        return
    compare(name, parameters, ask)


@pytest.mark.parametrize(("name", "parameters", "value"), CASES, ids=IDS)
def test_draws_have_the_moments(name: str, parameters: Any, value: Any) -> None:
    ss.manual_seed(0)
    distribution, _ = made(ss, name, parameters)
    theirs, _ = made(torch, name, parameters)
    draws = distribution.sample((20000,))
    assert draws.shape == tuple(theirs.sample((20000,)).shape)
    assert not draws.requires_grad
    assert draws.dtype.name == str(theirs.sample().dtype).removeprefix("torch.")
    found = draws.numpy().astype(np.float64)
    if name == "Categorical":
        shares = np.stack([(found == k).mean(0) for k in range(3)], -1)
        np.testing.assert_allclose(shares, distribution.probs.detach().numpy(), atol=0.02)
        return
    if not np.isfinite(distribution.variance.detach().numpy()).all():
        # Without moments there are quantiles.
        shares = (found < distribution.icdf(ss.tensor(0.7, "float64")).detach().numpy()).mean(0)
        np.testing.assert_allclose(shares, 0.7, atol=0.02)
        return
    scale = np.maximum(distribution.stddev.detach().numpy(), 1e-9)
    mean = distribution.mean.detach().numpy()
    tolerance = 6 * scale / np.sqrt(20000)
    assert (np.abs(found.mean(0) - mean) <= tolerance).all()
    if name != "LogNormal":
        np.testing.assert_allclose(found.std(0), scale, rtol=0.15, atol=1e-4)


@pytest.mark.parametrize("name", ["Normal", "LogNormal", "Laplace", "Exponential", "Uniform"])
def test_gradients_pass_through_draws(name: str) -> None:
    parameters = next(p for n, p, _ in CASES if n == name)
    distribution, given = made(ss, name, parameters)
    assert distribution.has_rsample
    ss.manual_seed(3)
    drawn = distribution.rsample((5,))
    assert drawn.shape[0] == 5
    slopes = ss.autograd.grad(drawn.sum(), given)
    # What a draw changes by when a parameter does.
    for which, slope in enumerate(slopes):
        moved = {
            k: (np.array(v) + 1e-6 * (place == which)).tolist()
            for place, (k, v) in enumerate(parameters.items())
        }
        ss.manual_seed(3)
        change = made(ss, name, moved)[0].rsample((5,)).sum() - drawn.sum()
        assert change.item() / 1e-6 == pytest.approx(slope.sum().item(), rel=1e-4)


@pytest.mark.parametrize("run", [lambda f: f, ss.compile])
@pytest.mark.parametrize("name", ["Gamma", "Beta", "Dirichlet", "Chi2", "StudentT"])
def test_gradients_of_draws_by_rejection_are_those_of_the_moments(name: str, run: Any) -> None:
    """The mean of x^2 and its gradient, by draws and by what the moments are."""
    parameters = {
        "Gamma": {"concentration": [0.4, 3.0, 90.0], "rate": [0.5, 2.0, 9.0]},
        "Beta": {"concentration1": [0.6, 3.0], "concentration0": [2.0, 0.8]},
        "Dirichlet": {"concentration": [0.7, 2.0, 5.0]},
        "Chi2": {"df": [1.0, 4.0]},
        "StudentT": {"df": [7.0, 20.0], "loc": [0.5, -1.0], "scale": [1.0, 2.0]},
    }[name]
    given = [ss.tensor(v, dtype=ss.float64) for v in parameters.values()]
    kind = getattr(ss.distributions, name)

    def by_draws(*values: Any) -> Any:
        drawn = kind(*values).rsample((40000,))
        return (drawn * drawn).mean(0).sum()

    def by_moments(*values: Any) -> Any:
        d = kind(*values)
        return (d.variance + d.mean * d.mean).sum()

    ss.manual_seed(1)
    places = tuple(range(len(given)))
    found = run(ss.grad(by_draws, argnums=places))(*given)
    for slope, wanted in zip(found, ss.grad(by_moments, argnums=places)(*given), strict=True):
        np.testing.assert_allclose(slope, wanted.numpy(), 0.06, 0.02)


def test_slopes_of_gamma_draws() -> None:
    """Beside PyTorch's, which are right to 1e-3, and central differences of the quantiles."""
    scipy = pytest.importorskip("scipy.special")
    rng = np.random.default_rng(0)
    for alpha in (0.05, 0.7, 3.0, 40.0, 63.9, 64.1, 300.0, 5000.0):
        x = np.maximum(rng.gamma(alpha, size=300), 1e-280)
        a = np.full_like(x, alpha)
        h = 1e-5 * alpha
        ends = [scipy.gammaincinv(a + s * h, scipy.gammainc(a, x)) for s in (1, -1)]
        middle = scipy.gammainc(a, x) < 0.9
        found = log_slope(ss.tensor(a), ss.tensor(np.log(x))).numpy() * x
        wanted = (ends[0] - ends[1]) / (2 * h)
        np.testing.assert_allclose(found[middle], wanted[middle], 2e-6, 1e-12)
        theirs = torch._standard_gamma_grad(torch.tensor(a), torch.tensor(x)).numpy()
        np.testing.assert_allclose(found, theirs, 2e-3, 1e-12)


def test_what_has_no_reparametrisation() -> None:
    for name in ("Bernoulli", "Categorical", "OneHotCategorical"):
        distribution = made(ss, name, next(p for n, p, _ in CASES if n == name))[0]
        assert not distribution.has_rsample
        with pytest.raises(NotImplementedError, match=f"{name}: expected draws without a gradient"):
            distribution.rsample()


def test_independent() -> None:
    for m in (ss, torch):
        base = m.distributions.Normal(m.zeros(4, 3), m.ones(3))
        joint = m.distributions.Independent(base, 1)
        assert (tuple(joint.batch_shape), tuple(joint.event_shape)) == ((4,), (3,))
        assert tuple(joint.log_prob(m.ones(3)).shape) == (4,)
        assert tuple(joint.entropy().shape) == (4,)
        assert tuple(joint.sample((2,)).shape) == (2, 4, 3)
        assert tuple(joint.expand((5, 4)).sample().shape) == (5, 4, 3)
        kl = m.distributions.kl_divergence(joint, joint)
        assert kl.tolist() == [0, 0, 0, 0]
    with pytest.raises(ValueError, match="expected 0 to 2 axes"):
        ss.distributions.Independent(ss.distributions.Normal(ss.zeros(4, 3), 1.0), 3)


def mixtures(m: Any) -> Any:
    rng = np.random.default_rng(0)

    def given(*shape: int) -> Any:
        return m.tensor(rng.normal(size=shape), requires_grad=True)

    d = m.distributions
    logits, means, scales = given(4, 3), given(4, 3), given(4, 3)
    yield d.MixtureSameFamily(d.Categorical(logits=logits), d.Normal(means, m.exp(scales)))
    parts = d.Independent(d.Normal(given(4, 3, 2), m.exp(given(4, 3, 2))), 1)
    yield d.MixtureSameFamily(d.Categorical(probs=m.softmax(given(4, 3), -1)), parts)


@pytest.mark.parametrize("number", [0, 1])
def test_mixtures_are_pytorchs(number: int) -> None:
    found = []
    for m in (ss, torch):
        mixture = list(mixtures(m))[number]
        x = m.tensor(np.random.default_rng(1).normal(size=(5, *mixture.mean.shape)))
        value = mixture.log_prob(x)
        value.sum().backward()
        (leaf,) = [
            t
            for t in (mixture.component_distribution,)
            for t in [getattr(t, "loc", None) if number == 0 else t.base_dist.loc]
        ]
        parts = [value, mixture.mean, mixture.variance, leaf.grad]
        if number == 0:
            parts.append(mixture.cdf(x))
        found.append([np.asarray(p.detach().numpy()) for p in parts])
        assert tuple(mixture.sample((6,)).shape) == (6, *mixture.mean.shape)
        assert tuple(mixture.batch_shape) == (4,)
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_draws_of_a_mixture_come_from_its_components() -> None:
    ss.manual_seed(0)
    d = ss.distributions
    parts = d.Normal(ss.tensor([-5.0, 5.0]), ss.tensor([0.1, 0.1]))
    drawn = d.MixtureSameFamily(d.Categorical(ss.tensor([0.25, 0.75])), parts).sample((4000,))
    assert (drawn > 0).float().mean().item() == pytest.approx(0.75, abs=0.03)
    assert (drawn.abs() - 5.0).abs().max().item() < 1.0
    with pytest.raises(ValueError, match=r"components of batch shape \(..., 3\), got \(2,\)"):
        d.MixtureSameFamily(d.Categorical(ss.ones(3)), parts)


@pytest.mark.parametrize(("name", "parameters", "value"), CASES, ids=IDS)
def test_expanding(name: str, parameters: Any, value: Any) -> None:
    distribution = made(ss, name, parameters)[0]
    expanded = distribution.expand((4, *distribution.batch_shape))
    assert expanded.batch_shape == (4, *distribution.batch_shape)
    np.testing.assert_allclose(
        expanded.log_prob(values(ss, value)).detach().numpy()[2],
        distribution.log_prob(values(ss, value)).detach().numpy(),
    )
    assert name in repr(expanded)


def test_supports() -> None:
    for m in (ss, torch):
        d = m.distributions
        assert d.Bernoulli(m.tensor([0.2, 0.5])).enumerate_support().tolist() == [[0, 0], [1, 1]]
        categorical = d.Categorical(m.ones(2, 3))
        assert categorical.enumerate_support(expand=False).tolist() == [[0], [1], [2]]
        assert tuple(d.OneHotCategorical(m.ones(2, 3)).enumerate_support().shape) == (3, 2, 3)


@pytest.mark.parametrize("which", ["covariance_matrix", "precision_matrix", "scale_tril"])
def test_multivariate_normal(which: str) -> None:
    root = np.array([[[1.0, 0, 0], [0.5, 2, 0], [-0.3, 0.2, 0.7]], np.eye(3)])
    matrix = root if which == "scale_tril" else root @ np.swapaxes(root, -1, -2)
    x = np.array([[0.3, -1, 2], [1, 1, 1]])
    found = []
    for m in (ss, torch):
        loc = m.tensor([0.1, 0.2, 0.3], dtype=m.float64, requires_grad=True)
        given = m.tensor(matrix, dtype=m.float64, requires_grad=True)
        d = m.distributions.MultivariateNormal(loc, **{which: given})
        other = m.distributions.MultivariateNormal(m.zeros(3, dtype=m.float64), m.eye(3).double())
        figures = [d.log_prob(m.tensor(x)), d.entropy(), d.variance, d.covariance_matrix]
        kl = m.distributions.kl_divergence
        figures += [d.precision_matrix, kl(d, other), kl(other, d), d.expand((4, 2)).entropy()]
        weights = [m.cos(m.arange(f.numel()).double()).reshape(f.shape) for f in figures]
        total = sum((f * w).sum() for f, w in zip(figures, weights, strict=True))
        found.append([*figures, *m.autograd.grad(total, (loc, given))])
    for place, (ours, theirs) in enumerate(zip(*found, strict=True)):
        a, b = ours.detach().numpy(), theirs.detach().numpy()
        if place == len(found[0]) - 1:
            # What is above the diagonal is not read, or shares the error with what is below.
            a, b = (
                np.tril(g) if which == "scale_tril" else g + np.swapaxes(g, -1, -2) for g in (a, b)
            )
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
    ss.manual_seed(0)
    d = ss.distributions.MultivariateNormal(ss.zeros(3), **{which: ss.tensor(matrix, "float32")})
    draws = d.rsample((40000,)).numpy()
    for k in range(2):
        np.testing.assert_allclose(np.cov(draws[:, k].T), d.covariance_matrix.numpy()[k], atol=0.15)
    compiled = ss.compile(
        lambda x: ss.distributions.MultivariateNormal(x[0], **{which: ss.tensor(matrix)}).log_prob(
            x
        )
    )
    assert compiled(ss.tensor(x)).shape == (2,)


def test_errors_of_the_multivariate_normal() -> None:
    kind = ss.distributions.MultivariateNormal
    with pytest.raises(ValueError, match="one of covariance_matrix, .* got 0"):
        kind(ss.zeros(2))
    with pytest.raises(ValueError, match=r"got \(2,\) and \(3, 3\)"):
        kind(ss.zeros(2), ss.eye(3))
    with pytest.raises(np.linalg.LinAlgError):
        kind(ss.zeros(2), -ss.eye(2))


@pytest.mark.parametrize(
    "name", [n for n, _, _ in CASES if n not in ("OneHotCategorical", "Binomial")]
)
def test_compiled(name: str) -> None:
    _, parameters, value = next(c for c in CASES if c[0] == name)

    def both(*given: Any) -> Any:
        distribution = getattr(ss.distributions, name)(**dict(zip(parameters, given, strict=True)))
        return distribution.sample((3,)), distribution.log_prob(values(ss, value))

    given = [ss.tensor(v, "float64") for v in parameters.values()]
    ss.manual_seed(1)
    eager = both(*given)
    ss.manual_seed(1)
    for ours, expected in zip(ss.compile(both)(*given), eager, strict=True):
        np.testing.assert_allclose(ours.numpy(), expected.numpy(), rtol=1e-9, atol=1e-12)


def test_errors() -> None:
    d = ss.distributions
    with pytest.raises(ValueError, match="Normal: expected parameter scale above 0 everywhere"):
        d.Normal(0.0, ss.tensor([1.0, -1.0]))
    with pytest.raises(ValueError, match="Normal: expected parameter loc a number everywhere"):
        d.Normal(float("nan"), 1.0)
    assert d.Normal(0.0, -1.0, validate_args=False).scale.item() == -1
    with pytest.raises(ValueError, match="one of probs and logits, got 2"):
        d.Bernoulli(0.5, 0.5)
    with pytest.raises(ValueError, match="one of probs and logits, got 0"):
        d.Categorical()
    with pytest.raises(ValueError, match="probs from 0 to 1"):
        d.Bernoulli(1.5)
    with pytest.raises(ValueError, match="values from 0 to 2"):
        d.Categorical(ss.ones(3)).log_prob(3)
    with pytest.raises(ValueError, match="high - low above 0"):
        d.Uniform(1.0, 1.0)
    with pytest.raises(NotImplementedError, match="got Normal and Laplace; average"):
        d.kl_divergence(d.Normal(0.0, 1.0), d.Laplace(0.0, 1.0))


def test_numbers_keep_their_digits_beside_float64_parameters() -> None:
    torch = pytest.importorskip("torch")
    found = []
    for m in (ss, torch):
        x = m.tensor([0.3, 0.6], dtype=m.float64)
        normal = m.distributions.Normal(m.zeros(2, dtype=m.float64), 0.0497870683)
        gamma = m.distributions.Gamma(2.1, m.tensor([0.7, 1.3], dtype=m.float64))
        found.append([*normal.log_prob(x).tolist(), *gamma.log_prob(x).tolist()])
    np.testing.assert_allclose(*found, rtol=1e-12)
    assert ss.distributions.Normal(0, 1).scale.dtype == ss.float32


def test_they_are_imported_from_places_of_their_own() -> None:
    from schuss.distributions.categorical import Categorical
    from schuss.distributions.log_normal import LogNormal
    from schuss.distributions.normal import Normal

    d = ss.distributions
    assert (Normal, LogNormal, Categorical) == (d.Normal, d.LogNormal, d.Categorical)
