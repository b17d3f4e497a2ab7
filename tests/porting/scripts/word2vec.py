"""Skip-grams with negative samples."""

import torch


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional

    class SkipGram(nn.Module):
        def __init__(self, words, size):
            super().__init__()
            self.inner = nn.Embedding(words, size)
            self.outer = nn.Embedding(words, size)

        def forward(self, center, context, negatives):
            v = self.inner(center)
            positive = (v * self.outer(context)).sum(dim=1)
            negative = torch.bmm(self.outer(negatives), v.unsqueeze(2)).squeeze()
            return -(F.logsigmoid(positive) + F.logsigmoid(-negative).sum(1)).mean()

    model = given.fill(SkipGram(20, 6))
    optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)

    def step(center, context, negatives):
        optimizer.zero_grad()
        loss = model(center, context, negatives)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    batches = ((given.integers(20, 12), given.integers(20, 12), given.integers(20, 12, 5)),) * 2
    return [step(*batch).item() for batch in batches for _ in range(3)]
