"""A masked language model: the loss of masked tokens alone, tied weights, decay for matrices."""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

PAD, MASK, VOCAB = 0, 1, 20


class SelfAttention(nn.Module):
    def __init__(self, hidden, heads):
        super().__init__()
        self.num_attention_heads, self.attention_head_size = heads, hidden // heads
        self.query, self.key, self.value = (nn.Linear(hidden, hidden) for _ in range(3))

    def transpose_for_scores(self, x):
        new_x_shape = x.size()[:-1] + (self.num_attention_heads, self.attention_head_size)
        return x.view(*new_x_shape).permute(0, 2, 1, 3)

    def forward(self, x, attention_mask):
        q, k, v = map(self.transpose_for_scores, (self.query(x), self.key(x), self.value(x)))
        scores = torch.matmul(q, k.transpose(-1, -2)) / math.sqrt(self.attention_head_size)
        probs = nn.Softmax(dim=-1)(scores + attention_mask)
        context = torch.matmul(probs, v).permute(0, 2, 1, 3).contiguous()
        return context.view(*context.size()[:-2] + (-1,))


class Layer(nn.Module):
    def __init__(self, hidden):
        super().__init__()
        self.attention, self.norm1 = SelfAttention(hidden, 2), nn.LayerNorm(hidden, eps=1e-12)
        self.up, self.down = nn.Linear(hidden, 2 * hidden), nn.Linear(2 * hidden, hidden)
        self.norm2 = nn.LayerNorm(hidden, eps=1e-12)

    def forward(self, x, mask):
        x = self.norm1(x + self.attention(x, mask))
        return self.norm2(x + self.down(F.gelu(self.up(x))))


class Bert(nn.Module):
    def __init__(self, hidden=8, length=12):
        super().__init__()
        self.word = nn.Embedding(VOCAB, hidden, padding_idx=PAD)
        self.position = nn.Embedding(length, hidden)
        self.register_buffer("position_ids", torch.arange(length).expand((1, -1)))
        self.layers = nn.ModuleList([Layer(hidden) for _ in range(2)])
        self.transform = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.LayerNorm(hidden))
        self.decoder = nn.Linear(hidden, VOCAB, bias=False)
        self.bias = nn.Parameter(torch.zeros(VOCAB))
        self.apply(self._init_weights)
        self.decoder.weight = self.word.weight

    def _init_weights(self, module):
        if isinstance(module, (nn.Linear, nn.Embedding)):
            module.weight.data.normal_(mean=0.0, std=0.02)
            if isinstance(module, nn.Embedding) and module.padding_idx is not None:
                module.weight.data[module.padding_idx].zero_()
        elif isinstance(module, nn.LayerNorm):
            module.bias.data.zero_()
            module.weight.data.fill_(1.0)

    def forward(self, ids):
        mask = (ids != PAD)[:, None, None, :].to(dtype=self.word.weight.dtype)
        mask = (1.0 - mask) * torch.finfo(self.word.weight.dtype).min
        x = self.word(ids) + self.position(self.position_ids[:, : ids.shape[1]])
        for layer in self.layers:
            x = layer(x, mask)
        return self.decoder(self.transform(x)) + self.bias


def train(given, compiled):
    model = Bert()
    model = given.fill(model)
    no_decay = ["bias", "norm"]
    groups = [
        {
            "params": [
                p for n, p in model.named_parameters() if not any(nd in n for nd in no_decay)
            ],
            "weight_decay": 0.01,
        },
        {
            "params": [p for n, p in model.named_parameters() if any(nd in n for nd in no_decay)],
            "weight_decay": 0.0,
        },
    ]
    optimizer = AdamW(groups, lr=5e-3, eps=1e-8)
    scheduler = LambdaLR(optimizer, lambda s: min(1.0, (s + 1) / 3) * max(0.1, 1 - s / 10))

    def step(ids, chosen):
        labels = ids.clone()
        labels[~chosen] = -100
        inputs = ids.masked_fill(chosen, MASK)
        logits = model(inputs)
        loss = F.cross_entropy(logits.view(-1, VOCAB), labels.view(-1))
        picked = F.cross_entropy(logits[chosen], ids[chosen])
        correct = (logits.argmax(-1) == labels)[chosen].float().mean()
        total = loss + 0.1 * picked
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return total, correct

    step = compiled(step)
    out = []
    for _ in range(6):
        ids = given.integers(VOCAB - 2, 4, 10) + 2
        ids[:2, 7:] = PAD
        chosen = (given.uniform(4, 10) < 0.3) & (ids != PAD)
        loss, correct = step(ids, chosen)
        scheduler.step()
        out += [loss.item(), correct.item()]
    return out
