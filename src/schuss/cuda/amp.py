"""What programs ask of `torch.cuda.amp`: without a device of that kind, it does nothing."""

from __future__ import annotations

from typing import Any

from schuss import amp

__all__ = ["GradScaler", "autocast"]


class GradScaler(amp.GradScaler):
    """A scaler that scales nothing: there is no such device."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__(
            "cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled=False
        )


class autocast(amp.autocast):  # noqa: N801  # PyTorch's name
    """Compute as outside: there is no such device."""

    def __init__(
        self, enabled: bool = True, dtype: Any = None, cache_enabled: bool | None = None
    ) -> None:
        super().__init__("cpu", enabled=False)
