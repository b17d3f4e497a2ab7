"""Newton's method with torch.func, Hessian products and a check of the Jacobian."""

import torch


def train(given, compiled):
    x, y = given.normal(30, 3), (given.uniform(30) > 0.4).double()

    def nll(w):
        return torch.nn.functional.binary_cross_entropy_with_logits(x @ w, y) + 0.01 * w.dot(w)

    def step(w):
        g, H = torch.func.grad(nll)(w), torch.func.hessian(nll)(w)
        w = w - torch.linalg.solve(H, g)
        _, hv = torch.func.jvp(torch.func.grad(nll), (w,), (g,))
        J = torch.func.jacrev(lambda w: torch.sigmoid(x @ w))(w)
        return w, nll(w), hv.norm(), J.pow(2).sum()

    step = compiled(step)
    w = torch.zeros(3, dtype=torch.float64)
    history = []
    for _ in range(3):
        w, *values = step(w)
        history += [v.item() for v in values]
    hessian = torch.autograd.functional.hessian(nll, w)
    return [*history, hessian.trace().item(), torch.linalg.eigvalsh(hessian).max().item()]
