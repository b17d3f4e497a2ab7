"""A transformer from nn's parts: positions, masks, greedy decoding; a Noam schedule."""

import math

import torch
from torch import Tensor, nn
from torch.nn import Transformer


class PositionalEncoding(nn.Module):
    def __init__(self, emb_size: int, dropout: float, maxlen: int = 30):
        super().__init__()
        den = torch.exp(-torch.arange(0, emb_size, 2) * math.log(10000) / emb_size)
        pos = torch.arange(0, maxlen).reshape(maxlen, 1)
        pos_embedding = torch.zeros((maxlen, emb_size))
        pos_embedding[:, 0::2] = torch.sin(pos * den)
        pos_embedding[:, 1::2] = torch.cos(pos * den)
        pos_embedding = pos_embedding.unsqueeze(-2)
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("pos_embedding", pos_embedding)

    def forward(self, token_embedding: Tensor):
        return self.dropout(token_embedding + self.pos_embedding[: token_embedding.size(0), :])


class Seq2Seq(nn.Module):
    def __init__(self, vocab, d=8, heads=2, layers=1):
        super().__init__()
        self.transformer = Transformer(
            d_model=d,
            nhead=heads,
            num_encoder_layers=layers,
            num_decoder_layers=layers,
            dim_feedforward=16,
            dropout=0.0,
        )
        self.generator = nn.Linear(d, vocab)
        self.src_tok_emb, self.tgt_tok_emb = nn.Embedding(vocab, d), nn.Embedding(vocab, d)
        self.positional_encoding = PositionalEncoding(d, dropout=0.0)
        self.d = d

    def embed(self, table, tokens):
        return self.positional_encoding(table(tokens.long()) * math.sqrt(self.d))

    def forward(
        self,
        src,
        trg,
        src_mask,
        tgt_mask,
        src_padding_mask,
        tgt_padding_mask,
        memory_key_padding_mask,
    ):
        outs = self.transformer(
            self.embed(self.src_tok_emb, src),
            self.embed(self.tgt_tok_emb, trg),
            src_mask,
            tgt_mask,
            None,
            src_padding_mask,
            tgt_padding_mask,
            memory_key_padding_mask,
        )
        return self.generator(outs)


def generate_square_subsequent_mask(sz):
    mask = (torch.triu(torch.ones((sz, sz))) == 1).transpose(0, 1)
    return mask.float().masked_fill(mask == 0, float("-inf")).masked_fill(mask == 1, float(0.0))


PAD = 1


def create_mask(src, tgt):
    tgt_mask = generate_square_subsequent_mask(tgt.shape[0]).double()
    src_mask = torch.zeros((src.shape[0], src.shape[0])).type(torch.bool)
    return src_mask, tgt_mask, (src == PAD).transpose(0, 1), (tgt == PAD).transpose(0, 1)


class NoamOpt:
    def __init__(self, model_size, factor, warmup, optimizer):
        self.optimizer, self._step, self.warmup, self.factor, self.model_size = (
            optimizer,
            0,
            warmup,
            factor,
            model_size,
        )

    def step(self):
        self._step += 1
        rate = self.factor * (
            self.model_size ** (-0.5)
            * min(self._step ** (-0.5), self._step * self.warmup ** (-1.5))
        )
        for p in self.optimizer.param_groups:
            p["lr"] = rate
        self.optimizer.step()


def train(given):
    model = given.fill(Seq2Seq(12))
    for p in model.parameters():
        if p.dim() > 1:
            p.data.mul_(0.9)
    loss_fn = torch.nn.CrossEntropyLoss(ignore_index=PAD)
    opt = NoamOpt(
        8, 1.0, 4, torch.optim.Adam(model.parameters(), lr=0.0, betas=(0.9, 0.98), eps=1e-9)
    )
    src, tgt = given.integers(10, 6, 3) + 2, given.integers(10, 7, 3) + 2
    src[4:, 1] = PAD
    tgt[5:, 2] = PAD
    out = []
    for _ in range(4):
        tgt_input, tgt_out = tgt[:-1, :], tgt[1:, :]
        src_mask, tgt_mask, src_padding_mask, tgt_padding_mask = create_mask(src, tgt_input)
        logits = model(
            src,
            tgt_input,
            src_mask,
            tgt_mask,
            src_padding_mask,
            tgt_padding_mask.double().masked_fill(tgt_padding_mask, float("-inf")),
            src_padding_mask,
        )
        opt.optimizer.zero_grad()
        loss = loss_fn(logits.reshape(-1, logits.shape[-1]), tgt_out.reshape(-1))
        loss.backward()
        opt.step()
        out.append(loss.item())
    return out
