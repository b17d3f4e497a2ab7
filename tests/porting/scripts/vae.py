"""A variational autoencoder; the noise of the reparametrisation is given."""

import torch


def train(given, compiled):
    nn, F = torch.nn, torch.nn.functional

    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1 = nn.Linear(12, 16)
            self.fc21 = nn.Linear(16, 3)
            self.fc22 = nn.Linear(16, 3)
            self.fc3 = nn.Linear(3, 16)
            self.fc4 = nn.Linear(16, 12)

        def encode(self, x):
            h = F.relu(self.fc1(x))
            return self.fc21(h), self.fc22(h)

        def decode(self, z):
            return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

        def forward(self, x, noise):
            mu, logvar = self.encode(x.view(-1, 12))
            std = torch.exp(0.5 * logvar)
            return self.decode(mu + noise * std), mu, logvar

    model = given.fill(VAE())
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    x = given.uniform(20, 1, 3, 4)
    noise = given.normal(6, 20, 3)

    def step(x, noise):
        optimizer.zero_grad()
        recon, mu, logvar = model(x, noise)
        bce = F.binary_cross_entropy(recon, x.view(-1, 12), reduction="sum")
        kld = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
        loss = bce + kld
        loss.backward()
        optimizer.step()
        return loss / len(x)

    step = compiled(step)
    return [step(x, e).item() for e in noise]
