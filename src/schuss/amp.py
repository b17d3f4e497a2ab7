"""Mixed precision by PyTorch's names: `autocast`, and the scaling of losses that float16 needs."""

from __future__ import annotations

import math
import warnings
from typing import Any

from schuss.core import Tensor, no_grad
from schuss.mixed_precision import autocast

__all__ = ["GradScaler", "autocast"]


class GradScaler:
    """Scale losses up and gradients down again, and leave out steps whose gradients overflow.

    The factor is a power of two, so that what does not overflow is the same without. After a step
    with gradients that are not finite it is multiplied by `backoff_factor`, and after
    `growth_interval` steps without by `growth_factor`. Numbers here have the range of float32,
    also within `autocast`, so that nothing is lost without a scaler.

    Args:
        device: "cpu"; for another one, which is not there, nothing is scaled.
        init_scale: the factor at first, above 0.
        growth_factor: above 1.
        backoff_factor: between 0 and 1.
        growth_interval: steps.
        enabled: False to do without.

    Raises:
        ValueError: for factors out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer, scaler = ss.optim.SGD([p], lr=0.5), GradScaler("cpu")
    >>> scaler.scale((p * p).sum()).backward()
    >>> scaler.step(optimizer)
    >>> scaler.update(); p.tolist()
    [0.0]
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if not (init_scale > 0 and growth_factor > 1 and 0 < backoff_factor < 1):
            raise ValueError(
                "GradScaler: expected init_scale above 0, growth_factor above 1 and backoff_factor "
                f"between 0 and 1, got {init_scale}, {growth_factor} and {backoff_factor}."
            )
        if enabled and str(device).partition(":")[0] != "cpu":
            warnings.warn(f"GradScaler: there is no {device}; nothing is scaled.", stacklevel=2)
            enabled = False
        self._enabled = enabled
        self._scale = float(init_scale)
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = 0
        # Of optimisers scaled down since the last update: whether their gradients are finite.
        self._unscaled: dict[int, bool] = {}

    def is_enabled(self) -> bool:
        """Return whether anything is scaled."""
        return self._enabled

    def get_scale(self) -> float:
        """Return the factor, 1 without scaling."""
        return self._scale if self._enabled else 1.0

    def scale(self, outputs: Any) -> Any:
        """Return a loss, or each of a list or tuple of them, times the factor."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        return type(outputs)(self.scale(x) for x in outputs)

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimiser's parameters by the factor, as before clipping them.

        Raises:
            RuntimeError: when they were, since the last `update`.
        """
        if not self._enabled:
            return
        if id(optimizer) in self._unscaled:
            raise RuntimeError("GradScaler: expected unscale_ once for each step, got it twice.")
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        finite = True
        with no_grad():
            for gradient in [p.grad for p in parameters if p.grad is not None]:
                gradient.mul_(1.0 / self._scale)
                finite = finite and math.isfinite(gradient.abs().sum().item())
        self._unscaled[id(optimizer)] = finite

    def step(self, optimizer: Any, *args: Any, **options: Any) -> Any:
        """Take a step of an optimiser, unless its gradients overflowed; return what it returns."""
        if not self._enabled:
            return optimizer.step(*args, **options)
        if id(optimizer) not in self._unscaled:
            self.unscale_(optimizer)
        return optimizer.step(*args, **options) if self._unscaled[id(optimizer)] else None

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Change the factor after the steps of an iteration, or set it."""
        if not self._enabled:
            return
        finite = all(self._unscaled.values())
        self._unscaled.clear()
        if new_scale is not None:
            self._scale = float(new_scale)
        elif not finite:
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
        else:
            self._growth_tracker += 1
            if self._growth_tracker == self._growth_interval:
                self._scale *= self._growth_factor
                self._growth_tracker = 0

    def state_dict(self) -> dict[str, Any]:
        """Return the factor and all that it depends on, empty without scaling."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up what `state_dict` returned."""
        if self._enabled:
            for name, value in state_dict.items():
                setattr(self, name if name.startswith("_") else f"_{name}", value)
