"""Primitive operations: each is defined once, all its faces side by side, one file a family."""
