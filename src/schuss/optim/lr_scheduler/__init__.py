"""Learning-rate schedulers: objects that set an optimizer's learning rates, step by step.

The values come from the functions of `schuss.optim.schedules`.
"""

from schuss.optim.lr_scheduler.base import LRScheduler
from schuss.optim.lr_scheduler.closed_form import (
    ConstantLR,
    CosineAnnealingLR,
    CosineAnnealingWarmRestarts,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from schuss.optim.lr_scheduler.one_cycle import OneCycleLR
from schuss.optim.lr_scheduler.plateau import ReduceLROnPlateau
from schuss.optim.lr_scheduler.sequential import SequentialLR

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]
