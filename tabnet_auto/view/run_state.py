"""The run as its events told it so far, in numbers and in words; every display reads this."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tabnet_auto.trace import Event
from tabnet_auto.view.tables import format_cell

Clock = Callable[[], float]
"""Seconds that only grow."""

STOP_REASONS = {
    "converged": "every fold has stopped improving",
    "max_epochs": "all epochs are done",
    "time_limit": "the time limit is reached",
    "requested": "stopped on request",
}


@dataclass
class RunState:
    """The run as the events told it; every display reads this and keeps no second account."""

    plan: dict[str, Any] = field(default_factory=dict)
    epoch: int = 0
    max_epochs: int = 0
    eta: float = math.nan
    training: set[int] = field(default_factory=set)
    best: list[float] = field(default_factory=list)
    best_epoch: list[int] = field(default_factory=list)
    losses: dict[int, tuple[list[float], list[float]]] = field(default_factory=dict)
    attention: dict[int, dict[int, float]] = field(default_factory=dict)
    """The newest mean weights of each member by column position, of the columns it was told."""

    def read(self, event: Event) -> None:
        """Take in a plan, a race, a round of further networks, or an epoch."""
        if event.kind == "plan":
            self.plan = event.data
            self.max_epochs = int(event.data.get("max_epochs") or 0)
        elif event.kind == "round":
            self.plan = {**self.plan, "n_seeds": event.data["n_seeds"]}
            self._begin()
        elif event.kind == "race" and event.data["anew"]:
            self._begin()
        elif event.kind == "epoch":
            self._epoch(event.data)

    def _begin(self) -> None:
        """Other networks begin: what is shown is of them."""
        self.epoch, self.eta = 0, math.nan
        self.training, self.best, self.best_epoch = set(), [], []
        self.losses, self.attention = {}, {}

    def _epoch(self, data: dict[str, Any]) -> None:
        self.epoch = int(data["epoch"])
        self.max_epochs = int(data["max_epochs"])
        self.eta = _float(data.get("eta"))
        members = data["members"]
        self.training = {self._fold(m) for m in members}
        self.best = [_float(v) for v in data["best_score"]]
        self.best_epoch = [int(v) if v is not None else 0 for v in data["best_epoch"]]
        for member, loss in zip(members, data["valid_loss"], strict=True):
            xs, ys = self.losses.setdefault(int(member), ([], []))
            xs.append(float(self.epoch))
            ys.append(_float(loss))
        places = data.get("attention_columns", ())
        for member, weights in zip(members, data.get("attention", ()), strict=False):
            self.attention[int(member)] = dict(zip(places, weights, strict=True))

    @property
    def n_seeds(self) -> int:
        """Members a fold; they are numbered fold by fold."""
        return max(int(self.plan.get("n_seeds") or 1), 1)

    def _fold(self, member: int) -> int:
        return member // self.n_seeds

    @property
    def folds(self) -> list[float]:
        """The best score of each fold so far, a mean over its seeds."""
        n = self.n_seeds
        return [mean_of(self.best[i : i + n]) for i in range(0, len(self.best), n)]

    @property
    def metric(self) -> str:
        """The metric's name."""
        return str(self.plan.get("metric") or "score")

    def fold_attention(self, n_columns: int) -> list[tuple[str, list[float]]]:
        """Return the most-read columns, each with its newest mean weight in every fold.

        A fold that has stopped keeps its last weights; NaN where a fold was not told a column.
        """
        n_folds = len(self.folds)
        by_fold: dict[int, list[list[float]]] = {}
        for member, weights in self.attention.items():
            for place, weight in weights.items():
                folds = by_fold.setdefault(place, [[] for _ in range(n_folds)])
                folds[self._fold(member)].append(weight)
        means = {place: [mean_of(found) for found in folds] for place, folds in by_fold.items()}
        names = self.plan.get("columns") or []
        known = [place for place in means if math.isfinite(mean_of(means[place]))]
        top = sorted(known, key=lambda place: -mean_of(means[place]))[:n_columns]
        return [(names[i] if i < len(names) else f"column {i}", means[i]) for i in top]

    def scores(self) -> str:
        """Return the mean and each fold's best score in words."""
        each = " ".join(_score(score) for score in self.folds)
        return f"best {self.metric} {_score(mean_of(self.folds))} ({each})"

    def still(self) -> str:
        """Return how many folds are still training."""
        return f"{len(self.training)} of {len(self.folds)} folds training"


def _float(value: object) -> float:
    """Return a number; JSON has no NaN, so it may come as None."""
    return float(value) if isinstance(value, int | float) else math.nan


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of the finite values; NaN where there are none."""
    found = [value for value in values if math.isfinite(value)]
    return sum(found) / len(found) if found else math.nan


def _score(value: float) -> str:
    return format_cell(value, "score")


def time_left(seconds: float) -> str:
    """Return the time left in words, to the second."""
    if not math.isfinite(seconds):
        return "time left unknown"
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s left"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s left"
    return f"{minutes // 60} h {minutes % 60:02d} min left"


def _count(n: object, noun: str) -> str:
    return f"{n:,} {noun}{'' if n == 1 else 's'}" if isinstance(n, int) else f"? {noun}s"


def sentence_of(event: Event, state: RunState) -> str:
    """Return the line for an event that is shown as one line; empty for the others."""
    data = event.data
    if event.kind == "note":
        return f"note: {data.get('text', '')}"
    if event.kind == "plan":
        members = _count(data.get("n_folds"), "fold")
        if state.n_seeds > 1:
            members += f" x {state.n_seeds} seeds"
        limit, split = data.get("time_limit"), data.get("split")
        return (
            f"training {members} on {_count(data.get('n_rows'), 'row')}, "
            f"{_count(data.get('n_columns'), 'column')}: at most {state.max_epochs} epochs of "
            f"batches of {data.get('batch_size', '?')} on {data.get('device', '?')}, by "
            f"{state.metric}"
            + (f", within {limit:g} s" if limit else "")
            + (f"; rows split into {split}" if split else "")
        )
    if event.kind == "race":
        return _race_sentence(data)
    if event.kind == "round":
        more = _count(data.get("n_seeds"), "more network")
        seconds = time_left(_float(data.get("seconds")))
        return f"round {data.get('number')}: {more} a fold, {seconds}"
    if event.kind == "companion" and data.get("state") == "finished":
        score = _score(mean_of([_float(v) for v in data["scores"]]))
        seconds = format_cell(_float(data.get("seconds")), "seconds")
        return f"companion {data.get('name')}: {state.metric} {score} in {seconds}"
    if event.kind == "stopped":
        reason = str(data.get("reason", ""))
        return f"stopped after epoch {state.epoch}: {STOP_REASONS.get(reason, reason)}"
    if event.kind == "done":
        score = _score(_float(data.get("oof_score")))
        seconds = format_cell(_float(data.get("seconds")), "seconds")
        return f"done: out-of-fold {state.metric} {score} in {seconds}"
    return ""


def _race_sentence(data: dict[str, Any]) -> str:
    """Say in which order kinds of networks are trained, and why."""
    each = []
    for name, loss, gap in zip(data["names"], data["losses"], data["gaps"], strict=True):
        less = "" if gap is None else f", {_score(_float(gap))} less on learned rows"
        each.append(f"{name} (loss {_score(_float(loss))}{less})")
    return (
        f"race on fold {data['fold'] + 1}, {_count(data['epochs'], 'epoch')}: "
        f"networks are trained in the order {'; '.join(each)}"
    )
