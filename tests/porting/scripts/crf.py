"""A linear chain CRF: the partition function by a forward recursion, Viterbi decoding."""

import torch
import torch.nn as nn

START, STOP = 3, 4


class Tagger(nn.Module):
    def __init__(self, vocab, dim, tags):
        super().__init__()
        self.tags = tags
        self.embed = nn.Embedding(vocab, dim)
        self.mix = nn.Linear(3 * dim, tags)
        self.transitions = nn.Parameter(torch.zeros(tags, tags))

    def constrain(self):
        with torch.no_grad():
            self.transitions[START, :] = -10000.0
            self.transitions[:, STOP] = -10000.0

    def features(self, sentence):
        e = self.embed(sentence)
        left = torch.cat([torch.zeros_like(e[:1]), e[:-1]])
        right = torch.cat([e[1:], torch.zeros_like(e[:1])])
        return self.mix(torch.tanh(torch.cat([left, e, right], dim=-1)))

    def partition(self, feats):
        alpha = torch.full((self.tags,), -10000.0, dtype=feats.dtype)
        alpha[START] = 0.0
        for feat in feats:
            alpha = torch.logsumexp(
                alpha.unsqueeze(0) + self.transitions + feat.unsqueeze(1), dim=1
            )
        return torch.logsumexp(alpha + self.transitions[STOP], dim=0)

    def score(self, feats, tags):
        padded = torch.cat([torch.tensor([START]), tags])
        score = self.transitions[tags, padded[:-1]].sum() + self.transitions[STOP, tags[-1]]
        return score + feats.gather(1, tags.unsqueeze(1)).sum()

    def nll(self, sentence, tags):
        feats = self.features(sentence)
        return self.partition(feats) - self.score(feats, tags)

    @torch.no_grad()
    def viterbi(self, sentence):
        feats = self.features(sentence)
        score = torch.full((self.tags,), -10000.0, dtype=feats.dtype)
        score[START] = 0
        backpointers = []
        for feat in feats:
            best, idx = torch.max(score[None] + self.transitions, dim=1)
            score = best + feat
            backpointers.append(idx)
        score = score + self.transitions[STOP]
        best = int(torch.argmax(score))
        path = [best]
        for idx in reversed(backpointers):
            best = int(idx[best])
            path.append(best)
        assert path.pop() == START
        return score.max().item(), path[::-1]


def train(given, compiled):
    model = given.fill(Tagger(12, 5, 5))
    model.constrain()
    sentences = [given.integers(12, 5), given.integers(12, 7)]
    tags = [given.integers(3, 5), given.integers(3, 7)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, weight_decay=1e-4)

    def step(sentence, tag):
        model.zero_grad()
        loss = model.nll(sentence, tag)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    out = []
    for _ in range(5):
        out += [step(s, t).item() for s, t in zip(sentences, tags)]
    for s in sentences:
        score, path = model.viterbi(s)
        out += [score, *map(float, path)]
    return out
