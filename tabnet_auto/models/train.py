"""All models of a run in order: first networks, companions, networks, blend.

The networks train for an epoch before the companions do: from then on there is a usable model,
whatever comes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import monotonic

import torch
from torch import nn

from tabnet_auto.companions.table import Recipe
from tabnet_auto.companions.train import Companion, Joined, train_companions
from tabnet_auto.config import Preset
from tabnet_auto.ensemble.blend import HeldOut, held_out_rows
from tabnet_auto.ensemble.choose import Chosen, choose_blend
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

    The instants are ``time.monotonic()``'s, None without a limit; ``search`` found settings for
    each fold's networks.
    """

    settings: Preset
    recipes: tuple[Recipe, ...]
    blend: str
    device: torch.device
    first_until: float | None
    train_until: float | None
    blend_until: float | None
    search: SearchRecord | None = None


@dataclass(frozen=True, eq=False)
class Models:
    """Everything that was trained, and how it is blended.

    ``net`` holds all network members' best weights; ``held_out`` every model's predictions of
    the rows that its members held out.
    """

    net: nn.Module
    state: TrainState
    companions: tuple[Companion, ...]
    held_out: HeldOut
    chosen: Chosen
    scores: Scores


def train_models(task: Task, plan: Plan, n_rows: int, trace: Trace) -> Models:
    """Train the networks for an epoch, the companions, the networks to the end; blend.

    The networks' plan bends to the time that companions leave. An interrupt ends all training
    with the best so far. ``n_rows`` counts the rows that are predicted out of fold: the first
    ones of the task.
    """
    own = None if plan.search is None else plan.search.member_settings(task.folds.fold)
    training = Training(
        task, plan.settings.net, plan.settings.train, device=plan.device, trace=trace, settings=own
    )
    with stop_on_interrupt() as stop:
        training.begin(plan.first_until, stop)
    joined, ended = train_companions(
        () if stop() else plan.recipes, task, n_threads=torch.get_num_threads(),
        until=_companions_until(plan), trace=trace,
    )  # fmt: skip
    ended = ended or stop()
    with stop_on_interrupt() as stop:
        net, state = training.finish(deadline=plan.train_until, stop=lambda: ended or stop())
    held = _held_out(net, task, joined, n_rows)
    chosen = choose_blend(held, task, plan.blend, n_companions=len(joined), until=plan.blend_until)
    scores = score_models(task, held, chosen.oof)
    trace.note(chosen.reason, scores.decision.reason())
    if plan.search is not None:
        trace.note(f"search: {plan.search.outcome(scores.total)}")
    return Models(net, state, tuple(one.companion for one in joined), held, chosen, scores)


def _companions_until(plan: Plan) -> float | None:
    if plan.train_until is None:
        return None
    now = monotonic()
    return now + companion_share(len(plan.recipes)) * max(0.0, plan.train_until - now)


def companion_share(n_companions: int) -> float:
    """Share of the training time that companions may take together."""
    return min(COMPANION_SHARE * n_companions, 0.5)


def _held_out(net: nn.Module, task: Task, joined: Sequence[Joined], n_rows: int) -> HeldOut:
    """Predict every fold's validation rows by each model: seeds first, then companions."""
    members = predict_held_out(net, task)
    n_seeds = task.folds.n_members // task.folds.n_folds
    seeds = [tuple(members[number::n_seeds]) for number in range(n_seeds)]
    own = (*seeds, *(one.held_out for one in joined))
    return HeldOut(own, held_out_rows(task.folds), n_rows)
