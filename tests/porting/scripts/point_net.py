"""PointNet: a learned transform of points, kept near to orthogonal, and a maximum over them."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import Variable


class TNet(nn.Module):
    def __init__(self, k=3):
        super(TNet, self).__init__()
        self.k = k
        self.fc1 = nn.Linear(k, 16)
        self.fc2 = nn.Linear(16, k * k)
        self.relu = nn.ReLU()

    def forward(self, x):
        batchsize = x.size()[0]
        x = F.relu(self.fc1(x))
        x = torch.max(x, 1, keepdim=True)[0].view(-1, 16)
        x = self.fc2(x)
        iden = (
            Variable(torch.from_numpy(np.eye(self.k).flatten()))
            .view(1, self.k * self.k)
            .repeat(batchsize, 1)
        )
        if x.is_cuda:
            iden = iden.cuda()
        return (x + iden).view(-1, self.k, self.k)


class PointNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.tnet = TNet()
        self.mlp = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 24))
        self.norm = nn.GroupNorm(4, 24)
        self.head = nn.Sequential(
            nn.Linear(24, 12), nn.BatchNorm1d(12), nn.ReLU(), nn.Linear(12, classes)
        )

    def forward(self, x):
        trans = self.tnet(x)
        x = torch.bmm(x, trans)
        x = self.norm(self.mlp(x).transpose(2, 1)).contiguous()
        x, _ = torch.max(x, dim=2)
        return self.head(x), trans


def regularizer(trans):
    d = trans.size(1)
    I = torch.eye(d, dtype=trans.dtype)[None, :, :]
    return torch.mean(torch.norm(torch.bmm(trans, trans.transpose(2, 1)) - I, dim=(1, 2)))


def train(given, compiled):
    net = given.fill(PointNet(3))
    points, labels = given.normal(8, 20, 3), given.integers(3, 8)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.005, betas=(0.9, 0.999), weight_decay=1e-4)

    @compiled
    def step(points, labels):
        optimizer.zero_grad()
        pred, trans = net(points)
        loss = F.cross_entropy(pred, labels) + regularizer(trans) * 0.001
        loss.backward()
        optimizer.step()
        return loss, pred.data.max(1)[1].eq(labels.data).cpu().sum()

    out = []
    for _ in range(6):
        loss, correct = step(points, labels)
        out += [loss.item(), correct.item() / 8.0]
    return out
