"""A plain subclass of Optimizer that writes to `p.data`."""

import torch


def train(given, compiled):
    class SGD(torch.optim.Optimizer):
        def __init__(self, params, lr, momentum=0.0):
            defaults = {"lr": lr, "momentum": momentum}
            super(SGD, self).__init__(params, defaults)

        def step(self):
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    d_p = p.grad.data
                    param_state = self.state[p]
                    if "momentum_buffer" not in param_state:
                        buf = param_state["momentum_buffer"] = torch.clone(d_p).detach()
                    else:
                        buf = param_state["momentum_buffer"]
                        buf.mul_(group["momentum"]).add_(d_p)
                    p.data.add_(buf, alpha=-group["lr"])

    model = given.fill(torch.nn.Linear(3, 2))
    optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, milestones=[2, 4], gamma=0.3)
    x, y = given.normal(20, 3), given.normal(20, 2)

    def step(x, y):
        optimizer.zero_grad()
        loss = ((model(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    history = []
    for _ in range(6):
        history.append(step(x, y).item())
        scheduler.step()
    return history
