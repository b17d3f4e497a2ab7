"""Graph attention over edge lists: softmax over segments by scatter, self loops, masks of nodes."""

from typing import Optional, Tuple

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor


def add_self_loops(edge_index: Tensor, num_nodes: int) -> Tensor:
    loop = torch.arange(num_nodes, dtype=edge_index.dtype, device=edge_index.device)
    return torch.cat([edge_index, loop.repeat(2, 1)], dim=1)


def broadcast(src: Tensor, other: Tensor, dim: int) -> Tensor:
    if dim < 0:
        dim = other.dim() + dim
    if src.dim() == 1:
        for _ in range(0, dim):
            src = src.unsqueeze(0)
    for _ in range(src.dim(), other.dim()):
        src = src.unsqueeze(-1)
    return src.expand(other.size())


def scatter_sum(
    src: Tensor, index: Tensor, dim: int = -1, dim_size: Optional[int] = None
) -> Tensor:
    index = broadcast(index, src, dim)
    size = list(src.size())
    size[dim] = dim_size if dim_size is not None else int(index.max()) + 1
    return torch.zeros(size, dtype=src.dtype, device=src.device).scatter_add_(dim, index, src)


def softmax(src: Tensor, index: Tensor, n: int) -> Tensor:
    expanded = broadcast(index, src, 0)
    top = torch.full((n, *src.shape[1:]), float("-inf"), dtype=src.dtype).scatter_reduce_(
        0, expanded, src.detach(), reduce="amax"
    )
    out = (src - top.index_select(0, index)).exp()
    return out / (scatter_sum(out, index, 0, n)[index] + 1e-16)


class GATConv(nn.Module):
    def __init__(self, d_in, d_out, heads=2, concat=True, negative_slope=0.2):
        super().__init__()
        self.heads, self.d_out, self.concat, self.negative_slope = (
            heads,
            d_out,
            concat,
            negative_slope,
        )
        self.lin = nn.Linear(d_in, heads * d_out, bias=False)
        self.att_src = nn.Parameter(torch.empty(1, heads, d_out))
        self.att_dst = nn.Parameter(torch.Tensor(1, heads, d_out))
        self.bias = nn.Parameter(torch.Tensor(heads * d_out if concat else d_out))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        gain = nn.init.calculate_gain("relu")
        nn.init.xavier_uniform_(self.lin.weight, gain=gain)
        nn.init.xavier_normal_(self.att_src.data, gain=1.414)
        nn.init.trunc_normal_(self.att_dst, std=0.1)
        nn.init.zeros_(self.bias)

    def forward(self, x: Tensor, edge_index: Tensor) -> Tuple[Tensor, Tensor]:
        N = x.size(0)
        h = self.lin(x).view(-1, self.heads, self.d_out)
        src, dst = edge_index
        a = (h * self.att_src).sum(dim=-1)[src] + (h * self.att_dst).sum(-1)[dst]
        a = softmax(F.leaky_relu(a, self.negative_slope), dst, N)
        out = scatter_sum(h[src] * a.unsqueeze(-1), dst, dim=0, dim_size=N)
        out = out.flatten(1) if self.concat else out.mean(dim=1)
        return out + self.bias, a

    def __repr__(self):
        return (
            f"{self.__class__.__name__}({self.lin.in_features}, {self.d_out}, heads={self.heads})"
        )


class GAT(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.convs = nn.ModuleList(
            [GATConv(dims[0], dims[1]), GATConv(2 * dims[1], dims[2], heads=3, concat=False)]
        )

    def forward(self, x, edge_index):
        x, _ = self.convs[0](x, edge_index)
        x, a = self.convs[1](F.dropout(F.elu(x), p=0.5, training=False), edge_index)
        return F.log_softmax(x, dim=1), a


def train(given, compiled):
    n = 15
    edges = torch.stack([given.integers(n, 40), given.integers(n, 40)])
    edges = torch.unique(torch.cat([edges, edges[[1, 0]]], 1), dim=1)
    edges = add_self_loops(edges[:, edges[0] != edges[1]], n)
    x, y = given.normal(n, 5), given.integers(3, n)
    train_mask = torch.zeros(n, dtype=torch.bool)
    train_mask[:9] = True
    train_mask[torch.tensor([10, 12])] = True
    model = given.fill(GAT([5, 6, 3]))
    assert "GATConv(5, 6, heads=2)" in repr(model)
    optimizer = torch.optim.Adam(
        [
            dict(params=model.convs[0].parameters(), weight_decay=5e-4),
            dict(params=model.convs[1].parameters(), weight_decay=0),
        ],
        lr=0.02,
    )

    @compiled
    def step(x, edges, y):
        model.train()
        optimizer.zero_grad()
        out, a = model(x, edges)
        loss = F.nll_loss(out[train_mask], y[train_mask])
        loss.backward()
        optimizer.step()
        return loss.detach(), a.detach()

    history = []
    for _ in range(5):
        loss, a = step(x, edges, y)
        history.append(float(loss))
    model.eval()
    logits, accs = model(x, edges)[0], []
    for mask in (train_mask, ~train_mask):
        pred = logits[mask].max(1)[1]
        accs.append(pred.eq(y[mask]).sum().item() / mask.sum().item())
    deg = (
        torch.zeros(n).scatter_(0, edges[1], 1.0, reduce="add")
        if False
        else torch.bincount(edges[1], minlength=n).double()
    )
    adj = torch.zeros(n, n, dtype=torch.float64)
    adj[edges[0], edges[1]] = 1.0
    lap = torch.diag(deg.pow(-0.5)) @ adj @ torch.diag(deg.pow(-0.5))
    return [
        *history,
        *accs,
        *a.sum(0).tolist(),
        lap.sum().item(),
        torch.linalg.matrix_norm(lap, ord="fro").item(),
    ]
