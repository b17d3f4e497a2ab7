"""Arguments of a call: one native call checks the arrays and notes where their elements begin."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np

from schuss.compiler.graph.graph import Node
from schuss.core import Array
from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import I64
from schuss.native.cpython import are_arrays, argument, array_data_address, layout_is_known, pointer
from schuss.native.jit import Library
from schuss.native.once import once
from schuss.native.predicate import bind_predicate, compile_predicate

__all__ = ["argument_binder", "bind_arguments"]

_MOST_AXES = 8
# The words of the native function: how many inputs, the type of arrays, and where their addresses
# go; then for each input its dtype, number of axes, and their lengths.
_COUNT, _ARRAY_TYPE, _TABLE, _INPUTS = range(4)
_DTYPE, _NDIM, _SHAPE = range(3)
_WORDS_OF_INPUT = _SHAPE + _MOST_AXES


def argument_binder(inputs: Sequence[Node], table: int) -> Callable[..., bool]:
    """Return a function of arrays that notes their addresses, if they are as they should be.

    Args:
        inputs: of the program.
        table: the address of the word for the first one.

    Returns:
        A function that returns whether the arrays have the shapes and dtypes of the inputs, and
        lie in memory in order; it notes nothing otherwise. The caller keeps hold of the arrays.
    """
    if not layout_is_known() or any(len(node.shape) > _MOST_AXES for node in inputs):
        return lambda *arrays: _bind_if_fit(inputs, table, arrays)
    words = [len(inputs), id(np.ndarray), table]
    for node in inputs:
        lengths = [*node.shape, *[0] * (_MOST_AXES - len(node.shape))]
        # Of the dtypes in use there is one object each.
        words += [id(np.dtype(node.dtype.str)), len(node.shape), *lengths]
    return bind_predicate(_library(), _NAME, words)


def bind_arguments(arrays: Sequence[Array], table: int) -> list[Array]:
    """Note where arrays begin that may not be in order; return what has to be kept meanwhile."""
    kept = []
    for i, array in enumerate(arrays):
        if not array.flags.c_contiguous or not array.flags.aligned:
            array = np.ascontiguousarray(array)
        kept.append(array)
        ctypes.c_int64.from_address(table + 8 * i).value = array_data_address(array)
    return kept


def _bind_if_fit(inputs: Sequence[Node], table: int, arrays: Sequence[Array]) -> bool:
    """Do in Python what the native function does."""
    for node, array in zip(inputs, arrays, strict=True):
        if array.shape != node.shape or array.dtype != node.dtype:
            return False
        if not array.flags.c_contiguous or not array.flags.aligned:
            return False
    bind_arguments(arrays, table)
    return True


_NAME = "schuss_bind_arguments"


@once
def _library() -> Library:
    return compile_predicate(_NAME, _write)


def _write(f: Function, words: str) -> Scalar:
    def word(place: Scalar | int) -> Scalar:
        return f.load(words, place, I64)

    fit = f.reserve(I64)

    def require(condition: Scalar) -> None:
        f.store(f.load(fit, 0, I64) & condition.to(I64), fit, 0)

    count = word(_COUNT)
    f.store(are_arrays(f, count, word(_ARRAY_TYPE)).to(I64), fit, 0)
    with f.when(f.load(fit, 0, I64).eq(1)), f.loop(0, count) as i:
        array, first = argument(f, i), i * _WORDS_OF_INPUT + _INPUTS
        ndim = word(first + _NDIM)
        has_ndim = array.ndim().eq(ndim)
        require(has_ndim & array.dtype().eq(word(first + _DTYPE)) & array.is_c_contiguous())
        with f.when(has_ndim), f.loop(0, ndim) as axis:
            require(f.load(array.shape(), axis, I64).eq(word(first + axis + _SHAPE)))
    with f.when(f.load(fit, 0, I64).eq(1)):
        table = pointer(word(_TABLE))
        with f.loop(0, count) as i:
            f.store(argument(f, i).data(), table, i)
    return f.load(fit, 0, I64).eq(1)
