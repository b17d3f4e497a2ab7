"""Products by matrices that lie in panels: of columns side by side, one panel behind the other.

Compiled loops have them, where one matrix is a factor at every step: packed once, before the loop.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Array
from schuss.lowering.kinds import Kernel
from schuss.primitives.base import NOT_DIFFERENTIABLE, Primitive

__all__ = ["panel_product"]


def _value(x: Array, panels: Array, *, columns: int) -> Any:
    return np.concatenate(list(np.matmul(x, panels)), 1)[:, :columns]


# x: (m, k); panels: (count, k, width), whose last columns may be beyond the result's.
panel_product = Primitive(
    "panel_product",
    value=_value,
    shape=lambda x, panels, *, columns: ((x[0][0], columns), x[1]),
    derivative=NOT_DIFFERENTIABLE,
    lower=Kernel("panel_product"),
)
