"""VQ-VAE: nearest codes with a straight-through gradient, and a codebook of moving averages."""

import torch
from torch import nn
from torch.nn import functional as F


class VectorQuantizerEMA(nn.Module):
    def __init__(self, num_embeddings, dim, commitment=0.25, decay=0.9, eps=1e-5):
        super().__init__()
        self.K, self.D = num_embeddings, dim
        self.commitment, self.decay, self.eps = commitment, decay, eps
        embed = torch.zeros(num_embeddings, dim)
        self.register_buffer("embedding", embed)
        self.register_buffer("cluster_size", torch.zeros(num_embeddings))
        self.register_buffer("embed_avg", embed.clone())

    def forward(self, z):
        flat = z.reshape(-1, self.D)
        dist = (
            flat.pow(2).sum(1, keepdim=True)
            - 2 * flat @ self.embedding.t()
            + self.embedding.pow(2).sum(1, keepdim=True).t()
        )
        _, index = (-dist).max(1)
        onehot = F.one_hot(index, self.K).type(flat.dtype)
        index = index.view(*z.shape[:-1])
        quantized = F.embedding(index, self.embedding)
        if self.training:
            onehot_sum = onehot.sum(0)
            embed_sum = flat.detach().transpose(0, 1) @ onehot
            self.cluster_size.data.mul_(self.decay).add_(onehot_sum, alpha=1 - self.decay)
            self.embed_avg.data.mul_(self.decay).add_(embed_sum.t(), alpha=1 - self.decay)
            n = self.cluster_size.sum()
            size = (self.cluster_size + self.eps) / (n + self.K * self.eps) * n
            self.embedding.data.copy_(self.embed_avg / size.unsqueeze(1))
        loss = self.commitment * (quantized.detach() - z).pow(2).mean()
        quantized = z + (quantized - z).detach()
        probs = onehot.mean(0)
        perplexity = torch.exp(-torch.sum(probs * torch.log(probs + 1e-10)))
        return quantized, loss, perplexity


class VQVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Linear(12, 16), nn.SiLU(), nn.Linear(16, 8), nn.Unflatten(-1, (2, 4))
        )
        self.vq = VectorQuantizerEMA(6, 4)
        self.decoder = nn.Sequential(nn.Flatten(), nn.Linear(8, 16), nn.SiLU(), nn.Linear(16, 12))

    def forward(self, x):
        q, vq_loss, perplexity = self.vq(self.encoder(x))
        return self.decoder(q), vq_loss, perplexity


def train(given, compiled):
    model = given.fill(VQVAE())
    codes = given.normal(6, 4)
    model.vq.embedding.copy_(codes)
    model.vq.embed_avg.copy_(codes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    x = given.normal(24, 12)

    @compiled
    def step(x):
        optimizer.zero_grad()
        recon, vq_loss, perplexity = model(x)
        loss = F.mse_loss(recon, x) + vq_loss
        loss.backward()
        optimizer.step()
        return loss, perplexity

    out = []
    for _ in range(8):
        out += [v.item() for v in step(x)]
    model.eval()
    out.append(model(x)[0].sum().item())
    return out
