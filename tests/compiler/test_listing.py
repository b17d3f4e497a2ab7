"""The listing of a program: its stages, and the layers that they come from."""

from __future__ import annotations

import re
from typing import Any

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.layers = nn.ModuleList([nn.Linear(width, width)])

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = x + ss.tanh(layer(self.norm(x)))
        return x


def test_stages_say_the_layer_that_they_come_from() -> None:
    ss.manual_seed(0)
    model = nn.Sequential(nn.Linear(32, 64), Block(64), nn.Linear(64, 10))
    descent = optim.Adam(model.parameters())
    loss_of = nn.CrossEntropyLoss()

    @compile
    def step(x: Any, y: Any) -> Any:
        loss = loss_of(model(x), y)
        descent.zero_grad()
        loss.backward()
        descent.step()
        return loss

    listing = str(step.graph(ss.randn(16, 32), ss.randint(0, 10, (16,))))
    stages = re.findall(r"^\d+: .*", listing, re.M)
    assert len(stages) > 10
    assert all(" of " in stage for stage in stages)
    layers = [
        *("0 (Linear)", "1.norm (LayerNorm)", "1.layers.0 (Linear)", "1 (Block)", "2 (Linear)"),
        "CrossEntropyLoss",
    ]
    for layer in layers:
        assert any(re.search(rf"of (.*, )?{re.escape(layer)}", stage) for stage in stages), layer
        assert f"backward of {layer}" in listing
    # A product belongs to its layer alone; the classes are checked before it.
    first = next(s for s in stages if "Linear" in s)
    assert first.endswith("of 0 (Linear)")
    # What all parameters share, and each of them.
    assert listing.count(" of Adam") == 1 + len(list(model.parameters()))


def test_what_no_layer_computes_says_none() -> None:
    listing = str(compile(lambda x: ss.exp(x) + 1.0).graph(ss.ones(3)))
    assert "0: loop 3 (" in listing
    assert " of " not in listing.partition("0: loop")[2]
