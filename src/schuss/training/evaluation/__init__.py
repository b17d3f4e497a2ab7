"""Evaluation: examples, the loss, metrics, and a model's outputs on many rows."""
