"""The same models once more, on all rows, for as long as the folds found best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from tabnet_auto.companions.train import refit_companion
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.errors import InputError
from tabnet_auto.folds import Folds, group_numbers
from tabnet_auto.result.reduce import weighty_companions
from tabnet_auto.table import Table, read_table, special_columns
from tabnet_auto.target import encode_target
from tabnet_auto.trace import Trace
from tabnet_auto.train.device import choose_device
from tabnet_auto.train.members import Task, train_members

if TYPE_CHECKING:
    from tabnet_auto.config import MemberSettings
    from tabnet_auto.result.fit import FitResult


def refit_full(fit: FitResult, train: Any, device: str) -> FitResult:
    """Return a model of one network a seed, and one member a companion, trained on all rows."""
    table = _training_table(fit, train)
    full = _all_rows(fit, table)
    learned = fit.objective.learned(fit.target)
    encoder, design = fit_encoder(table.frame, fit.schema, full, learned, fit.preset.encode)
    classes = np.array(fit.schema.classes) if fit.schema.classes else None
    task = Task(
        design.with_target(fit.target, table.weight), encoder.layout, encoder.tables, full,
        fit.metric, classes, fit.objective,
    )  # fmt: skip
    computed_on, _ = choose_device(device)
    # The seeds kept see what they would see beside the others: statistics are seeded by the first.
    own, encoder = _of_kept(fit, task, encoder)
    net = _train_networks(fit, own, computed_on)
    companions = tuple(
        refit_companion(one, task, n_threads=torch.get_num_threads()) if one.members else one
        for one in weighty_companions(fit)
    )
    return replace(fit, encoder=encoder, net=net, companions=companions, full=full, table=table)


def _training_table(fit: FitResult, train: Any) -> Table:
    """Return the table that was learned from: the one at hand, or the one given, if it is it."""
    if train is None and fit.table is not None:
        return fit.table
    if train is None:
        raise InputError(
            "Refitting needs the training table, however: a loaded model does not hold it. Pass "
            "it: fit.refit_full(train)."
        )
    table = read_table(train, fit.schema.target, **special_columns(fit.schema))
    table = _as_learned(fit, table)
    y = encode_target(table.frame[table.target], fit.schema)
    if not np.array_equal(y, fit.target):
        raise InputError(
            "Refitting needs the training table as it was, however: the target "
            f"{fit.schema.target!r} differs ({len(y)} rows, {len(fit.target)} were learned from). "
            "Pass the same rows in the same order."
        )
    return table


def _as_learned(fit: FitResult, table: Table) -> Table:
    """Return the rows that were learned from: where time was short, a sample."""
    if len(table.has_target) != len(fit.has_target):
        return table
    kept = fit.has_target[table.has_target]
    if kept.all():
        return table
    return table.take(np.flatnonzero(kept), "the sample of rows that was learned from")


def _all_rows(fit: FitResult, table: Table) -> Folds:
    """One fold that learns from every row and holds none out; the seeds of the first fold."""
    rows, none = np.arange(len(fit.target)), np.zeros(0, dtype=np.int64)
    n = fit.n_seeds
    return Folds(
        (rows,) * n, (none,) * n, (0,) * n, fit.folds.seed[:n], "all rows",
        group_numbers(table.groups), fit.folds.kinds,
    )  # fmt: skip


def _of_kept(fit: FitResult, task: Task, encoder: Encoder) -> tuple[Task, Encoder]:
    """Return task and encoder of the seeds whose networks the model holds."""
    if fit.networks is None:
        return task, encoder
    members = task.folds.of_seeds(fit.networks)
    source = np.array(members)
    return task.of_members(task.folds.select(members), source), encoder.select(source)


def _settings(fit: FitResult) -> MemberSettings | None:
    """Return what a search found, for the seeds whose networks the model holds."""
    if fit.search is None:
        return None
    found = fit.search.for_all_rows(fit.n_seeds)
    return found if fit.networks is None else found.select(fit.networks)


def _train_networks(fit: FitResult, task: Task, device: torch.device) -> nn.Module:
    """Train the networks that the model holds, those of one schedule side by side."""
    schedules = seed_schedules(fit)
    held = [schedules[seed] for seed in fit.networks or range(fit.n_seeds)]
    settings, nets, trained = _settings(fit), [], []
    for schedule in dict.fromkeys(held):
        members = [i for i, own in enumerate(held) if own == schedule]
        net, _ = train_members(
            task.of_members(task.folds.select(members), np.array(members)), fit.preset.net,
            replace(fit.preset.train, max_epochs=schedule.max_epochs), device=device,
            deadline=None, trace=Trace(), last_epoch=schedule.last_epoch,
            settings=settings and settings.select(members),
        )  # fmt: skip
        nets.append(net.to("cpu").state_dict())
        trained += members
    whole, order = task.build(fit.preset.net, torch.device("cpu")), np.argsort(trained)
    whole.load_state_dict({name: torch.cat([net[name] for net in nets])[order] for name in nets[0]})
    return whole.eval()


@dataclass(frozen=True)
class Schedule:
    """A schedule of ``max_epochs`` that is followed to ``last_epoch``."""

    max_epochs: int
    last_epoch: int


def seed_schedules(fit: FitResult) -> list[Schedule]:
    """Return each seed's schedule: its round's, up to the median of the epochs found best.

    The median is over the folds and the round's seeds of the same kind. A round that time cut
    short had bent its schedule to end there, and so is this one.
    """
    found: list[Schedule] = []
    for epochs, stopped in zip(fit.trace.rounds(), fit.trace.of("stopped"), strict=False):
        best = np.array(epochs[-1]["best_epoch"]).reshape(fit.folds.n_folds, -1)
        kinds = np.array(fit.folds.kinds[len(found) :][: best.shape[1]])
        is_cut = stopped["reason"] == "time_limit"
        planned = stopped["epoch"] if is_cut else epochs[-1]["max_epochs"]
        lasts = (np.median(best[:, kinds == kind]) for kind in kinds)
        found += [Schedule(planned, max(1, round(float(last)))) for last in lasts]
    return found
