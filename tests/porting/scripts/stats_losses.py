"""Losses written out: concordance, wing, Lovasz, ArcFace, centers, supervised contrast."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


def ccc(x, y):
    vx, vy = x - x.mean(), y - y.mean()
    rho = (vx * vy).sum() / (vx.norm() * vy.norm())
    return 2 * rho * x.std() * y.std() / (x.var() + y.var() + (x.mean() - y.mean()).pow(2))


def wing(x, y, w=1.0, eps=0.2):
    delta = (y - x).abs()
    c = w - w * math.log(1 + w / eps)
    return torch.cat([w * torch.log(1 + delta[delta < w] / eps), delta[delta >= w] - c]).mean()


def lovasz_grad(gt_sorted):
    gts = gt_sorted.sum()
    inter = gts - gt_sorted.float().double().cumsum(0)
    union = gts + (1 - gt_sorted).cumsum(0)
    jaccard = 1.0 - inter / union
    jaccard[1:] = jaccard[1:] - jaccard[0:-1]
    return jaccard


def lovasz_hinge(logits, labels):
    signs = 2.0 * labels - 1.0
    errors = 1.0 - logits * signs
    errors_sorted, perm = torch.sort(errors, dim=0, descending=True)
    return torch.dot(F.relu(errors_sorted), lovasz_grad(labels[perm]))


class ArcMargin(nn.Module):
    def __init__(self, i, o, s=8.0, m=0.3):
        super().__init__()
        self.weight = nn.Parameter(torch.FloatTensor(o, i))
        nn.init.xavier_uniform_(self.weight)
        self.s, self.cos_m, self.sin_m = s, math.cos(m), math.sin(m)
        self.th, self.mm = math.cos(math.pi - m), math.sin(math.pi - m) * m

    def forward(self, input, label):
        cosine = F.linear(F.normalize(input), F.normalize(self.weight))
        sine = torch.sqrt((1.0 - torch.pow(cosine, 2)).clamp(0, 1))
        phi = cosine * self.cos_m - sine * self.sin_m
        phi = torch.where(cosine > self.th, phi, cosine - self.mm)
        one_hot = torch.zeros(cosine.size(), dtype=cosine.dtype)
        one_hot.scatter_(1, label.view(-1, 1).long(), 1)
        return ((one_hot * phi) + ((1.0 - one_hot) * cosine)) * self.s


def supcon(z, labels, t=0.2):
    z = F.normalize(z, dim=-1)
    mask = torch.eq(labels[:, None], labels[None]).to(z.dtype)
    logits = torch.div(torch.matmul(z, z.T), t)
    logits = logits - logits.max(dim=1, keepdim=True).values.detach()
    self_mask = torch.scatter(torch.ones_like(mask), 1, torch.arange(len(z)).view(-1, 1), 0)
    mask = mask * self_mask
    exp_logits = torch.exp(logits) * self_mask
    log_prob = logits - torch.log(exp_logits.sum(1, keepdim=True))
    return -((mask * log_prob).sum(1) / mask.sum(1).clamp_min(1)).mean()


def train(given):
    net, arc = (
        given.fill(nn.Sequential(nn.Linear(5, 8), nn.ELU(), nn.Linear(8, 4))),
        given.fill(ArcMargin(4, 3)),
    )
    centers = nn.Parameter(given.normal(3, 4))
    opt = torch.optim.Adam([*net.parameters(), *arc.parameters(), centers], lr=1e-2)
    x, y, r = given.normal(18, 5), given.integers(3, 18), given.normal(18)
    out = []
    for _ in range(5):
        z = net(x)
        dist = torch.addmm(
            z.pow(2).sum(1, keepdim=True) + centers.pow(2).sum(1), z, centers.t(), beta=1, alpha=-2
        )
        center = dist.clamp(1e-12, 1e12)[torch.arange(18), y].mean()
        loss = (
            F.cross_entropy(arc(z, y), y)
            + 0.1 * center
            + supcon(z, y)
            + wing(z[:, 0], r)
            - ccc(z[:, 1], r)
            + lovasz_hinge(z[:, 2], (y == 1).double())
        )
        opt.zero_grad()
        loss.backward()
        opt.step()
        out += [loss.item(), center.item()]
    return out
