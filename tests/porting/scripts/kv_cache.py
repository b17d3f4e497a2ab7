"""A decoder with rotary positions and grouped queries; greedy decoding with a cache agrees."""

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F


@dataclass
class Config:
    vocab: int = 17
    dim: int = 16
    heads: int = 4
    kv_heads: int = 2
    layers: int = 2
    max_len: int = 24


def rotary(head_dim, length, base=10000.0):
    inv = 1.0 / (base ** (torch.arange(0, head_dim, 2).double() / head_dim))
    freqs = torch.outer(torch.arange(length).double(), inv)
    emb = torch.cat((freqs, freqs), dim=-1)
    return emb.cos(), emb.sin()


def rotate_half(x):
    x1, x2 = x[..., : x.shape[-1] // 2], x[..., x.shape[-1] // 2 :]
    return torch.cat((-x2, x1), dim=-1)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c, self.hd = c, c.dim // c.heads
        self.wq = nn.Linear(c.dim, c.heads * self.hd, bias=False)
        self.wk = nn.Linear(c.dim, c.kv_heads * self.hd, bias=False)
        self.wv = nn.Linear(c.dim, c.kv_heads * self.hd, bias=False)
        self.wo = nn.Linear(c.heads * self.hd, c.dim, bias=False)

    def forward(self, x, cos, sin, past=None):
        b, t, _ = x.size()
        q = self.wq(x).view(b, t, self.c.heads, self.hd).transpose(1, 2)
        k = self.wk(x).view(b, t, self.c.kv_heads, self.hd).transpose(1, 2)
        v = self.wv(x).view(b, t, self.c.kv_heads, self.hd).transpose(1, 2)
        q, k = q * cos + rotate_half(q) * sin, k * cos + rotate_half(k) * sin
        if past is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        cache = (k, v)
        n = self.c.heads // self.c.kv_heads
        k = (
            k[:, :, None]
            .expand(b, self.c.kv_heads, n, k.size(2), self.hd)
            .reshape(b, self.c.heads, -1, self.hd)
        )
        v = torch.repeat_interleave(v, n, dim=1)
        scores = q @ k.transpose(-2, -1) * self.hd**-0.5
        if t > 1:
            causal = torch.full((t, t), float("-inf"), dtype=x.dtype).triu(diagonal=1)
            scores = scores + causal
        return self.wo(
            (F.softmax(scores, dim=-1) @ v).transpose(1, 2).contiguous().view(b, t, -1)
        ), cache


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        self.tok = nn.Embedding(c.vocab, c.dim)
        self.blocks = nn.ModuleList()
        for _ in range(c.layers):
            block = nn.Module()
            block.norm1, block.attn, block.norm2 = (
                nn.RMSNorm(c.dim),
                Attention(c),
                nn.RMSNorm(c.dim),
            )
            block.mlp = nn.Sequential(
                nn.Linear(c.dim, 2 * c.dim), nn.SiLU(), nn.Linear(2 * c.dim, c.dim)
            )
            self.blocks.append(block)
        self.norm = nn.RMSNorm(c.dim, eps=1e-5)
        self.head = nn.Linear(c.dim, c.vocab, bias=False)
        self.head.weight = self.tok.weight
        cos, sin = rotary(c.dim // c.heads, c.max_len)
        self.register_buffer("cos", cos)
        self.register_buffer("sin", sin)
        self.apply(self._init)

    def _init(self, m):
        if isinstance(m, (nn.Linear, nn.Embedding)):
            torch.nn.init.trunc_normal_(m.weight, std=0.02)

    def forward(self, idx, targets=None, caches=None):
        start = 0 if caches is None else caches[0][0].size(2)
        cos, sin = self.cos[start : start + idx.size(1)], self.sin[start : start + idx.size(1)]
        x, new = self.tok(idx), []
        for i, block in enumerate(self.blocks):
            a, cache = block.attn(block.norm1(x), cos, sin, None if caches is None else caches[i])
            new.append(cache)
            x = x + a
            x = x + block.mlp(block.norm2(x))
        logits = self.head(self.norm(x))
        if targets is None:
            return logits, new
        return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1)

    @torch.no_grad()
    def generate(self, idx, n):
        logits, caches = self(idx)
        for _ in range(n):
            nxt = logits[:, -1].topk(1).indices
            idx = torch.cat((idx, nxt), dim=1)
            logits, caches = self(nxt, caches=caches)
        return idx, logits


def train(given, compiled):
    model = given.fill(Decoder(Config()))
    tokens = given.integers(17, 4, 11)
    x, y = tokens[:, :-1].contiguous(), tokens[:, 1:].clone()
    y[:, -2:] = -1
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)

    @compiled
    def step(x, y):
        loss = model(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss

    out = [step(x, y).item() for _ in range(5)]
    generated, logits = model.generate(x[:2, :3], 6)
    full, _ = model(generated)
    assert torch.allclose(full[:, -1], logits[:, -1])
    return out + generated.double().flatten().tolist() + [full.sum().item()]
