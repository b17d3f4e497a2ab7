"""Code of PyTorch's first years: Variables, size_average, data attributes."""

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.autograd import Variable
from torch.nn import init
from torch.nn.parameter import Parameter


class Highway(nn.Module):
    def __init__(self, size, num_layers, f=F.tanh):
        super(Highway, self).__init__()
        self.num_layers = num_layers
        self.nonlinear = nn.ModuleList([nn.Linear(size, size) for _ in range(num_layers)])
        self.linear = nn.ModuleList([nn.Linear(size, size) for _ in range(num_layers)])
        self.gate = nn.ModuleList([nn.Linear(size, size) for _ in range(num_layers)])
        self.f = f
        self.scale = Parameter(torch.Tensor(size))
        init.constant(self.scale, 1.0) if hasattr(init, "constant") else init.constant_(
            self.scale, 1.0
        )

    def forward(self, x):
        for layer in range(self.num_layers):
            gate = F.sigmoid(self.gate[layer](x))
            nonlinear = self.f(self.nonlinear[layer](x))
            linear = self.linear[layer](x)
            x = gate * nonlinear + (1 - gate) * linear
        return x * self.scale


def train(given):
    cuda = torch.cuda.is_available()
    model = nn.Sequential(Highway(6, 2), nn.Linear(6, 3), nn.LogSoftmax(dim=1))
    model = given.fill(model)
    if cuda:
        model.cuda()
    optimizer = optim.Adam(filter(lambda p: p.requires_grad, model.parameters()), lr=0.01)
    x, y = given.normal(20, 6), given.integers(3, 20)
    criterion = nn.NLLLoss(size_average=False)
    out = []
    for epoch in range(5):
        data, target = Variable(x), Variable(y)
        optimizer.zero_grad()
        output = model(data)
        loss = criterion(output, target)
        loss.backward()
        for p in model.parameters():
            p.grad.data.clamp_(-1, 1)
        optimizer.step()
        pred = output.data.max(1, keepdim=True)[1]
        correct = pred.eq(target.data.view_as(pred)).cpu().sum()
        out += [loss.data.item(), float(correct)]
        for param_group in optimizer.param_groups:
            param_group["lr"] = 0.01 * (0.1 ** (epoch // 2))
    val = F.mse_loss(
        model(x), torch.zeros(1, dtype=torch.float64).expand(20, 3), size_average=False
    )
    return out + [val.item()]
