"""The steps of scikit-learn's MLPClassifier: epochs by `partial_fit`, without shuffling."""

from __future__ import annotations

import numpy as np
from sklearn.neural_network import MLPClassifier

from peers.driver import LeftOut, Steps
from peers.networks import LR, Data, Network


def begin(network: Network, data: Data) -> MLPClassifier:
    """A classifier with the given weights, before its first step."""
    model = MLPClassifier(
        network.hidden,
        solver="adam",
        alpha=0.0,
        batch_size=network.batch,
        # The first step is there only to make the arrays: it must not move the weights.
        learning_rate_init=1e-30,
        shuffle=False,
    )
    classes = np.arange(network.classes)
    model.partial_fit(data.x[: network.batch], data.y[: network.batch], classes=classes)
    for into, value in zip(model.coefs_, data.weights[::2], strict=True):
        into[...] = value.T
    for into, value in zip(model.intercepts_, data.weights[1::2], strict=True):
        into[...] = value
    return model


def build(option: str, network: Network, data: Data) -> Steps:
    if network.hidden is None:
        raise LeftOut("MLPClassifier has plain layers only")
    model = begin(network, data)
    model.set_params(learning_rate_init=LR)
    # The rule starts anew, with the true rate and no moments.
    del model._optimizer
    batch = network.batch

    def check(count: int) -> float:
        for _ in range(count):
            model.partial_fit(data.x[:batch], data.y[:batch])
        return float(model.loss_)

    # An epoch of all the batches of the index, gathered before; of a part of it, a shorter one.
    rows = data.index.ravel()
    x, y = data.x[rows], data.y[rows]

    def run(count: int) -> float:
        model.partial_fit(x[: count * batch], y[: count * batch])
        return float(model.loss_)

    return Steps(run, check)
