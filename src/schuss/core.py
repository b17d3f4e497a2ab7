"""Tensor: a node of the computation (primitive, inputs, attributes) with its evaluated array."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from schuss import data_type
from schuss.counts import Count, Size, counted, lengths_in
from schuss.devices import CPU, device
from schuss.dtypes import (
    DEFAULTS,
    bool_,
    default_dtype,
    float32,
    float64,
    int32,
    int64,
    is_supported,
    supported_dtype,
)
from schuss.modes import (
    RECORDING,
    SILENCE,
    TRACER,
    eagerly,
    enable_grad,
    is_grad_enabled,
    is_plain,
    no_grad,
)

# With the dtypes and modes, which go with tensors everywhere.
__all__ = ["RECORDING", "TRACER", "Tensor", "bool_", "eagerly", "enable_grad"]
__all__ += ["float32", "float64", "int32", "int64", "is_grad_enabled", "is_plain"]
__all__ += ["leaf", "new_object", "next_stamp", "no_grad", "supported_dtype", "tensor", "to_array"]

Array: TypeAlias = npt.NDArray[Any]
Number: TypeAlias = int | float | bool
TensorLike: TypeAlias = "Tensor | Number | Array | np.generic | Sequence[Any]"


class Operation(Protocol):
    """What made a tensor, as the reverse pass sees it."""

    @property
    def name(self) -> str:
        """What errors call it."""

    @property
    def derivative(self) -> Any:
        """The rules that take an error back, one for each input, or one that takes its position."""


Node: TypeAlias = tuple[Operation, tuple[Any, ...], dict[str, Any]]

# Orders the making of recorded nodes and the changing of tensors in place, so that the reverse
# pass notices a value that changed after it was used.
next_stamp = count(1).__next__
new_object = object.__new__


def to_array(data: Any, dtype: npt.DTypeLike | None = None) -> Array:
    """Return `data` as a NumPy array of a supported dtype, sharing memory where possible."""
    SILENCE.ensure()
    if isinstance(data, Tensor):
        return (
            data.array if dtype is None else data.array.astype(supported_dtype(dtype), copy=False)
        )
    if isinstance(data, (list, tuple)) and any(isinstance(item, Tensor) for item in data):
        # Of tensors: their dtype stays.
        data = np.asarray([item.array if isinstance(item, Tensor) else item for item in data])
    try:
        array = np.asarray(data)
    except ValueError as error:
        raise ValueError(
            f"tensor: expected numbers in a regular shape, got nested lists of unequal lengths "
            f"({error}); pad them or keep them apart."
        ) from None
    if dtype is not None:
        return array.astype(supported_dtype(dtype), copy=False)
    if is_supported(array.dtype):
        python_floats = array.dtype == float64 and not isinstance(data, (np.ndarray, np.generic))
        return (
            array.astype(DEFAULTS.floating)
            if python_floats and not hasattr(data, "dtype")
            else array
        )
    if is_supported(array.dtype.newbyteorder("=")):
        return array.astype(array.dtype.newbyteorder("="))
    default = default_dtype(array.dtype)
    if default is None:
        raise TypeError(
            f"tensor: expected numbers or booleans, got {type(data).__name__} "
            f"of dtype {array.dtype}; encode text and dates as numbers first."
        )
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise TypeError("tensor: expected integers up to 2**63 - 1, got larger ones; use float64.")
    return array.astype(default)


class Tensor:
    """An array with the operation that made it, so that errors can flow backward through it.

    Args:
        data: nested sequences of numbers, a NumPy array or another tensor; it is copied. Or, as
            PyTorch's constructor has it, lengths of axes: `Tensor(2, 3)`, `Tensor(x.size())`.
        dtype: float32, float64, int64, int32 or bool; by default a tensor's own, and float32 for
            numbers and arrays of any other dtype (`tensor()` keeps theirs).
        requires_grad: whether `backward` accumulates a gradient in `.grad`.

    Raises:
        TypeError: for data that is not numeric, or a gradient asked of integers.
        ValueError: for nested lists of unequal lengths.

    >>> x = Tensor([1.0, 2.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    tensor([2., 4.])
    """

    __slots__ = ("__weakref__", "array", "grad", "hook", "node", "origin", "requires_grad", "stamp")

    array: Array
    requires_grad: bool
    grad: Tensor | None
    node: Node | None
    stamp: int
    origin: Any  # what a view is made of, unless its node says it; most have none
    hook: Any  # most have none: what the reverse pass calls here

    # NumPy's operators give way to ours: `array * tensor` is a tensor.
    __array_priority__ = 1000
    __hash__ = object.__hash__

    def __init__(self, *data: Any, dtype: npt.DTypeLike | None = None, requires_grad: bool = False):
        sizes = lengths_in(data) if dtype is None else None
        if sizes is not None:
            values: Any = np.zeros(sizes, DEFAULTS.floating)
        elif len(data) == 2:
            values, dtype = data
        else:
            (values,) = data
        array = to_array(values, dtype)
        if dtype is None and not isinstance(values, Tensor):
            array = array.astype(DEFAULTS.floating, copy=False)
        self._fill(array, requires_grad)

    def _fill(self, array: Array, requires_grad: bool) -> None:
        self.array = np.array(array, copy=True, order="C")
        self.grad = None
        self.node = None
        self.stamp = 0
        self.requires_grad = False
        if requires_grad:
            self.requires_grad_()

    # What it is.

    @property
    def shape(self) -> Size:
        """Lengths of the axes."""
        return Size(self.array.shape)

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.array.ndim

    @property
    def size(self) -> Count:
        """Number of elements; called, as PyTorch has it, the lengths of the axes."""
        return counted(self.array)

    @property
    def dtype(self) -> data_type.dtype:
        """Type of the elements: float32, float64, int64, int32 or bool."""
        return data_type.data_type(self.array.dtype)

    @property
    def device(self) -> device:
        """Where the array lives: always "cpu"."""
        return CPU

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it."""
        return self.node is None

    @property
    def primitive(self) -> Operation | None:
        """The primitive that made it, or None for a leaf."""
        return self.node[0] if self.node else None

    @property
    def inputs(self) -> tuple[Any, ...]:
        """The tensors and numbers that it was made from."""
        return self.node[1] if self.node else ()

    @property
    def attributes(self) -> dict[str, Any]:
        """The static arguments of the primitive that made it."""
        return self.node[2] if self.node else {}

    # Out of Schuss.

    def numpy(self) -> Array:
        """Return the array itself, without a copy: what is written to either is seen in both."""
        return np.asarray(self._values("numpy()"))

    def _values(self, what: str) -> Array:
        """Return the array for use outside of tensors, which a tracer cannot follow."""
        tracer = TRACER.get()
        if tracer is not None:
            tracer.refuse(what)
        return self.array

    def item(self) -> Any:
        """Return the only element as a Python number.

        Raises:
            ValueError: when there is not exactly one element.
        """
        if self.size != 1:
            raise ValueError(
                f"item: expected one element, got shape {self.shape}; use tolist() or reduce."
            )
        return np.asarray(self._values("item()")).item()

    def tolist(self) -> Any:
        """Return the elements as nested Python lists."""
        return np.asarray(self._values("tolist()")).tolist()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        array = np.asarray(self._values("as a NumPy array"))
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"bool: a tensor of shape {self.shape} has no single truth; use any() or all()."
            )
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        if self.array.dtype.kind not in "i":
            raise TypeError(
                f"index: expected an integer tensor, got {self.array.dtype}; cast it first."
            )
        return int(self.item())

    def __len__(self) -> int:
        if not self.array.shape:
            raise TypeError("len: expected at least one axis, got a tensor without axes.")
        return len(self.array)

    def __iter__(self) -> Iterator[Tensor]:
        if not self.array.shape:
            raise TypeError("iter: expected at least one axis, got a tensor without axes.")
        return (self[i] for i in range(self.array.shape[0]))

    def __repr__(self) -> str:
        body = np.array2string(np.asarray(self.array), separator=", ", prefix="tensor(")
        kind = "" if self.array.dtype in (float32, int64, bool_) else f", dtype={self.dtype}"
        grad = ", requires_grad=True" if self.requires_grad else ""
        return f"tensor({body}{kind}{grad})"

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if spec and self.size == 1 else str(self)

    def __reduce__(self) -> Any:
        if self.node is not None:
            raise ValueError("pickle: expected a leaf, got a result; pickle x.detach() instead.")
        array = np.asarray(self._values("pickling"))
        return _unpickled, (type(self), array, self.requires_grad, self.grad)

    def __copy__(self) -> Tensor:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        twin = self._twin(memo)
        if self.grad is not None:
            twin.grad = self.grad.__deepcopy__(memo)
        return twin

    def _twin(self, memo: dict[int, Any]) -> Self:
        """Return a copy of a leaf, without its gradient."""
        if self.node is not None:
            raise ValueError("deepcopy: expected a leaf, got a result; copy x.detach() instead.")
        twin = new_object(type(self))
        twin._fill(self.array, self.requires_grad)
        memo[id(self)] = twin
        return twin

    # Differentiation.

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Set, in place, whether gradients are accumulated here; return the tensor itself.

        Raises:
            TypeError: for an integer or boolean tensor.
            ValueError: when gradients are turned off for the result of an operation.
        """
        if requires_grad and self.array.dtype.kind != "f":
            raise TypeError(
                f"requires_grad: expected a float tensor, got {self.array.dtype}; cast it to "
                "float32."
            )
        if not requires_grad and self.node is not None:
            raise ValueError("requires_grad: this is a result; use detach() to cut it off.")
        self.requires_grad = requires_grad
        return self

    if TYPE_CHECKING:
        # Attached by schuss.methods, which whoever makes tensors for a user has loaded.
        assign: Callable[..., Tensor]
        astype: Callable[..., Tensor]
        backward: Callable[..., None]
        clone: Callable[..., Tensor]
        copy_: Callable[..., Tensor]
        detach: Callable[..., Tensor]
        fill_: Callable[..., Tensor]
        mean: Callable[..., Tensor]
        reshape: Callable[..., Tensor]
        sum: Callable[..., Tensor]
        zero_: Callable[..., Tensor]

        def __add__(self, other: TensorLike) -> Tensor: ...
        def __radd__(self, other: TensorLike) -> Tensor: ...
        def __sub__(self, other: TensorLike) -> Tensor: ...
        def __rsub__(self, other: TensorLike) -> Tensor: ...
        def __mul__(self, other: TensorLike) -> Tensor: ...
        def __rmul__(self, other: TensorLike) -> Tensor: ...
        def __truediv__(self, other: TensorLike) -> Tensor: ...
        def __rtruediv__(self, other: TensorLike) -> Tensor: ...
        def __floordiv__(self, other: TensorLike) -> Tensor: ...
        def __rfloordiv__(self, other: TensorLike) -> Tensor: ...
        def __mod__(self, other: TensorLike) -> Tensor: ...
        def __rmod__(self, other: TensorLike) -> Tensor: ...
        def __pow__(self, other: TensorLike) -> Tensor: ...
        def __rpow__(self, other: TensorLike) -> Tensor: ...
        def __matmul__(self, other: TensorLike) -> Tensor: ...
        def __rmatmul__(self, other: TensorLike) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __pos__(self) -> Tensor: ...
        def __abs__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, other: TensorLike) -> Tensor: ...
        def __rand__(self, other: TensorLike) -> Tensor: ...
        def __or__(self, other: TensorLike) -> Tensor: ...
        def __ror__(self, other: TensorLike) -> Tensor: ...
        def __xor__(self, other: TensorLike) -> Tensor: ...
        def __rxor__(self, other: TensorLike) -> Tensor: ...
        def __lshift__(self, other: TensorLike) -> Tensor: ...
        def __rlshift__(self, other: TensorLike) -> Tensor: ...
        def __rshift__(self, other: TensorLike) -> Tensor: ...
        def __rrshift__(self, other: TensorLike) -> Tensor: ...
        def __lt__(self, other: TensorLike) -> Tensor: ...
        def __le__(self, other: TensorLike) -> Tensor: ...
        def __gt__(self, other: TensorLike) -> Tensor: ...
        def __ge__(self, other: TensorLike) -> Tensor: ...
        def __eq__(self, other: TensorLike) -> Tensor: ...  # type: ignore[override]  # elementwise
        def __ne__(self, other: TensorLike) -> Tensor: ...  # type: ignore[override]  # elementwise
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: TensorLike) -> None: ...
        def __getattr__(self, name: str) -> Any: ...


def _unpickled(
    kind: type[Tensor], array: Array, requires_grad: bool, grad: Tensor | None
) -> Tensor:
    """Return the tensor that was pickled."""
    made = new_object(kind)
    made._fill(array, requires_grad)
    made.grad = grad
    return made


def leaf(array: Array) -> Tensor:
    """Return a tensor that holds `array` itself, without a copy or a history."""
    result = new_object(Tensor)
    result.array = array
    result.requires_grad = False
    result.grad = None
    result.node = None
    result.stamp = 0
    return result


def tensor(
    data: TensorLike, dtype: npt.DTypeLike | None = None, *, requires_grad: bool = False
) -> Tensor:
    """Return a new tensor with a copy of `data`; see `Tensor`.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    made = new_object(Tensor)
    made._fill(to_array(data, dtype), requires_grad)
    return made
