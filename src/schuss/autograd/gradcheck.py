"""Derivatives held to central differences by PyTorch's arguments; `check_gradients` does more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from schuss.autograd.gradients import grad
from schuss.core import Array, Tensor, enable_grad, leaf, no_grad
from schuss.errors import GradientError

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

GradcheckError = GradientError


def gradcheck(
    func: Callable[..., Any],
    inputs: Any,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Tell whether derivatives of a function are what central differences say.

    All elements of the Jacobian are compared: |found - expected| <= atol + rtol * |expected|.

    Args:
        func: returns a tensor, or several.
        inputs: a tensor, or a tuple of arguments; those of float64 that require a gradient are
            checked.
        eps: the step of the differences.
        atol: the largest absolute error.
        rtol: the largest relative error.
        raise_exception: whether a wrong one raises.
        nondet_tol: PyTorch's, without effect, as all that follow.
        check_undefined_grad: see `nondet_tol`.
        check_grad_dtypes: see `nondet_tol`.
        check_batched_grad: see `nondet_tol`.
        check_batched_forward_grad: see `nondet_tol`.
        check_forward_ad: see `nondet_tol`.
        check_backward_ad: see `nondet_tol`.
        fast_mode: see `nondet_tol`.
        masked: see `nondet_tol`.

    Raises:
        GradientError: for a wrong derivative.
        ValueError: where no input requires a gradient.

    >>> from schuss import autograd, tensor
    >>> x = tensor([0.5, 2.0], dtype="float64", requires_grad=True)
    >>> autograd.gradcheck(lambda x: x * x, (x,))
    True
    """
    arguments = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    places = [i for i, x in enumerate(arguments) if isinstance(x, Tensor) and x.requires_grad]
    if not places:
        raise ValueError(
            "gradcheck: expected at least one input with requires_grad=True, got none."
        )
    try:
        _check(func, arguments, places, eps, atol, rtol)
    except GradientError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Any,
    grad_outputs: Any = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    **options: Any,
) -> bool:
    """Tell whether derivatives of a function's gradients are what central differences say.

    Args:
        func: returns a tensor, or several.
        inputs: as for `gradcheck`.
        grad_outputs: the errors in the results, which are arguments of the gradients, too; drawn
            by default.
        eps: the step of the differences.
        atol: the largest absolute error.
        rtol: the largest relative error.
        gen_non_contig_grad_outputs: without effect.
        raise_exception: whether a wrong one raises.
        **options: those of `gradcheck`.
    """
    arguments = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    places = [i for i, x in enumerate(arguments) if isinstance(x, Tensor) and x.requires_grad]
    errors = _errors(_floats(func(*arguments)), grad_outputs)
    count = len(arguments)

    def slopes(*given: Any) -> tuple[Tensor, ...]:
        with enable_grad():
            own = [_wanting(x) if i in places else x for i, x in enumerate(given[:count])]
            results = _floats(func(*own))
            return grad(
                results, [own[i] for i in places], given[count:], create_graph=True,
                allow_unused=True, materialize_grads=True,
            )  # fmt: skip

    return gradcheck(
        slopes, (*arguments, *errors), eps=eps, atol=atol, rtol=rtol,
        raise_exception=raise_exception, **options,
    )  # fmt: skip


def _wanting(x: Any) -> Any:
    return x if x.requires_grad else leaf(x.array).requires_grad_()


def _errors(results: Sequence[Tensor], given: Any) -> list[Tensor]:
    if given is not None:
        return list(given) if isinstance(given, (tuple, list)) else [given]
    draws = np.random.default_rng(0)
    return [
        leaf(draws.normal(size=y.shape).astype(y.array.dtype)).requires_grad_() for y in results
    ]


def _floats(out: Any) -> list[Tensor]:
    parts = out if isinstance(out, (tuple, list)) else (out,)
    return [y for y in parts if isinstance(y, Tensor) and y.array.dtype.kind == "f"]


def _check(
    func: Callable[..., Any],
    arguments: tuple[Any, ...],
    places: list[int],
    eps: float,
    atol: float,
    rtol: float,
) -> None:
    """Raise GradientError where the two Jacobians of an output by an input are apart."""
    results = _floats(func(*arguments))
    targets = [arguments[i] for i in places]
    for number, place in enumerate(places):
        expected = _differences(func, arguments, place, eps)
        for out, (y, differences) in enumerate(zip(results, expected, strict=True)):
            found = np.stack([_row(y, targets, number, k) for k in range(y.size)]) if y.size else 0
            apart = np.abs(found - differences) > atol + rtol * np.abs(differences)
            if np.any(apart):
                raise GradientError(
                    f"gradcheck: expected the Jacobian of output {out} by input {place} to be that "
                    f"of central differences, got\n{found}\nfor\n{differences}"
                )


def _row(y: Tensor, targets: list[Tensor], number: int, element: int) -> Array:
    """Return the gradient of one element of a result by one input, flat."""
    target = targets[number]
    if not y.requires_grad:
        return np.zeros(target.size, y.array.dtype)
    error = np.zeros(y.size, y.array.dtype)
    error[element] = 1.0
    (slope,) = grad(
        y, target, leaf(error.reshape(y.shape)), retain_graph=True, allow_unused=True,
        materialize_grads=True,
    )  # fmt: skip
    return np.asarray(slope.array).reshape(-1)


def _differences(
    func: Callable[..., Any], arguments: tuple[Any, ...], place: int, eps: float
) -> list[Array]:
    """Return, for each result, the Jacobian by one input, shape (its size, the input's)."""
    x = arguments[place].array
    columns: list[list[Array]] = []
    with no_grad():
        for k in range(x.size):
            ends = []
            for sign in (1.0, -1.0):
                moved = x.reshape(-1).copy()
                moved[k] += sign * eps
                given = [*arguments]
                given[place] = leaf(moved.reshape(x.shape))
                ends.append([y.array.reshape(-1) for y in _floats(func(*given))])
            columns.append([(a - b) / (2 * eps) for a, b in zip(*ends, strict=True)])
    count = len(_floats(func(*arguments)))
    return [np.stack([c[i] for c in columns], 1) for i in range(count)]
