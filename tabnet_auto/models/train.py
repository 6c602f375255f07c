"""All models of a run in order: first networks, companions, a race, networks, more of them, blend.

The networks train for an epoch before the companions do: from then on there is a usable model,
whatever comes. Time that a limit leaves goes to further rounds of networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic

import torch
from torch import nn

from tabnet_auto.companions.table import Recipe
from tabnet_auto.companions.train import Companion, Joined, train_companions
from tabnet_auto.config import Preset
from tabnet_auto.ensemble.blend import HeldOut, held_out_rows
from tabnet_auto.ensemble.choose import Chosen, choose_blend
from tabnet_auto.models.budget import Deadlines
from tabnet_auto.models.race import race_kinds
from tabnet_auto.models.rounds import Course, Room, Trained, ample_epochs, train_rounds
from tabnet_auto.models.scores import Scores, score_models
from tabnet_auto.search.record import SearchRecord
from tabnet_auto.trace import Trace
from tabnet_auto.train.interrupt import stop_on_interrupt
from tabnet_auto.train.members import Task, Training, predict_held_out
from tabnet_auto.train.state import TrainState

COMPANION_SHARE = 0.2
"""Share of the training time that each companion may take; all of them at most half of it."""


@dataclass(frozen=True)
class Plan:
    """What is trained, by which rule it is blended, where, and until when.

    ``max_epochs`` are the most that the user lets a network train for, 0 leaves that open;
    ``search`` found settings for each fold's networks.
    """

    settings: Preset
    recipes: tuple[Recipe, ...]
    blend: str
    device: torch.device
    times: Deadlines
    max_epochs: int = 0
    search: SearchRecord | None = None

    @property
    def course(self) -> Course:
        """How the networks are trained."""
        own = None if self.search is None else self.search.member_settings
        return Course(self.settings.net, self.settings.train, self.device, own)

    def beside(self, companions: Sequence[Joined]) -> Plan:
        """Return what is left of the plan where companions predict the test rows, too."""
        seconds = sum(one.row_seconds for one in companions)
        return replace(self, times=self.times.with_companions(seconds))

    def races(self, task: Task, step_seconds: float) -> bool:
        """Whether a race shall say of which kind a fold's one network is to begin with.

        Not where time is ample for all kinds (:func:`tabnet_auto.models.rounds.ample_epochs`).
        ``step_seconds`` is about how long a training step takes.
        """
        train, n_kinds = self.settings.train, self.settings.net.n_kinds
        most, until = self.settings.timed_seeds(), self.times.train
        if task.folds.n_seeds > 1 or most == 1:
            return False
        if until is None or most < n_kinds:
            return True
        epoch_seconds = max(map(len, task.folds.train)) / train.batch_size * step_seconds
        return until - monotonic() < ample_epochs(n_kinds, train.max_epochs) * epoch_seconds

    def room(self, epoch_seconds: float) -> Room:
        """What there is room for after a round of networks of which an epoch took so long."""
        most = self.settings.timed_seeds()
        return Room(self.times.train, self.times.seed_seconds, most, self.max_epochs, epoch_seconds)


@dataclass(frozen=True, eq=False)
class Models:
    """Everything that was trained, and how it is blended.

    ``net`` holds all network members' best weights, ``task`` says who they are; ``state`` is how
    the first round of them ended; ``held_out`` holds every model's predictions of the rows that
    its members held out; ``times`` are the plan's deadlines, by what the models need to predict;
    ``ended`` says whether an interrupt ended the training.
    """

    net: nn.Module
    task: Task
    state: TrainState
    companions: tuple[Companion, ...]
    held_out: HeldOut
    chosen: Chosen
    scores: Scores
    times: Deadlines
    ended: bool


def train_models(task: Task, plan: Plan, n_rows: int, trace: Trace) -> Models:
    """Train the networks for an epoch, the companions, the networks to the end and more; blend.

    The networks' plan bends to the time that companions leave. An interrupt ends all training
    with the best so far. ``n_rows`` counts the rows that are predicted out of fold: the first
    ones of the task.
    """
    begun, ended = _begin(task, plan, trace)
    joined, stopped = train_companions(
        () if ended else plan.recipes, task, n_threads=torch.get_num_threads(),
        until=_companions_until(plan), trace=trace,
    )  # fmt: skip
    with stop_on_interrupt():  # also between what looks for one
        return _go_on(begun, joined, plan.beside(joined), n_rows, trace, ended=ended or stopped)


def _go_on(
    begun: _Begun, joined: Sequence[Joined], plan: Plan, n_rows: int, trace: Trace, *, ended: bool
) -> Models:
    """Train the networks beside complete companions to the end, and more of them; blend."""
    task, order = begun.task, tuple(range(plan.course.net.n_kinds))
    if plan.races(task, begun.step_seconds) and not ended:
        order, ended = race_kinds(plan.course, task, plan.times.train, begun.step_seconds, trace)
        begun = _of_kind(begun, order[0], plan, trace)
    trained, state = _finish(begun, plan, order, trace, ended=ended)
    net, task = trained.net, trained.task
    with stop_on_interrupt():  # what is left takes seconds
        held = _held_out(net, task, joined, n_rows)
        times = plan.times.with_seeds(task.folds.n_seeds)
        recipes = [*trained.recipes, *range(len(joined))]
        chosen = choose_blend(held, task, plan.blend, recipes=recipes, until=times.blend)
    scores = score_models(task, held, chosen.oof)
    trace.note(chosen.reason, scores.decision.reason())
    if plan.search is not None:
        trace.note(f"search: {plan.search.outcome(scores.total)}")
    companions = scores.scored(one.companion for one in joined)
    return Models(net, task, state, companions, held, chosen, scores, times, trained.ended)


@dataclass(frozen=True, eq=False)
class _Begun:
    """Networks that have begun to train, their task, and how many seconds they have trained."""

    training: Training
    task: Task
    seconds: float

    @property
    def step_seconds(self) -> float:
        """Seconds of a training step, of those that have been taken."""
        return self.seconds / max(1, self.training.trainer.state.n_steps)


def _begin(task: Task, plan: Plan, trace: Trace) -> tuple[_Begun, bool]:
    """Train the first networks for an epoch; also say whether an interrupt ended that."""
    training, start = plan.course.training(task, trace), monotonic()
    with stop_on_interrupt() as stop:
        training.begin(plan.times.first, stop)
        return _Begun(training, task, monotonic() - start), stop()


def _of_kind(begun: _Begun, kind: int, plan: Plan, trace: Trace) -> _Begun:
    """Return networks of a kind: those that have begun if they are, else new ones."""
    if begun.task.folds.kinds == (kind,):
        return begun
    task = replace(begun.task, folds=begun.task.folds.with_kinds([kind]))
    return _Begun(plan.course.training(task, trace), task, 0.0)


def _finish(
    begun: _Begun, plan: Plan, order: Sequence[int], trace: Trace, *, ended: bool
) -> tuple[Trained, TrainState]:
    """Train the first networks to the end, and further ones while there is room.

    Of networks that an interrupt has ``ended`` the best so far are taken.
    """
    start, n_seeds = monotonic(), begun.task.folds.n_seeds
    with stop_on_interrupt() as stop:
        net, state = begun.training.finish(deadline=plan.times.train, stop=lambda: ended or stop())
        ended = ended or stop()
    first = Trained(net, begun.task, (state.epoch,) * n_seeds, ended)
    if ended:
        return first, state
    room = plan.room((begun.seconds + monotonic() - start) / state.epoch)
    return train_rounds(plan.course, first, state, room, order, trace), state


def _companions_until(plan: Plan) -> float | None:
    until, now = plan.times.train, monotonic()
    if until is None:
        return None
    return now + companion_share(len(plan.recipes)) * max(0.0, until - now)


def companion_share(n_companions: int) -> float:
    """Share of the training time that companions may take together."""
    return min(COMPANION_SHARE * n_companions, 0.5)


def _held_out(net: nn.Module, task: Task, joined: Sequence[Joined], n_rows: int) -> HeldOut:
    """Predict every fold's validation rows by each model: seeds first, then companions."""
    members = predict_held_out(net, task)
    n_seeds = task.folds.n_seeds
    seeds = [tuple(members[number::n_seeds]) for number in range(n_seeds)]
    own = (*seeds, *(one.held_out for one in joined))
    return HeldOut(own, held_out_rows(task.folds), n_rows)
