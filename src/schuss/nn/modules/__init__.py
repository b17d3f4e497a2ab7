"""Where PyTorch keeps its modules: `module` has hooks of all of them."""

from schuss.nn.modules import module

__all__ = ["module"]
