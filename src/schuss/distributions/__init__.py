"""Probability distributions, by the names of `torch.distributions`.

>>> from schuss import distributions, tensor
>>> normal = distributions.Normal(tensor([0.0, 1.0]), 1.0)
>>> normal.log_prob(tensor([0.0, 1.0]))
tensor([-0.9189385, -0.9189385])
"""

from __future__ import annotations

import re
import sys
from types import ModuleType

from schuss.distributions import constraints, transforms
from schuss.distributions.constraint_registry import biject_to, transform_to
from schuss.distributions.continuous import Exponential, Laplace, LogNormal, Normal, Uniform
from schuss.distributions.counts import Binomial, Geometric, NegativeBinomial, Poisson
from schuss.distributions.discrete import (
    Bernoulli,
    Categorical,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
)
from schuss.distributions.distribution import Distribution, Independent
from schuss.distributions.extremes import Cauchy, Gumbel, HalfCauchy, HalfNormal, Pareto, Weibull
from schuss.distributions.gamma import Beta, Chi2, Dirichlet, Gamma
from schuss.distributions.kl import kl_divergence, register_kl
from schuss.distributions.mixture import MixtureSameFamily
from schuss.distributions.multivariate_normal import MultivariateNormal
from schuss.distributions.relaxed import (
    ExpRelaxedCategorical,
    LogitRelaxedBernoulli,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)
from schuss.distributions.student_t import StudentT
from schuss.distributions.transformed import LogisticNormal, TransformedDistribution
from schuss.distributions.transforms import *  # noqa: F403  # PyTorch has them here, too

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "Dirichlet",
    "Distribution",
    "ExpRelaxedCategorical",
    "Exponential",
    "Gamma",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "Independent",
    "Laplace",
    "LogNormal",
    "LogisticNormal",
    "LogitRelaxedBernoulli",
    "MixtureSameFamily",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Pareto",
    "Poisson",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "StudentT",
    "TransformedDistribution",
    "Uniform",
    "Weibull",
    "biject_to",
    "constraints",
    "kl_divergence",
    "register_kl",
    "transform_to",
    "transforms",
]
__all__ += transforms.__all__

# PyTorch has each in a module of its own, by which they are imported, too.
_ELSEWHERE = {
    "ExpRelaxedCategorical": "relaxed_categorical",
    "LogitRelaxedBernoulli": "relaxed_bernoulli",
    "RelaxedOneHotCategorical": "relaxed_categorical",
}
for _name in __all__:
    _place = _ELSEWHERE.get(_name, re.sub("(?<=[a-z])(?=[A-Z])", "_", _name).lower())
    _path = f"{__name__}.{_place}"
    _kind = globals()[_name]
    if isinstance(_kind, type) and not issubclass(_kind, transforms.Transform):
        _module = sys.modules.setdefault(_path, ModuleType(_path))
        setattr(_module, _name, _kind)
        globals().setdefault(_place, _module)
