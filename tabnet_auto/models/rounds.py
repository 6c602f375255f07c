"""Rounds of networks: while a time limit leaves time, every fold trains further seeds.

How long a training takes nobody knows before early stopping has ended it. So the first round
trains in full, and the next ones follow with the pace that was measured, as long as one more fits.
They plan for twice the epochs that the first found best, and train to the end: their learning rate
falls before they learn the training rows by heart. Where there is time for it, one round trains
twice as long as the best plan, and another twice as long as that while it pays. Where time is
ample, kinds of networks are compared by the first one's plan, and longer ones are tried of each.
All join the blend.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from time import monotonic

import numpy as np
import torch
from torch import nn

from tabnet_auto.config import MemberSettings, NetConfig, PaperConfig, TrainConfig
from tabnet_auto.folds import Folds
from tabnet_auto.trace import Trace
from tabnet_auto.train.interrupt import stop_on_interrupt
from tabnet_auto.train.members import Task, Training
from tabnet_auto.train.state import TrainState

BENT = 0.3
"""Share of a round's time from which another is begun: its schedule bends to end in it."""
MOST = 0.75
"""Share of its time from which a longer round is begun."""


@dataclass(frozen=True)
class Course:
    """How networks are trained: their shape, their training, where; what differs between folds.

    ``settings`` returns the settings of members by their folds; None: nothing differs.
    """

    net: NetConfig | PaperConfig
    train: TrainConfig
    device: torch.device
    settings: Callable[[tuple[int, ...]], MemberSettings] | None = None

    def of(self, epochs: int) -> Course:
        """Return the same for a plan of other epochs, which is trained to its end."""
        return replace(self, train=replace(self.train, max_epochs=epochs, patience=epochs))

    def training(self, task: Task, trace: Trace, first_seed: int = 0) -> Training:
        """Set up the members of ``task``, whose folds have had ``first_seed`` seeds before."""
        own = None
        if self.settings is not None:
            longer, _ = task.folds.with_seeds((0,) * (first_seed + task.folds.n_seeds))
            own = self.settings(longer.fold).select(
                longer.of_seeds(range(first_seed, longer.n_seeds))
            )
        return Training(task, self.net, self.train, device=self.device, trace=trace, settings=own)


@dataclass(frozen=True)
class Room:
    """What there is room for after a round of networks.

    ``until`` is the ``time.monotonic()`` instant at which the first round's training must end,
    None without a limit; each further seed of all folds needs ``seed_seconds`` of what follows;
    a fold may have ``max_seeds``, of at most ``max_epochs`` if not 0; an epoch of the first round
    took ``epoch_seconds``.
    """

    until: float | None
    seed_seconds: float
    max_seeds: int
    max_epochs: int
    epoch_seconds: float

    def at_pace(self, epoch_seconds: float) -> Room:
        """Return the same where an epoch has been seen to take so long, if that is longer."""
        return replace(self, epoch_seconds=max(self.epoch_seconds, epoch_seconds))


@dataclass(frozen=True, eq=False)
class Trained:
    """Networks as one, the task of all their members, and whether an interrupt ended them.

    ``epochs`` were trained for each seed of a fold.
    """

    net: nn.Module
    task: Task
    epochs: tuple[int, ...]
    ended: bool

    @property
    def recipes(self) -> list[tuple[int, int]]:
        """Kind and epochs of each seed of a fold: what is equal in them differs by chance alone."""
        return list(zip(self.task.folds.kinds, self.epochs, strict=True))


def train_rounds(
    course: Course,
    first: Trained,
    state: TrainState,
    room: Room,
    order: Sequence[int],
    trace: Trace,
) -> Trained:
    """Train further seeds while there is room; return the networks of all rounds.

    ``first`` are the networks of the first round, fully trained, and ``state`` is theirs; ``order``
    is that of the kinds. Each round trains as many seeds as the first did. One that is interrupted
    is left out: its members have not learned to the end.
    """
    task, nets, ended = first.task, [first.net], False
    at_once, kinds, taken = task.folds.n_seeds, list(task.folds.kinds), list(first.epochs)
    tried = Tried(order, course.train.max_epochs, room.max_epochs)
    tried.add(task.folds, state, course.train.max_epochs)
    while room.until is not None:
        more = min(at_once, room.max_seeds - len(kinds))
        until = room.until - (len(kinds) + more - at_once) * room.seed_seconds
        left, pace = until - monotonic(), more / at_once * room.epoch_seconds
        kind, epochs = tried.next_plan(int(left / pace) if more and pace > 0.0 else 0)
        if more < 1 or left < BENT * epochs * pace:
            break
        trace.add(
            "round",
            number=len(nets) + 1,
            n_seeds=more,
            of_kind=kind,
            max_epochs=epochs,
            seconds=left,
        )
        folds, source = task.folds.with_seeds([*kinds, *[kind] * more])
        new = list(folds.of_seeds(range(len(kinds), folds.n_seeds)))
        joining = task.of_members(folds.select(new), source[new])
        training, start = course.of(epochs).training(joining, trace, len(kinds)), monotonic()
        with stop_on_interrupt() as stop:
            net, state = training.finish(deadline=until, stop=stop)
            ended = stop()
        if ended:
            break
        nets.append(net)
        kinds += [kind] * more
        taken += [state.epoch] * more
        tried.add(joining.folds, state, epochs)
        room = room.at_pace((monotonic() - start) * at_once / (more * state.epoch))
    if len(nets) == 1:
        return replace(first, ended=ended)
    whole = task.of_members(*task.folds.with_seeds(kinds))
    return Trained(_as_one(nets, whole, course), whole, tuple(taken), ended)


def ample_epochs(n_kinds: int, max_epochs: int) -> int:
    """Epochs from which time is ample: a whole plan of each kind, and one twice as long."""
    return (n_kinds + 2) * max_epochs


@dataclass(frozen=True)
class Trial:
    """A round of networks of one kind: planned and best epochs, and their validation loss."""

    kind: int
    planned: int
    best: int
    loss: float


class Tried:
    """Which plans of networks have been tried, and what comes next.

    ``max_epochs`` were planned for the first networks; the kinds take their turns in the given
    ``order``, and the first networks are of its first. No plan is longer than ``longest`` epochs,
    if that is not 0. ``is_ample`` says whether time is (:func:`ample_epochs`), None before the
    first plan.
    """

    def __init__(self, order: Sequence[int], max_epochs: int, longest: int = 0) -> None:
        self.order, self.max_epochs, self.longest = order, max_epochs, longest
        self.trials: dict[tuple[int, int], Trial] = {}
        self.is_ample: bool | None = None

    def add(self, folds: Folds, state: TrainState, planned: int) -> None:
        """Take note of members that have been trained; of a plan the first ones count."""
        kind = np.array(folds.kind or (0,) * folds.n_members)
        for one in set(kind.tolist()):
            best = math.ceil(np.median(np.array(state.best_epoch)[kind == one]))
            loss = float(np.mean(np.array(state.best_loss)[kind == one]))
            self.trials.setdefault((one, planned), Trial(one, planned, max(1, best), loss))

    def next_plan(self, n_epochs: int) -> tuple[int, int]:
        """Return the kind and the epochs of a round that has time for ``n_epochs``.

        Each kind for twice the epochs that the first round found best, or for the first round's
        plan where time is ample, if there is time to tell how good that is. Then the best trial's
        kind for twice its epochs, if there is time for most of them and it has not been tried for
        more; where time is ample the other kinds, too, the better ones first. Else the best trial's
        kind as that trial was.
        """
        first = self.trials[self.order[0], self.max_epochs]
        if self.is_ample is None:
            ample = ample_epochs(len(self.order), self.max_epochs)
            self.is_ample = self.max_epochs + n_epochs >= ample
        usual = self.max_epochs if self.is_ample else self._annealed(first)
        new = [kind for kind in self.order if (kind, usual) not in self.trials]
        if new and BENT * usual <= n_epochs:
            return new[0], usual
        by_loss = self._best_of_each_kind()
        for trial in by_loss if self.is_ample else by_loss[:1]:
            if self._may_be_doubled(trial) and MOST * 2 * trial.planned <= n_epochs:
                return trial.kind, 2 * trial.planned
        return by_loss[0].kind, self._annealed(by_loss[0])

    def _best_of_each_kind(self) -> list[Trial]:
        """Return the trials that are the best of their kind, the best first."""
        best: dict[int, Trial] = {}
        for trial in sorted(self.trials.values(), key=lambda trial: trial.loss):
            best.setdefault(trial.kind, trial)
        return list(best.values())

    def _may_be_doubled(self, trial: Trial) -> bool:
        """Whether no longer plan of its kind has been tried, and the user lets one be."""
        tried = any(k == trial.kind and planned > trial.planned for k, planned in self.trials)
        return not tried and (not self.longest or 2 * trial.planned <= self.longest)

    def _annealed(self, trial: Trial) -> int:
        """Epochs of a plan whose learning rate has fallen when a trial's best epoch comes."""
        return min(2 * trial.best, trial.planned)


def _as_one(nets: list[nn.Module], task: Task, course: Course) -> nn.Module:
    """Bring the members of all rounds into one network, fold by fold and seed by seed."""
    n_folds = task.folds.n_folds
    states = [net.state_dict() for net in nets]

    def together(name: str) -> torch.Tensor:
        parts = [state[name].unflatten(0, (n_folds, -1)) for state in states]
        return torch.cat(parts, dim=1).flatten(0, 1)

    net = task.build(course.net, course.device)
    net.load_state_dict({name: together(name) for name in states[0]})
    return net.eval()
