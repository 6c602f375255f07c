"""A race of the kinds of networks: which of them a fold trains first.

Values can be read finely or coarsely, as they are, or by levels of their own: codes among whole
numbers need levels, counts are learned by heart from them. What suits a table shows early. So where
a fold has one network to begin with, each kind trains for a part of the plan, all side by side on
one fold, the worse ones shorter (successive halving: Jamieson and Talwalkar, 2016), and the best
goes first.

Like early stopping it looks at a fold's validation rows: of the kinds, not of the weights, one is
chosen by them.
"""

from __future__ import annotations

from time import monotonic
from typing import cast

from tabnet_auto.config import NetConfig
from tabnet_auto.models.rounds import Course
from tabnet_auto.trace import Trace
from tabnet_auto.train.halving import RUNGS, Halving
from tabnet_auto.train.interrupt import stop_on_interrupt
from tabnet_auto.train.members import Task

LAST_RUNG = 2
"""Of :class:`Halving`'s rungs: three kinds of five go on from the first, and at the second, a fifth
of the plan, it is seen who leads. Before, and in shorter plans, those lead that learn fast."""
SHARE = 0.15
"""Share of the time left that this takes at most: what it would take if all epochs of one network a
fold had time (five kinds a fifteenth of the plan, three for two more, on one fold of five)."""
LEAST_EPOCHS = 2
"""Fewer tell nothing."""
BY_HEART = 1 / 3
"""Weight of the gap between held-out and learned rows, beside the held-out loss: who knows the rows
by heart has no more to learn, and gaps grow. On letter kinds are alike by their loss at this point,
and differ by a third in the end."""


def race_kinds(
    course: Course, task: Task, until: float | None, trace: Trace
) -> tuple[tuple[int, ...], bool]:
    """Return the kinds of networks in the order in which to train them, and of an interrupt.

    They race on the last fold, which has the most rows where folds go forward in time. The best
    one that asks by row comes first, for the attention of a single network shall be the row's own;
    the others follow by how far they came, and how well. Where there is no time for a race the
    order is the configuration's.

    Parameters
    ----------
    until
        The ``time.monotonic()`` instant at which the first round's training must end, or None.
    """
    kinds = tuple(range(course.net.n_kinds))
    if len(kinds) == 1 or RUNGS[0] * course.train.max_epochs < 1.0:
        return kinds, False
    racing, halving = _on_last_fold(task, kinds), Halving((0,) * len(kinds), last_rung=LAST_RUNG)
    training = course.training(racing, trace.aside())
    with stop_on_interrupt() as stop:
        state = training.race(halving, deadline=_deadline(until), stop=stop)
        ended = stop()
    if ended or state.epoch < LEAST_EPOCHS:
        return kinds, ended
    net, gaps = cast("NetConfig", course.net), training.gaps()  # the other network has one kind

    def place(kind: int) -> tuple[bool, float]:
        return kind not in gaps, state.best_loss[kind] + BY_HEART * gaps.get(kind, 0.0)

    first = min(kinds, key=lambda kind: (not net.of(kind).asks_by_row, place(kind)))
    order = [first, *sorted({*kinds} - {first}, key=place)]
    trace.add(
        "race", fold=racing.folds.fold[0], epochs=state.epoch, kinds=order,
        names=[name_of(net, kind) for kind in order],
        losses=[state.best_loss[kind] for kind in order],
        gaps=[gaps.get(kind) for kind in order], anew=first != task.folds.kinds[0],
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


def _deadline(until: float | None) -> float | None:
    """Return when a race to the end would have to be over for the rungs run to take their share."""
    if until is None:
        return None
    now = monotonic()
    return now + SHARE * max(0.0, until - now) * (len(RUNGS) + 1) / LAST_RUNG


def _on_last_fold(task: Task, kinds: tuple[int, ...]) -> Task:
    """Return the task of one member of each kind, all of the last fold."""
    folds, source = task.folds.with_seeds(kinds)
    last = list(folds.of_fold(folds.fold[-1]))
    return task.of_members(folds.select(last), source[last])
