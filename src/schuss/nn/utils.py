"""Clipping of gradients, where PyTorch's users look for it; it is `schuss.optim`'s."""

from schuss.optim.clip import clip_grad_norm_, clip_grad_value_, get_total_norm

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]
