"""What a primitive is, how one is applied, and the makers of elementwise ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from schuss.core import (
    RECORDING,
    TRACER,
    Array,
    Tensor,
    TensorLike,
    bool_,
    int64,
    leaf,
    new_object,
    next_stamp,
    supported_dtype,
    to_array,
)
from schuss.dtypes import DEFAULTS
from schuss.lowering.kinds import Elementwise, Lowering
from schuss.modes import AS_USUAL, FLOAT_ERRORS, QUIET

__all__ = ["NOT_DIFFERENTIABLE", "REGISTRY", "Primitive", "Spec", "apply", "asarray", "astype"]
__all__ += ["from_numpy", "has_tensor"]

Rule: TypeAlias = Callable[..., Tensor]
Spec: TypeAlias = tuple[tuple[int, ...], np.dtype[Any]]
NO_ATTRIBUTES: dict[str, Any] = {}


class NotDifferentiable:
    """Says that a primitive has no derivative: integers, booleans, or flat almost everywhere."""

    def __repr__(self) -> str:
        return "NOT_DIFFERENTIABLE"


NOT_DIFFERENTIABLE = NotDifferentiable()
REGISTRY: dict[str, Primitive] = {}


class Primitive:
    """One operation with all its faces.

    Args:
        name: unique, in the Python array API's words where it has the function.
        value: NumPy arrays and Python numbers in, an array out: the definition.
        shape: `shape(*specs, **attributes) -> (shape, dtype)`, from the inputs' (shape, dtype).
        derivative: for each input a rule `rule(g, y, *inputs, **attributes) -> Tensor` that takes
            the error `g` in the output `y` back to that input, written with tensor functions (a
            result that is too large by broadcasting is summed afterwards, in one place); one
            rule with a leading `position` argument when `variadic`; None for an input without
            derivative; NOT_DIFFERENTIABLE.
        lower: the native lowering, one of the kinds in `schuss.lowering.kinds`.
        batch: the batching rule, see `primitives/batching.py`; one for its kind of lowering, or
            one by one, where there is none.
        variadic: whether any number of inputs is taken.

    Raises:
        ValueError: when a face is missing or the name is taken.
    """

    # fmt: off
    __slots__ = (
        "batch", "derivative", "differentiable", "lower", "name", "shape", "value", "variadic",
    )
    # fmt: on

    def __init__(
        self,
        name: str,
        *,
        value: Callable[..., Any],
        shape: Callable[..., Spec],
        derivative: Sequence[Rule | None] | Rule | NotDifferentiable,
        lower: Lowering,
        batch: Callable[..., Tensor] | None = None,
        variadic: bool = False,
    ) -> None:
        if name in REGISTRY:
            raise ValueError(f"Primitive {name}: expected a new name, got one that is taken.")
        lowerings = callable(value) and callable(shape) and derivative is not None
        if not lowerings or not isinstance(lower, Lowering):
            raise ValueError(f"Primitive {name}: expected every face, got one that is missing.")
        self.name = name
        self.value = value
        self.shape = shape
        self.derivative = derivative
        self.lower = lower
        self.batch = batch
        self.differentiable = not isinstance(derivative, NotDifferentiable)
        self.variadic = variadic
        REGISTRY[name] = self

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


def apply(primitive: Primitive, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Tensor:
    """Apply `primitive` to tensors (and Python numbers), recording it where a gradient may flow."""
    tracer = TRACER.get()
    if tracer is not None:
        return tracer.apply(primitive, inputs, attributes)  # type: ignore[no-any-return]
    wanted = False
    arrays = []
    for x in inputs:
        if isinstance(x, Tensor):
            wanted = wanted or x.requires_grad
            arrays.append(x.array)
        else:
            arrays.append(x)
    token = FLOAT_ERRORS.set(QUIET) if FLOAT_ERRORS.get() is AS_USUAL else None
    try:
        out = primitive.value(*arrays, **attributes)
    finally:
        if token is not None:
            FLOAT_ERRORS.reset(token)
    return record(primitive, inputs, attributes, out, wanted)


def record(
    primitive: Any, inputs: tuple[Any, ...], attributes: dict[str, Any], out: Any, wanted: bool
) -> Tensor:
    """Return the tensor of an operation whose value `out` is known, outside of a trace.

    Args:
        primitive: what was applied, a primitive or a fused composition.
        inputs: to what.
        attributes: with which.
        out: an array, or a NumPy scalar.
        wanted: whether one of the inputs requires a gradient.
    """
    result = new_object(Tensor)
    result.array = out if type(out) is np.ndarray else np.asarray(out)
    result.grad = None
    if wanted and primitive.differentiable and RECORDING.get():
        result.requires_grad = True
        result.node = (primitive, inputs, attributes)
        result.stamp = next_stamp()
    else:
        result.requires_grad = False
        result.node = None
        result.stamp = 0
    return result


def operand(x: TensorLike) -> Any:
    """Return a tensor as it is, a number as a Python number (weak dtype), the rest as a tensor."""
    if isinstance(x, np.generic):
        return x.item()
    return x if isinstance(x, (Tensor, float, int)) else as_tensor(x)


def as_tensor(x: TensorLike) -> Tensor:
    """Return `x` as a tensor, numbers with their default dtypes; tensors in lists are stacked."""
    if isinstance(x, Tensor):
        return x
    return _stacked(x) if isinstance(x, (list, tuple)) and has_tensor(x) else leaf(to_array(x))


def has_tensor(x: Sequence[Any]) -> bool:
    """Whether a list holds a tensor, or a list that does."""
    # A long list has few types, and these are found faster than its elements are looked at.
    kinds = set(map(type, x))
    if any(issubclass(kind, Tensor) for kind in kinds):
        return True
    lists = tuple(kind for kind in kinds if issubclass(kind, (list, tuple)))
    return bool(lists) and any(has_tensor(item) for item in x if isinstance(item, lists))


def _stacked(x: Sequence[Any]) -> Tensor:
    """Return one tensor of a list that holds tensors, from which errors flow back to them."""
    parts = [as_tensor(item) for item in x]
    shapes = [part.shape for part in parts]
    if len(set(shapes)) > 1:
        raise ValueError(
            f"tensor: expected numbers in a regular shape, got a list of tensors of shapes "
            f"{', '.join(map(str, shapes))}; pad them or keep them apart."
        )
    dtype = result_dtype(*[part.array.dtype for part in parts])
    return apply(REGISTRY["stack"], tuple([astype(p, dtype) for p in parts]), {"axis": 0})


@cache
def result_dtype(*dtypes: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype of mixed inputs: floats win over integers without growing."""
    floats = [d for d in dtypes if d.kind == "f"]
    return np.result_type(*(floats or dtypes))


def mixed_dtype(*tensors: Tensor) -> np.dtype[Any]:
    """Return the dtype of mixed tensors as PyTorch has it.

    Tensors without axes widen those that have some only to another kind: booleans to integers to
    floats.
    """
    dimensioned = [x.array.dtype for x in tensors if x.array.shape]
    if len(dimensioned) in (0, len(tensors)):
        return result_dtype(*[x.array.dtype for x in tensors])
    single = [x.array.dtype for x in tensors if not x.array.shape]
    own, other = result_dtype(*dimensioned), result_dtype(*single)
    return other if _KINDS.index(other.kind) > _KINDS.index(own.kind) else own


_KINDS = "bif"


def standard_dtype(*tensors: Tensor) -> np.dtype[Any]:
    """Return the dtype of mixed tensors as the array API standard has it, whatever their axes."""
    return result_dtype(*[x.array.dtype for x in tensors])


def promote(*inputs: Any, by: Callable[..., np.dtype[Any]] = mixed_dtype) -> list[Any]:
    """Cast tensors to one common dtype; numbers stay numbers unless there is no tensor at all."""
    numbers = [x for x in inputs if not isinstance(x, Tensor)]
    tensors = [x for x in inputs if isinstance(x, Tensor)]
    if len(tensors) == 1:
        dtype = tensors[0].array.dtype
        if dtype.kind == "f":
            return list(inputs)
    else:
        dtype = by(*tensors) if tensors else result_dtype(*[to_array(x).dtype for x in numbers])
    if dtype.kind != "f" and any(isinstance(x, float) for x in numbers):
        dtype = DEFAULTS.floating
    elif dtype.kind == "b" and any(not isinstance(x, bool) for x in numbers):
        dtype = int64
    cast = [astype(x, dtype) if isinstance(x, Tensor) else x for x in inputs]
    if not tensors:
        cast[0] = leaf(np.asarray(cast[0], dtype))
    return cast


def _astype_shape(x: Spec, *, dtype: np.dtype[Any]) -> Spec:
    return x[0], dtype


def _astype_value(x: Array, *, dtype: np.dtype[Any]) -> Array:
    # In the order of its axes, unless elements are repeated.
    return x.astype(dtype, "C" if 0 in x.strides else "K")


_astype = Primitive(
    "astype",
    value=_astype_value,
    shape=_astype_shape,
    derivative=(lambda g, y, x, *, dtype: astype(g, x.dtype),),
    lower=Elementwise(lambda x: x),
)


def astype(x: TensorLike, dtype: Any, *, copy: bool = False) -> Tensor:
    """Return `x` cast to `dtype`; itself when it has it already and no `copy` is asked for."""
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    if x.array.dtype is dtype and not copy:
        return x
    dtype = supported_dtype(dtype)
    if x.array.dtype == dtype and not copy:
        return x
    if dtype.kind != "f" and x.requires_grad:
        x = x.detach()
    return apply(_astype, (x,), {"dtype": dtype})


def asarray(data: TensorLike, dtype: Any = None, *, copy: bool | None = None) -> Tensor:
    """Return `data` as a tensor, the same object or the same memory where possible.

    Args:
        data: numbers, nested sequences, a NumPy array or a tensor; tensors in a list are stacked,
            so that errors flow back to them.
        dtype: the dtype wanted; see `Tensor` for the default.
        copy: True to copy always, False to raise ValueError where a copy would be needed.

    Raises:
        ValueError: when `copy` is False and the data cannot be shared.
    """
    if isinstance(data, Tensor) and (dtype is None or data.array.dtype == dtype) and not copy:
        return data
    if isinstance(data, Tensor) and not copy and data.requires_grad:
        return astype(data, dtype)
    if isinstance(data, (list, tuple)) and copy is not False and has_tensor(data):
        stacked = _stacked(data)
        return stacked if dtype is None else astype(stacked, dtype)
    array = to_array(data, dtype)
    if copy:
        return leaf(np.array(array, copy=True))
    if copy is False and array is not data:
        raise ValueError("asarray: copy=False, but the data cannot be shared; leave copy out.")
    return leaf(array)


def from_numpy(array: Array) -> Tensor:
    """Return a tensor that shares memory with `array`: what is written to either is in both."""
    # While a trace is made, what was an array of NumPy's is a tensor already.
    return array if isinstance(array, Tensor) else asarray(np.asarray(array))


def elementwise_shape(*specs: Spec) -> Spec:
    """Return the broadcast shape and the common dtype."""
    first = specs[0]
    # Most often they are equal, and then there is nothing to find out.
    if all(s[1] is first[1] and s[0] == first[0] for s in specs):
        return first
    return _broadcast_shape(specs), result_dtype(*[s[1] for s in specs])


def predicate_shape(*specs: Spec) -> Spec:
    """Return the broadcast shape and bool."""
    return _broadcast_shape(specs), bool_


def _broadcast_shape(specs: tuple[Spec, ...]) -> tuple[int, ...]:
    first = specs[0][0]
    # Most often they are equal, and NumPy takes its time.
    if all(s[0] == first for s in specs):
        return first
    return np.broadcast_shapes(*[s[0] for s in specs])


def mismatch(name: str, error: Exception, *inputs: Any) -> Exception:
    """Return the error to raise for `error`, met on applying `name` to `inputs`."""
    if isinstance(error, TypeError):
        got = " and ".join(
            x.dtype.name if hasattr(x, "dtype") else type(x).__name__ for x in inputs
        )
        return TypeError(f"{name}: expected inputs of another dtype, got {got}; cast them first.")
    shapes = [getattr(x, "shape", ()) for x in inputs]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return ValueError(
            f"{name}: expected shapes that broadcast, got {' and '.join(map(str, shapes))}; "
            "axes must be equal or 1, counted from the last."
        )
    return error
