"""The reverse pass, and the functional face on top of it: grad, value_and_grad, vjp, jvp, hvp."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from schuss.core import (
    RECORDING,
    TRACER,
    Tensor,
    TensorLike,
    is_plain,
    leaf,
    new_object,
    next_stamp,
)
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.fused import Fused
from schuss.primitives.reduction import sum, sum_to
from schuss.primitives.row_gradient import RowGradient

__all__ = ["backward", "grad", "hvp", "jvp", "mark", "reverse", "value_and_grad", "vjp"]


def _consumers(roots: Sequence[Tensor], stops: frozenset[Tensor]) -> dict[Tensor, int]:
    """Count, for each tensor below `roots` that wants an error, the uses that send it one."""
    uses = dict.fromkeys(roots, 0)
    stack = [t for t in uses if t.node is not None and t not in stops]
    while stack:
        for x in stack.pop().node[1]:  # type: ignore[index]  # only tensors with a node are put
            if isinstance(x, Tensor) and x.requires_grad:
                if x in uses:
                    uses[x] += 1
                else:
                    uses[x] = 1
                    if x.node is not None and x not in stops:
                        stack.append(x)
    return uses


def _on_the_way(uses: dict[Tensor, int], targets: frozenset[Tensor]) -> set[Tensor]:
    """Return the tensors from which one of `targets` is reached."""
    users: dict[Tensor, list[Tensor]] = {}
    for t in uses:
        if t.node is not None and t not in targets:
            for x in t.node[1]:
                if isinstance(x, Tensor) and x in uses:
                    users.setdefault(x, []).append(t)
    found = {t for t in targets if t in uses}
    stack = list(found)
    while stack:
        for user in users.get(stack.pop(), ()):
            if user not in found:
                found.add(user)
                stack.append(user)
    return found


#: Primitives of several tensors whose derivatives look at no value.
_WITHOUT_VALUES = frozenset(["add", "concat", "subtract"])


def reverse(
    roots: Sequence[Tensor],
    errors: Sequence[Tensor],
    *,
    targets: frozenset[Tensor] | None = None,
    retain_graph: bool,
) -> dict[Tensor, Tensor]:
    """Carry `errors` from `roots` back; return what arrives at the targets, or at the leaves.

    A tensor is visited when all its uses have sent their error, so each is visited once, in an
    order that needs no recursion; what is no longer needed is dropped on the way.
    """
    eager = is_plain()
    uses = _consumers(roots, targets or frozenset())
    wanted = None if targets is None else _on_the_way(uses, targets)
    pending: dict[Tensor, Tensor] = {}
    error: Tensor | None
    for root, error in zip(roots, errors, strict=True):
        if wanted is None or root in wanted:
            pending[root] = pending[root] + error if root in pending else error
    arrived: dict[Tensor, Tensor] = {}
    if wanted is not None:
        uses = _uses_within(uses, wanted, targets or frozenset())
    # With all of the error that they get.
    ready = [(t, pending.pop(t)) for t in list(pending) if uses[t] == 0]
    while ready:
        y, g = ready.pop()
        node = y.node
        if node is None or (targets is not None and y in targets):
            arrived[y] = g
            continue
        primitive, inputs, attributes = node
        rules: Any = primitive.derivative
        # A fused composition's own rules are for errors that are neither recorded nor traced.
        composed = type(primitive) is Fused and (rules is None or not eager)
        through = _through_composition(node, g, wanted) if composed else None
        plain = type(rules) is tuple
        stamp = y.stamp
        for position, x in enumerate(inputs):
            if not isinstance(x, Tensor):
                continue
            # What needs no gradient is a factor of the others' gradients nevertheless.
            if x.stamp > stamp and (x.requires_grad or primitive.name not in _WITHOUT_VALUES):
                raise RuntimeError(
                    f"backward: a tensor of shape {x.shape} was changed in place after "
                    f"{primitive.name} used it; change it after the backward pass, or use a copy."
                )
            if not x.requires_grad:
                continue
            if wanted is not None and x not in wanted:
                continue
            if through is not None:
                error = through.get(position)
            elif plain:
                rule = rules[position]
                error = None if rule is None else rule(g, y, *inputs, **attributes)
            else:
                error = rules(position, g, y, *inputs, **attributes)
            if error is not None and type(error) is not RowGradient:
                array = x.array
                if error.array.shape != array.shape:
                    error = sum_to(error, array.shape)
                if error.array.dtype is not array.dtype:
                    error = astype(error, array.dtype)
            # Forgetting x here lets its array go as soon as the node that used it is freed.
            left = uses.pop(x) - 1
            if x in pending:
                error = _added(pending.pop(x), error, plain=eager)
            if left:
                uses[x] = left
                if error is not None:
                    pending[x] = error
            elif error is not None:
                ready.append((x, error))
        if not retain_graph:
            y.node = _FREED
    return arrived


def _through_composition(
    node: tuple[Any, ...], g: Tensor, wanted: set[Tensor] | None
) -> dict[int, Tensor]:
    """Go through what a node is composed of, and back; return the error in each input."""
    operation, inputs, attributes = node
    static = {name: value for name, value in attributes.items() if name != "kept"}
    marked = {
        position: mark(x)
        for position, x in enumerate(inputs)
        if x.requires_grad and (wanted is None or x in wanted)
    }
    token = RECORDING.set(True)
    try:
        y = operation.composition(*[marked.get(n, x) for n, x in enumerate(inputs)], **static)
    finally:
        RECORDING.reset(token)
    stops = frozenset(marked.values())
    arrived = reverse([y], [g], targets=stops, retain_graph=RECORDING.get())
    return {position: arrived[x] for position, x in marked.items() if x in arrived}


def _added(x: Tensor, y: Tensor | None, *, plain: bool) -> Tensor:
    """Return the sum of two errors, or the one that is there."""
    if y is None:
        return x
    if plain and type(x) is type(y) is Tensor:
        # Nothing is recorded or traced, and there is no operation to make.
        return leaf(np.asarray(x.array + y.array))
    return x + y


def _uses_within(
    uses: dict[Tensor, int], wanted: set[Tensor], stops: frozenset[Tensor]
) -> dict[Tensor, int]:
    """Count uses again, among the tensors on the way to the targets alone."""
    counted = dict.fromkeys(uses, 0)
    for t in wanted:
        if t.node is not None and t not in stops:
            for x in t.node[1]:
                if isinstance(x, Tensor) and x in wanted:
                    counted[x] += 1
    return counted


class _Freed:
    """Stands in for the primitive of a node whose graph was freed."""

    name = "a freed operation"

    @staticmethod
    def derivative(position: int, *_: Any) -> Tensor:
        raise RuntimeError(
            "backward: this graph was freed by an earlier backward pass; call the first one with "
            "retain_graph=True."
        )


_FREED: Any = (_Freed(), (leaf(np.zeros(())),), {})
_FREED[1][0].requires_grad = True


def backward(
    root: Tensor, gradient: TensorLike | None = None, *, retain_graph: bool = False
) -> None:
    """Backpropagate from `root` into the `.grad` of its leaves; see `Tensor.backward`."""
    if not root.requires_grad:
        raise ValueError(
            "backward: expected a result of tensors that require a gradient, got one that depends "
            "on none; set requires_grad=True, and compute outside no_grad()."
        )
    token = RECORDING.set(False)
    try:
        error = _initial_error(root, gradient)
        for x, g in reverse([root], [error], retain_graph=retain_graph).items():
            if x.grad is not None:
                x.grad = x.grad + g
            elif type(g) is RowGradient:
                x.grad = g
            else:
                # A tensor of its own: the same error may have arrived at several leaves.
                x.grad = leaf(g.array)
    finally:
        RECORDING.reset(token)


def _initial_error(root: Tensor, gradient: TensorLike | None) -> Tensor:
    if gradient is None:
        if root.size != 1:
            raise ValueError(
                f"backward: expected one element or a gradient, got shape {root.shape}; reduce it "
                "with sum() or mean(), or pass gradient=."
            )
        return leaf(np.ones(root.shape, root.dtype))
    error = astype(as_tensor(gradient), root.dtype)
    if error.shape != root.shape:
        raise ValueError(f"backward: expected a gradient of shape {root.shape}, got {error.shape}.")
    return error


# The functional face.


def mark(x: TensorLike) -> Tensor:
    """Return a stand-in for an argument, at which the reverse pass stops and collects."""
    x = as_tensor(x)
    if x.dtype.kind != "f":
        raise TypeError(f"grad: expected a float argument, got {x.dtype}; cast it to float32.")
    marked = new_object(Tensor)
    tracer = TRACER.get()
    marked.array = x.array if tracer is None else tracer.contents(x)
    marked.requires_grad = True
    marked.grad = None
    marked.node = (_SAME, (x,), {}) if x.requires_grad else None
    marked.stamp = next_stamp() if x.requires_grad else 0
    return marked


class _Same:
    """The identity, which keeps a marked argument connected to what it came from."""

    name = "same"
    derivative = (lambda g, y, x: g,)


_SAME: Any = _Same()


def _depends_beyond(roots: Sequence[Tensor], marked: Sequence[Tensor]) -> bool:
    """Return whether something else that wants gradients stands behind the results."""
    stops = frozenset(marked)
    beyond = any(m.node is not None for m in marked)
    return beyond or any(
        t.node is None and t not in stops for t in _consumers(roots, stops) if t.requires_grad
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
    return [arrived.get(m, leaf(np.zeros(m.shape, m.dtype))) for m in marked]


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
            one = leaf(np.ones(value.shape, value.dtype))
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
            cast = [astype(e, y.dtype) for y, e in zip(outputs, given, strict=True)]
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
        probes = [leaf(np.zeros(y.shape, y.dtype)).requires_grad_() for y in outputs]
        pulled = _pull(outputs, probes, marked)
        RECORDING.set(recording)
        cast = [astype(v, m.dtype) for v, m in zip(directions, marked, strict=True)]
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
