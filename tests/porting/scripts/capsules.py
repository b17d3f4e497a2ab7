"""Capsules, routed by agreement, with a reconstruction of the picture."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.autograd import Variable


def squash(tensor, dim=-1):
    squared_norm = (tensor**2).sum(dim=dim, keepdim=True)
    scale = squared_norm / (1 + squared_norm)
    return scale * tensor / torch.sqrt(squared_norm + 1e-9)


class CapsuleLayer(nn.Module):
    def __init__(self, num_capsules, num_routes, in_channels, out_channels, num_iterations=3):
        super(CapsuleLayer, self).__init__()
        self.num_iterations = num_iterations
        self.route_weights = nn.Parameter(
            torch.randn(num_capsules, num_routes, in_channels, out_channels)
        )

    def forward(self, x):
        priors = x[None, :, :, None, :] @ self.route_weights[:, None, :, :, :]
        logits = Variable(torch.zeros(*priors.size(), dtype=x.dtype)).to(x.device)
        for i in range(self.num_iterations):
            probs = F.softmax(logits, dim=2)
            outputs = squash((probs * priors).sum(dim=2, keepdim=True))
            if i != self.num_iterations - 1:
                delta_logits = (priors * outputs).sum(dim=-1, keepdim=True)
                logits = logits + delta_logits
        return outputs


class CapsuleNet(nn.Module):
    def __init__(self):
        super(CapsuleNet, self).__init__()
        self.conv1 = nn.Conv2d(in_channels=1, out_channels=6, kernel_size=3)
        self.primary = nn.ModuleList(
            [nn.Conv2d(6, 2, kernel_size=3, stride=2, padding=0) for _ in range(4)]
        )
        self.digits = CapsuleLayer(3, 2 * 2 * 2, 4, 5)
        self.decoder = nn.Sequential(
            nn.Linear(15, 16), nn.ReLU(inplace=True), nn.Linear(16, 64), nn.Sigmoid()
        )

    def forward(self, x, y=None):
        x = F.relu(self.conv1(x), inplace=True)
        caps = [capsule(x).view(x.size(0), -1, 1) for capsule in self.primary]
        x = squash(torch.cat(caps, dim=-1))
        x = self.digits(x).squeeze().transpose(0, 1)
        classes = (x**2).sum(dim=-1) ** 0.5
        classes = F.softmax(classes, dim=-1)
        if y is None:
            _, max_length = classes.max(dim=1)
            y = torch.eye(3, dtype=x.dtype).index_select(dim=0, index=max_length.data)
        reconstructions = self.decoder((x * y[:, :, None]).reshape(x.size(0), -1))
        return classes, reconstructions


class CapsuleLoss(nn.Module):
    def __init__(self):
        super(CapsuleLoss, self).__init__()
        self.reconstruction_loss = nn.MSELoss(reduction="sum")

    def forward(self, images, labels, classes, reconstructions):
        left = F.relu(0.9 - classes, inplace=True) ** 2
        right = F.relu(classes - 0.1, inplace=True) ** 2
        margin_loss = labels * left + 0.5 * (1.0 - labels) * right
        images = images.view(reconstructions.size()[0], -1)
        assert torch.numel(images) == torch.numel(reconstructions)
        return (margin_loss.sum() + 0.0005 * self.reconstruction_loss(reconstructions, images)) / (
            images.size(0)
        )


def train(given, compiled):
    model = given.fill(CapsuleNet())
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    criterion = CapsuleLoss()
    pictures, labels = given.uniform(5, 6, 1, 8, 8), given.integers(3, 5, 6)

    def step(data, target):
        onehot = torch.eye(3, dtype=data.dtype).index_select(dim=0, index=target)
        classes, reconstructions = model(data, onehot)
        loss = criterion(data, onehot, classes, reconstructions)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.data

    step = compiled(step)
    losses = [step(x, y).item() for x, y in zip(pictures, labels)]
    model.eval()
    with torch.no_grad():
        classes, _ = model(pictures[0])
    correct = classes.argmax(1).eq(labels[0]).sum().item()
    return [*losses, correct, *classes.max(1)[0].tolist()]
