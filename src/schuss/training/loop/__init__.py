"""The training loop: epochs of steps, callbacks, progress, and what came of it."""
