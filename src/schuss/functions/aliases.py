"""PyTorch's names for functions that the array API standard calls otherwise."""

from __future__ import annotations

from schuss.functions.elementwise import clip
from schuss.functions.methods import transpose
from schuss.functions.shapes import expand_dims, swapaxes, unstack
from schuss.primitives.contraction import matmul
from schuss.primitives.elementwise import abs, divide, multiply, negative, pow, subtract
from schuss.primitives.indexing import take
from schuss.primitives.movement import concat, permute_dims
from schuss.primitives.reduction import cumulative_sum
from schuss.tensor import Tensor, TensorLike

absolute = abs
bmm = mm = matmul
cat = concatenate = concat
clamp = clip
cumsum = cumulative_sum
div = divide
mul = multiply
neg = negative
permute = permute_dims
power = pow
sub = subtract
swapdims = swapaxes
unbind = unstack
unsqueeze = expand_dims


def index_select(x: TensorLike, dim: int, index: TensorLike) -> Tensor:
    """Pick slices along `dim`: `take` with the axis first."""
    return take(x, index, dim)


__all__ = [
    "absolute",
    "bmm",
    "cat",
    "clamp",
    "concatenate",
    "cumsum",
    "div",
    "index_select",
    "mm",
    "mul",
    "neg",
    "permute",
    "power",
    "sub",
    "swapdims",
    "transpose",
    "unbind",
    "unsqueeze",
]
