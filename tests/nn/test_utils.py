from __future__ import annotations

from schuss import nn, optim


def test_clipping_is_found_where_torch_has_it() -> None:
    assert nn.utils.clip_grad_norm_ is optim.clip_grad_norm_
    assert nn.utils.clip_grad_value_ is optim.clip_grad_value_
