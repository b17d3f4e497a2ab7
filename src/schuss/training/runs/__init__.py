"""Runs on disk: folder, checkpoints, lock, and what Ctrl-C does."""
