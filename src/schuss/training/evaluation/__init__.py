"""A model on rows: its outputs, its loss and its metrics."""
