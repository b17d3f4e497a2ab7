"""Differentiation by PyTorch's names: `grad`, `backward`, operations with their own derivative.

`schuss.grad`, `vjp`, `jvp` and `hvp` differentiate functions; what is here goes by the tensors that
were computed.
"""

from __future__ import annotations

from schuss.autograd import function, functional
from schuss.autograd.anomaly import detect_anomaly, set_detect_anomaly
from schuss.autograd.function import Function
from schuss.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from schuss.autograd.gradients import Variable, backward, grad
from schuss.modes import enable_grad, no_grad

__all__ = [
    "Function",
    "GradcheckError",
    "Variable",
    "backward",
    "detect_anomaly",
    "enable_grad",
    "function",
    "functional",
    "grad",
    "gradcheck",
    "gradgradcheck",
    "no_grad",
    "set_detect_anomaly",
]
