"""Operators and methods of Tensor: functions by the names that users of NumPy and PyTorch type.

They are attached when this module is loaded, which every module does that makes tensors for a user.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from schuss import backprop, einops_backend, hooks, protocols
from schuss.core import Tensor, bool_, float32, int64
from schuss.functions import (
    aliases,
    creation,
    elementwise,
    inplace,
    products,
    reductions,
    shapes,
    softmaxes,
    sorting,
)
from schuss.primitives import base, contraction, indexing, logic, movement, reduction, trigonometry
from schuss.primitives import elementwise as primitive
from schuss.primitives.base import REGISTRY, astype
from schuss.primitives.movement import permute_dims, reshape
from schuss.primitives.reduction import broadcast_to
from schuss.primitives.views import as_view


def _variadic(function: Any) -> Any:
    """Let `x.reshape(2, 3)` mean `reshape(x, (2, 3))`."""

    def method(self: Tensor, *sizes: Any) -> Tensor:
        whole = len(sizes) == 1 and type(sizes[0]) is not int
        return function(self, sizes[0] if whole else sizes)  # type: ignore[no-any-return]

    method.__name__, method.__doc__ = function.__name__, function.__doc__
    return method


def _expand(x: Tensor, sizes: Sequence[int]) -> Tensor:
    """Broadcast to `sizes`, where -1 keeps a length."""
    kept = (1,) * (len(sizes) - x.ndim) + x.shape
    found = broadcast_to(x, tuple(k if n == -1 else n for n, k in zip(sizes, kept, strict=True)))
    return found if found is x else as_view(found, REGISTRY["broadcast_to"], x, {})


def _astype_like(x: Tensor, other: Any = "cpu", dtype: Any = None) -> Tensor:
    """Cast to a dtype, or to another tensor's; the only device, "cpu", is where x is."""
    if isinstance(other, str) and other == "cpu":
        return x if dtype is None else astype(x, dtype)
    return astype(x, other.dtype if isinstance(other, Tensor) else other)


def _reversed_axes(x: Tensor) -> Tensor:
    """Reverse the order of the axes."""
    return permute_dims(x, (1, 0) if x.ndim == 2 else range(x.ndim)[::-1])


# Methods that are functions of the same name, by the module that has them.
_SAME: tuple[tuple[ModuleType, str], ...] = (
    (base, "astype"),
    (
        primitive,
        """abs add atan2 ceil cos divide erf exp expm1 floor log log1p log2 log10
        maximum minimum multiply negative pow relu round sigmoid sign sin sqrt subtract tanh""",
    ),
    (logic, "equal greater greater_equal less less_equal not_equal"),
    (contraction, "matmul"),
    (indexing, "argsort take take_along_axis"),
    (movement, "flip"),
    (softmaxes, "log_softmax logsumexp softmax"),
    (reduction, "argmax argmin cumulative_sum max mean min sum"),
    (creation, "tril triu"),
    (
        elementwise,
        """asinh atan atanh clip isfinite isinf isnan logaddexp
        logical_and logical_not logical_or logical_xor masked_fill reciprocal square tan
        trunc""",
    ),
    (products, "dot outer"),
    (trigonometry, "acos acosh asin cosh sinh"),
    (reductions, "all any count_nonzero cumulative_prod diff norm prod std var"),
    (shapes, "diagonal flatten moveaxis one_hot repeat roll squeeze swapaxes tile trace"),
    (sorting, "gather median nonzero sort"),
    (inplace, "add_ clamp_ div_ mul_ pow_ sub_"),
    (
        aliases,
        """allclose amax amin bmm chunk clamp cumsum div index_select isclose lerp masked_select mm
        movedim mul mv narrow neg repeat_interleave rsqrt select split sub swapdims take_along_dim
        topk transpose unbind unflatten unique unsqueeze""",
    ),
)
_METHODS: dict[str, Any] = {
    name: getattr(module, name) for module, names in _SAME for name in names.split()
}
_METHODS |= inplace.AUGMENTED | protocols.PROTOCOLS
_METHODS |= {
    "bool": lambda self: astype(self, bool_),
    "clone": lambda self: astype(self, self.dtype, copy=True),
    "contiguous": elementwise.positive,
    "cpu": elementwise.positive,
    "cumprod": reductions.cumulative_prod,
    "dim": lambda self: self.ndim,
    "double": lambda self: astype(self, np.float64),
    "eq": logic.equal,
    "expand": _variadic(_expand),
    "expand_as": lambda self, other: _expand(self, other.shape),
    "float": lambda self: astype(self, float32),
    "ge": logic.greater_equal,
    "gt": logic.greater,
    "int": lambda self: astype(self, np.int32),
    "le": logic.less_equal,
    "long": lambda self: astype(self, int64),
    "lt": logic.less,
    "ne": logic.not_equal,
    "clamp_max": lambda self, max: elementwise.clip(self, None, max),
    "clamp_min": lambda self, min: elementwise.clip(self, min, None),
    "is_floating_point": lambda self: self.dtype.kind == "f",
    "ndimension": lambda self: self.ndim,
    "nelement": lambda self: self.size,
    "new_full": lambda self, shape, value: creation.full(shape, value, dtype=self.dtype),
    "new_ones": lambda self, *shape: creation.ones(*shape, dtype=self.dtype),
    "new_zeros": lambda self, *shape: creation.zeros(*shape, dtype=self.dtype),
    "numel": lambda self: self.size,
    "permute": _variadic(permute_dims),
    "ravel": lambda self: reshape(self, (-1,)),
    "reshape": _variadic(reshape),
    "t": aliases.transpose,
    "to": _astype_like,
    "type_as": _astype_like,
    "view": _variadic(reshape),
    "where": lambda self, condition, other: logic.where(condition, self, other),
}
_METHODS |= {
    "register_hook": hooks.register_hook,
    "register_post_accumulate_grad_hook": hooks.register_post_accumulate_grad_hook,
    "retain_grad": hooks.retain_grad,
}
_METHODS |= {"backward": backprop.backward, "copy_": inplace.copy_, "__getitem__": indexing.getitem}
_METHODS |= {
    "__setitem__": inplace.setitem,
    "assign": inplace.assign,
    "fill_": inplace.fill_,
    "zero_": inplace.zero_,
}
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)
for _name, _getter in {
    "T": _reversed_axes,
    "mT": contraction.matrix_transpose,
    "real": elementwise.positive,
}.items():
    setattr(Tensor, _name, property(_getter))


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


_OPERATORS: dict[str, Any] = {
    "add": primitive.add,
    "and": logic.bitwise_and,
    "floordiv": primitive.floor_divide,
    "matmul": contraction.matmul,
    "mod": primitive.remainder,
    "mul": primitive.multiply,
    "or": logic.bitwise_or,
    "pow": primitive.pow,
    "sub": primitive.subtract,
    "truediv": primitive.divide,
    "xor": logic.bitwise_xor,
}
for _name, _operator in _OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _operator)
    setattr(Tensor, f"__r{_name}__", _reflected(_operator))
for _name, _operator in {
    "abs": primitive.abs,
    "eq": logic.equal,
    "ge": logic.greater_equal,
    "gt": logic.greater,
    "invert": logic.bitwise_invert,
    "le": logic.less_equal,
    "lt": logic.less,
    "ne": logic.not_equal,
    "neg": primitive.negative,
    "pos": lambda self: self,
}.items():
    setattr(Tensor, f"__{_name}__", _operator)

einops_backend.register()
