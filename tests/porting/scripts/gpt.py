"""A block of a transformer by hand, causal, with tied embeddings, on sequences of tokens."""

import math
from dataclasses import dataclass

import torch


@dataclass
class Config:
    vocab: int = 16
    length: int = 8
    heads: int = 2
    width: int = 12


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional

    class Attention(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.heads = config.heads
            self.c_attn = nn.Linear(config.width, 3 * config.width)
            self.c_proj = nn.Linear(config.width, config.width)
            mask = torch.tril(torch.ones(config.length, config.length))
            self.register_buffer("bias", mask.view(1, 1, config.length, config.length))

        def forward(self, x):
            B, T, C = x.size()
            q, k, v = self.c_attn(x).split(C, dim=2)
            q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
            att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
            att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
            y = F.softmax(att, dim=-1) @ v
            return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))

    class GPT(nn.Module):
        def __init__(self, config):
            super().__init__()
            C = config.width
            self.wte = nn.Embedding(config.vocab, C)
            self.wpe = nn.Embedding(config.length, C)
            self.ln_1, self.ln_2, self.ln_f = nn.LayerNorm(C), nn.LayerNorm(C), nn.LayerNorm(C)
            self.attn = Attention(config)
            self.mlp = nn.Sequential(
                nn.Linear(C, 4 * C), nn.GELU(approximate="tanh"), nn.Linear(4 * C, C)
            )
            self.lm_head = nn.Linear(C, config.vocab, bias=False)
            self.wte.weight = self.lm_head.weight

        def forward(self, idx, targets):
            pos = torch.arange(0, idx.size(1), dtype=torch.long, device=idx.device)
            x = self.wte(idx) + self.wpe(pos)
            x = x + self.attn(self.ln_1(x))
            x = x + self.mlp(self.ln_2(x))
            logits = self.lm_head(self.ln_f(x))
            return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))

    model = given.fill(GPT(Config()))
    decay = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95))

    def step(x, y):
        loss = model(x, y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss

    step = compiled(step)
    text = given.integers(16, 3, 9)
    return [step(text[:, :-1], text[:, 1:]).item() for _ in range(4)]
