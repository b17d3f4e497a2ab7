"""Operators and methods of Tensor: functions by the names that users of NumPy and PyTorch type.

They are attached when this module is loaded, which every module does that makes tensors for a user.
"""

from __future__ import annotations

from typing import Any

from schuss import (
    backprop,
    einops_backend,  # noqa: F401  # it registers itself
    hooks,
    protocols,
)
from schuss.core import TRACER, Tensor, next_stamp
from schuss.functions import elementwise, inplace, reductions, shapes
from schuss.primitives import bits, contraction, indexing, logic, powers, reduction
from schuss.primitives import elementwise as primitive
from schuss.primitives.base import astype
from schuss.primitives.movement import permute_dims
from schuss.primitives.pointwise import standard
from schuss.primitives.views import detach
from schuss.spelling.binding import method
from schuss.spelling.table import METHODS


def _reversed_axes(x: Tensor) -> Tensor:
    """Reverse the order of the axes."""
    return permute_dims(x, (1, 0) if x.ndim == 2 else range(x.ndim)[::-1])


class _OnDemand:
    """Stands for a method of the table until it is first used, and then is replaced by it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, x: Tensor | None, kind: type[Tensor]) -> Any:
        made: Any = method(self._name)
        setattr(Tensor, self._name, made)
        return made if x is None else made.__get__(x, kind)


for _name in METHODS:
    setattr(Tensor, _name, _OnDemand(_name))

# What is no method of PyTorch's, and what is called too often to go through the table.
_METHODS: dict[str, Any] = {
    "__getitem__": indexing.getitem,
    "__setitem__": inplace.setitem,
    "assign": inplace.assign,
    "astype": astype,
    "backward": backprop.backward,
    "copy_": inplace.copy_,
    "cumulative_prod": reductions.cumulative_prod,
    "cumulative_sum": reduction.cumulative_sum,
    "detach": detach,
    "fill_": inplace.fill_,
    "one_hot": shapes.one_hot,
    "register_hook": hooks.register_hook,
    "register_post_accumulate_grad_hook": hooks.register_post_accumulate_grad_hook,
    "retain_grad": hooks.retain_grad,
    "take_along_axis": indexing.take_along_axis,
    "zero_": inplace.zero_,
}
_METHODS |= inplace.AUGMENTED | protocols.PROTOCOLS
for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)


def _data(x: Tensor) -> Tensor:
    """The same memory, cut off; assigned to, its contents are replaced, also of a parameter."""
    return x.detach()


def _set_data(x: Tensor, value: Tensor) -> None:
    if x.shape == value.shape:
        (x if x.is_leaf else x.detach()).assign(value)
    elif TRACER.get() is None:
        x.array, x.stamp = astype(value, x.array.dtype).array, next_stamp()
    else:
        raise ValueError(f"data: expected shape {x.shape} while compiled, got {value.shape}.")


Tensor.data = property(_data, _set_data)  # type: ignore[attr-defined]  # no part of the class
_NOWHERE = property(lambda self: False, doc="Whether it is on another device: it never is.")
for _name, _getter in {
    "H": property(contraction.matrix_transpose),
    "T": property(_reversed_axes),
    "is_cuda": _NOWHERE,
    "is_sparse": _NOWHERE,
    "itemsize": property(lambda self: self.dtype.itemsize, doc="Bytes of an element."),
    "mH": property(contraction.matrix_transpose),
    "mT": property(contraction.matrix_transpose),
    "nbytes": property(lambda self: self.array.nbytes, doc="Bytes of all elements."),
    "real": property(elementwise.positive),
}.items():
    setattr(Tensor, _name, _getter)


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


_OPERATORS: dict[str, Any] = {
    "add": primitive.add,
    "and": logic.bitwise_and,
    "lshift": bits.bitwise_left_shift,
    "mod": primitive.remainder,
    "mul": primitive.multiply,
    "or": logic.bitwise_or,
    "pow": powers.pow,
    "rshift": bits.bitwise_right_shift,
    "sub": primitive.subtract,
    "truediv": primitive.divide,
    "xor": logic.bitwise_xor,
}
# PyTorch's operators and the standard's are spelled alike: the standard says their dtypes.
_OPERATORS = {name: standard(operator) for name, operator in _OPERATORS.items()}
_OPERATORS |= {"floordiv": elementwise.floor_quotient, "matmul": contraction.matmul}
for _name, _operator in _OPERATORS.items():
    setattr(Tensor, f"__{_name}__", _operator)
    setattr(Tensor, f"__r{_name}__", _reflected(_operator))
for _name, _operator in {
    "abs": primitive.abs,
    "eq": standard(logic.equal),
    "ge": standard(logic.greater_equal),
    "gt": standard(logic.greater),
    "invert": logic.bitwise_invert,
    "le": standard(logic.less_equal),
    "lt": standard(logic.less),
    "ne": standard(logic.not_equal),
    "neg": primitive.negative,
    "pos": lambda self: self,
}.items():
    setattr(Tensor, f"__{_name}__", _operator)
