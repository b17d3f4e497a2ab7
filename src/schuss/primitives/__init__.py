"""Primitive operations: each is defined once, all its faces side by side, one file a family."""

# Loads the families in their order, whichever of them is asked for first.
import schuss.functions  # noqa: F401
