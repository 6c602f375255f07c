"""Train the members of a run, and predict the rows that each of them held out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tabnet_auto.config import MemberSettings, NetConfig, PaperConfig, TrainConfig
from tabnet_auto.design import Design, Layout, MemberTables
from tabnet_auto.folds import Folds
from tabnet_auto.metrics import Metric
from tabnet_auto.metrics.objective import SQUARED, Objective
from tabnet_auto.net.build import build_net
from tabnet_auto.trace import Trace
from tabnet_auto.train.halving import Halving
from tabnet_auto.train.interrupt import stop_on_interrupt
from tabnet_auto.train.loop import Trainer
from tabnet_auto.train.predict import to_predictions
from tabnet_auto.train.rows import RowStore, Targets, padded
from tabnet_auto.train.state import TrainState
from tabnet_auto.train.validate import member_outputs


@dataclass(frozen=True, eq=False)
class Task:
    """What is learned: rows with a target, each member's tables and folds, and the score.

    ``classes`` are the user's labels by position, None for values; ``objective`` is what is
    minimised.
    """

    design: Design
    layout: Layout
    tables: MemberTables
    folds: Folds
    metric: Metric
    classes: NDArray[np.generic] | None
    objective: Objective = SQUARED

    @property
    def kind(self) -> str:
        """``"binary"``, ``"multiclass"`` or ``"regression"``."""
        if self.classes is None:
            return "regression"
        return "binary" if len(self.classes) == 2 else "multiclass"

    @property
    def weighs_rows(self) -> bool:
        """Whether some rows count more than others in what is learned."""
        objective = self.objective
        by_row = self.design.weight is not None or bool(objective.relative)
        return by_row or objective.class_weight is not None

    def build(self, config: NetConfig | PaperConfig, device: torch.device) -> nn.Module:
        """Build an untrained network of all members."""
        n_outputs = 1 if self.classes is None else len(self.classes)
        folds = self.folds
        net = build_net(config, self.layout, self.tables, n_outputs, folds.start, folds.kind)
        return net.to(device)

    def of_members(self, folds: Folds, source: NDArray[np.int64]) -> Task:
        """Return the task of the members of ``folds``, each with the tables of one of this task's.

        ``source (M,)`` says whose: that member must have the same training rows.
        """
        design = replace(self.design, x_stat=self.design.x_stat[source])
        return replace(self, design=design, tables=self.tables.select(source), folds=folds)

    def score_logits(
        self, member: int, rows: NDArray[np.int64], logits: NDArray[np.floating]
    ) -> float:
        """Score a member's logits ``(n, n_outputs)`` on some rows under the user's metric."""
        predicted = to_predictions(
            torch.from_numpy(logits)[None],
            self.tables.select(slice(member, member + 1)),
            is_class=self.classes is not None,
            objective=self.objective,
        )
        return self.score(predicted[0], rows)

    def score(self, predicted: NDArray[np.float64], rows: NDArray[np.int64]) -> float:
        """Score predictions of some rows, of those that have one (NaN: none has)."""
        known = ~np.isnan(predicted.reshape(len(predicted), -1)[:, 0])
        rows = rows[known]
        if len(rows) == 0 or self.design.y is None:
            return float("nan")
        weight = None if self.design.weight is None else self.design.weight[rows]
        return self.metric.score(self.design.y[rows], predicted[known], weight, self.classes)


def train_members(
    task: Task,
    net: NetConfig | PaperConfig,
    train: TrainConfig,
    *,
    device: torch.device,
    deadline: float | None,
    trace: Trace,
    last_epoch: int | None = None,
    settings: MemberSettings | None = None,
) -> tuple[nn.Module, TrainState]:
    """Train all members side by side; return a network of their best snapshots, and the state.

    An interrupt, or ``deadline`` (a ``time.monotonic()`` instant), ends the training cleanly
    with the best so far; ``last_epoch`` ends it after that epoch. ``settings`` are what differs
    between members.
    """
    training = Training(task, net, train, device=device, trace=trace, settings=settings)
    with stop_on_interrupt() as stop:
        return training.finish(deadline=deadline, stop=stop, last_epoch=last_epoch)


class Training:
    """A training of all members in two parts: what comes between may be interrupted or fail."""

    def __init__(
        self,
        task: Task,
        net: NetConfig | PaperConfig,
        train: TrainConfig,
        *,
        device: torch.device,
        trace: Trace,
        settings: MemberSettings | None = None,
    ) -> None:
        self.build = partial(task.build, net, device)
        self.trainer = _trainer(task, net, train, device, trace, settings)

    def begin(self, until: float | None, stop: Callable[[], bool]) -> None:
        """Train one epoch, until an instant at the latest: a first usable model."""
        self.trainer.first_epoch(until, stop)

    def finish(
        self,
        *,
        deadline: float | None,
        stop: Callable[[], bool],
        last_epoch: int | None = None,
    ) -> tuple[nn.Module, TrainState]:
        """Train to the end; return a network of the best snapshots, and the state."""
        state = self.trainer.run(deadline=deadline, stop=stop, last_epoch=last_epoch)
        best = self.build()
        best.load_state_dict(state.best)
        return best.eval(), state

    def race(
        self, halving: Halving, *, deadline: float | None, stop: Callable[[], bool]
    ) -> TrainState:
        """Train until the race is over; ``halving`` says who goes on."""
        return self.trainer.run(
            deadline=deadline, stop=lambda: halving.is_over or stop(), halving=halving
        )

    def gaps(self) -> dict[int, float]:
        """Return by how much standing members' losses are lower on rows that they learned."""
        return self.trainer.gaps()


def race_members(
    task: Task,
    net: NetConfig | PaperConfig,
    train: TrainConfig,
    settings: MemberSettings,
    halving: Halving,
    *,
    device: torch.device,
    deadline: float | None,
) -> tuple[TrainState, bool]:
    """Train members of different ``settings`` side by side; ``halving`` says who goes on.

    Also says whether an interrupt ended it.
    """
    training = Training(task, net, train, device=device, trace=Trace(), settings=settings)
    with stop_on_interrupt() as stop:
        return training.race(halving, deadline=deadline, stop=stop), stop()


def _trainer(
    task: Task,
    net: NetConfig | PaperConfig,
    train: TrainConfig,
    device: torch.device,
    trace: Trace,
    settings: MemberSettings | None,
) -> Trainer:
    targets = Targets(task.design, task.tables, task.folds.train, device, task.objective)
    settings = with_kinds(settings or MemberSettings(), net, task.folds)
    return Trainer(
        task.build(net, device), RowStore(task.design, device), targets, task.folds, train,
        task.score_logits, trace=trace, settings=settings,
    )  # fmt: skip


def with_kinds(
    settings: MemberSettings, net: NetConfig | PaperConfig, folds: Folds
) -> MemberSettings:
    """Add the column dropout of each member's kind, unless it has been set for the members."""
    if isinstance(net, PaperConfig) or not folds.kind or settings.column_dropout is not None:
        return settings
    return replace(settings, column_dropout=tuple(net.of(k).column_dropout for k in folds.kind))


def predict_held_out(net: nn.Module, task: Task) -> list[NDArray[np.float64]]:
    """Return every member's predictions of its own validation rows."""
    device = next(net.parameters()).device
    index, _ = padded(task.folds.valid)
    store = RowStore(task.design, device)
    logits = member_outputs(net, store, torch.from_numpy(index).to(device))
    predicted = to_predictions(
        logits, task.tables, is_class=task.classes is not None, objective=task.objective
    )
    return [predicted[m, : len(rows)] for m, rows in enumerate(task.folds.valid)]
