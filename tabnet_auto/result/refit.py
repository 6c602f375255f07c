"""The same models once more, on all rows, for as long as the folds found best."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from tabnet_auto.companions.train import refit_companion
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.errors import InputError
from tabnet_auto.folds import Folds
from tabnet_auto.result.reduce import weighty_companions
from tabnet_auto.table import Table, read_table
from tabnet_auto.target import encode_target
from tabnet_auto.trace import Trace
from tabnet_auto.train.device import choose_device
from tabnet_auto.train.members import Task, train_members

if TYPE_CHECKING:
    from tabnet_auto.config import MemberSettings, TrainConfig
    from tabnet_auto.result.fit import FitResult


def refit_full(fit: FitResult, train: Any, device: str) -> FitResult:
    """Return a model of one network a seed, and one member a companion, trained on all rows."""
    table = _training_table(fit, train)
    full = _all_rows(fit)
    learned = fit.objective.learned(fit.target)
    encoder, design = fit_encoder(table.frame, fit.schema, full, learned, fit.preset.encode)
    classes = np.array(fit.schema.classes) if fit.schema.classes else None
    task = Task(
        design.with_target(fit.target, table.weight), encoder.layout, encoder.tables, full,
        fit.metric, classes, fit.objective,
    )  # fmt: skip
    config, last_epoch = _schedule(fit)
    computed_on, _ = choose_device(device)
    # The seeds kept see what they would see beside the others: statistics are seeded by the first.
    own, encoder = _of_kept(fit, task, encoder)
    net, _ = train_members(
        own, fit.preset.net, config, device=computed_on, deadline=None, trace=Trace(),
        last_epoch=last_epoch, settings=_settings(fit),
    )  # fmt: skip
    companions = tuple(
        refit_companion(one, task, n_threads=torch.get_num_threads()) if one.members else one
        for one in weighty_companions(fit)
    )
    return replace(
        fit, encoder=encoder, net=net.to("cpu"), companions=companions, full=full, table=table
    )


def _training_table(fit: FitResult, train: Any) -> Table:
    """Return the table that was learned from: the one at hand, or the one given, if it is it."""
    if train is None and fit.table is not None:
        return fit.table
    if train is None:
        raise InputError(
            "Refitting needs the training table, however: a loaded model does not hold it. Pass "
            "it: fit.refit_full(train)."
        )
    roles = {
        role: column.name
        for role in ("groups", "time", "weight")
        for column in fit.schema
        if column.reason == f"given as {role}="
    }
    table = _as_learned(fit, read_table(train, fit.schema.target, **roles))
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


def _all_rows(fit: FitResult) -> Folds:
    """One fold that learns from every row and holds none out; the seeds of the first fold."""
    rows, none = np.arange(len(fit.target)), np.zeros(0, dtype=np.int64)
    n = fit.n_seeds
    return Folds(
        (rows,) * n, (none,) * n, (0,) * n, fit.folds.seed[:n], "all rows", kind=fit.folds.kinds
    )


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


def _schedule(fit: FitResult) -> tuple[TrainConfig, int]:
    """Return the schedule of the folds, and the median of the epochs they found best.

    A training that time cut short had bent its schedule to end there, and so is this one. Of
    several rounds the first is of the epochs that the preset plans.
    """
    stopped, epochs = fit.trace.of("stopped")[0], fit.trace.rounds()[0][-1]
    config = fit.preset.train
    if stopped["reason"] == "time_limit":
        config = replace(config, max_epochs=stopped["epoch"])
    return config, max(1, round(float(np.median(epochs["best_epoch"]))))
