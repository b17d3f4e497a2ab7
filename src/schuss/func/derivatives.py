"""Derivatives of functions of nested tensors, and modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from schuss import nn, transforms
from schuss.core import Tensor, leaf
from schuss.func.vmap import vmap
from schuss.functions import reshape, stack
from schuss.primitives.base import as_tensor
from schuss.trees import leaves, mapped

__all__ = ["functional_call", "grad", "grad_and_value", "hessian", "jacfwd", "jacrev", "jvp"]
__all__ += ["stack_module_state", "vjp"]

Argnums = int | Sequence[int]


def _chosen(args: tuple[Any, ...], argnums: Argnums) -> Any:
    return args[argnums] if isinstance(argnums, int) else tuple(args[i] for i in argnums)


def _with_chosen(args: tuple[Any, ...], argnums: Argnums, chosen: Any) -> list[Any]:
    given = list(args)
    for place, value in zip(
        [argnums] if isinstance(argnums, int) else argnums,
        [chosen] if isinstance(argnums, int) else chosen,
        strict=True,
    ):
        given[place] = value
    return given


def _flattened(func: Callable[..., Any], tree: Any) -> Callable[..., Any]:
    """Return `func` of a nested argument as one of its tensors."""

    def flat(*values: Tensor) -> Any:
        rest = iter(values)
        return func(mapped(lambda _: next(rest), tree))

    return flat


def _like(tree: Any, values: Sequence[Any]) -> Any:
    rest = iter(values)
    return mapped(lambda _: next(rest), tree)


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """Return a function that gives the gradient of `func`, and its value.

    Args:
        func: returns one element, or (one element, anything) with `has_aux`.
        argnums: which arguments it is differentiated by: tensors, or nested containers of them.
        has_aux: whether `func` returns something beside the value.

    >>> from schuss import func, tensor
    >>> slopes, value = func.grad_and_value(lambda p: (p["w"] ** 2).sum())({"w": tensor([3.0])})
    >>> slopes
    {'w': tensor([6.])}
    """

    def wrapped(*args: Any, **options: Any) -> tuple[Any, Any]:
        chosen = _chosen(args, argnums)

        def of_chosen(tree: Any) -> Any:
            return func(*_with_chosen(args, argnums, tree), **options)

        values = leaves(chosen)
        both = transforms.value_and_grad(
            _flattened(of_chosen, chosen), tuple(range(len(values))), has_aux=has_aux
        )
        value, slopes = both(*values)
        return _like(chosen, slopes), value

    return wrapped


def grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """Return a function that gives the gradient of `func`; see `grad_and_value`.

    With `has_aux` it gives the gradient and what else `func` returns.
    """
    both = grad_and_value(func, argnums, has_aux)

    def wrapped(*args: Any, **options: Any) -> Any:
        slopes, value = both(*args, **options)
        return (slopes, value[1]) if has_aux else slopes

    return wrapped


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Return func's value, and the function that takes an error in it back to each argument.

    Args:
        func: takes and returns tensors, or nested containers of them.
        primals: the arguments.
        has_aux: whether `func` returns a pair of the value and something else, which comes last.
    """
    kept: list[Any] = []

    def flat(*values: Tensor) -> Any:
        found = func(*_like(primals, values))
        value, *aux = found if has_aux else (found,)
        kept[:] = [value, *aux]
        return tuple(leaves(value))

    outputs, pull = transforms.vjp(flat, *leaves(primals))
    value, *aux = kept
    result = _like(value, outputs)

    def pulled(*errors: Any) -> tuple[Any, ...]:
        given = errors[0] if len(errors) == 1 else errors
        return tuple(_like(primals, pull(*leaves(given))))

    return (result, pulled, *aux)


def jvp(
    func: Callable[..., Any],
    primals: tuple[Any, ...],
    tangents: tuple[Any, ...],
    *,
    has_aux: bool = False,
) -> Any:
    """Return func's value, and what it changes by for a step along the tangents.

    Args:
        func: takes and returns tensors, or nested containers of them.
        primals: a tuple of the arguments.
        tangents: of the same structure and shapes.
        has_aux: whether `func` returns a pair of the value and something else, which comes last.
    """
    kept: list[Any] = []

    def flat(*values: Tensor) -> Any:
        found = func(*_like(primals, values))
        value, *aux = found if has_aux else (found,)
        kept[:] = [value, *aux]
        return tuple(leaves(value))

    outputs, changes = transforms.jvp(flat, tuple(leaves(primals)), tuple(leaves(tangents)))
    value, *aux = kept
    return (_like(value, outputs), _like(value, changes), *aux)


def _basis(x: Tensor) -> Tensor:
    """Return for each element of x a tensor of its shape that is 1 there, and 0 elsewhere."""
    return leaf(np.eye(x.size, dtype=x.array.dtype).reshape(x.size, *x.shape))


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """Return a function that gives the Jacobian of `func`, a row for each element of the result.

    Args:
        func: returns a tensor, or nested containers of them.
        argnums: which arguments it is differentiated by.
        has_aux: whether `func` returns a pair of the result and something else.
        chunk_size: how many rows are computed at once.

    Returns:
        A function whose result has, for each tensor of func's result and each argument, the
        shapes of both together.

    >>> from schuss import func, tensor
    >>> func.jacrev(lambda x: x * x)(tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def wrapped(*args: Any) -> Any:
        chosen = _chosen(args, argnums)
        found = vjp(lambda tree: func(*_with_chosen(args, argnums, tree)), chosen, has_aux=has_aux)
        value, pull, *aux = found
        outputs = leaves(value)

        def rows(place: int) -> Any:
            def row(error: Tensor) -> Any:
                errors = [
                    error if n == place else leaf(np.zeros(y.shape, y.dtype))
                    for n, y in enumerate(outputs)
                ]
                return pull(_like(value, errors))[0]

            y = outputs[place]
            stacked = vmap(row, chunk_size=chunk_size)(_basis(y))
            return mapped(lambda j: reshape(j, (*y.shape, *j.shape[1:])), stacked)

        jacobian = _like(value, [rows(n) for n in range(len(outputs))])
        return (jacobian, *aux) if has_aux else jacobian

    return wrapped


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """Return a function that gives the Jacobian of `func`, a column for each element of arguments.

    It costs less than `jacrev` where there are fewer arguments than results.

    >>> from schuss import func, tensor
    >>> func.jacfwd(lambda x: x * x)(tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """

    def wrapped(*args: Any) -> Any:
        chosen = _chosen(args, argnums)
        inputs = [as_tensor(x) for x in leaves(chosen)]
        aux: list[Any] = []

        def columns(place: int) -> Any:
            def column(step: Tensor) -> Any:
                steps = [
                    step if n == place else leaf(np.zeros(x.shape, x.array.dtype))
                    for n, x in enumerate(inputs)
                ]
                _, change, *more = jvp(
                    lambda tree: func(*_with_chosen(args, argnums, tree)),
                    (chosen,),
                    (_like(chosen, steps),),
                    has_aux=has_aux,
                )
                aux[:] = more
                return change

            x = inputs[place]
            stacked = vmap(column, out_dims=-1, randomness=randomness)(_basis(x))
            return mapped(lambda j: reshape(j, (*j.shape[:-1], *x.shape)), stacked)

        found = [columns(n) for n in range(len(inputs))]
        jacobian = mapped(lambda *parts: _like(chosen, parts), *found)
        return (jacobian, *aux) if has_aux else jacobian

    return wrapped


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """Return a function that gives the second derivatives of `func`.

    >>> from schuss import func, tensor
    >>> func.hessian(lambda x: (x * x * x).sum())(tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """
    return jacfwd(jacrev(func, argnums), argnums)


def functional_call(
    module: nn.Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Return module(*args, **kwargs) with other parameters and buffers in the place of its own.

    Args:
        module: the network.
        parameter_and_buffer_dicts: dotted names to tensors, or several dictionaries of them.
        args: a tuple of arguments, or one argument.
        kwargs: keyword arguments.
        tie_weights: taken and without effect.
        strict: taken and without effect.
    """
    dicts = parameter_and_buffer_dicts
    named = (
        dict(dicts) if isinstance(dicts, Mapping) else {k: v for d in dicts for k, v in d.items()}
    )
    given = args if isinstance(args, tuple) else (args,)
    return nn.functional_call(module, named, *given, **(kwargs or {}))


def stack_module_state(models: Sequence[nn.Module]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return the parameters and the buffers of networks alike, stacked along a first axis.

    >>> from schuss import func, nn, ones
    >>> nets = [nn.Linear(2, 1) for _ in range(3)]
    >>> parameters, buffers = func.stack_module_state(nets)
    >>> run = lambda p, x: func.functional_call(nets[0], p, x)
    >>> func.vmap(run, in_dims=(0, None))(parameters, ones((5, 2))).shape
    (3, 5, 1)
    """
    if not models or len({type(m) for m in models}) != 1:
        raise RuntimeError("stack_module_state: expected at least one network, all of one class.")

    def stacked(kind: str) -> dict[str, Tensor]:
        all_named = [dict(getattr(m, kind)()) for m in models]
        made = {name: stack([named[name].detach() for named in all_named]) for name in all_named[0]}
        return {
            name: x.requires_grad_(all_named[0][name].requires_grad) for name, x in made.items()
        }

    return stacked("named_parameters"), stacked("named_buffers")
