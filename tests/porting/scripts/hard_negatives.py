"""Single-shot detection: matched priors, hard negatives mined by two sorts."""

import torch
import torch.nn as nn
import torch.nn.functional as F


def intersect(a, b):
    A, B = a.size(0), b.size(0)
    max_xy = torch.min(a[:, 2:].unsqueeze(1).expand(A, B, 2), b[:, 2:].unsqueeze(0).expand(A, B, 2))
    min_xy = torch.max(a[:, :2].unsqueeze(1).expand(A, B, 2), b[:, :2].unsqueeze(0).expand(A, B, 2))
    inter = torch.clamp((max_xy - min_xy), min=0)
    return inter[:, :, 0] * inter[:, :, 1]


def jaccard(a, b):
    inter = intersect(a, b)
    area_a = ((a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])).unsqueeze(1).expand_as(inter)
    area_b = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])).unsqueeze(0).expand_as(inter)
    return inter / (area_a + area_b - inter)


def match(threshold, truths, priors, labels, loc_t, conf_t, idx):
    overlaps = jaccard(truths, priors)
    best_prior_overlap, best_prior_idx = overlaps.max(1, keepdim=True)
    best_truth_overlap, best_truth_idx = overlaps.max(0, keepdim=True)
    best_truth_idx, best_truth_overlap = best_truth_idx.squeeze(0), best_truth_overlap.squeeze(0)
    best_prior_idx = best_prior_idx.squeeze(1)
    best_truth_overlap.index_fill_(0, best_prior_idx, 2)
    for j in range(best_prior_idx.size(0)):
        best_truth_idx[best_prior_idx[j]] = j
    conf = labels[best_truth_idx] + 1
    conf[best_truth_overlap < threshold] = 0
    loc_t[idx] = truths[best_truth_idx] - priors
    conf_t[idx] = conf


def log_sum_exp(x):
    x_max = x.data.max()
    return torch.log(torch.sum(torch.exp(x - x_max), 1, keepdim=True)) + x_max


class MultiBoxLoss(nn.Module):
    def __init__(self, num_classes, negpos_ratio):
        super(MultiBoxLoss, self).__init__()
        self.num_classes, self.negpos_ratio = num_classes, negpos_ratio

    def forward(self, loc_data, conf_data, loc_t, conf_t):
        num = loc_data.size(0)
        pos = conf_t > 0
        pos_idx = pos.unsqueeze(pos.dim()).expand_as(loc_data)
        loc_p, loc_t = loc_data[pos_idx].view(-1, 4), loc_t[pos_idx].view(-1, 4)
        loss_l = F.smooth_l1_loss(loc_p, loc_t, reduction="sum")
        batch_conf = conf_data.view(-1, self.num_classes)
        loss_c = log_sum_exp(batch_conf) - batch_conf.gather(1, conf_t.view(-1, 1))
        loss_c = loss_c.view(num, -1)
        loss_c[pos] = 0
        _, loss_idx = loss_c.sort(1, descending=True)
        _, idx_rank = loss_idx.sort(1)
        num_pos = pos.long().sum(1, keepdim=True)
        num_neg = torch.clamp(self.negpos_ratio * num_pos, max=pos.size(1) - 1)
        neg = idx_rank < num_neg.expand_as(idx_rank)
        pos_idx, neg_idx = (
            pos.unsqueeze(2).expand_as(conf_data),
            neg.unsqueeze(2).expand_as(conf_data),
        )
        conf_p = conf_data[(pos_idx + neg_idx).gt(0)].view(-1, self.num_classes)
        targets_weighted = conf_t[(pos + neg).gt(0)]
        loss_c = F.cross_entropy(conf_p, targets_weighted, reduction="sum")
        N = num_pos.data.sum()
        return loss_l / N, loss_c / N


def train(given):
    P, C = 12, 3
    net = given.fill(nn.Sequential(nn.Linear(5, 16), nn.ReLU6(), nn.Linear(16, P * (4 + C))))
    xy = given.uniform(P, 2) * 0.7
    priors = torch.cat([xy, xy + 0.3], 1)
    optimizer = torch.optim.SGD(net.parameters(), lr=5e-3, momentum=0.9, weight_decay=5e-4)
    criterion, out = MultiBoxLoss(C, 3), []
    for _ in range(5):
        images = given.normal(3, 5)
        loc_t, conf_t = torch.zeros(3, P, 4).double(), torch.LongTensor(3, P)
        for idx in range(3):
            at = given.uniform(2, 2) * 0.6
            match(
                0.3,
                torch.cat([at, at + 0.4], 1),
                priors,
                given.integers(C - 1, 2),
                loc_t,
                conf_t,
                idx,
            )
        y = net(images).view(3, P, -1)
        loss_l, loss_c = criterion(y[..., :4], y[..., 4:].contiguous(), loc_t, conf_t)
        loss = loss_l + loss_c
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        out += [loss_l.item(), loss_c.item()]
    return out
