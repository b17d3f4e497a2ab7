"""Gradient descent: rules, schedules of the learning rate, and clipping of gradients.

Names, arguments and semantics are PyTorch's.

>>> import schuss as ss
>>> p = ss.tensor([3.0], requires_grad=True)
>>> optimizer = SGD([p], lr=0.1, momentum=0.9)
>>> for _ in range(200):
...     optimizer.zero_grad()
...     (p * p).sum().backward()
...     optimizer.step()
>>> abs(p.item()) < 1e-3
True
"""

from importlib import import_module

from schuss.optim import lr_scheduler, schedules
from schuss.optim.adadelta import Adadelta
from schuss.optim.adafactor import Adafactor
from schuss.optim.adagrad import Adagrad
from schuss.optim.adam import Adam
from schuss.optim.adamax import Adamax
from schuss.optim.adamw import AdamW
from schuss.optim.asgd import ASGD
from schuss.optim.clip import clip_grad_norm_, clip_grad_value_
from schuss.optim.d_adaptation import DAdaptAdam, DAdaptSGD
from schuss.optim.lamb import LAMB
from schuss.optim.lbfgs import LBFGS
from schuss.optim.lion import Lion
from schuss.optim.lookahead import Lookahead
from schuss.optim.muon import Muon
from schuss.optim.muon_adamw import MuonAdamW
from schuss.optim.nadam import NAdam
from schuss.optim.optimizer import Optimizer
from schuss.optim.prodigy import Prodigy
from schuss.optim.radam import RAdam
from schuss.optim.rmsprop import RMSprop
from schuss.optim.rprop import Rprop
from schuss.optim.sam import SAM
from schuss.optim.schedule_free import AdamWScheduleFree, SGDScheduleFree
from schuss.optim.sgd import SGD
from schuss.optim.shampoo import Shampoo
from schuss.optim.soap import SOAP
from schuss.optim.sparse_adam import SparseAdam
from schuss.spelling.constructors import take_without_effect

__all__ = [
    "ASGD",
    "LAMB",
    "LBFGS",
    "SAM",
    "SGD",
    "SOAP",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "AdamWScheduleFree",
    "Adamax",
    "DAdaptAdam",
    "DAdaptSGD",
    "Lion",
    "Lookahead",
    "Muon",
    "MuonAdamW",
    "NAdam",
    "Optimizer",
    "Prodigy",
    "RAdam",
    "RMSprop",
    "Rprop",
    "SGDScheduleFree",
    "Shampoo",
    "SparseAdam",
    "clip_grad_norm_",
    "clip_grad_value_",
    "lr_scheduler",
    "schedules",
]

# What chooses between ways to compute the same in PyTorch.
_WAYS = ("foreach", "fused", "capturable", "differentiable")
for _name in __all__:
    _rule = globals()[_name]
    if isinstance(_rule, type) and issubclass(_rule, Optimizer) and _rule is not Optimizer:
        take_without_effect(_rule, *_WAYS)


def __getattr__(name: str) -> object:
    # It needs networks, which need what is here.
    if name == "swa_utils":
        return import_module("schuss.optim.swa_utils")
    raise AttributeError(f"module 'schuss.optim' has no attribute {name!r}")
