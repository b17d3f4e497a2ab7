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
from schuss.distributions.discrete import Bernoulli, Categorical, OneHotCategorical
from schuss.distributions.distribution import Distribution, Independent
from schuss.distributions.gamma import Beta, Chi2, Dirichlet, Gamma
from schuss.distributions.kl import kl_divergence, register_kl
from schuss.distributions.mixture import MixtureSameFamily
from schuss.distributions.multivariate_normal import MultivariateNormal
from schuss.distributions.student_t import StudentT
from schuss.distributions.transformed import TransformedDistribution
from schuss.distributions.transforms import *  # noqa: F403  # PyTorch has them here, too

__all__ = [
    "Bernoulli",
    "Beta",
    "Categorical",
    "Chi2",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Gamma",
    "Independent",
    "Laplace",
    "LogNormal",
    "MixtureSameFamily",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "StudentT",
    "TransformedDistribution",
    "Uniform",
    "biject_to",
    "constraints",
    "kl_divergence",
    "register_kl",
    "transform_to",
    "transforms",
]
__all__ += transforms.__all__

# PyTorch has each in a module of its own, by which they are imported, too.
for _name in __all__:
    _place = f"{__name__}.{re.sub('(?<=[a-z])(?=[A-Z])', '_', _name).lower()}"
    if isinstance(globals()[_name], type) and _place not in sys.modules:
        _module = ModuleType(_place)
        setattr(_module, _name, globals()[_name])
        sys.modules[_place] = _module
