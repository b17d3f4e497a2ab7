"""What an optimizer's saved state holds, read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from schuss.core import Tensor, leaf
from schuss.optim.param_groups import Group

__all__ = ["saved_options", "taken"]


def saved_options(group: Mapping[str, Any]) -> Group:
    """Return the hyperparameters of a group that was saved, where tuples may have become lists."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in group.items()
        if name not in ("params", "param_names")
    }


def taken(value: Any) -> Any:
    """Return something that was saved, tensors (other libraries', too) as tensors of one's own."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(taken, value))
    if isinstance(value, Tensor) or not hasattr(value, "__array__"):
        return Tensor(value) if isinstance(value, Tensor) else value
    return leaf(np.asarray(value).copy())
