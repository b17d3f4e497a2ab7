"""The default network for pictures, and for whatever else has the form of pictures."""

from schuss.nn.vision.residual import ResidualNetwork

__all__ = ["ResidualNetwork"]
