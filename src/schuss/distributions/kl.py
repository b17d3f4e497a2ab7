"""The Kullback-Leibler divergence from one distribution to another, in closed form."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from schuss.core import Tensor
from schuss.distributions.continuous import Exponential, Laplace, LogNormal, Normal, Uniform
from schuss.distributions.counts import Binomial, Geometric, Poisson
from schuss.distributions.discrete import Bernoulli, Categorical
from schuss.distributions.distribution import Distribution, Independent
from schuss.distributions.extremes import EULER, Cauchy, Gumbel, HalfCauchy, HalfNormal, Pareto
from schuss.distributions.gamma import Beta, Dirichlet, Gamma
from schuss.distributions.multivariate_normal import MultivariateNormal
from schuss.distributions.transformed import TransformedDistribution
from schuss.functions import abs, exp, expand_dims, log, log1p, softplus, sum, where
from schuss.functions.special import digamma, lgamma

__all__ = ["kl_divergence", "register_kl"]

Rule = Callable[[Any, Any], Tensor]
_RULES: dict[tuple[type, type], Rule] = {}


def register_kl(type_p: type, type_q: type) -> Callable[[Rule], Rule]:
    """Return a decorator that makes a function the divergence from one kind to another."""

    def registered(rule: Rule) -> Rule:
        _RULES[type_p, type_q] = rule
        return rule

    return registered


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """Return the mean over p of log(p / q), in nats, of the batch's shape.

    Raises:
        NotImplementedError: where no closed form is known.

    >>> from schuss.distributions import Normal
    >>> kl_divergence(Normal(0.0, 1.0), Normal(1.0, 1.0))
    tensor(0.5)
    """
    for first in type(p).__mro__:
        for second in type(q).__mro__:
            if (first, second) in _RULES:
                return _RULES[first, second](p, q)
    raise NotImplementedError(
        f"kl_divergence: expected distributions with a closed form, got {type(p).__name__} and "
        f"{type(q).__name__}; average p.log_prob(x) - q.log_prob(x) over draws x of p."
    )


@register_kl(Normal, Normal)
def _normal(p: Normal, q: Normal) -> Tensor:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc) / q.scale
    return 0.5 * (ratio * ratio + distance * distance - 1) - log(ratio)


@register_kl(LogNormal, LogNormal)
def _log_normal(p: LogNormal, q: LogNormal) -> Tensor:
    return _normal(p.base_dist, q.base_dist)


@register_kl(MultivariateNormal, MultivariateNormal)
def _multivariate_normal(p: MultivariateNormal, q: MultivariateNormal) -> Tensor:
    distance = q.solved(expand_dims(p.loc - q.loc, -1))
    ratio = q.solved(p.scale_tril)
    squares = sum(ratio * ratio, axis=(-2, -1)) + sum(distance * distance, axis=(-2, -1))
    rest = q.half_log_determinant() - p.half_log_determinant()
    return 0.5 * (squares - p.event_shape[0]) + rest


@register_kl(Laplace, Laplace)
def _laplace(p: Laplace, q: Laplace) -> Tensor:
    distance = abs(p.loc - q.loc)
    rest = p.scale * exp(-distance / p.scale) + distance
    return log(q.scale) - log(p.scale) + rest / q.scale - 1


@register_kl(Exponential, Exponential)
def _exponential(p: Exponential, q: Exponential) -> Tensor:
    ratio = q.rate / p.rate
    return ratio - 1 - log(ratio)


@register_kl(Uniform, Uniform)
def _uniform(p: Uniform, q: Uniform) -> Tensor:
    inside = (q.low <= p.low) & (p.high <= q.high)
    return where(inside, log((q.high - q.low) / (p.high - p.low)), math.inf)


@register_kl(Bernoulli, Bernoulli)
def _bernoulli(p: Bernoulli, q: Bernoulli) -> Tensor:
    a, b, probs = p.logits, q.logits, p.probs
    true = where(q.probs == 0, math.inf, probs * (softplus(-b) - softplus(-a)))
    false = where(q.probs == 1, math.inf, (1 - probs) * (softplus(b) - softplus(a)))
    return where(probs == 0, 0.0, true) + where(probs == 1, 0.0, false)


@register_kl(Categorical, Categorical)
def _categorical(p: Categorical, q: Categorical) -> Tensor:
    terms = p.probs * (p.logits - q.logits)
    terms = where(q.probs == 0, math.inf, terms)
    return sum(where(p.probs == 0, 0.0, terms), axis=-1)


@register_kl(Gamma, Gamma)
def _gamma(p: Gamma, q: Gamma) -> Tensor:
    a, b = p.concentration, q.concentration
    return (
        b * log(p.rate / q.rate)
        + lgamma(b)
        - lgamma(a)
        + (a - b) * digamma(a)
        + a * (q.rate / p.rate - 1)
    )


@register_kl(Dirichlet, Dirichlet)
def _dirichlet(p: Dirichlet, q: Dirichlet) -> Tensor:
    a, b = p.concentration, q.concentration
    total = sum(a, axis=-1)
    return (
        lgamma(total)
        - lgamma(sum(b, axis=-1))
        - sum(lgamma(a) - lgamma(b), axis=-1)
        + sum((a - b) * (digamma(a) - expand_dims(digamma(total), -1)), axis=-1)
    )


@register_kl(Beta, Beta)
def _beta(p: Beta, q: Beta) -> Tensor:
    return _dirichlet(p.dirichlet, q.dirichlet)


@register_kl(HalfCauchy, HalfCauchy)
@register_kl(HalfNormal, HalfNormal)
def _half(p: HalfNormal, q: HalfNormal) -> Tensor:
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Pareto, Pareto)
def _pareto(p: Pareto, q: Pareto) -> Tensor:
    ratio = q.alpha / p.alpha
    found = q.alpha * log(p.scale / q.scale) - log(ratio) + ratio - 1
    return where(p.scale < q.scale, math.inf, found)


@register_kl(Cauchy, Cauchy)
def _cauchy(p: Cauchy, q: Cauchy) -> Tensor:
    total, distance = p.scale + q.scale, p.loc - q.loc
    return log(total * total + distance * distance) - log(4 * p.scale * q.scale)


@register_kl(Gumbel, Gumbel)
def _gumbel(p: Gumbel, q: Gumbel) -> Tensor:
    ratio, distance = p.scale / q.scale, (p.loc - q.loc) / q.scale
    rest = exp(lgamma(1 + ratio) - distance)
    return distance - log(ratio) + ratio * EULER + rest - (1 + EULER)


@register_kl(Poisson, Poisson)
def _poisson(p: Poisson, q: Poisson) -> Tensor:
    return p.rate * (log(p.rate) - log(q.rate)) - (p.rate - q.rate)


@register_kl(Geometric, Geometric)
def _geometric(p: Geometric, q: Geometric) -> Tensor:
    return -p.entropy() - log1p(-q.probs) / p.probs - q.logits


@register_kl(Binomial, Binomial)
def _binomial(p: Binomial, q: Binomial) -> Tensor:
    change = log1p(-p.probs) - log1p(-q.probs)
    found = p.total_count * (p.probs * (p.logits - q.logits) + change)
    # Fewer trials of q have no closed form; they cannot give what p gives, either.
    return where(p.total_count > q.total_count, math.inf, found)


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: TransformedDistribution, q: TransformedDistribution) -> Tensor:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError(
            "kl_divergence: expected the same transforms in both distributions."
        )
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _independent(p: Independent, q: Independent) -> Tensor:
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            "kl_divergence: expected as many axes of an event in both distributions."
        )
    count = p.reinterpreted_batch_ndims
    found = kl_divergence(p.base_dist, q.base_dist)
    return sum(found, axis=tuple(range(-count, 0))) if count else found
