"""A tiny U-Net with transposed convolutions, dice loss, and skip connections."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.double_conv = nn.Sequential(
            nn.Conv2d(i, o, 3, padding=1),
            nn.BatchNorm2d(o),
            nn.ReLU(inplace=True),
            nn.Conv2d(o, o, 3, padding=1),
            nn.GroupNorm(2, o),
            nn.LeakyReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.inc, self.down = DoubleConv(1, 4), nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 6))
        self.up = nn.ConvTranspose2d(6, 4, kernel_size=2, stride=2)
        self.conv, self.outc = DoubleConv(8, 4), nn.Conv2d(4, 2, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.up(self.down(x1))
        dy, dx = x1.size()[2] - x2.size()[2], x1.size()[3] - x2.size()[3]
        x2 = F.pad(x2, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        return self.outc(self.conv(torch.cat([x1, x2], dim=1)))


def dice_loss(input, target, eps=1e-6):
    inter = 2 * (input * target).sum(dim=(-1, -2))
    sets = input.sum(dim=(-1, -2)) + target.sum(dim=(-1, -2))
    sets = torch.where(sets == 0, inter, sets)
    return 1 - ((inter + eps) / (sets + eps)).mean()


def train(given, compiled):
    net = given.fill(UNet())
    x = given.normal(3, 1, 9, 9)
    y = (x.squeeze(1) > 0).long()
    opt = torch.optim.RMSprop(
        net.parameters(), lr=1e-3, weight_decay=1e-8, momentum=0.9, foreach=True
    )

    @compiled
    def step(x, y):
        pred = net(x)
        loss = F.cross_entropy(pred, y) + dice_loss(
            F.softmax(pred, dim=1).double(), F.one_hot(y, 2).permute(0, 3, 1, 2).double()
        )
        opt.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
        return loss

    return [step(x, y).item() for _ in range(4)]
