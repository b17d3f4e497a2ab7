"""TD3: twin critics, delayed actor, targets that follow slowly; a replay buffer in NumPy."""

import copy

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


class ReplayBuffer(object):
    def __init__(self, state_dim, action_dim, max_size=100):
        self.max_size, self.ptr, self.size = max_size, 0, 0
        self.state, self.next_state = (
            np.zeros((max_size, state_dim)),
            np.zeros((max_size, state_dim)),
        )
        self.action = np.zeros((max_size, action_dim))
        self.reward, self.not_done = np.zeros((max_size, 1)), np.zeros((max_size, 1))
        self.rng = np.random.default_rng(1)

    def add(self, state, action, next_state, reward, done):
        self.state[self.ptr], self.action[self.ptr], self.next_state[self.ptr] = (
            state,
            action,
            next_state,
        )
        self.reward[self.ptr], self.not_done[self.ptr] = reward, 1.0 - done
        self.ptr = (self.ptr + 1) % self.max_size
        self.size = min(self.size + 1, self.max_size)

    def sample(self, n):
        ind = self.rng.integers(0, self.size, size=n)
        return tuple(
            torch.DoubleTensor(a[ind]).to(device)
            for a in (self.state, self.action, self.next_state, self.reward, self.not_done)
        )


class Actor(nn.Module):
    def __init__(self, state_dim, action_dim, max_action):
        super().__init__()
        self.l1, self.l2 = nn.Linear(state_dim, 16), nn.Linear(16, action_dim)
        self.max_action = max_action

    def forward(self, state):
        return self.max_action * torch.tanh(self.l2(F.relu(self.l1(state))))


class Critic(nn.Module):
    def __init__(self, state_dim, action_dim):
        super().__init__()
        self.l1, self.l2 = nn.Linear(state_dim + action_dim, 16), nn.Linear(16, 1)
        self.l4, self.l5 = nn.Linear(state_dim + action_dim, 16), nn.Linear(16, 1)

    def forward(self, state, action):
        sa = torch.cat([state, action], 1)
        return self.l2(F.relu(self.l1(sa))), self.l5(F.relu(self.l4(sa)))

    def Q1(self, state, action):
        return self.l2(F.relu(self.l1(torch.cat([state, action], 1))))


class TD3:
    def __init__(self, given, compiled, state_dim=3, action_dim=2, max_action=1.5):
        self.actor = given.fill(Actor(state_dim, action_dim, max_action)).to(device)
        self.actor_target = copy.deepcopy(self.actor)
        self.actor_optimizer = torch.optim.Adam(self.actor.parameters(), lr=3e-3)
        self.critic = given.fill(Critic(state_dim, action_dim)).to(device)
        self.critic_target = copy.deepcopy(self.critic)
        self.critic_optimizer = torch.optim.Adam(self.critic.parameters(), lr=3e-3)
        self.max_action, self.total_it = max_action, 0
        self.update_critic = compiled(self.update_critic)
        self.update_actor = compiled(self.update_actor)

    def select_action(self, state):
        state = torch.DoubleTensor(state.reshape(1, -1)).to(device)
        return self.actor(state).cpu().data.numpy().flatten()

    def update_critic(self, state, action, next_state, reward, not_done, noise):
        with torch.no_grad():
            noise = (noise * 0.2).clamp(-0.5, 0.5)
            next_action = (self.actor_target(next_state) + noise).clamp(
                -self.max_action, self.max_action
            )
            q1, q2 = self.critic_target(next_state, next_action)
            target = reward + not_done * 0.99 * torch.min(q1, q2)
        current1, current2 = self.critic(state, action)
        loss = F.mse_loss(current1, target) + F.mse_loss(current2, target)
        self.critic_optimizer.zero_grad()
        loss.backward()
        self.critic_optimizer.step()
        return loss

    def update_actor(self, state):
        loss = -self.critic.Q1(state, self.actor(state)).mean()
        self.actor_optimizer.zero_grad()
        loss.backward()
        self.actor_optimizer.step()
        for net, target in ((self.critic, self.critic_target), (self.actor, self.actor_target)):
            for param, target_param in zip(net.parameters(), target.parameters()):
                target_param.data.copy_(0.05 * param.data + 0.95 * target_param.data)
        return loss


def train(given, compiled):
    agent, buffer = TD3(given, compiled), ReplayBuffer(3, 2)
    state, out = np.array([1.0, 0.0, -1.0]), []
    for t in range(24):
        action = agent.select_action(state) + 0.1 * given.normal(2).numpy()
        next_state = 0.9 * state + 0.1 * np.append(action, np.sin(t))
        buffer.add(
            state, action, next_state, -float(np.square(next_state).sum()), float(t % 8 == 7)
        )
        state = next_state
        if t >= 8:
            batch = buffer.sample(8)
            out.append(agent.update_critic(*batch, given.normal(8, 2)).item())
            if t % 2 == 0:
                out.append(agent.update_actor(batch[0]).item())
    return out
