"""Differentiation by PyTorch's names: `grad`, `backward`, operations with their own derivative.

`schuss.grad`, `vjp`, `jvp` and `hvp` differentiate functions; what is here goes by the tensors that
were computed.
"""

from __future__ import annotations

from schuss.autograd import function, functional
from schuss.autograd.function import Function
from schuss.autograd.gradients import Variable, backward, grad
from schuss.gradcheck import check_gradients as gradcheck
from schuss.modes import enable_grad, no_grad

__all__ = [
    "Function",
    "Variable",
    "backward",
    "enable_grad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "no_grad",
]
