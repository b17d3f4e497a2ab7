"""Whose meaning a call has: PyTorch's or the array API standard's, as it is spelled."""
