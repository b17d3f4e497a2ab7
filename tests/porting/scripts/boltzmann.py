"""A restricted Boltzmann machine by contrastive divergence, with gradients set by hand."""

import torch
import torch.nn as nn
import torch.nn.functional as F


class RBM(nn.Module):
    def __init__(self, n_vis, n_hid, k=2):
        super().__init__()
        self.W = nn.Parameter(torch.randn(n_hid, n_vis) * 1e-2)
        self.v_bias = nn.Parameter(torch.zeros(n_vis))
        self.h_bias = nn.Parameter(torch.zeros(n_hid))
        self.k = k

    def v_to_h(self, v):
        return torch.sigmoid(F.linear(v, self.W, self.h_bias))

    def h_to_v(self, h):
        return torch.sigmoid(F.linear(h, self.W.t(), self.v_bias))

    def free_energy(self, v):
        vbias_term = v.mv(self.v_bias)
        wx_b = F.linear(v, self.W, self.h_bias)
        hidden_term = wx_b.exp().add(1).log().sum(1)
        return (-hidden_term - vbias_term).mean()

    @torch.no_grad()
    def gibbs(self, v, noise):
        for i in range(self.k):
            p_h = self.v_to_h(v)
            h = torch.lt(noise[i, :, : p_h.size(1)], p_h).to(v.dtype)
            p_v = self.h_to_v(h)
            v = F.relu(torch.sign(p_v - noise[i, :, p_h.size(1) :]))
        return v


def train(given):
    rbm = given.fill(RBM(10, 6))
    optimizer = torch.optim.SGD(rbm.parameters(), 0.1, momentum=0.5, weight_decay=1e-4)
    data = (given.uniform(10, 8, 10) > 0.6).type(torch.float64)
    noise = given.uniform(10, 2, 8, 16)
    history = []
    for epoch, (v, n) in enumerate(zip(data, noise)):
        v_model = rbm.gibbs(v, n)
        if epoch % 2:
            loss = rbm.free_energy(v) - rbm.free_energy(v_model)
            optimizer.zero_grad()
            loss.backward()
        else:
            with torch.no_grad():
                h0, h1 = rbm.v_to_h(v), rbm.v_to_h(v_model)
                rbm.W.grad = -(torch.mm(h0.t(), v) - torch.mm(h1.t(), v_model)) / v.shape[0]
                rbm.v_bias.grad = torch.mean(v_model - v, dim=0)
                rbm.h_bias.grad = -torch.mean(h0 - h1, 0)
                loss = (v - v_model).pow(2).sum(1).mean().sqrt()
        optimizer.step()
        optimizer.param_groups[0]["momentum"] = 0.9 if epoch > 4 else 0.5
        history.append(loss.item())
    return history
