"""Derivatives of functions of tensors, by the names of `torch.autograd.functional`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from schuss.autograd.gradients import grad
from schuss.backprop import mark
from schuss.core import RECORDING, Tensor, leaf
from schuss.functions import reshape, stack
from schuss.primitives.base import as_tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


class _Evaluated:
    """A function's results at copies of the arguments that are recorded from there on."""

    def __init__(self, func: Callable[..., Any], inputs: Any, *, create_graph: bool) -> None:
        self.is_tuple = isinstance(inputs, tuple)
        self.create_graph = create_graph
        given = [as_tensor(x) for x in (inputs if self.is_tuple else (inputs,))]
        token = RECORDING.set(True)
        try:
            # Stand-ins stay connected to what they stand for.
            self.inputs = [mark(x) if create_graph else x.detach().requires_grad_() for x in given]
            found = func(*self.inputs)
        finally:
            RECORDING.reset(token)
        self.returns_tuple = isinstance(found, tuple)
        self.outputs: list[Tensor] = list(found) if self.returns_tuple else [found]

    def pull(self, outputs: list[Tensor], errors: list[Any], *, create: bool) -> list[Tensor]:
        """Return the gradients by the inputs, zeros for those that have no part."""
        live = [(y, e) for y, e in zip(outputs, errors, strict=True) if y.requires_grad]
        if not live:
            return [leaf(np.zeros(x.shape, x.array.dtype)) for x in self.inputs]
        ys, es = zip(*live, strict=True)
        found = grad(ys, self.inputs, es, True, create, materialize_grads=True)
        return list(found)

    def result(self, values: list[Any], *, as_tuple: bool) -> Any:
        """Return one value, or a tuple, cut off unless it is to be differentiated further."""
        if not self.create_graph:
            values = [v.detach() for v in values]
        return tuple(values) if as_tuple else values[0]


def _directions(v: Any, like: list[Tensor], owner: str) -> list[Tensor]:
    """Return directions of the shapes given; 1 for a single element."""
    if v is None:
        if len(like) != 1 or like[0].size != 1:
            raise RuntimeError(f"{owner}: expected v, which is only left out for a single element.")
        return [leaf(np.ones(like[0].shape, like[0].array.dtype))]
    found = [as_tensor(x) for x in (v if isinstance(v, tuple) else (v,))]
    if [x.shape for x in found] != [x.shape for x in like]:
        raise RuntimeError(
            f"{owner}: expected v of shapes {[x.shape for x in like]}, got "
            f"{[x.shape for x in found]}."
        )
    return found


def vjp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return func's results, and the product of v (of their shapes) with its Jacobian."""
    at = _Evaluated(func, inputs, create_graph=create_graph)
    found = at.pull(at.outputs, _directions(v, at.outputs, "vjp"), create=create_graph)
    return (
        at.result(at.outputs, as_tuple=at.returns_tuple),
        at.result(found, as_tuple=at.is_tuple),
    )


def jvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return func's results, and the product of its Jacobian with v (of the inputs' shapes)."""
    at = _Evaluated(func, inputs, create_graph=create_graph)
    directions = _directions(v, at.inputs, "jvp")
    # The transpose of the reverse pass, which is linear in the errors that it carries.
    probes = [leaf(np.zeros(y.shape, y.array.dtype)).requires_grad_() for y in at.outputs]
    pulled = at.pull(at.outputs, probes, create=True)
    live = [(g, d) for g, d in zip(pulled, directions, strict=True) if g.requires_grad]
    if live:
        gs, ds = zip(*live, strict=True)
        found = list(grad(gs, probes, ds, True, create_graph, materialize_grads=True))
    else:
        found = [leaf(np.zeros(y.shape, y.array.dtype)) for y in at.outputs]
    return (
        at.result(at.outputs, as_tuple=at.returns_tuple),
        at.result(found, as_tuple=at.returns_tuple),
    )


def jacobian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """Return the Jacobian: for each result and input a tensor of the shapes of both together.

    Args:
        func: takes tensors, returns a tensor or a tuple of them.
        inputs: a tensor, or a tuple of them.
        create_graph: whether the Jacobian can be differentiated itself.
        strict: taken and without effect: what has no part has a Jacobian of zeros.
        vectorize: taken and without effect.
        strategy: taken and without effect: errors are carried back, element by element.

    >>> from schuss import tensor
    >>> jacobian(lambda x: x * x, tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    at = _Evaluated(func, inputs, create_graph=create_graph)
    rows = []
    for y in at.outputs:
        found: list[list[Tensor]] = [[] for _ in at.inputs]
        for place in range(y.size):
            one = np.zeros(y.size, y.array.dtype)
            one[place] = 1
            error = leaf(one.reshape(y.shape))
            for part, g in zip(found, at.pull([y], [error], create=create_graph), strict=True):
                part.append(g)
        blocks = [
            reshape(stack(part), (*y.shape, *x.shape))
            if part
            else leaf(np.zeros((*y.shape, *x.shape), x.array.dtype))
            for part, x in zip(found, at.inputs, strict=True)
        ]
        rows.append(at.result(blocks, as_tuple=at.is_tuple))
    return tuple(rows) if at.returns_tuple else rows[0]


def _slope(func: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function that gives the gradient of one that returns a single element."""

    def slope(*args: Tensor) -> Any:
        y = func(*args)
        if not isinstance(y, Tensor) or y.size != 1:
            raise RuntimeError("hessian: expected func to return one element.")
        if not y.requires_grad:
            return tuple(leaf(np.zeros(x.shape, x.array.dtype)) for x in args)
        return grad(y, args, None, True, True, materialize_grads=True)

    return slope


def hessian(
    func: Callable[..., Any],
    inputs: Any,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """Return the second derivatives of a func that returns one element, by each pair of inputs.

    >>> from schuss import tensor
    >>> hessian(lambda x: (x * x * x).sum(), tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    found = jacobian(_slope(func), given, create_graph)
    return found if isinstance(inputs, tuple) else found[0][0]


def _second(func: Any, inputs: Any, v: Any, create_graph: bool, owner: str) -> tuple[Any, Any]:
    given = inputs if isinstance(inputs, tuple) else (inputs,)
    at = _Evaluated(func, given, create_graph=create_graph)
    directions = _directions(v, at.inputs, owner)
    slopes = at.pull(at.outputs, _directions(None, at.outputs, owner), create=True)
    found = at.pull(slopes, directions, create=create_graph)
    as_tuple = isinstance(inputs, tuple)
    return at.result(at.outputs, as_tuple=False), at.result(found, as_tuple=as_tuple)


def hvp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return func's one element, and the product of its Hessian with v (of the inputs' shapes)."""
    return _second(func, inputs, v, create_graph, "hvp")


def vhp(
    func: Callable[..., Any],
    inputs: Any,
    v: Any = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """Return func's one element, and the product of v with its Hessian, which is symmetric."""
    return _second(func, inputs, v, create_graph, "vhp")
