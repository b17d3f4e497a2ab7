"""Preparing tables for training: preprocessing, the target, weights, leaks."""
