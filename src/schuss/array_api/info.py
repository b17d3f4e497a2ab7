"""What the namespace says of itself."""

from __future__ import annotations

from typing import Any

from schuss.array_api.data_types import KINDS
from schuss.data_type import bool, data_type, dtype, float32, float64, int32, int64
from schuss.devices import CPU, require_cpu
from schuss.dtypes import DEFAULTS

__all__ = ["NamespaceInfo"]


class NamespaceInfo:
    """What there is of the standard's: five dtypes, one device, and everything for those.

    There are bool, int32, int64, float32 and float64. There are no integers of 8 and 16 bits and no
    unsigned ones: networks compute with floats, and count and index with those two. There are no
    complex numbers, and without them the standard's `fft` extension cannot exist (`schuss.fft` has
    the transforms as pairs of real numbers); the `linalg` extension is there.
    """

    def capabilities(self) -> dict[str, Any]:
        """Return what is not the same in all libraries; the shapes hold outside of `compile`."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64}

    def default_device(self) -> str:
        """Return "cpu"."""
        return CPU

    def devices(self) -> list[str]:
        """Return the only device."""
        return [CPU]

    def default_dtypes(self, *, device: Any = None) -> dict[str, dtype]:
        """Return the dtypes of Python's numbers and of indices; there are no complex numbers."""
        require_cpu("default_dtypes", device)
        return {"real floating": data_type(DEFAULTS.floating), "integral": int64, "indexing": int64}

    def dtypes(
        self, *, device: Any = None, kind: str | tuple[str, ...] | None = None
    ) -> dict[str, dtype]:
        """Return the dtypes of a kind, of one of several kinds, or all of them, by their names.

        Args:
            device: "cpu".
            kind: as `isdtype` takes it, but no dtype; there are none of "unsigned integer" and of
                "complex floating".

        Raises:
            ValueError: for an unknown kind.
        """
        require_cpu("dtypes", device)
        kinds = (kind,) if isinstance(kind, str) else ("bool", "numeric") if kind is None else kind
        unknown = [k for k in kinds if k not in KINDS]
        if unknown:
            raise ValueError(f"dtypes: expected kinds of {', '.join(KINDS)}, got {unknown[0]!r}.")
        wanted = {dtype for k in kinds for dtype in KINDS[k]}
        every = {d.name: d for d in (bool, int32, int64, float32, float64)}
        return {name: dtype for name, dtype in every.items() if dtype in wanted}
