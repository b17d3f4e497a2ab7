"""Graph attention by hand: the softmax over each node's edges is a scatter."""

import torch


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional

    class GAT(nn.Module):
        def __init__(self, inputs, outputs, heads):
            super().__init__()
            self.lin = nn.Linear(inputs, heads * outputs, bias=False)
            self.source = nn.Parameter(torch.empty(1, heads, outputs))
            self.target = nn.Parameter(torch.empty(1, heads, outputs))
            nn.init.xavier_uniform_(self.source)
            nn.init.xavier_uniform_(self.target)
            self.heads, self.outputs = heads, outputs

        def forward(self, x, edge_index):
            n = x.size(0)
            src, dst = edge_index
            h = self.lin(x).view(n, self.heads, self.outputs)
            score = (h * self.source).sum(-1)[src] + (h * self.target).sum(-1)[dst]
            score = F.leaky_relu(score, negative_slope=0.2)
            index = dst.view(-1, 1).expand(-1, self.heads)
            highest = score.new_full((n, self.heads), float("-inf"))
            highest = highest.scatter_reduce(0, index, score.detach(), reduce="amax")
            weight = (score - highest[dst]).exp()
            total = weight.new_zeros((n, self.heads)).scatter_add_(0, index, weight)
            weight = weight / (total[dst] + 1e-16)
            out = torch.zeros_like(h)
            out.index_add_(0, dst, h[src] * weight.unsqueeze(-1))
            return out.flatten(start_dim=1)

    model = given.fill(GAT(4, 3, 2))
    head = given.fill(nn.Linear(6, 3))
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=1e-2)
    loops = torch.arange(10).expand(2, -1)
    edges = torch.cat([given.integers(10, 2, 20), loops], dim=1)

    def step(x, edges, y, mask):
        optimizer.zero_grad()
        out = F.log_softmax(head(F.elu(model(x, edges))), dim=1)
        loss = F.nll_loss(out[mask], y[mask])
        loss.backward()
        optimizer.step()
        return loss

    x, y = given.normal(10, 4), given.integers(3, 10)
    mask = torch.arange(10) < 6
    return [step(x, edges, y, mask).item() for _ in range(5)]
