"""einops takes tensors: its backend for them, which is made when einops is imported, if ever."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import util
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from schuss.core import Tensor

__all__ = ["register"]

# Where einops looks for the subclasses of its AbstractBackend.
_BACKENDS = "einops._backends"


def _define(module: Any) -> None:
    """Make the backend, a subclass of the abstract one, which einops finds by itself."""
    # Only now: whoever loads the operations makes einops be watched for, too.
    from schuss.functions import creation, products, reductions, shapes
    from schuss.primitives import movement, reduction
    from schuss.primitives.base import from_numpy

    reductions_of: dict[str, Any] = {
        "all": reductions.all,
        "any": reductions.any,
        "max": reduction.max,
        "mean": reduction.mean,
        "min": reduction.min,
        "prod": reductions.prod,
        "sum": reduction.sum,
    }

    class SchussBackend(module.AbstractBackend):  # type: ignore[misc]  # of a module given
        """What einops asks of a library."""

        framework_name = "schuss"

        def is_appropriate_type(self, tensor: Any) -> bool:
            return isinstance(tensor, Tensor)

        def from_numpy(self, x: Any) -> Tensor:
            return from_numpy(x)

        def to_numpy(self, x: Tensor) -> Any:
            return x.numpy()

        def arange(self, start: int, stop: int) -> Tensor:
            return creation.arange(start, stop)

        def reshape(self, x: Tensor, shape: Sequence[int]) -> Tensor:
            return movement.reshape(x, shape)

        def transpose(self, x: Tensor, axes: Sequence[int]) -> Tensor:
            return movement.permute_dims(x, axes)

        def reduce(self, x: Tensor, operation: str, axes: Sequence[int]) -> Tensor:
            found: Tensor = reductions_of[operation](x, axis=tuple(axes))
            return found

        def stack_on_zeroth_dimension(self, tensors: Sequence[Tensor]) -> Tensor:
            return movement.stack(tensors, axis=0)

        def add_axis(self, x: Tensor, new_position: int) -> Tensor:
            return shapes.expand_dims(x, new_position)

        def tile(self, x: Tensor, repeats: tuple[int, ...]) -> Tensor:
            return shapes.tile(x, repeats)

        def concat(self, tensors: Sequence[Tensor], axis: int) -> Tensor:
            return movement.concat(tensors, axis=axis)

        def is_float_type(self, x: Tensor) -> bool:
            return x.array.dtype.kind == "f"

        def einsum(self, pattern: str, *x: Tensor) -> Tensor:
            return products.einsum(pattern, *x)

    # Beside the others: a class that nobody refers to goes.
    module.SchussBackend = SchussBackend


class _Watch:
    """Waits, among the finders of imports, for einops."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return einops' own spec, with our backend made after its module has run."""
        if name != _BACKENDS:
            return None
        sys.meta_path.remove(self)
        spec = util.find_spec(name)
        loader: Any = spec and spec.loader
        if loader is not None:
            run = loader.exec_module

            def run_and_define(module: ModuleType) -> None:
                run(module)
                _define(module)

            loader.exec_module = run_and_define
        return spec


def register() -> None:
    """Have the backend made, now if einops is imported, else when it is."""
    module = sys.modules.get(_BACKENDS)
    if module is not None:
        _define(module)
    else:
        sys.meta_path.insert(0, _Watch())


register()
