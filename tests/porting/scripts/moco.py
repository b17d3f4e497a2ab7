"""MoCo: momentum encoder, queue as a buffer written in place, InfoNCE; alignment and uniformity."""

import copy

import torch
import torch.nn as nn
import torch.nn.functional as F


class MoCo(nn.Module):
    def __init__(self, base, dim=8, K=24, m=0.9, T=0.2):
        super().__init__()
        self.K, self.m, self.T = K, m, T
        self.encoder_q, self.encoder_k = base(), base()
        for param_q, param_k in zip(self.encoder_q.parameters(), self.encoder_k.parameters()):
            param_k.data.copy_(param_q.data)
            param_k.requires_grad = False
        self.register_buffer("queue", torch.randn(dim, K))
        self.queue = nn.functional.normalize(self.queue, dim=0)
        self.register_buffer("queue_ptr", torch.zeros(1, dtype=torch.long))

    @torch.no_grad()
    def _momentum_update_key_encoder(self):
        for param_q, param_k in zip(self.encoder_q.parameters(), self.encoder_k.parameters()):
            param_k.data = param_k.data * self.m + param_q.data * (1.0 - self.m)

    @torch.no_grad()
    def _dequeue_and_enqueue(self, keys):
        batch_size = keys.shape[0]
        ptr = int(self.queue_ptr)
        assert self.K % batch_size == 0
        self.queue[:, ptr : ptr + batch_size] = keys.T
        ptr = (ptr + batch_size) % self.K
        self.queue_ptr[0] = ptr

    def forward(self, im_q, im_k):
        q = F.normalize(self.encoder_q(im_q), dim=1)
        with torch.no_grad():
            self._momentum_update_key_encoder()
            k = F.normalize(self.encoder_k(im_k), dim=1)
        l_pos = torch.einsum("nc,nc->n", [q, k]).unsqueeze(-1)
        l_neg = torch.einsum("nc,ck->nk", [q, self.queue.clone().detach()])
        logits = torch.cat([l_pos, l_neg], dim=1)
        logits /= self.T
        labels = torch.zeros(logits.shape[0], dtype=torch.long)
        self._dequeue_and_enqueue(k)
        return logits, labels, q, k


def lalign(x, y, alpha=2):
    return (x - y).norm(dim=1).pow(alpha).mean()


def lunif(x, t=2):
    sq_pdist = torch.pdist(x, p=2).pow(2)
    return sq_pdist.mul(-t).exp().mean().log()


def accuracy(output, target, topk=(1,)):
    maxk = max(topk)
    _, pred = output.topk(maxk, 1, True, True)
    pred = pred.t()
    correct = pred.eq(target.view(1, -1).expand_as(pred))
    return [
        correct[:k].reshape(-1).float().sum(0, keepdim=True).mul_(100.0 / target.size(0)).item()
        for k in topk
    ]


def train(given):
    base = lambda: nn.Sequential(nn.Linear(6, 16), nn.ReLU(inplace=True), nn.Linear(16, 8))
    model = MoCo(base).double()
    given.fill(model)
    model.queue.copy_(F.normalize(given.normal(8, 24), dim=0))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(
        filter(lambda p: p.requires_grad, model.parameters()), 0.1, momentum=0.9, weight_decay=1e-4
    )
    x, history = given.normal(16, 6), []
    snapshot = copy.deepcopy(model)
    for epoch in range(4):
        for chunk in torch.chunk(x, 2):
            im_q, im_k = chunk + 0.1 * given.normal(8, 6), chunk + 0.1 * given.normal(8, 6)
            output, target, q, k = model(im_q, im_k)
            loss = criterion(output, target) + 0.1 * lalign(q, k) + 0.05 * lunif(q)
            acc1, acc5 = accuracy(output, target, topk=(1, 5))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history.extend([loss.item(), acc1, acc5])
    assert int(model.queue_ptr) == (8 * 8) % 24
    assert int(snapshot.queue_ptr) == 0
    drift = sum(
        (a - b).abs().sum().item()
        for a, b in zip(model.encoder_k.parameters(), snapshot.encoder_k.parameters())
    )
    # the symmetric loss of SimCLR, with a diagonal that is filled in place
    z = F.normalize(model.encoder_q(torch.cat([x, x + 0.1])), dim=-1)
    sim = z @ z.T / 0.5
    sim.masked_fill_(torch.eye(32, dtype=torch.bool), float("-inf"))
    pos = torch.cat([torch.diag(sim, 16), torch.diag(sim, -16)])
    nt_xent = (-pos + torch.logsumexp(sim, -1)).mean()
    (g,) = torch.autograd.grad(nt_xent, [model.encoder_q[0].weight])
    return [*history, drift, nt_xent.item(), g.norm().item()]
