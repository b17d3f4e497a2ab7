"""The arguments that PyTorch has given up for `reduction=`, which older code still gives."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any

__all__ = ["take_size_average"]


def take_size_average(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a loss, or what makes one, that takes `size_average=` and `reduce=`, too.

    >>> import warnings
    >>> from schuss.nn.functional import mse_loss
    >>> from schuss import ones, zeros
    >>> with warnings.catch_warnings(action="ignore"):
    ...     mse_loss(ones(3), zeros(3), size_average=False).item()
    3.0
    """

    @wraps(call)
    def taking(*arguments: Any, **options: Any) -> Any:
        if "size_average" in options or "reduce" in options:
            averaged, reduced = options.pop("size_average", None), options.pop("reduce", None)
            if averaged is not None or reduced is not None:
                options["reduction"] = _meant(averaged is not False, reduced is not False)
        return call(*arguments, **options)

    return taking


def _meant(averaged: bool, reduced: bool) -> str:
    reduction = ("mean" if averaged else "sum") if reduced else "none"
    warnings.warn(
        f"size_average= and reduce= are given up in PyTorch; write reduction={reduction!r}.",
        DeprecationWarning,
        stacklevel=3,
    )
    return reduction
