"""Functions of functions, by the names of `torch.func`: batching and derivatives.

>>> from schuss import func, tensor
>>> func.vmap(lambda x: (x * x).sum())(tensor([[1.0, 2.0], [3.0, 4.0]]))
tensor([ 5., 25.])
"""

from __future__ import annotations

from schuss.func.derivatives import (
    functional_call,
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    stack_module_state,
    vjp,
)
from schuss.func.vmap import vmap

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "stack_module_state",
    "vjp",
    "vmap",
]
