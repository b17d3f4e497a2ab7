"""A LLaMA-like decoder: RMS norm, rotary embedding, grouped heads, SwiGLU; nucleus sampling."""

from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn.functional as F
from torch import nn


@dataclass
class ModelArgs:
    dim: int = 16
    n_layers: int = 2
    n_heads: int = 4
    n_kv_heads: Optional[int] = 2
    vocab_size: int = 17
    norm_eps: float = 1e-5
    max_seq_len: int = 16


class RMSNorm(torch.nn.Module):
    def __init__(self, dim: int, eps: float = 1e-6):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))

    def _norm(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)

    def forward(self, x):
        output = self._norm(x).type_as(x)
        return output * self.weight


def precompute(dim, end, theta=10000.0):
    freqs = 1.0 / (theta ** (torch.arange(0, dim, 2)[: (dim // 2)].double() / dim))
    t = torch.arange(end, device=freqs.device)
    freqs = torch.outer(t, freqs)
    return torch.cos(freqs), torch.sin(freqs)


def reshape_for_broadcast(freqs, x):
    ndim = x.ndim
    assert 0 <= 1 < ndim
    assert freqs.shape == (x.shape[1], x.shape[-1])
    shape = [d if i == 1 or i == ndim - 1 else 1 for i, d in enumerate(x.shape)]
    return freqs.view(shape)


def rotate(x, cos, sin):
    r, i = x.reshape(x.shape[:-1] + (-1, 2)).unbind(-1)
    cos, sin = reshape_for_broadcast(cos, r), reshape_for_broadcast(sin, r)
    return torch.stack([r * cos - i * sin, r * sin + i * cos], dim=-1).flatten(3)


def repeat_kv(x: torch.Tensor, n_rep: int) -> torch.Tensor:
    bs, slen, n_kv_heads, head_dim = x.shape
    if n_rep == 1:
        return x
    return (
        x[:, :, :, None, :]
        .expand(bs, slen, n_kv_heads, n_rep, head_dim)
        .reshape(bs, slen, n_kv_heads * n_rep, head_dim)
    )


class Attention(nn.Module):
    def __init__(self, args: ModelArgs):
        super().__init__()
        self.n_kv = args.n_heads if args.n_kv_heads is None else args.n_kv_heads
        assert args.n_heads % self.n_kv == 0
        self.n, self.hd = args.n_heads, args.dim // args.n_heads
        self.wq = nn.Linear(args.dim, self.n * self.hd, bias=False)
        self.wk = nn.Linear(args.dim, self.n_kv * self.hd, bias=False)
        self.wv = nn.Linear(args.dim, self.n_kv * self.hd, bias=False)
        self.wo = nn.Linear(self.n * self.hd, args.dim, bias=False)
        mask = torch.full((1, 1, args.max_seq_len, args.max_seq_len), float("-inf"))
        self.register_buffer("mask", torch.triu(mask, diagonal=1), persistent=False)

    def forward(self, x, cos, sin):
        b, s, _ = x.shape
        xq = self.wq(x).view(b, s, self.n, self.hd)
        xk = self.wk(x).view(b, s, self.n_kv, self.hd)
        xv = self.wv(x).view(b, s, self.n_kv, self.hd)
        xq, xk = rotate(xq, cos, sin), rotate(xk, cos, sin)
        xk, xv = repeat_kv(xk, self.n // self.n_kv), repeat_kv(xv, self.n // self.n_kv)
        xq, xk, xv = xq.transpose(1, 2), xk.transpose(1, 2), xv.transpose(1, 2)
        scores = torch.matmul(xq, xk.transpose(2, 3)) / self.hd**0.5
        scores = F.softmax(scores + self.mask[:, :, :s, :s], dim=-1)
        out = torch.matmul(scores, xv).transpose(1, 2).contiguous().view(b, s, -1)
        return self.wo(out)


class Block(nn.Module):
    def __init__(self, layer_id: int, args: ModelArgs):
        super().__init__()
        self.layer_id = layer_id
        self.attention = Attention(args)
        hidden = 4 * ((int(2 * 4 * args.dim / 3) + 3) // 4)
        self.w1, self.w2, self.w3 = (
            nn.Linear(args.dim, hidden, bias=False),
            nn.Linear(hidden, args.dim, bias=False),
            nn.Linear(args.dim, hidden, bias=False),
        )
        self.attention_norm = RMSNorm(args.dim, eps=args.norm_eps)
        self.ffn_norm = RMSNorm(args.dim, eps=args.norm_eps)

    def forward(self, x, cos, sin):
        h = x + self.attention.forward(self.attention_norm(x), cos, sin)
        y = self.ffn_norm(h)
        return h + self.w2(F.silu(self.w1(y)) * self.w3(y))


class Llama(nn.Module):
    last_loss: Optional[torch.Tensor]

    def __init__(self, params: ModelArgs):
        super().__init__()
        self.params = params
        self.tok_embeddings = nn.Embedding(params.vocab_size, params.dim)
        self.layers = torch.nn.ModuleList()
        for layer_id in range(params.n_layers):
            self.layers.append(Block(layer_id, params))
        self.norm = RMSNorm(params.dim, eps=params.norm_eps)
        self.output = nn.Linear(params.dim, params.vocab_size, bias=False)
        self.tok_embeddings.weight = self.output.weight
        cos, sin = precompute(params.dim // params.n_heads, params.max_seq_len)
        self.register_buffer("freqs_cos", cos, persistent=False)
        self.register_buffer("freqs_sin", sin, persistent=False)
        self.last_loss = None

    def forward(self, tokens, targets=None):
        _bsz, seqlen = tokens.shape
        h = self.tok_embeddings(tokens)
        cos, sin = self.freqs_cos[:seqlen], self.freqs_sin[:seqlen]
        for layer in self.layers:
            h = layer(h, cos, sin)
        h = self.norm(h)
        if targets is not None:
            logits = self.output(h)
            self.last_loss = F.cross_entropy(
                logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1
            )
        else:
            logits = self.output(h[:, [-1], :])
            self.last_loss = None
        return logits

    @torch.inference_mode()
    def generate(self, idx, max_new_tokens, temperature=1.0, top_p=0.8):
        for _ in range(max_new_tokens):
            idx_cond = idx if idx.size(1) <= 16 else idx[:, -16:]
            logits = self(idx_cond)[:, -1, :] / temperature
            sorted_logits, sorted_indices = torch.sort(logits, descending=True)
            cumulative = torch.cumsum(F.softmax(sorted_logits, dim=-1), dim=-1)
            remove = cumulative > top_p
            remove[..., 1:] = remove[..., :-1].clone()
            remove[..., 0] = 0
            indices = remove.scatter(1, sorted_indices, remove)
            logits[indices] = -float("Inf")
            v, _ = torch.topk(logits, min(3, logits.size(-1)))
            logits[logits < v[:, [-1]]] = -float("Inf")
            probs = F.softmax(logits, dim=-1)
            idx = torch.cat((idx, probs.argmax(-1, keepdim=True)), dim=1)
        return idx, probs


def train(given, compiled):
    model = given.fill(Llama(ModelArgs()))
    assert "freqs_cos" not in model.state_dict()
    param_dict = {pn: p for pn, p in model.named_parameters() if p.requires_grad}
    decay = [p for n, p in param_dict.items() if p.dim() >= 2]
    nodecay = [p for n, p in param_dict.items() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decay, "weight_decay": 0.1}, {"params": nodecay, "weight_decay": 0.0}],
        lr=1e-2,
        betas=(0.9, 0.95),
        fused=False,
    )
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    out = []

    def micro(X, Y):
        model(X, Y)
        loss = model.last_loss / 2
        scaler.scale(loss).backward()
        return loss

    micro = compiled(micro)
    for it in range(5):
        for _ in range(2):
            data = given.integers(17, 3, 13)
            loss = micro(data[:, :-1], data[:, 1:].contiguous())
            out.append(loss.item())
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)
    model.eval()
    tokens, probs = model.generate(given.integers(17, 2, 4), 5)
    return [*out, tokens.float().mean().item(), *probs[0, :3].tolist()]
