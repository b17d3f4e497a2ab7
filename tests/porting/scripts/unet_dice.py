"""U-Net for masks: skips with pad and cat, Dice plus cross-entropy, a checkpoint file."""

import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


class DoubleConv(nn.Module):
    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        if not mid_channels:
            mid_channels = out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.InstanceNorm2d(out_channels, affine=True),
            nn.ReLU(inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear=True):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(in_channels, out_channels, in_channels // 2)
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
            self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diffY, diffX = x2.size()[2] - x1.size()[2], x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diffX // 2, diffX - diffX // 2, diffY // 2, diffY - diffY // 2])
        return self.conv(torch.cat([x2, x1], dim=1))


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes):
        super().__init__()
        self.inc, self.down1 = (
            DoubleConv(n_channels, 4),
            nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 8)),
        )
        self.down2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(8, 8))
        self.up1, self.up2 = Up(16, 4), Up(8, 4, bilinear=True)
        self.up_t = Up(4, 4, bilinear=False)
        self.up_t.conv = nn.Identity()
        self.outc = nn.Conv2d(4, n_classes, kernel_size=1)

    def forward(self, x):
        x1 = self.inc(x)
        x2 = self.down1(x1)
        x3 = self.down2(x2)
        return self.outc(self.up2(self.up1(x3, x2), x1))


def dice_coeff(input, target, reduce_batch_first=False, epsilon=1e-6):
    assert input.size() == target.size()
    sum_dim = (-1, -2) if input.dim() == 2 or not reduce_batch_first else (-1, -2, -3)
    inter = 2 * (input * target).sum(dim=sum_dim)
    sets_sum = input.sum(dim=sum_dim) + target.sum(dim=sum_dim)
    sets_sum = torch.where(sets_sum == 0, inter, sets_sum)
    return ((inter + epsilon) / (sets_sum + epsilon)).mean()


def train(given, compiled):
    model = given.fill(UNet(n_channels=1, n_classes=3))
    model = model.to(memory_format=torch.channels_last)
    yy, xx = np.mgrid[:10, :10]
    masks = np.stack([(np.hypot(yy - cy, xx - 4) < 3).astype(int) + (xx > 7) for cy in range(2, 8)])
    true_masks = torch.as_tensor(masks.copy()).long().contiguous()
    images = torch.as_tensor(masks[:, None].astype(np.float64)) + 0.3 * given.normal(6, 1, 10, 10)
    optimizer = torch.optim.RMSprop(
        model.parameters(), lr=1e-3, weight_decay=1e-8, momentum=0.9, foreach=True
    )
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", patience=5)
    grad_scaler = torch.amp.GradScaler("cpu", enabled=False)
    criterion = nn.CrossEntropyLoss()

    @compiled
    def forward_loss(images, true_masks):
        masks_pred = model(images)
        loss = criterion(masks_pred, true_masks)
        loss += 1 - dice_coeff(
            F.softmax(masks_pred, dim=1).flatten(0, 1),
            F.one_hot(true_masks, 3).permute(0, 3, 1, 2).to(images).flatten(0, 1),
            True,
        )
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        return loss.detach()

    history = []
    for epoch in range(3):
        for b in range(0, 6, 3):
            loss = forward_loss(images[b : b + 3], true_masks[b : b + 3])
            grad_scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            grad_scaler.step(optimizer)
            grad_scaler.update()
            history.append(loss.item())
        model.eval()
        with torch.no_grad():
            pred = model(images).argmax(dim=1)
            iou = [
                ((pred == c) & (true_masks == c)).sum().float()
                / ((pred == c) | (true_masks == c)).sum().clamp(min=1)
                for c in range(3)
            ]
        miou = torch.tensor(iou).mean()
        scheduler.step(miou)
        history.append(miou.item())
        model.train()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "checkpoint.pth")
        state_dict = model.state_dict()
        state_dict["mask_values"] = [0, 1, 2]
        torch.save(state_dict, path)
        loaded = torch.load(path, map_location="cpu")
    assert loaded.pop("mask_values") == [0, 1, 2]
    again = UNet(1, 3).to(dtype=torch.float64)
    assert str(again.load_state_dict(loaded)) == "<All keys matched successfully>"
    again.eval(), model.eval()
    with torch.no_grad():
        diff = (again(images) - model(images)).abs().max().item()
        logits = again(images[:1])
    return [
        *history,
        diff,
        *logits[0, :, 3, 3].tolist(),
        *F.interpolate(logits, size=(4, 7), mode="bilinear", align_corners=False)
        .sum((0, 2, 3))
        .numpy(),
    ]
