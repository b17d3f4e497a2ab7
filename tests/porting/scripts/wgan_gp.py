"""The critic of a Wasserstein GAN with a penalty on its gradient between real and made."""

import torch


def train(given, compiled):
    nn = torch.nn
    critic = given.fill(
        nn.Sequential(nn.Linear(3, 16), nn.LayerNorm(16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    )
    optimizer = torch.optim.RMSprop(critic.parameters(), lr=1e-3)

    def gradient_penalty(real, fake, alpha):
        mixed = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
        scores = critic(mixed)
        gradients = torch.autograd.grad(
            outputs=scores,
            inputs=mixed,
            grad_outputs=torch.ones_like(scores),
            create_graph=True,
            retain_graph=True,
            only_inputs=True,
        )[0]
        gradients = gradients.view(gradients.size(0), -1)
        return ((gradients.norm(2, dim=1) - 1) ** 2).mean()

    def step(real, fake, alpha):
        optimizer.zero_grad()
        distance = critic(fake).mean() - critic(real).mean()
        loss = distance + 10.0 * gradient_penalty(real, fake, alpha)
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    real, fake = given.normal(12, 3) + 1, given.normal(12, 3)
    return [step(real, fake, given.uniform(12, 1)).item() for _ in range(6)]
