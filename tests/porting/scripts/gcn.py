"""Graph convolution by adding messages along edges, and message passing with scatter."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def add_self_loops(edge_index, n):
    loops = torch.arange(n, dtype=torch.long).unsqueeze(0).repeat(2, 1)
    return torch.cat([edge_index, loops], dim=1)


def degree(index, n, dtype=None):
    out = torch.zeros((n,), dtype=dtype)
    return out.scatter_add_(0, index, out.new_ones((index.size(0),)))


class GCNConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin = nn.Linear(i, o, bias=False)
        self.bias = nn.Parameter(torch.zeros(o))

    def forward(self, x, edge_index):
        edge_index = add_self_loops(edge_index, x.size(0))
        row, col = edge_index
        deg = degree(col, x.size(0), dtype=x.dtype)
        inv = deg.pow(-0.5)
        inv[inv == float("inf")] = 0
        norm = inv[row] * inv[col]
        x = self.lin(x)
        out = torch.zeros_like(x).index_add_(0, col, norm.view(-1, 1) * x[row])
        return out + self.bias


class SAGEMax(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.lin_l, self.lin_r = nn.Linear(i, o), nn.Linear(i, o, bias=False)

    def forward(self, x, edge_index):
        row, col = edge_index
        index = col.unsqueeze(-1).expand(-1, x.size(1))
        agg = torch.zeros_like(x).scatter_reduce(
            0, index, x[row], reduce="amax", include_self=False
        )
        return self.lin_l(agg) + self.lin_r(x)


class GNN(nn.Module):
    def __init__(self, features, hidden, classes):
        super().__init__()
        self.conv1, self.conv2, self.conv3 = (
            GCNConv(features, hidden),
            SAGEMax(hidden, hidden),
            GCNConv(hidden, classes),
        )

    def forward(self, x, edge_index):
        x = F.relu(self.conv1(x, edge_index))
        x = F.dropout(x, p=0.0, training=self.training)
        x = F.elu(self.conv2(x, edge_index))
        return F.log_softmax(self.conv3(x, edge_index), dim=1)


def train(given, compiled):
    n = 14
    edge_index = torch.stack([given.integers(n, 40), given.integers(n, 40)], 0)
    x, y = given.normal(n, 5), given.integers(3, n)
    train_mask = torch.zeros(n, dtype=torch.bool)
    train_mask[:9] = True
    model = given.fill(GNN(5, 8, 3))
    optimizer = torch.optim.Adam(
        [
            dict(params=model.conv1.parameters(), weight_decay=5e-4),
            dict(params=[*model.conv2.parameters(), *model.conv3.parameters()]),
        ],
        lr=0.02,
    )

    @compiled
    def step(x, edge_index, y, mask):
        model.train()
        optimizer.zero_grad()
        out = model(x, edge_index)
        per_node = F.nll_loss(out, y, reduction="none")
        loss = (per_node * mask).sum() / mask.sum()
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(x, edge_index, y, train_mask.double()).item() for _ in range(8)]
    model.eval()
    with torch.no_grad():
        out = model(x, edge_index)
        pred = out.argmax(dim=-1)
        losses.append(F.nll_loss(out[~train_mask], y[~train_mask]).item())
        losses.append(int((pred[train_mask] == y[train_mask]).sum()) / int(train_mask.sum()))
    return losses
