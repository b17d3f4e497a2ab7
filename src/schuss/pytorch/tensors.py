"""What PyTorch has as methods of tensors alone, or asks about them."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss import functions as F
from schuss.core import Tensor, bool_, float32, float64, int32, int64
from schuss.data_type import dtype
from schuss.devices import require_cpu
from schuss.dtypes import supported_dtype
from schuss.functions import shapes
from schuss.primitives.base import astype, promote
from schuss.pytorch.arguments import whole
from schuss.pytorch.creation import TYPES

_DTYPES = (dtype, np.dtype)


def _cast(input: Tensor, dtype: Any) -> Tensor:
    return astype(input, dtype)


def bool_of(input: Tensor) -> Tensor:
    """Return input cast to bool."""
    return _cast(input, bool_)


def float_of(input: Tensor) -> Tensor:
    """Return input cast to float32."""
    return _cast(input, float32)


def double(input: Tensor) -> Tensor:
    """Return input cast to float64."""
    return _cast(input, float64)


def int_of(input: Tensor) -> Tensor:
    """Return input cast to int32."""
    return _cast(input, int32)


def long(input: Tensor) -> Tensor:
    """Return input cast to int64."""
    return _cast(input, int64)


def half(input: Tensor) -> Tensor:
    """Refuse: there are no 16 bit floats."""
    raise TypeError(
        "half, bfloat16: expected float32 or float64, got 16 bit floats; there are none."
    )


def to(input: Tensor, *to: Any, dtype: Any = None, other: Any = None, copy: bool = False) -> Tensor:
    """Cast to a dtype, or to another tensor's; the only device, "cpu", is where input is."""
    if len(to) == 1 and isinstance(to[0], _DTYPES):
        return astype(input, to[0], copy=copy)
    for item in to:
        if isinstance(item, Tensor):
            other = item
        elif isinstance(item, str) and item.partition(":")[0] in ("cpu", "cuda", "mps", "meta"):
            require_cpu("to", item)
        elif isinstance(item, bool) or item is None:
            continue
        elif hasattr(item, "type") and not isinstance(item, (type, *_DTYPES)):
            require_cpu("to", item)
        else:
            dtype = item
    kind = other.array.dtype if other is not None else input.array.dtype if dtype is None else dtype
    return astype(input, kind, copy=copy)


def cpu(input: Tensor) -> Tensor:
    """Return input itself."""
    return input


def cuda(input: Tensor, device: Any = "cuda") -> Tensor:
    """Refuse: there is no other device than the CPU."""
    require_cpu("cuda", device if isinstance(device, str) else "cuda")
    return input


def type_of(input: Tensor, dtype: Any = None) -> Any:
    """Return the name of input's type, such as "schuss.FloatTensor", or input cast to a dtype."""
    if dtype is None:
        return f"schuss.{TYPES[input.array.dtype]}"
    if isinstance(dtype, str):
        name = dtype.rpartition(".")[2]
        dtype = next((kind for kind, known in TYPES.items() if known == name), dtype)
    return astype(input, getattr(dtype, "dtype", dtype))


def type_as(input: Tensor, other: Tensor) -> Tensor:
    """Return input cast to another tensor's dtype."""
    return astype(input, other.array.dtype)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """Return the same elements in the shape of another tensor."""
    return F.reshape(input, other.shape)


def contiguous(input: Tensor) -> Tensor:
    """Return input itself if its elements lie in memory in order, else a copy where they do."""
    return shapes.contiguous(input)


def dim(input: Tensor) -> int:
    """Return the number of axes."""
    return input.ndim


def numel(input: Tensor) -> int:
    """Return the number of elements."""
    return input.array.size


def element_size(input: Tensor) -> int:
    """Return the bytes of one element."""
    return input.array.dtype.itemsize


def is_floating_point(input: Any) -> bool:
    """Return whether the elements are floats."""
    return bool(np.dtype(getattr(input, "dtype", input)).kind == "f")


def is_complex(input: Any) -> bool:
    """Return whether the elements are complex: they never are."""
    return False


def is_tensor(obj: Any) -> bool:
    """Return whether something is a tensor."""
    return isinstance(obj, Tensor)


def is_contiguous(input: Tensor) -> bool:
    """Return whether the elements lie one behind the other: for all that matters they do."""
    return True


def is_nonzero(input: Tensor) -> bool:
    """Return whether the only element is not 0."""
    return bool(input)


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have one shape."""
    return input.shape == other.shape


def get_device(input: Tensor) -> int:
    """Return -1, as for all tensors on the CPU."""
    return -1


def stride(input: Tensor, dim: int | None = None) -> Any:
    """Return by how many elements the next one along each axis lies further, as if in one piece."""
    steps = [1]
    for n in input.shape[:0:-1]:
        steps.append(steps[-1] * max(n, 1))
    found = tuple(steps[::-1][: input.ndim])
    return found if dim is None else found[whole(dim)]


def detach(input: Tensor) -> Tensor:
    """Return the same values, cut off from the operations that made them."""
    return input.detach()


def detach_in_place(input: Tensor) -> Tensor:
    """Cut a tensor off, in place, from the operations that made it."""
    input.node, input.requires_grad = None, False
    return input


def can_cast(from_: Any, to: Any) -> bool:
    """Return whether PyTorch can turn one dtype into another: never to a lesser kind."""
    a, b = supported_dtype(from_), supported_dtype(to)
    return "bif".index(a.kind) <= "bif".index(b.kind)


def result_type(tensor1: Any, tensor2: Any) -> dtype:
    """Return the dtype that an operation of both has."""
    a, b = promote(*[x.item() if isinstance(x, np.generic) else x for x in (tensor1, tensor2)])
    return a.dtype if isinstance(a, Tensor) else b.dtype


def promote_types(type1: Any, type2: Any) -> dtype:
    """Return the dtype that tensors of both have in common."""
    return F.add(F.zeros(1, dtype=type1), F.zeros(1, dtype=type2)).dtype
