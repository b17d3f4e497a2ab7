"""What spectrograms look like: grey pictures for the sheets of a run."""

from __future__ import annotations

from typing import cast

import numpy as np

from schuss.core import Array, leaf, no_grad
from schuss.nn.module import Module
from schuss.training.sound.network import SoundNetwork

__all__ = ["shown"]

# What is shown black and white, in standard deviations.
_LOW, _HIGH = -2.0, 3.0


def shown(network: Module, inputs: Array) -> list[Array]:
    """Return what the convolutions see of inputs, low frequencies below.

    Args:
        network: a `SoundNetwork`.
        inputs: a batch, with or without the draws of its changes.

    Returns:
        For each, uint8 of shape (bands, window, 1).
    """
    with no_grad():
        seen = cast(SoundNetwork, network).pictures(leaf(inputs)).array[:, 0, ::-1, :, None]
    return list(np.clip((seen - _LOW) * (255.0 / (_HIGH - _LOW)), 0, 255).astype(np.uint8))
