"""PPO: the clipped objective, a critic, an entropy bonus, advantages from GAE."""

import torch


def train(given, compiled):
    nn = torch.nn

    class ActorCritic(nn.Module):
        def __init__(self):
            super().__init__()
            self.actor = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 2))
            self.critic = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
            self.log_std = nn.Parameter(torch.zeros(1, 2))

        def forward(self, obs):
            mean = self.actor(obs)
            std = self.log_std.expand_as(mean).exp()
            return torch.distributions.Normal(mean, std), self.critic(obs).squeeze(-1)

    agent = given.fill(ActorCritic())
    optimizer = torch.optim.Adam(agent.parameters(), lr=3e-3, eps=1e-5)
    obs, action, rewards = given.normal(24, 3), given.normal(24, 2), given.normal(24)
    with torch.no_grad():
        dist, values = agent(obs)
        old_log_prob = dist.log_prob(action).sum(-1)
        advantages = torch.zeros_like(rewards)
        last = 0.0
        for t in reversed(range(23)):
            delta = rewards[t] + 0.99 * values[t + 1] - values[t]
            advantages[t] = last = delta + 0.99 * 0.95 * last
        returns = advantages + values

    def step(obs, action, old_log_prob, advantages, returns):
        dist, value = agent(obs)
        ratio = (dist.log_prob(action).sum(-1) - old_log_prob).exp()
        advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
        clipped = torch.clamp(ratio, 1 - 0.2, 1 + 0.2) * advantages
        policy_loss = -torch.min(ratio * advantages, clipped).mean()
        value_loss = 0.5 * (returns - value).pow(2).mean()
        loss = policy_loss + 0.5 * value_loss - 0.01 * dist.entropy().sum(-1).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(agent.parameters(), max_norm=0.5)
        optimizer.step()
        return loss

    step = compiled(step)
    history = []
    for epoch in range(4):
        order = given.integers(24, 24)
        for index in order.split(12):
            batch = (v[index] for v in (obs, action, old_log_prob, advantages, returns))
            history.append(step(*batch).item())
    return history
