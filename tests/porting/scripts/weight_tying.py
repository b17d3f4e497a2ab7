"""An autoencoder whose decoder is the encoder's weight transposed, and tied twice."""

import torch


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional

    class Tied(nn.Module):
        def __init__(self, inputs, hidden):
            super().__init__()
            self.encoder = nn.Linear(inputs, hidden)
            self.same = nn.Linear(inputs, hidden)
            self.same.weight = self.encoder.weight
            self.decoder_bias = nn.Parameter(torch.zeros(inputs))

        def forward(self, x):
            h = torch.tanh(self.encoder(x)) + torch.sigmoid(self.same(x))
            return F.linear(h, self.encoder.weight.t(), self.decoder_bias)

    model = given.fill(Tied(6, 3))
    assert len(list(model.parameters())) == 4
    assert len(model.state_dict()) == 5
    optimizer = torch.optim.Adadelta(model.parameters(), lr=1.0, rho=0.95)

    def step(x):
        optimizer.zero_grad()
        loss = F.mse_loss(model(x), x)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    x = given.normal(20, 6)
    return [step(x).item() for _ in range(5)]
