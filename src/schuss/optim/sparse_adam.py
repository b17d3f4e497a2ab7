"""SparseAdam: Adam for the rows that an embedding's sparse gradient has."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Adam for the sparse gradients of `nn.Embedding(..., sparse=True)`: a lazy variant.

    Only the rows that a gradient has are touched, their averages, too; for these,

    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * (g^2 - v)
    p = p - lr * sqrt(1 - beta2^step) / (1 - beta1^step) * m / (sqrt(v) + eps)

    A row that comes more than once in a batch has the sum of what arrives as its g. The steps
    counted are the parameter's. Kingma and Ba, 2014, arXiv 1412.6980, section 2, last form (eps
    beside the root that is not corrected), as PyTorch's SparseAdam.

    Args:
        params: tables, or groups of them; their gradients have to be sparse.
        lr: learning rate, >= 0.
        betas: shares of the old mean and of the old mean square that are kept, in [0, 1).
        eps: added to the root, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.
        RuntimeError: from `step`, for a gradient that is not sparse.

    >>> from schuss import nn, tensor
    >>> table = nn.Embedding(1000, 4, sparse=True)
    >>> before = table.weight.numpy().copy()
    >>> optimizer = SparseAdam(table.parameters(), lr=0.1)
    >>> table(tensor([3, 7, 3])).sum().backward()
    >>> optimizer.step()
    >>> (table.weight.numpy() != before).any(1).nonzero()[0].tolist()
    [3, 7]
    """

    needs_rows = True

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def goes_by_rows(self, group: Group) -> bool:
        """Return True."""
        return True

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the running mean and mean square, zero."""
        return {"exp_avg": zeros(parameter), "exp_avg_sq": zeros(parameter)}

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return the step size."""
        beta1, beta2 = group["betas"]
        return (ops.sqrt(1.0 - beta2**step) / (1.0 - beta1**step) * group["lr"],)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return rows of the parameter and of the averages after one step."""
        beta1, beta2 = group["betas"]
        (step_size,) = coefficients
        old_mean, old_square = state["exp_avg"], state["exp_avg_sq"]
        mean = old_mean + (gradient - old_mean) * (1.0 - beta1)
        square = old_square + (gradient * gradient - old_square) * (1.0 - beta2)
        moved = parameter - mean / (ops.sqrt(square) + group["eps"]) * step_size
        return moved, {"exp_avg": mean, "exp_avg_sq": square}
