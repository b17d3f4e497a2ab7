"""LoRA: frozen layers get trainable low-rank updates, which are merged in the end."""

import math

import torch
import torch.nn as nn


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, r: int = 2, alpha: int = 4, dropout: float = 0.0):
        super().__init__()
        self.base = base
        for p in self.base.parameters():
            p.requires_grad = False
        self.scaling = alpha / r
        self.lora_A = nn.Parameter(base.weight.new_zeros((r, base.in_features)))
        self.lora_B = nn.Parameter(base.weight.new_zeros((base.out_features, r)))
        self.dropout = nn.Dropout(dropout) if dropout > 0 else nn.Identity()
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.merged = False

    def forward(self, x):
        out = self.base(x)
        if self.merged:
            return out
        return out + self.dropout(x) @ self.lora_A.transpose(0, 1) @ self.lora_B.T * self.scaling

    def merge(self):
        self.base.weight.data += (self.lora_B @ self.lora_A) * self.scaling
        self.merged = True


def inject(module, r):
    for name, child in module.named_children():
        if isinstance(child, nn.Linear):
            setattr(module, name, LoRALinear(child, r=r))
        else:
            inject(child, r)
    return module


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh())
        self.classifier = nn.Linear(16, 3)

    def forward(self, x):
        return self.classifier(self.features(x))


def train(given, compiled):
    net = given.fill(Net())
    net = given.fill(inject(net, 2))
    trainable = [p for p in net.parameters() if p.requires_grad]
    names = {n for n, p in net.named_parameters() if p.requires_grad}
    assert all("lora_" in n for n in names), names
    assert len(names) == 6
    optimizer = torch.optim.AdamW(trainable, lr=0.02)
    x, y = given.normal(20, 6), given.integers(3, 20)
    criterion = nn.CrossEntropyLoss()

    @compiled
    def step(x, y):
        optimizer.zero_grad()
        loss = criterion(net(x), y)
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(x, y).item() for _ in range(8)]
    net.eval()
    with torch.no_grad():
        before = net(x)
        for m in net.modules():
            if isinstance(m, LoRALinear):
                m.merge()
        after = net(x)
    assert torch.allclose(before, after)
    lora_state = {k: v for k, v in net.state_dict().items() if "lora_" in k}
    return [
        *losses,
        after.norm().item(),
        float(len(lora_state)),
        sum(v.sum() for v in lora_state.values()).item(),
    ]
