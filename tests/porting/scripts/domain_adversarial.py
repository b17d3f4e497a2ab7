"""Domain-adversarial training: a gradient reversal layer hides where the features come from."""

from itertools import cycle

import numpy as np
import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset


class ReverseLayerF(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, alpha):
        ctx.alpha = alpha
        return x.view_as(x)

    @staticmethod
    def backward(ctx, grad_output):
        output = grad_output.neg() * ctx.alpha
        return output, None


class DANN(nn.Module):
    def __init__(self):
        super().__init__()
        self.feature = nn.Sequential()
        self.feature.add_module("f_fc1", nn.Linear(4, 16))
        self.feature.add_module("f_bn1", nn.BatchNorm1d(16))
        self.feature.add_module("f_relu1", nn.ReLU(True))
        self.class_classifier = nn.Sequential()
        self.class_classifier.add_module("c_fc", nn.Linear(16, 2))
        self.class_classifier.add_module("c_softmax", nn.LogSoftmax(dim=1))
        self.domain_classifier = nn.Sequential(
            nn.Linear(16, 8), nn.ReLU(True), nn.Linear(8, 2), nn.LogSoftmax(dim=1)
        )

    def forward(self, x, alpha):
        feature = self.feature(x)
        reverse = ReverseLayerF.apply(feature, alpha)
        return self.class_classifier(feature), self.domain_classifier(reverse)


def train(given):
    model = given.fill(DANN())
    source, source_y = given.normal(24, 4), given.integers(2, 24)
    target = given.normal(16, 4) + 0.5
    s_loader = DataLoader(dataset=TensorDataset(source, source_y), batch_size=8, shuffle=False)
    t_loader = DataLoader(dataset=TensorDataset(target), batch_size=8, shuffle=False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    loss_class, loss_domain = torch.nn.NLLLoss(), torch.nn.NLLLoss()
    out, epochs = [], 3
    for epoch in range(epochs):
        for i, ((s, sy), (t,)) in enumerate(zip(s_loader, cycle(t_loader))):
            p = float(i + epoch * len(s_loader)) / epochs / len(s_loader)
            alpha = 2.0 / (1.0 + np.exp(-10 * p)) - 1
            model.zero_grad()
            class_out, domain_out = model(s, alpha=alpha)
            _, t_domain_out = model(t, alpha=alpha)
            err = loss_class(class_out, sy) + loss_domain(domain_out, torch.zeros(len(s)).long())
            err = err + loss_domain(t_domain_out, torch.ones(len(t)).long())
            err.backward()
            optimizer.step()
            out.append(err.data.cpu().numpy().item())
    return out
