"""A race of the kinds of networks: which of them a fold trains first.

Values can be read finely or coarsely, as they are, or by levels of their own: codes among whole
numbers need levels, counts are learned by heart from them. What suits a table shows early. So where
a fold has one network to begin with, and no time for all kinds, each trains for a part of the plan,
all side by side on one fold, the worse ones shorter (successive halving: Jamieson and Talwalkar,
2016), and the best goes first.

Like early stopping it looks at a fold's validation rows: of the kinds, not of the weights, one is
chosen by them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from time import monotonic
from typing import cast

import numpy as np

from tabnet_auto.config import NetConfig
from tabnet_auto.models.rounds import Course
from tabnet_auto.trace import Trace
from tabnet_auto.train.halving import RUNGS, Halving
from tabnet_auto.train.interrupt import stop_on_interrupt
from tabnet_auto.train.members import Task, Training
from tabnet_auto.train.state import TrainState

SHARE = 0.075
"""Share of the time left that each rung of a race takes at most. That is about what two take where
there is time for the whole plan: on one fold of five, five kinds run a fifteenth of it, three two
more. A third one takes somewhat more then: two kinds, four more."""
LEAST_STEPS = 50
"""Fewer training steps tell nothing."""


class KindRace(Halving):
    """Halving among kinds of networks, over when it is plain who leads.

    From the first rung half of them go on, by their loss. At the second, a fifth of the plan, it
    is over if the best by its loss stays the best when its gap is added: the loss on held-out rows
    less that on learned ones. Who knows rows by heart has no more to learn, and gaps grow: on
    letter kinds are alike by their loss at that point, and differ by a third in the end. But codes
    are known by heart before they are understood. So where loss and gap disagree these two go on
    to the third rung, half of the plan, and the loss decides. Only kinds that ask by row can win
    (``asks_by_row``, one a kind): the others leave at the first rung.
    """

    def __init__(
        self, asks_by_row: Sequence[bool], measure_gaps: Callable[[], dict[int, float]]
    ) -> None:
        super().__init__((0,) * len(asks_by_row), ())
        self.asks_by_row, self.measure_gaps = asks_by_row, measure_gaps
        self.gaps: dict[int, float] = {}

    @property
    def n_rungs(self) -> int:
        """Rungs that are to be run, as far as is known."""
        return max(2, self.n_passed + (not self.is_over))

    def best(self, race: int, state: TrainState) -> list[int]:
        """Return who goes on from the rung that has been passed."""
        rivals = [kind for kind in sorted(self.standing) if self.asks_by_row[kind]]
        ranked = sorted(rivals, key=lambda kind: state.best_loss[kind])
        if self.n_passed == 1:
            return ranked[: math.ceil(self.size[race] / 2)]
        leaders = {ranked[0]}
        if self.n_passed == 2:
            self.gaps = self.measure_gaps()
            # Who has left the batch, out of patience, has no gap.
            leaders.add(min(rivals, key=lambda k: state.best_loss[k] + self.gaps.get(k, 0.0)))
        self.is_over = len(leaders) == 1
        return sorted(leaders)

    def order(self, state: TrainState) -> list[int]:
        """Return the kinds, the first of those that may win, then by how far and well they ran."""
        kinds = sorted(range(len(self.rung)), key=lambda k: (-self.rung[k], state.best_loss[k]))
        first = next(kind for kind in kinds if self.asks_by_row[kind])
        return [first, *(kind for kind in kinds if kind != first)]


def race_kinds(
    course: Course, task: Task, until: float | None, step_seconds: float, trace: Trace
) -> tuple[tuple[int, ...], bool]:
    """Return the kinds of networks in the order in which to train them, and of an interrupt.

    They race on the last fold, which has the most rows where folds go forward in time. The first
    one asks by row, for the attention of a single network shall be the row's own. Where there is
    no time for a race the order is the configuration's.

    Parameters
    ----------
    until
        The ``time.monotonic()`` instant at which the first round's training must end, or None.
    step_seconds
        About how long a training step takes.
    """
    kinds, rung_seconds = tuple(range(course.net.n_kinds)), math.inf
    if until is not None:
        rung_seconds = SHARE * max(0.0, until - monotonic())
    in_steps = 2 * rung_seconds / max(step_seconds, 1e-9)
    if len(kinds) == 1 or RUNGS[0] * course.train.max_epochs < 1.0 or in_steps < LEAST_STEPS:
        return kinds, False
    net = cast("NetConfig", course.net)  # the other network has one kind
    racing = _on_last_fold(task, len(kinds))
    trace.note(f"a race of {len(kinds)} kinds of networks on one fold decides which comes first")
    training = _with_best_settings(course).training(racing, trace.aside())
    by_row = [net.of(kind).asks_by_row for kind in kinds]
    race = KindRace(by_row if any(by_row) else [True] * len(kinds), training.gaps)
    state, ended = _run(training, race, rung_seconds)
    if ended or state.n_steps < LEAST_STEPS:
        return kinds, ended
    order = race.order(state)
    trace.add(
        "race", fold=racing.folds.fold[0], epochs=state.epoch, kinds=order,
        names=[name_of(net, kind) for kind in order],
        losses=[state.best_loss[kind] for kind in order],
        gaps=[race.gaps.get(kind) for kind in order], anew=order[0] != task.folds.kinds[0],
    )  # fmt: skip
    return tuple(order), False


def name_of(net: NetConfig, kind: int) -> str:
    """Say how networks of a kind read values, and what else is their own.

    >>> [name_of(NetConfig(), kind) for kind in (0, 1, 3)]
    ['32 bins', '4 bins, a constant query', 'values as they are']
    """
    own = net.of(kind)
    words = ["values as they are" if own.n_bins == 1 else f"{own.n_bins} bins"]
    if own.levels_of_numbers:
        words.append("levels of numbers")
    if not own.asks_by_row:
        words.append("a constant query")
    if own.column_dropout != net.column_dropout:
        words.append(f"column dropout {own.column_dropout:g}")
    return ", ".join(words)


def _run(training: Training, race: KindRace, rung_seconds: float) -> tuple[TrainState, bool]:
    """Run the race, so long for a rung at most; also say whether an interrupt ended it."""
    start = monotonic()
    to_the_end = (len(RUNGS) + 1) * rung_seconds
    with stop_on_interrupt() as stop:
        state = training.race(
            race,
            deadline=None if rung_seconds == math.inf else start + to_the_end,
            # Of large data an epoch takes longer than a rung may.
            stop=lambda: stop() or monotonic() >= start + race.n_rungs * rung_seconds,
        )
        return state, stop()


def _with_best_settings(course: Course) -> Course:
    """Return the same where all members have the best settings that were found for their fold."""
    found = course.settings
    if found is None:
        return course
    return replace(course, settings=lambda fold: found(fold[:1]).select([0] * len(fold)))


def _on_last_fold(task: Task, n_kinds: int) -> Task:
    """Return the task of one member of each kind, all of the last fold.

    They start from the same weights and see the same batches, as that fold's network will.
    """
    last = task.folds.n_members - 1
    folds = task.folds.select([last] * n_kinds)
    return task.of_members(replace(folds, kind=tuple(range(n_kinds))), np.full(n_kinds, last))
