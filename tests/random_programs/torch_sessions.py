"""Random sessions: what somebody does to a network, one thing after the other, on both libraries.

A session builds a network, an optimiser and a few functions that share them, and then trains,
evaluates, freezes, changes numbers, makes mistakes, ... On Schuss's side the functions may be
compiled. Whatever can be seen is compared after each thing.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from torch_models import LOSSES, RULES, SCHEDULES, WIDTHS, model_of, targets_of

__all__ = ["Session"]

Seen = list[tuple[str, np.ndarray]]
BATCHES = (1, 2, 3, 5, 8, 17, 33)


@dataclass(frozen=True)
class Session:
    """A random session.

    Args:
        seed: decides all of it.
        left_out: the numbers of things that are not done.
    """

    seed: int
    left_out: frozenset[int] = frozenset()

    @property
    def things(self) -> list[str]:
        """What is done, in its order."""
        rng = np.random.default_rng([self.seed, 1])
        names = list(_Studio.things())
        return ["train", *[str(rng.choice(names)) for _ in range(rng.integers(5, 16))]]

    def seen(self, lib: Any, wrap: Callable[[Any], Any]) -> Seen:
        """Do it all on a library, and return what can be seen.

        Args:
            lib: torch or schuss.
            wrap: what is done to functions before they are called; compiled, or nothing.
        """
        studio = _Studio(self.seed, lib, wrap)
        for number, thing in enumerate(self.things):
            if number not in self.left_out:
                studio.do(number, thing)
        return studio.seen

    def smaller(self) -> Iterator[Session]:
        """Yield sessions without one of the things."""
        for number in range(len(self.things)):
            if number not in self.left_out:
                yield replace(self, left_out=self.left_out | {number})

    def __str__(self) -> str:
        done = [f"{i} {t}" for i, t in enumerate(self.things) if i not in self.left_out]
        return f"# session {self.seed}: {', '.join(done)}\n{_Studio(self.seed).says}"


class _Studio:
    """A network, and what can be done to it.

    Args:
        seed: of the session.
        lib: torch or schuss; None to say what there is.
        wrap: what is done to functions.
    """

    def __init__(self, seed: int, lib: Any = None, wrap: Callable[[Any], Any] = lambda f: f):
        rng = np.random.default_rng([seed, 0])
        self.lib, self.seen = lib, Seen()
        self.batch, self.classes = int(rng.choice(BATCHES)), int(rng.integers(2, 9))
        self.width = int(rng.choice(WIDTHS))
        self.words = int(rng.integers(2, 20)) if rng.random() < 0.25 else 0
        self.loss = str(rng.choice(list(LOSSES)))
        self.rule = str(rng.choice(list(RULES)))
        self.schedule = str(rng.choice(list(SCHEDULES))) if rng.random() < 0.6 else ""
        self.clip = str(rng.choice(["", "", "norm", "value", "max norm"]))
        self.in_groups = bool(rng.random() < 0.3)
        self.sets_none = bool(rng.random() < 0.8)
        self.says = ", ".join(
            f"{k}={v!r}" for k, v in vars(self).items() if k not in ("lib", "seen")
        )
        if lib is None:
            return
        self.model = model_of(lib, rng, self.width, self.classes, self.words).double()
        self.says += f"\n{self.model}"
        self._fill(np.random.default_rng([seed, 2]))
        self.seed = seed
        self.weights = lib.tensor(np.random.default_rng(seed).random(self.classes) + 0.5)
        self.numbers = {"scale": 1.0, "is cubed": False}
        self.optimizer = self._optimizer()
        schedules = lib.optim.lr_scheduler
        self.scheduler = (
            SCHEDULES[self.schedule](schedules, self.optimizer) if self.schedule else None
        )
        self.kept: Any = None
        for name in (
            "step",
            "add_gradients",
            "apply_gradients",
            "evaluated",
            "scaled",
            "mixed",
            "careful",
        ):
            setattr(self, name, wrap(getattr(self, f"_{name}")))

    def _fill(self, rng: np.random.Generator) -> None:
        state = self.model.state_dict()
        for name in sorted(state):
            x = state[name]
            if "running" not in name and "num_batches" not in name and "largest" not in name:
                made = rng.normal(size=tuple(x.shape)) * (0.5 if x.ndim > 1 else 0.3)
                state[name] = self.lib.tensor(made + (0.0 if x.ndim > 1 else 0.4))
        self.model.load_state_dict(state)

    def _optimizer(self) -> Any:
        parameters = list(self.model.parameters())
        options = RULES[self.rule]
        make = getattr(self.lib.optim, self.rule.partition(" ")[0])
        if not self.in_groups or len(parameters) < 2:
            return make(parameters, **options)
        groups = [{"params": parameters[:1], "lr": options["lr"] * 0.3}, {"params": parameters[1:]}]
        return make(groups, **options)

    # The functions, which may be compiled.

    def _loss_of(self, x: Any, y: Any) -> Any:
        loss = LOSSES[self.loss](self.lib.nn.functional, self.model(x), y, self.weights)
        if self.numbers["is cubed"]:
            loss = loss + loss**3 * 0.01
        return loss * self.numbers["scale"]

    def _clipped(self) -> None:
        utils = self.lib.nn.utils
        if self.clip == "norm":
            utils.clip_grad_norm_(self.model.parameters(), 0.5)
        elif self.clip == "max norm":
            utils.clip_grad_norm_(self.model.parameters(), 0.1, norm_type=float("inf"))
        elif self.clip == "value":
            utils.clip_grad_value_(self.model.parameters(), 0.05)

    def _step(self, x: Any, y: Any) -> Any:
        self.optimizer.zero_grad(set_to_none=self.sets_none)
        loss = self._loss_of(x, y)
        loss.backward()
        self._clipped()
        self.optimizer.step()
        return loss

    def _add_gradients(self, x: Any, y: Any) -> Any:
        loss = self._loss_of(x, y)
        (loss / 2).backward()
        return loss

    def _apply_gradients(self) -> Any:
        self._clipped()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _careful(self, x: Any, y: Any, is_wrong: bool) -> Any:
        loss = self._loss_of(x, y)
        if is_wrong:
            raise RuntimeError("a mistake")
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss

    def _evaluated(self, x: Any) -> Any:
        with self.lib.no_grad():
            return self.model(x)

    def _scaled(self, x: Any, factor: float, is_abs: bool) -> Any:
        with self.lib.no_grad():
            y = self.model(x) * factor
            return y.abs() if is_abs else y

    def _mixed(self, weight: Any, x: Any, y: Any) -> Any:
        with self.lib.no_grad():
            return (weight * 2.0).sum() + (x * y).sum() + self.model(x).mean()

    # The things.

    @classmethod
    def things(cls) -> list[str]:
        """Return the names of all things, those that matter most several times."""
        names = [n.removeprefix("do_").replace("_", " ") for n in vars(cls) if n.startswith("do_")]
        return [*names, *["train"] * 4, *["accumulate"] * 2, "schedule", "schedule", "scan"]

    def do(self, number: int, thing: str) -> None:
        """Do one thing, and look at what there is to see afterwards."""
        rng = np.random.default_rng([self.seed, 3, number])
        found = getattr(self, f"do_{thing.replace(' ', '_')}")(rng)
        for i, x in enumerate(found or ()):
            self._see(f"{number} {thing}, result {i}", x)
        for name, x in self.model.state_dict().items():
            self._see(f"{number} {thing}, {name}", x)
        if rng.random() < 0.4:
            for name, p in self.model.named_parameters():
                self._see(f"{number} {thing}, gradient of {name}", p.grad)

    def _see(self, label: str, x: Any) -> None:
        if x is None or isinstance(x, (bool, float, str)):
            self.seen.append((label, np.array(str(x))))
        else:
            self.seen.append((label, x.detach().numpy().copy()))

    def _arrays(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        shape = (self.batch, self.width)
        x = rng.integers(0, self.words, shape) if self.words else rng.normal(size=shape)
        return x, targets_of(self.loss, rng, self.batch, self.classes)

    def _batch(self, rng: np.random.Generator) -> tuple[Any, Any]:
        x, y = map(self.lib.tensor, self._arrays(rng))
        way = rng.random()
        if way < 0.15:
            # The same numbers, in other memory.
            x = x.t().contiguous().t()
        elif way < 0.3:
            x = self.lib.cat([x, x])[self.batch :]
        elif way < 0.4:
            x = self.lib.stack([x, x], 2)[:, :, 0]
        return x, y

    def do_train(self, rng: np.random.Generator) -> Any:
        return [self.step(*self._batch(rng)) for _ in range(rng.integers(1, 4))]

    def do_accumulate(self, rng: np.random.Generator) -> Any:
        losses = [self.add_gradients(*self._batch(rng)) for _ in range(rng.integers(1, 4))]
        if rng.random() < 0.3:
            for p in self.model.parameters():
                if p.grad is not None:
                    p.grad *= 0.5
        if rng.random() < 0.8:
            self.apply_gradients()
        return losses

    def do_evaluate(self, rng: np.random.Generator) -> Any:
        x, _ = self._batch(rng)
        first = self.evaluated(x)
        kept = first.clone()
        # What is returned is the caller's.
        first.zero_()
        return [kept, self.evaluated(x)]

    def do_call_with_numbers(self, rng: np.random.Generator) -> Any:
        x, _ = self._batch(rng)
        calls = [(0.5, False), (0.25, False), (0.25, True), (2.0, True), (0.5, False)]
        return [self.scaled(x, *call) for call in calls[: rng.integers(2, 6)]]

    def do_pass_a_state(self, rng: np.random.Generator) -> Any:
        x, _ = self._batch(rng)
        weight = next(self.model.parameters())
        return [self.mixed(weight, x, x), self.mixed(weight.detach() * 2.0, x, x.clone())]

    def do_evaluate_in_eval(self, rng: np.random.Generator) -> Any:
        self.model.eval()
        found = [self.evaluated(self._batch(rng)[0])]
        if rng.random() < 0.8:
            self.model.train()
        return found

    def do_train_mode(self, rng: np.random.Generator) -> Any:
        self.model.train(bool(rng.random() < 0.6))

    def do_schedule(self, rng: np.random.Generator) -> Any:
        if self.scheduler is not None:
            self.scheduler.step()
        return [float(f"{g['lr']:.9g}") for g in self.optimizer.param_groups]

    def do_set_hyperparameters(self, rng: np.random.Generator) -> Any:
        group = self.optimizer.param_groups[-1]
        if self.scheduler is None:
            group["lr"] *= float(rng.choice([0.5, 1.5]))
        group["weight_decay"] = float(rng.choice([0.0, 0.01, 0.05]))
        if group.get("momentum"):
            group["momentum"] = float(rng.choice([0.5, 0.9]))
        if "betas" in group:
            group["betas"] = (float(rng.choice([0.8, 0.9])), 0.99)
        return self.do_train(rng)

    def do_change_numbers(self, rng: np.random.Generator) -> Any:
        self.numbers["scale"] = float(rng.choice([0.5, 1.0, 2.0]))
        self.numbers["is cubed"] = bool(rng.random() < 0.5)
        for module in self.model.modules():
            if hasattr(module, "negated"):
                module.factor = float(rng.choice([0.5, 1.0, 1.5]))
                module.negated = bool(rng.random() < 0.5)
            if hasattr(module, "again"):
                module.again = bool(rng.random() < 0.5)
        return self.do_train(rng)

    def do_freeze(self, rng: np.random.Generator) -> Any:
        parameters = list(self.model.parameters())
        for p in parameters[:-1]:
            if rng.random() < 0.4:
                p.requires_grad_(not p.requires_grad)
        return self.do_train(rng)

    def do_change_a_parameter(self, rng: np.random.Generator) -> Any:
        parameters = list(self.model.parameters())
        p = parameters[int(rng.integers(len(parameters)))]
        with self.lib.no_grad():
            way = rng.random()
            if way < 0.3:
                p.mul_(0.9)
            elif way < 0.5:
                p[0] = 0.25
            elif way < 0.7:
                p.copy_(self.lib.tensor(rng.normal(size=tuple(p.shape)) * 0.4))
            else:
                p += 0.05

    def do_forget_gradients(self, rng: np.random.Generator) -> Any:
        if rng.random() < 0.5:
            self.optimizer.zero_grad()
        else:
            next(self.model.parameters()).grad = None

    def do_keep_or_go_back(self, rng: np.random.Generator) -> Any:
        if self.kept is None:
            self.kept = copy.deepcopy((self.model.state_dict(), self.optimizer.state_dict()))
        else:
            self.model.load_state_dict(self.kept[0])
            self.optimizer.load_state_dict(copy.deepcopy(self.kept[1]))
            self.kept = None

    def do_make_a_mistake(self, rng: np.random.Generator) -> Any:
        x, y = self._batch(rng)
        self.model.eval()
        found: list[Any] = []
        for wrong in (False, True, False):
            try:
                found.append(self.careful(x, y, wrong))
            except RuntimeError as error:
                found.append(str(error))
        try:
            self.evaluated(x.reshape(1, 1, 1, -1)[..., :0])
        except Exception:
            found.append("refused")
        self.model.train()
        return found

    def do_train_in_a_thread(self, rng: np.random.Generator) -> Any:
        found: list[Any] = []
        thread = threading.Thread(target=lambda: found.extend(self.do_train(rng)))
        thread.start()
        thread.join()
        return found

    def do_evaluate_in_threads(self, rng: np.random.Generator) -> Any:
        self.model.eval()
        inputs = [self._batch(rng)[0] for _ in range(2)]
        found: dict[int, list[Any]] = {}

        def work(i: int) -> None:
            found[i] = [self.evaluated(inputs[i]) for _ in range(3)]

        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.model.train()
        return found.get(0, []) + found.get(1, [])

    def do_scan(self, rng: np.random.Generator) -> Any:
        steps = int(rng.integers(1, 6))
        batches = [self._arrays(rng) for _ in range(steps)]
        group = self.optimizer.param_groups[0]
        rates = [group["lr"] * float(f) for f in rng.choice([0.5, 1.0, 1.1], steps)]
        rates[-1] = group["lr"]

        def before(i: int) -> None:
            group["lr"] = rates[i]

        if hasattr(self.step, "scan"):
            data = tuple(
                self.lib.tensor(np.concatenate(side)) for side in zip(*batches, strict=True)
            )
            index = np.arange(steps * self.batch).reshape(steps, self.batch)
            return [self.step.scan(data, index, before=before)]
        losses = []
        for i, (x, y) in enumerate(batches):
            before(i)
            losses.append(self.step(self.lib.tensor(x), self.lib.tensor(y)))
        return [self.lib.stack([loss.detach() for loss in losses])]
