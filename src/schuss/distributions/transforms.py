"""Transforms of draws, by the names of `torch.distributions.transforms`."""

from schuss.distributions import elementwise_transforms as _elementwise
from schuss.distributions import joint_transforms as _joint
from schuss.distributions.elementwise_transforms import *  # noqa: F403  # this module is these and more
from schuss.distributions.joint_transforms import *  # noqa: F403
from schuss.distributions.transform import (
    ComposeTransform,
    IndependentTransform,
    ReshapeTransform,
    Transform,
    identity_transform,
)

__all__ = ["ComposeTransform", "IndependentTransform", "ReshapeTransform", "Transform"]
__all__ += ["identity_transform", *_elementwise.__all__, *_joint.__all__]
