"""A step of a GAN: a discriminator and a generator, each with an optimiser of its own."""

import torch


def train(given, compiled):
    nn = torch.nn
    generator = given.fill(nn.Sequential(nn.Linear(4, 16), nn.ReLU(True), nn.Linear(16, 2)))
    discriminator = given.fill(
        nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2, inplace=True), nn.Linear(16, 1))
    )
    optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    optimizer_d = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.999))
    criterion = nn.BCEWithLogitsLoss()
    real = given.normal(16, 2) * 0.5 + 1
    ones = torch.ones(16, 1, dtype=torch.float64)
    zeros = torch.zeros_like(ones)

    def step(real, z):
        fake = generator(z)
        optimizer_d.zero_grad()
        loss_real = criterion(discriminator(real), ones)
        loss_fake = criterion(discriminator(fake.detach()), zeros)
        (loss_real + loss_fake).backward()
        optimizer_d.step()

        optimizer_g.zero_grad()
        loss_g = criterion(discriminator(fake), ones)
        loss_g.backward()
        optimizer_g.step()
        return loss_real + loss_fake, loss_g

    step = compiled(step)
    history = []
    for _ in range(6):
        loss_d, loss_g = step(real, given.normal(16, 4))
        history.extend([loss_d.item(), loss_g.item()])
    return history
