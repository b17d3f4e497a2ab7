"""Kernels: operations that are no elementwise loops, one file each."""
