"""What is done to networks, by PyTorch's names: clipping, vectors, parametrizations."""

from __future__ import annotations

from schuss.nn.utils import parametrizations, parametrize, prune, rnn
from schuss.nn.utils.spectral_norm import remove_spectral_norm, spectral_norm
from schuss.nn.utils.vectors import parameters_to_vector, vector_to_parameters
from schuss.nn.utils.weight_norm import remove_weight_norm, weight_norm
from schuss.optim.clip import clip_grad_norm_, clip_grad_value_, get_total_norm

__all__ = [
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
    "parameters_to_vector",
    "parametrizations",
    "parametrize",
    "prune",
    "remove_spectral_norm",
    "remove_weight_norm",
    "rnn",
    "spectral_norm",
    "vector_to_parameters",
    "weight_norm",
]
