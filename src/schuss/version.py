"""The version, alone in a module so that nothing has to reach up to the public face for it."""

__all__ = ["__version__"]

__version__ = "0.1.0"
