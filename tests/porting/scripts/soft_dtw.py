"""Dynamic programs in place: soft-DTW by a table that is assigned to, and NeuralSort."""

import torch
import torch.nn as nn


def soft_dtw(D, gamma):
    B, n, m = D.shape
    R = torch.full((B, n + 1, m + 1), 1e10, dtype=D.dtype)
    R[:, 0, 0] = 0
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            stacked = torch.stack([R[:, i - 1, j - 1], R[:, i - 1, j], R[:, i, j - 1]], -1)
            softmin = -gamma * torch.logsumexp(-stacked / gamma, dim=-1)
            R[:, i, j] = D[:, i - 1, j - 1] + softmin
    return R[:, -1, -1]


def neural_sort(s, tau=1.0):
    s = s.unsqueeze(-1)
    bsize, dim = s.size()[:2]
    one = torch.ones((dim, 1), dtype=s.dtype)
    A_s = torch.abs(s - s.permute(0, 2, 1))
    Bm = torch.matmul(A_s, torch.matmul(one, torch.transpose(one, 0, 1)))
    scaling = (dim + 1 - 2 * (torch.arange(dim) + 1)).type(s.dtype)
    C = torch.matmul(s, scaling.unsqueeze(0))
    P_max = (C - Bm).permute(0, 2, 1)
    return torch.nn.Softmax(-1)(P_max / tau)


def hard(P):
    P_hard = torch.zeros_like(P, device=P.device)
    b_idx = torch.arange(P.shape[0]).repeat([1, P.shape[1]]).view(P.shape[1], P.shape[0])
    b_idx = b_idx.transpose(dim0=1, dim1=0).flatten().type(torch.long)
    r_idx = torch.arange(P.shape[1]).repeat([P.shape[0], 1]).flatten().type(torch.long)
    c_idx = torch.argmax(P, dim=-1).flatten()
    P_hard[b_idx, r_idx, c_idx] = 1
    return (P_hard - P).detach() + P


def train(given, compiled):
    net = given.fill(nn.Sequential(nn.Conv1d(1, 3, 3, padding=1), nn.ELU(), nn.Conv1d(3, 2, 1)))
    rank = given.fill(nn.Linear(2, 1))
    params = list(net.parameters()) + list(rank.parameters())
    opt = torch.optim.RMSprop(params, lr=1e-2, centered=True, momentum=0.5)

    def step(x, y):
        a, b = net(x.unsqueeze(1)), net(y.unsqueeze(1))
        D = torch.cdist(a.transpose(1, 2), b.transpose(1, 2)) ** 2
        loss = soft_dtw(D, 0.1).mean()
        scores = rank(a.transpose(1, 2)).squeeze(-1)
        P = hard(neural_sort(scores, tau=0.5))
        order = torch.arange(a.size(2)).to(P)
        loss = loss + 0.01 * ((P @ order.unsqueeze(-1)).squeeze(-1) - order).pow(2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    step = compiled(step)
    return [step(given.normal(3, 6), given.normal(3, 5)).item() for _ in range(5)]
