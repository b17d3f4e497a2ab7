"""Gradient descent: the training step, taken eagerly or compiled; schedules, averages, health."""
