"""TabTransformer: categories attend to each other, numbers join in a residual network."""

from typing import List, Optional

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


class GEGLU(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        x, gates = x.chunk(2, dim=-1)
        return x * F.gelu(gates)


class Attention(nn.Module):
    def __init__(self, dim: int, heads: int = 2, dim_head: int = 4) -> None:
        super().__init__()
        inner = dim_head * heads
        self.heads, self.scale = heads, dim_head**-0.5
        self.to_qkv = nn.Linear(dim, inner * 3, bias=False)
        self.to_out = nn.Linear(inner, dim)

    def forward(self, x: Tensor, mask: Optional[Tensor] = None) -> Tensor:
        b, n, _ = x.shape
        q, k, v = (
            t.view(b, n, self.heads, -1).transpose(1, 2) for t in self.to_qkv(x).chunk(3, dim=-1)
        )
        sim = torch.einsum("bhid,bhjd->bhij", q, k) * self.scale
        if mask is not None:
            sim = sim.masked_fill(mask, torch.finfo(sim.dtype).min)
        attn = sim.softmax(dim=-1)
        out = torch.einsum("b h i j, b h j d -> b h i d", attn, v)
        return self.to_out(out.transpose(1, 2).reshape(b, n, -1))


class PreNorm(nn.Module):
    def __init__(self, dim, fn):
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(dim), fn

    def forward(self, x, **kwargs):
        return self.fn(self.norm(x), **kwargs)


class TabTransformer(nn.Module):
    def __init__(self, categories: List[int], num_continuous: int, dim: int = 8, depth: int = 2):
        super().__init__()
        offset = F.pad(torch.tensor(categories), (1, 0), value=0).cumsum(dim=-1)[:-1]
        self.register_buffer("categories_offset", offset)
        self.embeds = nn.Embedding(sum(categories), dim)
        self.column = nn.Parameter(torch.randn(len(categories), dim) * 0.02)
        self.layers = nn.ModuleList([])
        for _ in range(depth):
            self.layers.append(
                nn.ModuleList(
                    [
                        PreNorm(dim, Attention(dim)),
                        PreNorm(
                            dim,
                            nn.Sequential(
                                nn.Linear(dim, dim * 4),
                                GEGLU(),
                                nn.Dropout(0.0),
                                nn.Linear(dim * 2, dim),
                            ),
                        ),
                    ]
                )
            )
        self.norm = nn.LayerNorm(num_continuous)
        width = dim * len(categories) + num_continuous
        self.mlp = nn.Sequential(nn.Linear(width, 16), nn.SELU(), nn.Linear(16, 1))

    def forward(self, x_categ, x_cont):
        x = self.embeds(x_categ + self.categories_offset) + self.column
        for attn, ff in self.layers:
            x = attn(x) + x
            x = ff(x) + x
        return self.mlp(torch.cat((x.flatten(1), self.norm(x_cont)), dim=-1)).squeeze(-1)


def train(given, compiled):
    sizes = [3, 5, 4]
    model = given.fill(TabTransformer(sizes, 2))
    categ = torch.stack([given.integers(s, 24) for s in sizes], dim=1)
    cont = given.normal(24, 2)
    y = ((cont[:, 0] + categ[:, 1]) > 2).to(torch.float64)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3, weight_decay=1e-5)
    pos_weight = (y == 0).sum() / (y == 1).sum().clamp_min(1)
    criterion = nn.BCEWithLogitsLoss(pos_weight=pos_weight.double())

    def step(categ, cont, y):
        model.zero_grad(set_to_none=True)
        loss = criterion(model(categ, cont), y)
        loss.backward()
        grad_norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, norm_type=2.0)
        optimizer.step()
        return loss, grad_norm

    step = compiled(step)
    out = []
    for _ in range(6):
        out += [v.item() for v in step(categ, cont, y)]
    probs = torch.sigmoid(model(categ, cont)).detach().cpu().numpy()
    return out + [float(probs.mean()), float(((probs > 0.5) == y.numpy().astype(bool)).mean())]
