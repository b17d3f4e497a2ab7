"""AdamW: Adam with decoupled weight decay."""

from __future__ import annotations

from schuss.optim.adam import Adam
from schuss.optim.param_groups import Params

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam with weight decay of its own, beside the gradient: p = p - lr * weight_decay * p.

    The rest of the step is Adam's; see there. Loshchilov and Hutter, 2017, arXiv 1711.05101,
    with lr as a factor of the decay.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        betas: shares of the old mean and of the old mean square that are kept, in [0, 1).
        eps: added to the root, >= 0.
        weight_decay: share of the parameters, times lr, taken off at each step, >= 0.
        amsgrad: divide by the largest mean square so far.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = AdamW([p], lr=0.5, weight_decay=0.1)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.45
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            decoupled_weight_decay=True,
        )
