"""Learning-rate schedulers: objects that set an optimizer's learning rates, step by step.

The values come from the functions of `schuss.optim.schedules`.
"""

from schuss.optim.lr_scheduler.base import LRScheduler
from schuss.optim.lr_scheduler.by_function import LambdaLR, MultiplicativeLR
from schuss.optim.lr_scheduler.closed_form import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
    WarmupStableDecayLR,
)
from schuss.optim.lr_scheduler.cyclic import CyclicLR
from schuss.optim.lr_scheduler.one_cycle import OneCycleLR
from schuss.optim.lr_scheduler.plateau import ReduceLROnPlateau
from schuss.optim.lr_scheduler.sequential import ChainedScheduler, SequentialLR

_LRScheduler = LRScheduler  # the older name, which subclasses are still made of

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "WarmupStableDecayLR",
]
