"""The search: every fold looks for settings within its own training rows, all side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

import torch

from tabnet_auto.config import Preset, Search, resolve
from tabnet_auto.errors import InputError
from tabnet_auto.folds import Folds
from tabnet_auto.search.engines import ENGINES, Engine
from tabnet_auto.search.inner import Rows, inner_folds, side_by_side
from tabnet_auto.search.record import SearchRecord, Trial, settings_of
from tabnet_auto.search.space import Settings, default_settings, search_space
from tabnet_auto.trace import Trace
from tabnet_auto.train.halving import Halving
from tabnet_auto.train.members import Task, race_members


@dataclass(frozen=True)
class Terms:
    """On what terms to search: how (None: not at all), around which preset, where, until when.

    ``until`` is a ``time.monotonic()`` instant by which all training must have ended, None
    without a limit; the search takes its share of what is left.
    """

    search: Search | None
    preset: Preset
    device: torch.device
    until: float | None


@dataclass(frozen=True)
class _Tried:
    """A trial, and whether it was in the race to the end."""

    trial: Trial
    stood: bool


def search_settings(
    terms: Terms, folds: Folds, given: Rows, encode: Callable[[Folds], Task], trace: Trace
) -> SearchRecord | None:
    """Search every fold's settings on its own training rows; None where these cannot be split.

    What a fold holds out has no part in its search: neither in its tables (``encode`` learns
    them from the inner training rows), nor in its losses. So the out-of-fold score of a run
    with these settings is as honest as without. Without a ``terms.search`` nothing is done.

    Raises
    ------
    InputError
        If the space or the engine cannot be used.
    """
    start, search = monotonic(), terms.search
    if search is None:
        return None
    try:
        inner = inner_folds(folds, given, search.max_rows)
    except InputError as error:
        trace.note(f"search: left out, a fold's training rows cannot be split: {error}")
        return None
    task, n_rows = encode(inner), min(len(rows) for rows in inner.train)
    filled = replace(terms, preset=resolve(terms.preset, task=task.kind, n_train=n_rows))
    space = search_space(
        filled.preset, task=task.kind, n_rows=n_rows, n_columns=len(task.layout.columns),
        given=search,
    )  # fmt: skip
    centre = default_settings(filled.preset)
    default = {name: centre[name] for name in space}
    engines: list[Engine] = [
        ENGINES[search.engine](space, folds.seed[0]) for _ in range(inner.n_folds)
    ]
    seconds = _seconds(search, terms)
    limit = "" if seconds is None else f", {seconds:.1f} s at most"
    trace.note(f"search: {search.n_configurations} configurations a fold{limit}")
    tried, ended = _rounds(filled, search, task, engines, default)
    if ended:
        trace.note("search: stopped on request; training goes on with what it found")
    trials = [trial for own in tried for trial in _ranked(own)]
    return SearchRecord(tuple(trials), task.metric.name, monotonic() - start)


def _rounds(
    terms: Terms, search: Search, task: Task, engines: list[Engine], default: Settings
) -> tuple[list[list[_Tried]], bool]:
    """Ask the engines round by round; what was tried, fold by fold, and whether it was stopped.

    ``default`` are the preset's own values of what is searched.
    """
    now, seconds = monotonic(), _seconds(search, terms)
    n_rounds, n = engines[0].rounds, search.n_configurations
    tried: list[list[_Tried]] = [[] for _ in engines]
    for number in range(n_rounds):
        end = None if seconds is None else now + seconds * (number + 1) / n_rounds
        # The first round holds the preset's own configuration, whoever proposes the others.
        first = [default] if number == 0 else []
        size = n * (number + 1) // n_rounds - n * number // n_rounds - len(first)
        proposed = [[*first, *engine.propose(size)] for engine in engines]
        raced, ended = _race(terms, task, proposed, default, end)
        for fold, found in enumerate(raced):
            new = found[len(first) :]
            engines[fold].tell([t.trial.loss for t in new], [t.trial.rung for t in new])
            numbers = range(len(tried[fold]), len(tried[fold]) + len(found))
            tried[fold] += [
                replace(t, trial=replace(t.trial, number=i))
                for i, t in zip(numbers, found, strict=True)
            ]
        if ended:
            return tried, True
    return tried, False


def _seconds(search: Search, terms: Terms) -> float | None:
    """Return how long a search may take from now on; None without a limit."""
    return None if terms.until is None else search.share * max(0.0, terms.until - monotonic())


def _race(
    terms: Terms,
    task: Task,
    proposed: list[list[Settings]],
    default: Settings,
    end: float | None,
) -> tuple[list[list[_Tried]], bool]:
    """Train all configurations of all folds as members of one network, the worse ones briefly."""
    n = len(proposed[0])
    many, flat = side_by_side(task, n), [one for own in proposed for one in own]
    kept = [member for member, one in enumerate(flat) if one == default]
    halving = Halving(many.folds.fold, kept)
    state, ended = race_members(
        many, terms.preset.net, terms.preset.train, settings_of(flat), halving,
        device=terms.device, deadline=end,
    )  # fmt: skip
    found = [
        _Tried(
            Trial(
                many.folds.fold[m], 0, flat[m], halving.rung[m], state.best_loss[m],
                state.best_score[m],
            ),
            m in halving.standing,
        )
        for m in range(len(flat))
    ]  # fmt: skip
    return [found[start : start + n] for start in range(0, len(found), n)], ended


def _ranked(tried: list[_Tried]) -> list[Trial]:
    """Rank what stood to the end and has a lower loss than the preset's own, then that one."""
    own = tried[0].trial
    better = [t.trial for t in tried if t.stood and t.trial.loss < own.loss]
    order = [*sorted(better, key=lambda trial: trial.loss), own]
    rank = {trial.number: place for place, trial in enumerate(order, start=1)}
    return [replace(t.trial, rank=rank.get(t.trial.number, 0)) for t in tried]
