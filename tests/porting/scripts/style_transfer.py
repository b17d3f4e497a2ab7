"""A picture is optimised by LBFGS until the Gram matrices of its features are another's."""

from collections import OrderedDict

import torch
import torch.nn as nn
import torch.optim as optim


def gram_matrix(input):
    a, b, c, d = input.size()
    features = input.view(a * b, c * d)
    return torch.mm(features, features.t()).div(a * b * c * d)


class Normalization(nn.Module):
    def __init__(self, mean, std):
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1))
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1))

    def forward(self, img):
        return (img - self.mean) / self.std


class TotalVariation(nn.Module):
    def forward(self, x):
        dh = torch.abs(x[..., 1:, :] - x[..., :-1, :])
        dw = torch.abs(x[..., :, 1:] - x[..., :, :-1])
        return dh.mean() + dw.mean()


def train(given):
    net = nn.Sequential(
        OrderedDict(
            [
                ("norm", Normalization([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])),
                ("conv1", nn.Conv2d(3, 6, 3, padding="same")),
                ("relu1", nn.ReLU(inplace=False)),
                ("pool1", nn.AvgPool2d(kernel_size=2, stride=2)),
                ("conv2", nn.Conv2d(6, 8, 3, padding=1)),
                ("elu2", nn.ELU()),
            ]
        )
    )
    given.fill(net).eval()
    for p in net.parameters():
        p.requires_grad_(False)
    seen = {}

    def keep(name):
        def hook(module, inputs, output):
            seen[name] = output

        return hook

    handles = [
        layer.register_forward_hook(keep(name))
        for name, layer in net.named_children()
        if name.startswith("conv")
    ]
    style, content = given.uniform(1, 3, 8, 8), given.uniform(1, 3, 8, 8)
    with torch.no_grad():
        net(style)
        grams = {k: gram_matrix(v).detach() for k, v in seen.items()}
        net(content)
        target = seen["conv2"].clone()
    img = content.clone().requires_grad_(True)
    optimizer = optim.LBFGS([img], max_iter=4, history_size=5)
    variation = TotalVariation()
    run, losses = [0], []
    while run[0] <= 12:

        def closure():
            with torch.no_grad():
                img.clamp_(0, 1)
            optimizer.zero_grad()
            net(img)
            style_score = sum(
                nn.functional.mse_loss(gram_matrix(v), grams[k]) for k, v in seen.items()
            )
            content_score = nn.functional.mse_loss(seen["conv2"], target)
            loss = style_score * 1e3 + content_score + 1e-2 * variation(img)
            loss.backward()
            run[0] += 1
            losses.append(loss.item())
            return loss

        optimizer.step(closure)
    for handle in handles:
        handle.remove()
    with torch.no_grad():
        img.clamp_(0, 1)
    return [*losses, img.mean().item(), img.std().item()]
