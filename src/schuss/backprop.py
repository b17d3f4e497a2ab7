"""Backpropagation: the reverse pass, and `backward`, which leaves gradients in the leaves."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
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
from schuss.hooks import Hooks, run_after, run_hooks
from schuss.modes import ANOMALY, AUTOCAST, autocasting, quietly
from schuss.primitives import storage
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.checks import Condition, require
from schuss.primitives.custom import Custom
from schuss.primitives.fused import Fused
from schuss.primitives.reduction import sum_to
from schuss.primitives.row_gradient import RowGradient
from schuss.primitives.views import VIEWS, Rewritten, as_of_use, expect_unchanged

__all__ = ["accumulate", "backward", "consumers", "initial_error", "is_freed", "mark", "reverse"]


def consumers(roots: Sequence[Tensor], stops: frozenset[Tensor]) -> dict[Tensor, int]:
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


def _on_the_way(
    uses: dict[Tensor, int], targets: frozenset[Tensor], stops: frozenset[Tensor]
) -> set[Tensor]:
    """Return the tensors from which one of `targets` is reached, not through `stops`."""
    users: dict[Tensor, list[Tensor]] = {}
    for t in uses:
        if t.node is not None and t not in stops:
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


def reverse(
    roots: Sequence[Tensor],
    errors: Sequence[Tensor],
    *,
    targets: frozenset[Tensor] | None = None,
    beyond: bool = False,
    retain_graph: bool,
) -> dict[Tensor, Tensor]:
    """Carry `errors` from `roots` back; return what arrives at the targets, or at the leaves.

    Args:
        roots: where the errors are.
        errors: of the roots' shapes.
        targets: where they are to go; None for all leaves.
        beyond: whether one target may lie behind another; else nothing goes on from a target.
        retain_graph: whether another pass may go through the same nodes.
    """
    # Errors of what `autocast` rounded are rounded by its derivatives.
    unrounded = autocasting(enabled=False) if AUTOCAST.get() else nullcontext()
    with quietly(), unrounded:
        return _reverse(roots, errors, targets, beyond, retain_graph)


def _reverse(
    roots: Sequence[Tensor],
    errors: Sequence[Tensor],
    targets: frozenset[Tensor] | None,
    beyond: bool,
    retain_graph: bool,
) -> dict[Tensor, Tensor]:
    """Go back through the graph.

    A tensor is visited when all its uses have sent their error, so each is visited once, in an
    order that needs no recursion; what is no longer needed is dropped on the way.
    """
    if Rewritten.happened or storage.WRITTEN:
        roots = as_of_use([*roots])
    eager = is_plain()
    tracer = TRACER.get()
    outer = None if tracer is None else tracer.scope
    # Whether memory may have been written to through others than the tensors here.
    written = tracer is not None or bool(storage.WRITTEN)
    last_run = storage.LAST_RUN[0]
    hooked = Hooks.used
    looks = ANOMALY.get()
    stops = frozenset() if beyond or targets is None else targets
    uses = consumers(roots, stops)
    wanted = None if targets is None else _on_the_way(uses, targets, stops)
    if wanted is not None and _FREED[1][0] in uses and not wanted.issuperset(targets or ()):
        _Freed.derivative(0)
    pending: dict[Tensor, Tensor] = {}
    error: Tensor | None
    for root, error in zip(roots, errors, strict=True):
        if wanted is None or root in wanted:
            pending[root] = pending[root] + error if root in pending else error
    arrived: dict[Tensor, Tensor] = {}
    if wanted is not None:
        uses = _uses_within(uses, wanted, stops)
    # With all of the error that they get.
    ready = [(t, pending.pop(t)) for t in list(pending) if uses[t] == 0]
    while ready:
        y, g = ready.pop()
        if hooked:
            g = run_hooks(y, g)
        node = y.node
        if node is None or (targets is not None and y in targets):
            arrived[y] = g
            if node is None or y in stops:
                continue
        primitive, inputs, attributes = node
        if tracer is not None:
            tracer.scope = tracer.backward_scope(y)
        rules: Any = primitive.derivative
        # A fused composition's own rules are for errors that are neither recorded nor traced.
        composed = type(primitive) is Fused and (rules is None or not eager)
        through = _through_composition(node, g, wanted) if composed else None
        if type(primitive) is Custom:
            through = primitive.errors(g, y)
        plain = type(rules) is tuple
        stamp = y.stamp
        asked = written or stamp < last_run
        if asked:
            expect_unchanged(y, stamp, primitive, inputs)
        for position, x in enumerate(inputs):
            if not isinstance(x, Tensor):
                continue
            # What needs no gradient is a factor of the others' gradients nevertheless.
            if asked or x.stamp > stamp:
                expect_unchanged(x, stamp, primitive, inputs)
            if not x.requires_grad:
                continue
            if wanted is not None and x not in wanted:
                continue
            if through is not None:
                error = through.get(position)
            elif plain:
                rule = rules[position]
                error = None
                if rule is not None:
                    error = rule(g, y, *inputs, **attributes) if attributes else rule(g, y, *inputs)
            else:
                error = rules(position, g, y, *inputs, **attributes)
            if looks and isinstance(error, Tensor):
                _require_numbers(primitive.name, position, error)
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
        if not retain_graph and primitive.name not in VIEWS:
            # Views keep nothing but what they are views of, and may be used again.
            y.node = _FREED
    if tracer is not None:
        tracer.scope = outer
    return arrived


def _require_numbers(name: str, position: int, error: Tensor) -> None:
    """Raise RuntimeError for an error that is not a number, where `detect_anomaly` asks for it."""
    message = (
        f"detect_anomaly: expected numbers as errors, got nan from the derivative of {name} for "
        f"its argument {position}."
    )
    require(Condition(RuntimeError, message, lambda g: g == g), error.detach())


def mark(x: TensorLike) -> Tensor:
    """Return a stand-in for an argument, at which the reverse pass stops and collects."""
    x = as_tensor(x)
    if x.array.dtype.kind != "f":
        raise TypeError(
            f"grad: expected a float argument, got {x.array.dtype}; cast it to float32."
        )
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


def is_freed(y: Tensor) -> bool:
    """Whether a reverse pass has gone through the graph of `y`, and no other one can."""
    while y.node is not None and y.node[0].name in VIEWS:
        y = y.node[1][0]
    return y.node is _FREED


def backward(
    root: Tensor,
    gradient: TensorLike | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Backpropagate: add d(root)/d(leaf) to `.grad` of every leaf that requires it.

    Args:
        root: a result of tensors that require a gradient.
        gradient: the error that flows in, of root's shape; 1 for a single element.
        retain_graph: keep what a second pass through the same graph needs; as `create_graph` by
            default.
        create_graph: whether the gradients can be differentiated themselves.
        inputs: what gradients are added to, in the place of all leaves.

    Raises:
        ValueError: when `gradient` is left out and there is more than one element, when its
            shape is wrong, or when nothing here requires a gradient.
        RuntimeError: when the graph was freed, or a needed value was changed in place.
    """
    if not root.requires_grad:
        raise ValueError(
            "backward: expected a result of tensors that require a gradient, got one that depends "
            "on none; set requires_grad=True, and compute outside no_grad()."
        )
    token = RECORDING.set(create_graph)
    try:
        accumulate(
            [root],
            [initial_error(root, gradient)],
            inputs=[inputs] if isinstance(inputs, Tensor) else inputs,
            retain_graph=create_graph if retain_graph is None else retain_graph,
        )
    finally:
        RECORDING.reset(token)


def accumulate(
    roots: Sequence[Tensor],
    errors: Sequence[Tensor],
    *,
    inputs: Sequence[Tensor] | None = None,
    retain_graph: bool,
) -> None:
    """Carry `errors` from `roots` back, and add what arrives to `.grad` of leaves, or of inputs."""
    targets = None if inputs is None else frozenset(inputs)
    recording = RECORDING.get()
    arrived = reverse(
        roots, errors, targets=targets, beyond=targets is not None, retain_graph=retain_graph
    )
    for x in list(arrived):
        g = arrived.pop(x)
        if targets is not None and x not in targets:
            continue
        if x.grad is not None:
            x.grad = _added_in_place(x.grad, g)
        elif type(g) is RowGradient or recording:
            x.grad = g
        else:
            # Memory of its own: the same error may have arrived at several leaves.
            x.grad = leaf(storage.own(g) if TRACER.get() is None else g.array)
        if Hooks.used:
            run_after(x)


def _added_in_place(gradient: Tensor, g: Tensor) -> Tensor:
    """Return a gradient with `g` added to it: the same tensor, unless it is more than its array."""
    total = gradient + g
    is_plain = type(gradient) is not RowGradient and gradient.is_leaf
    if RECORDING.get() or not is_plain or gradient.requires_grad:
        return total
    tracer = TRACER.get()
    if tracer is None:
        return storage.give("backward", gradient, total)
    tracer.assign(gradient, total)
    return gradient


def initial_error(root: Tensor, gradient: TensorLike | None) -> Tensor:
    """Return the error that flows into a root: what was given, or 1 for a single element."""
    if gradient is None:
        if root.size != 1:
            raise ValueError(
                f"backward: expected one element or a gradient, got shape {root.shape}; reduce it "
                "with sum() or mean(), or pass gradient=."
            )
        return leaf(np.ones(root.shape, root.array.dtype))
    error = astype(as_tensor(gradient), root.array.dtype)
    if error.shape != root.shape:
        raise ValueError(f"backward: expected a gradient of shape {root.shape}, got {error.shape}.")
    # A copy: what arrives is kept, and the caller may write into the array that was given.
    is_plain_array = TRACER.get() is None and not error.requires_grad
    return leaf(error.array.copy()) if is_plain_array else error
