"""What PyTorch's programs set for the whole process: gradients, dtypes, printing."""

from __future__ import annotations

from types import TracebackType
from typing import Any

import numpy as np

from schuss.core import RECORDING, Tensor, supported_dtype
from schuss.data_type import data_type, dtype
from schuss.devices import CPU, device, require_cpu
from schuss.dtypes import DEFAULTS
from schuss.hooks import CHANGES
from schuss.modes import no_grad

__all__ = ["get_default_dtype", "inference_mode", "set_default_dtype", "set_grad_enabled"]
__all__ += ["set_default_device", "set_default_tensor_type", "set_printoptions"]
__all__ += ["are_deterministic_algorithms_enabled", "use_deterministic_algorithms"]
__all__ += ["get_default_device", "get_float32_matmul_precision", "set_float32_matmul_precision"]
__all__ += ["get_num_interop_threads", "set_num_interop_threads"]


class set_grad_enabled:  # noqa: N801  # PyTorch's name
    """Record operations from now on, or not; in a `with` block until its end.

    >>> from schuss.core import is_grad_enabled
    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    """

    def __init__(self, mode: bool) -> None:
        self._before = RECORDING.get()
        RECORDING.set(bool(mode))

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        RECORDING.set(self._before)


def inference_mode(mode: Any = True) -> Any:
    """Do not record operations, in a `with` block or a function: `no_grad`.

    Args:
        mode: False to record them all the same; or a function, as of a decorator.
    """
    if callable(mode):
        return no_grad()(mode)
    return no_grad() if mode else set_grad_enabled(RECORDING.get())


def get_default_dtype() -> dtype:
    """Return the dtype of numbers with a point, and of layers: float32, unless it was set."""
    return data_type(DEFAULTS.floating)


def set_default_dtype(d: Any) -> None:
    """Let numbers with a point, new tensors and layers have a dtype where none is given.

    Args:
        d: float32, as at the start, or float64. Compiled functions are traced again.

    Raises:
        TypeError: for another one.
    """
    if isinstance(d, Tensor):
        raise TypeError("set_default_dtype: expected a dtype, got a tensor; give its dtype.")
    wanted = supported_dtype(d)
    if wanted.kind != "f":
        raise TypeError(f"set_default_dtype: expected float32 or float64, got {wanted}.")
    if wanted != DEFAULTS.floating:
        DEFAULTS.floating = wanted
        CHANGES.value += 1


def set_default_tensor_type(t: Any) -> None:
    """Set the default dtype by a type of tensors: `FloatTensor` or `DoubleTensor`, or its name."""
    name = t if isinstance(t, str) else getattr(t, "__name__", "")
    kind = {"FloatTensor": "float32", "DoubleTensor": "float64"}.get(name.rpartition(".")[2])
    if kind is None:
        raise TypeError(f"set_default_tensor_type: expected FloatTensor or DoubleTensor, got {t}.")
    set_default_dtype(kind)


def get_default_device() -> device:
    """Return the only device, "cpu"."""
    return CPU


def set_default_device(device: Any) -> None:
    """Take the only device, "cpu", which is None's, too.

    Raises:
        ValueError: for another one.
    """
    require_cpu("set_default_device", device)


class _Switches:
    """What can be set and read again, and changes nothing."""

    deterministic = False
    precision = "highest"
    threads = 1


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Take whether results have to be the same each time: they always are."""
    _Switches.deterministic = bool(mode)


def are_deterministic_algorithms_enabled() -> bool:
    """Return what `use_deterministic_algorithms` was told."""
    return _Switches.deterministic


def set_float32_matmul_precision(precision: str) -> None:
    """Take how exact products may be: they are float32's, unless `autocast` says otherwise.

    Args:
        precision: "highest", "high" or "medium".

    Raises:
        ValueError: for another word.
    """
    if precision not in ("highest", "high", "medium"):
        raise ValueError(
            f"set_float32_matmul_precision: expected 'highest', 'high' or 'medium', got "
            f"{precision!r}."
        )
    _Switches.precision = precision


def get_float32_matmul_precision() -> str:
    """Return what `set_float32_matmul_precision` was told."""
    return _Switches.precision


def set_num_interop_threads(threads: int) -> None:
    """Take how many operations may run side by side; see `set_num_threads` for each one's."""
    _Switches.threads = int(threads)


def get_num_interop_threads() -> int:
    """Return what `set_num_interop_threads` was told."""
    return _Switches.threads


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed, as arrays of NumPy are, whose options these are, too.

    Args:
        precision: digits behind the point.
        threshold: from so many elements on, some are left out.
        edgeitems: how many are shown at each end then.
        linewidth: columns of a line.
        profile: "default", "short" or "full".
        sci_mode: False for numbers without an exponent.
    """
    profiles: dict[str | None, dict[str, Any]] = {
        "default": {"precision": 4, "threshold": 1000, "edgeitems": 3, "linewidth": 80},
        "short": {"precision": 2, "threshold": 1000, "edgeitems": 2, "linewidth": 80},
        "full": {"precision": 4, "threshold": 2**60, "edgeitems": 3, "linewidth": 80},
        None: {},
    }
    if profile not in profiles:
        raise ValueError(f"set_printoptions: expected 'default', 'short' or 'full', got {profile}.")
    options = profiles[profile]
    given = {
        "precision": precision,
        "threshold": None if threshold is None else int(min(threshold, 2**60)),
        "edgeitems": edgeitems,
        "linewidth": linewidth,
        "suppress": None if sci_mode is None else not sci_mode,
    }
    np.set_printoptions(**(options | {k: v for k, v in given.items() if v is not None}))
