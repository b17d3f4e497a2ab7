"""NumPy values of primitives that take more than a line."""
