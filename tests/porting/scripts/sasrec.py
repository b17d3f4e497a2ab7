"""Recommendations from sequences: causal attention, logits of the next items and of others."""

import numpy as np
import torch


class PointWiseFeedForward(torch.nn.Module):
    def __init__(self, hidden_units):
        super(PointWiseFeedForward, self).__init__()
        self.conv1 = torch.nn.Conv1d(hidden_units, hidden_units, kernel_size=1)
        self.relu = torch.nn.ReLU()
        self.conv2 = torch.nn.Conv1d(hidden_units, hidden_units, kernel_size=1)

    def forward(self, inputs):
        outputs = self.conv2(self.relu(self.conv1(inputs.transpose(-1, -2))))
        return outputs.transpose(-1, -2) + inputs


class SASRec(torch.nn.Module):
    def __init__(self, item_num, maxlen=6, hidden=8):
        super(SASRec, self).__init__()
        self.dev = "cpu"
        self.item_emb = torch.nn.Embedding(item_num + 1, hidden, padding_idx=0)
        self.pos_emb = torch.nn.Embedding(maxlen + 1, hidden, padding_idx=0)
        self.norms = torch.nn.ModuleList([torch.nn.LayerNorm(hidden, eps=1e-8) for _ in range(3)])
        self.attention = torch.nn.MultiheadAttention(hidden, 1, 0.0)
        self.forward_layer = PointWiseFeedForward(hidden)

    def log2feats(self, log_seqs):
        seqs = self.item_emb(log_seqs)
        seqs *= self.item_emb.embedding_dim**0.5
        poss = np.tile(np.arange(1, log_seqs.shape[1] + 1), [log_seqs.shape[0], 1])
        poss = torch.LongTensor(poss) * (log_seqs != 0)
        seqs += self.pos_emb(poss)
        timeline = log_seqs == 0
        seqs *= ~timeline.unsqueeze(-1)
        tl = seqs.shape[1]
        attention_mask = ~torch.tril(torch.ones((tl, tl), dtype=torch.bool, device=self.dev))
        seqs = torch.transpose(seqs, 0, 1)
        Q = self.norms[0](seqs)
        mha_outputs, _ = self.attention(Q, seqs, seqs, attn_mask=attention_mask)
        seqs = torch.transpose(Q + mha_outputs, 0, 1)
        seqs = self.forward_layer(self.norms[1](seqs))
        seqs *= ~timeline.unsqueeze(-1)
        return self.norms[2](seqs)

    def forward(self, log_seqs, pos_seqs, neg_seqs):
        log_feats = self.log2feats(log_seqs)
        pos_logits = (log_feats * self.item_emb(pos_seqs)).sum(dim=-1)
        neg_logits = (log_feats * self.item_emb(neg_seqs)).sum(dim=-1)
        return pos_logits, neg_logits


def train(given, compiled):
    model = given.fill(SASRec(15))
    bce_criterion = torch.nn.BCEWithLogitsLoss()
    adam_optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, betas=(0.9, 0.98))

    def step(seq, pos, neg):
        pos_logits, neg_logits = model(seq, pos, neg)
        pos_labels, neg_labels = torch.ones(pos_logits.shape), torch.zeros(neg_logits.shape)
        adam_optimizer.zero_grad()
        indices = pos != 0
        loss = bce_criterion(pos_logits[indices], pos_labels.double()[indices])
        loss += bce_criterion(neg_logits[indices], neg_labels.double()[indices])
        for param in model.item_emb.parameters():
            loss += 1e-3 * torch.norm(param)
        loss.backward()
        adam_optimizer.step()
        return loss

    step = compiled(step)
    out = []
    for _ in range(5):
        seq = given.integers(15, 4, 6) + 1
        seq[:2, :3] = 0
        pos = torch.cat([seq[:, 1:], given.integers(15, 4, 1) + 1], 1) * (seq != 0)
        out.append(step(seq, pos, (given.integers(15, 4, 6) + 1) * (pos != 0)).item())
    return out
