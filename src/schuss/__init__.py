"""Schuss trains neural networks by backpropagation and gradient descent.

This is the public face and nothing else: each name is loaded from its module when it is first
used, so that `import schuss` costs next to nothing.

>>> import schuss as ss
>>> x = ss.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad.tolist()
[2.0, 4.0]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from schuss.version import __version__

# Where each public name lives. The imports under TYPE_CHECKING say the same to type checkers and
# editors, and a test holds the two equal.
_PLACES = {
    "schuss": """
        array_api autograd data distributions errors fft func functions linalg nn optim random
        training utils
    """,
    "schuss.core": """
        Tensor enable_grad float32 float64 int32 int64 is_grad_enabled no_grad tensor
    """,
    "schuss.primitives.base": "asarray from_numpy",
    "schuss.functions": """
        abs acos acosh add all any arange argmax argmin argsort asin asinh astype atan atan2
        atanh bitwise_and bitwise_invert bitwise_or bitwise_xor broadcast_arrays
        broadcast_to ceil clip concat copysign cos cosh count_nonzero cross cumulative_prod
        cumulative_sum diag diagonal diff divide dot einsum empty empty_like equal erf exp
        expand_dims expm1 eye flatten flip floor floor_divide full full_like gather gelu
        greater greater_equal hypot isfinite isinf isnan less less_equal linspace log log10
        log1p log2 log_softmax logaddexp logical_and logical_not logical_or logical_xor
        logsumexp masked_fill matmul matrix_transpose max maximum mean median meshgrid min
        minimum moveaxis multiply negative nonzero norm not_equal one_hot ones ones_like
        outer pad permute_dims positive pow prod reciprocal relu remainder repeat reshape
        roll round searchsorted sigmoid sign sin sinh softmax softplus sort sqrt square
        squeeze stack std subtract sum swapaxes take take_along_axis tan tanh tensordot tile
        trace tril triu trunc unique_values unstack var vecdot where zeros zeros_like
    """,
    "schuss.functions.aliases": """
        absolute addmm allclose amax amin as_tensor bmm cat chunk clamp concatenate cumsum div
        index_select isclose lerp masked_select mm movedim mul mv narrow neg permute power
        repeat_interleave rsqrt select split sub swapdims take_along_dim topk transpose unbind
        unflatten unique unsqueeze
    """,
    "schuss.array_api": """
        bitwise_left_shift bitwise_right_shift bool can_cast e finfo from_dlpack iinfo inf isdtype
        nan nextafter pi result_type signbit unique_all unique_counts unique_inverse
    """,
    "schuss.fft": "stft",
    "schuss.random": "manual_seed rand randint randn randperm",
    "schuss.transforms": "grad hvp jvp value_and_grad vjp",
    "schuss.gradcheck": "check_gradients",
    "schuss.compiler.compiled": "compile",
    "schuss.threads": "get_num_threads set_num_threads",
    "schuss.serialization": "save",
    "schuss.training": "Run Trainer load resume train",
}
_SOURCES = {name: module for module, names in _PLACES.items() for name in names.split()}

# Everything else may make tensors, whose operators and methods have to be there then.
_WITHOUT_TENSORS = ("data", "errors")

__all__ = ["__version__", *_SOURCES]


def __getattr__(name: str) -> object:
    if name not in _SOURCES:
        raise AttributeError(f"module 'schuss' has no attribute {name!r}")
    module = _SOURCES[name]
    if name not in _WITHOUT_TENSORS:
        import_module("schuss.array_api")
    value: object = (
        import_module(f"schuss.{name}")
        if module == "schuss"
        else getattr(import_module(module), name)
    )
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from schuss import array_api as array_api
    from schuss import autograd as autograd
    from schuss import data as data
    from schuss import distributions as distributions
    from schuss import errors as errors
    from schuss import fft as fft
    from schuss import func as func
    from schuss import functions as functions
    from schuss import linalg as linalg
    from schuss import nn as nn
    from schuss import optim as optim
    from schuss import random as random
    from schuss import training as training
    from schuss import utils as utils
    from schuss.array_api import bitwise_left_shift as bitwise_left_shift
    from schuss.array_api import bitwise_right_shift as bitwise_right_shift
    from schuss.array_api import bool as bool
    from schuss.array_api import can_cast as can_cast
    from schuss.array_api import e as e
    from schuss.array_api import finfo as finfo
    from schuss.array_api import from_dlpack as from_dlpack
    from schuss.array_api import iinfo as iinfo
    from schuss.array_api import inf as inf
    from schuss.array_api import isdtype as isdtype
    from schuss.array_api import nan as nan
    from schuss.array_api import nextafter as nextafter
    from schuss.array_api import pi as pi
    from schuss.array_api import result_type as result_type
    from schuss.array_api import signbit as signbit
    from schuss.array_api import unique_all as unique_all
    from schuss.array_api import unique_counts as unique_counts
    from schuss.array_api import unique_inverse as unique_inverse
    from schuss.compiler.compiled import compile as compile
    from schuss.core import Tensor as Tensor
    from schuss.core import enable_grad as enable_grad
    from schuss.core import float32 as float32
    from schuss.core import float64 as float64
    from schuss.core import int32 as int32
    from schuss.core import int64 as int64
    from schuss.core import is_grad_enabled as is_grad_enabled
    from schuss.core import no_grad as no_grad
    from schuss.core import tensor as tensor
    from schuss.fft import stft as stft
    from schuss.functions import *
    from schuss.functions.aliases import *
    from schuss.gradcheck import check_gradients as check_gradients
    from schuss.primitives.base import asarray as asarray
    from schuss.primitives.base import from_numpy as from_numpy
    from schuss.random import manual_seed as manual_seed
    from schuss.random import rand as rand
    from schuss.random import randint as randint
    from schuss.random import randn as randn
    from schuss.random import randperm as randperm
    from schuss.serialization import save as save
    from schuss.threads import get_num_threads as get_num_threads
    from schuss.threads import set_num_threads as set_num_threads
    from schuss.training import Run as Run
    from schuss.training import Trainer as Trainer
    from schuss.training import load as load
    from schuss.training import resume as resume
    from schuss.training import train as train
    from schuss.transforms import grad as grad
    from schuss.transforms import hvp as hvp
    from schuss.transforms import jvp as jvp
    from schuss.transforms import value_and_grad as value_and_grad
    from schuss.transforms import vjp as vjp
