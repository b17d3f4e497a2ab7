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

from schuss.spelling.table import FUNCTIONS
from schuss.version import __version__

# Where each public name lives. The imports under TYPE_CHECKING say the same to type checkers and
# editors, and a test holds the two equal.
_PLACES = {
    "schuss": """
        amp array_api audio autograd backends cuda data distributions errors fft func functions
        jit linalg nn optim pytorch random special training utils
    """,
    "schuss.core": "Tensor enable_grad is_grad_enabled no_grad",
    "schuss.counts": "Size",
    "schuss.devices": """
        channels_last channels_last_3d contiguous_format device memory_format preserve_format
    """,
    "schuss.data_type": "bfloat16 bool double dtype float float32 float64 int int32 int64 long",
    "schuss.array_api": """
        astype broadcast_arrays cumulative_prod cumulative_sum e expand_dims finfo
        from_dlpack iinfo inf isdtype matrix_transpose nan permute_dims pi repeat
        take_along_axis unique_all unique_counts unique_inverse unique_values unstack vecdot
    """,
    "schuss.functions": "gelu one_hot pad softplus",
    "schuss.functions.scan": "scan",
    "schuss.nn.functional": """
        adaptive_avg_pool1d avg_pool1d celu channel_shuffle conv1d conv2d conv3d conv_transpose1d
        conv_transpose2d conv_transpose3d cosine_similarity hardshrink max_pool1d max_pool2d
        max_pool3d pairwise_distance pdist pixel_shuffle pixel_unshuffle prelu rms_norm selu
        threshold
    """,
    "schuss.nn.functional.top_level": """
        adaptive_max_pool1d affine_grid_generator alpha_dropout batch_norm dropout
        feature_alpha_dropout feature_dropout grid_sampler group_norm instance_norm layer_norm
        max_pool1d_with_indices
    """,
    "schuss.primitives.base": "from_numpy",
    "schuss.random": "get_rng_state initial_seed manual_seed seed set_rng_state",
    "schuss.pytorch": " ".join(FUNCTIONS),
    "schuss.func.vmap": "vmap",
    "schuss.pytorch.draws": "Generator",
    "schuss.serialization": "save",
    "schuss.settings": """
        are_deterministic_algorithms_enabled get_default_device get_default_dtype
        get_float32_matmul_precision get_num_interop_threads inference_mode set_default_device
        set_default_dtype set_default_tensor_type set_float32_matmul_precision set_grad_enabled
        set_num_interop_threads set_printoptions use_deterministic_algorithms
    """,
    "schuss.transforms": "grad hvp jvp value_and_grad vjp",
    "schuss.gradcheck": "check_gradients",
    "schuss.amp": "GradScaler",
    "schuss.mixed_precision": "autocast get_autocast_dtype is_autocast_enabled",
    "schuss.compiler.decorator": "compile",
    "schuss.threads": "get_num_threads set_num_threads",
    "schuss.training": "Run Trainer find_lr load resume train",
}
_SOURCES = {name: module for module, names in _PLACES.items() for name in names.split()}

# Everything else may make tensors, whose operators and methods have to be there then.
_WITHOUT_TENSORS = ("data", "errors")

__all__ = ["__version__", *_SOURCES]


_ABSENT = ("complex64", "complex128", "float16", "half", "int8", "int16", "uint8")


def __getattr__(name: str) -> object:
    if name in _ABSENT:
        raise AttributeError(
            f"module 'schuss' has no dtype {name!r}; there are float32, float64, int32, int64, bool"
        )
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
    from schuss import (  # noqa: I001  # packed, or it would be 350 lines
        amp as amp, array_api as array_api, audio as audio, autograd as autograd,
        backends as backends, cuda as cuda, data as data, distributions as distributions,
        errors as errors, fft as fft, func as func, functions as functions, jit as jit,
        linalg as linalg,
        nn as nn, optim as optim,
        pytorch as pytorch, random as random, special as special, training as training,
        utils as utils,
    )  # fmt: skip
    from schuss.amp import GradScaler as GradScaler
    from schuss.array_api import (
        astype as astype, broadcast_arrays as broadcast_arrays,
        cumulative_prod as cumulative_prod, cumulative_sum as cumulative_sum, e as e,
        expand_dims as expand_dims, finfo as finfo, from_dlpack as from_dlpack, iinfo as iinfo,
        inf as inf, isdtype as isdtype, matrix_transpose as matrix_transpose, nan as nan,
        permute_dims as permute_dims, pi as pi, repeat as repeat,
        take_along_axis as take_along_axis, unique_all as unique_all,
        unique_counts as unique_counts, unique_inverse as unique_inverse,
        unique_values as unique_values, unstack as unstack, vecdot as vecdot,
    )  # fmt: skip
    from schuss.compiler.decorator import compile as compile
    from schuss.core import (
        Tensor as Tensor, enable_grad as enable_grad, is_grad_enabled as is_grad_enabled,
        no_grad as no_grad,
    )  # fmt: skip
    from schuss.counts import Size as Size
    from schuss.devices import (
        channels_last as channels_last, channels_last_3d as channels_last_3d,
        contiguous_format as contiguous_format, device as device, memory_format as memory_format,
        preserve_format as preserve_format,
    )  # fmt: skip
    from schuss.data_type import (
        bfloat16 as bfloat16, bool as bool, double as double, dtype as dtype, float as float,
        float32 as float32, float64 as float64, int as int, int32 as int32, int64 as int64,
        long as long,
    )  # fmt: skip
    from schuss.func.vmap import vmap as vmap
    from schuss.functions import (
        gelu as gelu, one_hot as one_hot, pad as pad, softplus as softplus,
    )  # fmt: skip
    from schuss.functions.scan import scan as scan
    from schuss.gradcheck import check_gradients as check_gradients
    from schuss.nn.functional import (
        adaptive_avg_pool1d as adaptive_avg_pool1d, avg_pool1d as avg_pool1d, celu as celu,
        channel_shuffle as channel_shuffle, conv1d as conv1d, conv2d as conv2d, conv3d as conv3d,
        conv_transpose1d as conv_transpose1d, conv_transpose2d as conv_transpose2d,
        conv_transpose3d as conv_transpose3d, cosine_similarity as cosine_similarity,
        hardshrink as hardshrink, max_pool1d as max_pool1d, max_pool2d as max_pool2d,
        max_pool3d as max_pool3d, pairwise_distance as pairwise_distance, pdist as pdist,
        pixel_shuffle as pixel_shuffle, pixel_unshuffle as pixel_unshuffle, prelu as prelu,
        rms_norm as rms_norm, selu as selu, threshold as threshold,
    )  # fmt: skip
    from schuss.nn.functional.top_level import (
        adaptive_max_pool1d as adaptive_max_pool1d, affine_grid_generator as affine_grid_generator,
        alpha_dropout as alpha_dropout, batch_norm as batch_norm, dropout as dropout,
        feature_alpha_dropout as feature_alpha_dropout, feature_dropout as feature_dropout,
        grid_sampler as grid_sampler, group_norm as group_norm, instance_norm as instance_norm,
        layer_norm as layer_norm, max_pool1d_with_indices as max_pool1d_with_indices,
    )  # fmt: skip
    from schuss.mixed_precision import (
        autocast as autocast, get_autocast_dtype as get_autocast_dtype,
        is_autocast_enabled as is_autocast_enabled,
    )  # fmt: skip
    from schuss.primitives.base import from_numpy as from_numpy
    from schuss.pytorch import (
        BoolTensor as BoolTensor, DoubleTensor as DoubleTensor, FloatTensor as FloatTensor,
        IntTensor as IntTensor, LongTensor as LongTensor, abs as abs, absolute as absolute,
        acos as acos, acosh as acosh, add as add, addbmm as addbmm, addcdiv as addcdiv,
        addcmul as addcmul, addmm as addmm, addmv as addmv, addr as addr, all as all,
        allclose as allclose, amax as amax, amin as amin, aminmax as aminmax, any as any,
        arange as arange, arccos as arccos, arccosh as arccosh, arcsin as arcsin,
        arcsinh as arcsinh, arctan as arctan, arctan2 as arctan2, arctanh as arctanh,
        argmax as argmax, argmin as argmin, argsort as argsort, argwhere as argwhere,
        as_strided as as_strided, as_tensor as as_tensor, bartlett_window as bartlett_window,
        blackman_window as blackman_window, hamming_window as hamming_window,
        hann_window as hann_window, kaiser_window as kaiser_window,
        asarray as asarray, asin as asin, asinh as asinh, atan as atan,
        atan2 as atan2, atanh as atanh, atleast_1d as atleast_1d, atleast_2d as atleast_2d,
        atleast_3d as atleast_3d, baddbmm as baddbmm, bernoulli as bernoulli, bincount as bincount,
        bitwise_and as bitwise_and, bitwise_invert as bitwise_invert,
        bitwise_left_shift as bitwise_left_shift, bitwise_not as bitwise_not,
        bitwise_or as bitwise_or, bitwise_right_shift as bitwise_right_shift,
        bitwise_xor as bitwise_xor, block_diag as block_diag, bmm as bmm,
        broadcast_shapes as broadcast_shapes, broadcast_tensors as broadcast_tensors,
        broadcast_to as broadcast_to, bucketize as bucketize, can_cast as can_cast,
        cartesian_prod as cartesian_prod, cat as cat, cdist as cdist, ceil as ceil,
        chain_matmul as chain_matmul, cholesky as cholesky, cholesky_solve as cholesky_solve,
        chunk as chunk, clamp as clamp, clamp_max as clamp_max, clamp_min as clamp_min,
        clip as clip, clone as clone, column_stack as column_stack, concat as concat,
        concatenate as concatenate, copysign as copysign, corrcoef as corrcoef, cos as cos,
        cosh as cosh, count_nonzero as count_nonzero, cov as cov, cross as cross, cummax as cummax,
        cummin as cummin, cumprod as cumprod, cumsum as cumsum,
        cumulative_trapezoid as cumulative_trapezoid, deg2rad as deg2rad, det as det, diag as diag,
        diag_embed as diag_embed, diagflat as diagflat, diagonal as diagonal,
        diagonal_scatter as diagonal_scatter, diff as diff, digamma as digamma, dist as dist,
        div as div, divide as divide, dot as dot, dsplit as dsplit, dstack as dstack,
        einsum as einsum, empty as empty, empty_like as empty_like, eq as eq, equal as equal,
        erf as erf, erfc as erfc, erfinv as erfinv, exp as exp, exp2 as exp2, expm1 as expm1,
        eye as eye, fix as fix, flatten as flatten, flip as flip, fliplr as fliplr,
        flipud as flipud, float_power as float_power, floor as floor, floor_divide as floor_divide,
        fmax as fmax, fmin as fmin, fmod as fmod, frac as frac, full as full,
        full_like as full_like, gather as gather, ge as ge, ger as ger, greater as greater,
        greater_equal as greater_equal, gt as gt, heaviside as heaviside, histc as histc,
        hsplit as hsplit, hstack as hstack, hypot as hypot, i0 as i0, index_add as index_add,
        index_copy as index_copy, index_fill as index_fill, index_put as index_put,
        index_select as index_select, inner as inner, inverse as inverse, is_complex as is_complex,
        is_floating_point as is_floating_point, is_nonzero as is_nonzero,
        is_same_size as is_same_size, is_tensor as is_tensor, isclose as isclose,
        isfinite as isfinite, isin as isin, isinf as isinf, isnan as isnan, isneginf as isneginf,
        isposinf as isposinf, isreal as isreal, istft as istft, kron as kron, kthvalue as kthvalue,
        ldexp as ldexp, le as le, lerp as lerp, less as less, less_equal as less_equal,
        lgamma as lgamma, linspace as linspace, log as log, log10 as log10, log1p as log1p,
        log2 as log2, log_softmax as log_softmax, logaddexp as logaddexp, logaddexp2 as logaddexp2,
        logcumsumexp as logcumsumexp, logdet as logdet, logical_and as logical_and,
        logical_not as logical_not, logical_or as logical_or, logical_xor as logical_xor,
        logit as logit, logspace as logspace, logsumexp as logsumexp, lt as lt,
        masked_fill as masked_fill, masked_scatter as masked_scatter,
        masked_select as masked_select, matmul as matmul, matrix_exp as matrix_exp,
        matrix_power as matrix_power, max as max,
        maximum as maximum, mean as mean, median as median, meshgrid as meshgrid, min as min,
        minimum as minimum, mm as mm, mode as mode, moveaxis as moveaxis, movedim as movedim,
        msort as msort, mul as mul, multinomial as multinomial, multiply as multiply, mv as mv,
        mvlgamma as mvlgamma, nan_to_num as nan_to_num, nanmean as nanmean, nanmedian as nanmedian,
        nanquantile as nanquantile, nansum as nansum, narrow as narrow, ne as ne, neg as neg,
        negative as negative, nextafter as nextafter, nonzero as nonzero, norm as norm,
        normal as normal, not_equal as not_equal, numel as numel, ones as ones,
        ones_like as ones_like, outer as outer, permute as permute, pinverse as pinverse,
        polygamma as polygamma, positive as positive, pow as pow, power as power, prod as prod,
        promote_types as promote_types, quantile as quantile, rad2deg as rad2deg, rand as rand,
        rand_like as rand_like, randint as randint, randint_like as randint_like, randn as randn,
        randn_like as randn_like, randperm as randperm, ravel as ravel, reciprocal as reciprocal,
        relu as relu, remainder as remainder, repeat_interleave as repeat_interleave,
        reshape as reshape, result_type as result_type, roll as roll, rot90 as rot90,
        round as round, row_stack as row_stack, rsqrt as rsqrt, rsub as rsub,
        scalar_tensor as scalar_tensor, scatter as scatter, scatter_add as scatter_add,
        scatter_reduce as scatter_reduce, searchsorted as searchsorted, select as select,
        select_scatter as select_scatter, sgn as sgn, sigmoid as sigmoid, sign as sign,
        signbit as signbit, sin as sin, sinc as sinc, sinh as sinh, slice_scatter as slice_scatter,
        slogdet as slogdet, softmax as softmax, sort as sort, split as split, sqrt as sqrt,
        square as square, squeeze as squeeze, stack as stack, std as std, std_mean as std_mean,
        stft as stft, sub as sub, subtract as subtract, sum as sum, swapaxes as swapaxes,
        swapdims as swapdims, t as t, take as take, take_along_dim as take_along_dim, tan as tan,
        tanh as tanh, tensor as tensor, tensor_split as tensor_split, tensordot as tensordot,
        tile as tile, topk as topk, trace as trace, transpose as transpose, trapezoid as trapezoid,
        trapz as trapz, tril as tril, tril_indices as tril_indices, triu as triu,
        triu_indices as triu_indices, true_divide as true_divide, trunc as trunc, unbind as unbind,
        unflatten as unflatten, unique as unique, unique_consecutive as unique_consecutive,
        unsqueeze as unsqueeze, vander as vander, var as var, var_mean as var_mean, vdot as vdot,
        vsplit as vsplit, vstack as vstack, where as where, xlogy as xlogy, zeros as zeros,
        zeros_like as zeros_like,
    )  # fmt: skip
    from schuss.pytorch.draws import Generator as Generator
    from schuss.random import (
        get_rng_state as get_rng_state, initial_seed as initial_seed, manual_seed as manual_seed,
        seed as seed, set_rng_state as set_rng_state,
    )  # fmt: skip
    from schuss.serialization import save as save
    from schuss.settings import (
        are_deterministic_algorithms_enabled as are_deterministic_algorithms_enabled,
        get_default_device as get_default_device, get_default_dtype as get_default_dtype,
        get_float32_matmul_precision as get_float32_matmul_precision,
        get_num_interop_threads as get_num_interop_threads, inference_mode as inference_mode,
        set_default_device as set_default_device, set_default_dtype as set_default_dtype,
        set_default_tensor_type as set_default_tensor_type,
        set_float32_matmul_precision as set_float32_matmul_precision,
        set_grad_enabled as set_grad_enabled, set_num_interop_threads as set_num_interop_threads,
        set_printoptions as set_printoptions,
        use_deterministic_algorithms as use_deterministic_algorithms,
    )  # fmt: skip
    from schuss.threads import get_num_threads as get_num_threads
    from schuss.threads import set_num_threads as set_num_threads
    from schuss.training import (
        Run as Run, Trainer as Trainer, find_lr as find_lr, load as load, resume as resume,
        train as train,
    )  # fmt: skip
    from schuss.transforms import (
        grad as grad, hvp as hvp, jvp as jvp, value_and_grad as value_and_grad, vjp as vjp,
    )  # fmt: skip
