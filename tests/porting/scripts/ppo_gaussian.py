"""PPO with a Gaussian policy: advantages in a loop backward over tensors, batches by samplers."""

import numpy as np
import torch
import torch.nn as nn
from torch.distributions.normal import Normal
from torch.utils.data import BatchSampler, SequentialSampler, SubsetRandomSampler


def layer_init(layer, std=np.sqrt(2), bias_const=0.0):
    torch.nn.init.orthogonal_(layer.weight, std)
    torch.nn.init.constant_(layer.bias, bias_const)
    return layer


class Agent(nn.Module):
    def __init__(self, obs_dim, act_dim):
        super().__init__()
        self.critic = nn.Sequential(
            layer_init(nn.Linear(obs_dim, 16)), nn.Tanh(), layer_init(nn.Linear(16, 1), std=1.0)
        )
        self.actor_mean = nn.Sequential(
            layer_init(nn.Linear(obs_dim, 16)),
            nn.Tanh(),
            layer_init(nn.Linear(16, act_dim), std=0.01),
        )
        self.actor_logstd = nn.Parameter(torch.zeros(1, act_dim))

    def get_value(self, x):
        return self.critic(x)

    def get_action_and_value(self, x, action=None, noise=None):
        action_mean = self.actor_mean(x)
        action_logstd = self.actor_logstd.expand_as(action_mean)
        probs = Normal(action_mean, torch.exp(action_logstd))
        if action is None:
            action = probs.mean + probs.stddev * noise
        return action, probs.log_prob(action).sum(1), probs.entropy().sum(1), self.critic(x)


def train(given, compiled):
    T, N, obs_dim, act_dim = 8, 4, 3, 2
    agent = given.fill(Agent(obs_dim, act_dim))
    optimizer = torch.optim.Adam(agent.parameters(), lr=3e-3, eps=1e-5)
    obs = torch.zeros((T, N) + (obs_dim,), dtype=torch.float64)
    actions = torch.zeros((T, N, act_dim), dtype=torch.float64)
    logprobs, rewards, dones, values = (torch.zeros((T, N)).double() for _ in range(4))
    next_obs, next_done = given.normal(N, obs_dim), torch.zeros(N, dtype=torch.double)

    @compiled
    def update(o, a, lp, adv, ret, val):
        _, newlogprob, entropy, newvalue = agent.get_action_and_value(o, a)
        logratio = newlogprob - lp
        ratio = logratio.exp()
        with torch.no_grad():
            approx_kl = ((ratio - 1) - logratio).mean()
            clipfrac = ((ratio - 1.0).abs() > 0.2).float().mean()
        adv = (adv - adv.mean()) / (adv.std() + 1e-8)
        pg_loss = torch.max(-adv * ratio, -adv * torch.clamp(ratio, 1 - 0.2, 1 + 0.2)).mean()
        newvalue = newvalue.view(-1)
        v_clipped = val + torch.clamp(newvalue - val, -0.2, 0.2)
        v_loss = 0.5 * torch.max((newvalue - ret) ** 2, (v_clipped - ret) ** 2).mean()
        loss = pg_loss - 0.01 * entropy.mean() + v_loss * 0.5
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(agent.parameters(), 0.5)
        optimizer.step()
        return loss.detach(), approx_kl, clipfrac

    history = []
    for iteration in range(1, 3):
        optimizer.param_groups[0]["lr"] = (1.0 - (iteration - 1.0) / 2) * 3e-3
        for step in range(T):
            obs[step], dones[step] = next_obs, next_done
            with torch.no_grad():
                action, logprob, _, value = agent.get_action_and_value(
                    next_obs, noise=given.normal(N, act_dim)
                )
                values[step] = value.flatten()
            actions[step] = action
            logprobs[step] = logprob
            drift = action.cpu().numpy() @ np.ones((act_dim, obs_dim)) * 0.1
            next_obs = torch.Tensor(np.tanh(next_obs.numpy() + drift)).to(torch.float64)
            rewards[step] = torch.tensor(-np.square(next_obs.numpy()).sum(-1)).view(-1)
            next_done = torch.tensor(
                [float((step + i) % 5 == 0) for i in range(N)], dtype=torch.float64
            )
        with torch.no_grad():
            next_value = agent.get_value(next_obs).reshape(1, -1)
            advantages, lastgaelam = torch.zeros_like(rewards), 0
            for t in reversed(range(T)):
                nextnonterminal = 1.0 - (next_done if t == T - 1 else dones[t + 1])
                nextvalues = next_value if t == T - 1 else values[t + 1]
                delta = rewards[t] + 0.99 * nextvalues * nextnonterminal - values[t]
                advantages[t] = lastgaelam = delta + 0.99 * 0.95 * nextnonterminal * lastgaelam
            returns = advantages + values
        flat = [
            v.reshape((-1,) + v.shape[2:])
            for v in (obs, actions, logprobs, advantages, returns, values)
        ]
        for epoch in range(2):
            for mb_inds in BatchSampler(SequentialSampler(range(T * N)), 16, drop_last=True):
                loss, kl, frac = update(*(v[mb_inds] for v in flat))
                history.extend([loss.item(), kl.item(), frac.item()])
        y_pred, y_true = values.reshape(-1).numpy(), returns.reshape(-1).numpy()
        history.append(1 - np.var(y_true - y_pred) / np.var(y_true))
    assert sorted(SubsetRandomSampler(range(5))) == [0, 1, 2, 3, 4]
    return history
