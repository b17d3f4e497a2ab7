"""Derivatives of functions: grad, value_and_grad, vjp, jvp and hvp, of any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.backprop import consumers, mark, reverse
from schuss.core import RECORDING, Tensor, TensorLike, leaf
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.reduction import sum

__all__ = ["grad", "hvp", "jvp", "value_and_grad", "vjp"]


def _depends_beyond(roots: Sequence[Tensor], marked: Sequence[Tensor]) -> bool:
    """Return whether something else that wants gradients stands behind the results."""
    stops = frozenset(marked)
    beyond = any(m.node is not None for m in marked)
    return beyond or any(
        t.node is None and t not in stops for t in consumers(roots, stops) if t.requires_grad
    )


def _pull(
    outputs: Sequence[Tensor],
    errors: Sequence[Tensor],
    marked: Sequence[Tensor],
    *,
    retain_graph: bool = True,
) -> list[Tensor]:
    """Return the error that reaches each marked argument, recorded for higher orders."""
    live = [(y, e) for y, e in zip(outputs, errors, strict=True) if y.requires_grad]
    arrived = (
        reverse(
            [y for y, _ in live],
            [e for _, e in live],
            targets=frozenset(marked),
            retain_graph=retain_graph,
        )
        if live
        else {}
    )
    return [arrived.get(m, leaf(np.zeros(m.shape, m.array.dtype))) for m in marked]


def _argument_positions(argnums: int | Sequence[int], count: int, owner: str) -> list[int]:
    positions = [argnums] if isinstance(argnums, int) else list(argnums)
    if any(not 0 <= p < count for p in positions):
        raise ValueError(
            f"{owner}: expected argnums from 0 to {count - 1} for {count} arguments, got {argnums}."
        )
    return positions


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """Return a function that gives both f's value and its gradient.

    Args:
        f: returns one element, or (one element, anything) with `has_aux`.
        argnums: position(s) of the arguments to differentiate by; several give a tuple.
        has_aux: whether `f` returns something beside the value that is differentiated.

    Raises:
        ValueError: when `f` returns more than one element, or `argnums` is out of range.
        TypeError: when `f` does not return a tensor, or an argument is not of floats.

    >>> value, slope = value_and_grad(lambda x: x * x)(3.0)
    >>> float(value), float(slope)
    (9.0, 6.0)
    """

    def wrapped(*args: Any, **options: Any) -> tuple[Any, Any]:
        positions = _argument_positions(argnums, len(args), "grad")
        outer = RECORDING.get()
        token = RECORDING.set(True)
        try:
            marked = {p: mark(args[p]) for p in positions}
            out = f(*[marked.get(i, a) for i, a in enumerate(args)], **options)
            value = out[0] if has_aux else out
            if not isinstance(value, Tensor):
                raise TypeError(f"grad: expected f to return a tensor, got {type(value).__name__}.")
            if value.size != 1:
                raise ValueError(
                    f"grad: expected f to return one element, got shape {value.shape}; reduce it "
                    "with sum() or mean(), or use vjp()."
                )
            arguments = [marked[p] for p in positions]
            recording = outer and _depends_beyond([value], arguments)
            RECORDING.set(recording)
            one = leaf(np.ones(value.shape, value.array.dtype))
            # When nothing else wants a gradient, nobody can come back to this graph.
            found = _pull([value], [one], arguments, retain_graph=recording)
        finally:
            RECORDING.reset(token)
        gradients = found[0] if isinstance(argnums, int) else tuple(found)
        kept = value if recording else value.detach()
        return ((kept, out[1]) if has_aux else kept), gradients

    return wrapped


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """Return a function that gives the gradient of `f`; see `value_and_grad`.

    >>> cube = lambda x: x * x * x
    >>> float(grad(grad(cube))(2.0))
    12.0
    """
    both = value_and_grad(f, argnums)

    def wrapped(*args: Any, **options: Any) -> Any:
        return both(*args, **options)[1]

    return wrapped


def vjp(f: Callable[..., Any], *xs: TensorLike) -> tuple[Any, Callable[..., tuple[Tensor, ...]]]:
    """Return f(*xs) and the function that takes an error in it back to the arguments.

    Args:
        f: returns a tensor, or a tuple of tensors.
        xs: float arguments.

    Returns:
        The value, and `pull(error, ...) -> (gradient by each argument, ...)`, the product of the
        errors (of the outputs' shapes) with f's Jacobian; it can be called more than once.

    >>> from schuss import tensor
    >>> y, pull = vjp(lambda x: x * x, tensor([1.0, 2.0]))
    >>> pull(tensor([1.0, 10.0]))[0]
    tensor([ 2., 40.])
    """
    outer = RECORDING.get()
    token = RECORDING.set(True)
    try:
        marked = [mark(x) for x in xs]
        out = f(*marked)
    finally:
        RECORDING.reset(token)
    outputs = [as_tensor(y) for y in (out if isinstance(out, (tuple, list)) else (out,))]
    recording = outer and _depends_beyond(outputs, marked)

    def pull(*errors: TensorLike) -> tuple[Tensor, ...]:
        if len(errors) != len(outputs):
            raise ValueError(f"vjp: expected {len(outputs)} errors, got {len(errors)}.")
        given = [as_tensor(e) for e in errors]
        for y, e in zip(outputs, given, strict=True):
            if y.shape != e.shape:
                raise ValueError(f"vjp: expected an error of shape {y.shape}, got {e.shape}.")
        wanted = RECORDING.get() and (recording or any(e.requires_grad for e in given))
        inner = RECORDING.set(wanted)
        try:
            cast = [astype(e, y.array.dtype) for y, e in zip(outputs, given, strict=True)]
            found = _pull(outputs, cast, marked)
        finally:
            RECORDING.reset(inner)
        return tuple(found)

    if not recording:
        out = (
            type(out)(y.detach() for y in outputs)
            if isinstance(out, (tuple, list))
            else (outputs[0].detach())
        )
    return out, pull


def _as_tuple(xs: Any) -> tuple[Any, ...]:
    return tuple(xs) if isinstance(xs, (tuple, list)) else (xs,)


def jvp(f: Callable[..., Any], xs: Any, vs: Any) -> tuple[Any, Any]:
    """Return f(*xs) and its derivative in the direction `vs`.

    The reverse pass is linear in the error that it carries, so its own transpose is the forward
    derivative: two reverse passes, and every primitive has it without a rule of its own.

    Args:
        f: returns a tensor, or a tuple of tensors.
        xs: an argument, or a tuple of them.
        vs: directions, of the arguments' shapes.

    Returns:
        The value, and the change in it for a step along `vs`.

    >>> from schuss import tensor
    >>> y, dy = jvp(lambda x: x * x, tensor([1.0, 2.0]), tensor([1.0, 1.0]))
    >>> dy
    tensor([2., 4.])
    """
    points, directions = _as_tuple(xs), [as_tensor(v) for v in _as_tuple(vs)]
    if [as_tensor(x).shape for x in points] != [v.shape for v in directions]:
        raise ValueError(
            f"jvp: expected directions of shapes {[as_tensor(x).shape for x in points]}, got "
            f"{[v.shape for v in directions]}."
        )
    outer = RECORDING.get()
    token = RECORDING.set(True)
    try:
        marked = [mark(x) for x in points]
        out = f(*marked)
        many = isinstance(out, (tuple, list))
        outputs = [as_tensor(y) for y in (out if many else (out,))]
        recording = outer and (
            _depends_beyond(outputs, marked) or any(v.requires_grad for v in directions)
        )
        probes = [leaf(np.zeros(y.shape, y.array.dtype)).requires_grad_() for y in outputs]
        pulled = _pull(outputs, probes, marked)
        RECORDING.set(recording)
        cast = [astype(v, m.array.dtype) for v, m in zip(directions, marked, strict=True)]
        changes = _pull(pulled, cast, probes)
    finally:
        RECORDING.reset(token)
    values = outputs if recording else [y.detach() for y in outputs]
    return (tuple(values), tuple(changes)) if many else (values[0], changes[0])


def hvp(f: Callable[..., Any], xs: Any, vs: Any) -> Any:
    """Return the product of f's Hessian at `xs` with `vs`, without forming the Hessian.

    Args:
        f: returns one element.
        xs: an argument, or a tuple of them.
        vs: directions, of the arguments' shapes.

    Returns:
        A tensor of xs's shape, or a tuple of them.

    >>> from schuss import tensor
    >>> hvp(lambda x: (x * x * x).sum(), tensor([1.0, 2.0]), tensor([1.0, 1.0]))
    tensor([ 6., 12.])
    """
    points, directions = _as_tuple(xs), [as_tensor(v) for v in _as_tuple(vs)]
    if [as_tensor(x).shape for x in points] != [v.shape for v in directions]:
        raise ValueError(
            f"hvp: expected directions of shapes {[as_tensor(x).shape for x in points]}, got "
            f"{[v.shape for v in directions]}."
        )
    positions = range(len(points))

    def slope(*args: Tensor) -> Tensor:
        gradients = grad(f, tuple(positions))(*args)
        total: Any = 0.0
        for g, v in zip(gradients, directions, strict=True):
            total = total + sum(g * v)
        return as_tensor(total)

    found = grad(slope, tuple(positions))(*points)
    return tuple(found) if isinstance(xs, (tuple, list)) else found[0]
