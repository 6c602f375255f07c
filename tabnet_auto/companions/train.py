"""Train companions in the networks' own folds, and predict with them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.companions.lesson import Fitted, Floats, Lesson, Rows, teach
from tabnet_auto.companions.matrix import VIEWS
from tabnet_auto.companions.table import COMPANIONS, Recipe
from tabnet_auto.design import Design, Layout, MemberTables
from tabnet_auto.errors import InputError
from tabnet_auto.metrics import Objective
from tabnet_auto.trace import Trace
from tabnet_auto.train.members import Task
from tabnet_auto.train.weights import loss_weights

PILOT = 0.1
"""Share of a fold's rows on which a companion is timed first."""
SHORT = 0.1
"""Share of a companion's time up to which that took so little that twice as many rows are timed."""
LEAST_SECONDS = 1.0
"""Share of the time from which a companion is tried: importing its library takes about that."""
PROBE_ROWS = 1_000
"""Rows on which a companion's prediction is timed."""
PILOT_CELLS = 1_000_000
"""Cells times outputs from which the least that a companion with a clock does takes long."""


@dataclass(frozen=True, eq=False)
class Companion:
    """One companion in all folds.

    ``members`` are what it learned, one a fold; none in a saved model that has no use for them.
    ``scores (n_folds,)`` are under the user's metric, on each fold's validation rows.
    ``recipe`` is how it was trained; a loaded model does not know.
    """

    name: str
    view: str
    members: tuple[Fitted, ...]
    scores: tuple[float, ...]
    seconds: float
    recipe: Recipe | None = None

    @property
    def typical(self) -> Fitted | None:
        """The member of median rounds among those that boosted; None where none did."""
        boosted = sorted((m for m in self.members if m.rounds), key=lambda member: member.rounds)
        return boosted[len(boosted) // 2] if boosted else None

    @property
    def rounds(self) -> int:
        """Boosting rounds of the typical member; 0 where none boosted."""
        return 0 if self.typical is None else self.typical.rounds

    def predict(
        self, design: Design, layout: Layout, tables: MemberTables, objective: Objective
    ) -> Floats:
        """Mean prediction of the members for new rows, ``(n, n_classes)`` or ``(n,)``.

        The members of ``tables`` are those of the networks: fold by fold, seed by seed.
        ``objective`` is the one that was learned by.
        """
        step = tables.n_members // len(self.members)
        view = VIEWS[self.view]
        parts = [
            objective.restored(own.predict(view(design, layout, tables, fold * step).x))
            for fold, own in enumerate(self.members)
        ]
        mean: Floats = np.mean(parts, axis=0)
        return mean


@dataclass(frozen=True, eq=False)
class Joined:
    """A companion, its predictions of each fold's validation rows, and how long a new row takes.

    ``row_seconds`` is for all folds' members.
    """

    companion: Companion
    held_out: tuple[Floats, ...]
    row_seconds: float


def train_companions(
    recipes: Sequence[Recipe],
    task: Task,
    *,
    n_threads: int,
    until: float | None,
    trace: Trace,
) -> tuple[tuple[Joined, ...], bool]:
    """Train companions one after another, each in every fold.

    Boosters end where the loss on the fold's validation rows is best: the rows that are then
    scored, exactly as the networks choose their epoch. Estimators are fitted as they are set up.
    Folds are trained by joblib with the ``n_jobs`` of ``joblib.parallel_config``, one after
    another where nothing is set, and share ``n_threads`` threads.

    A companion that fails, or does not fit into its share of the time until ``until`` (a
    ``time.monotonic()`` instant; half of what is left for each, all of it for the last), is left
    out with a note. An interrupt ends the companions, those that are complete are kept; the
    answer also says whether there was one.
    """
    joined: list[Joined] = []
    for number, recipe in enumerate(recipes):
        # The first of the list comes first where time is short: half for it, half for the others.
        parts = min(2, len(recipes) - number)
        seconds = None if until is None else max(0.0, until - monotonic()) / parts
        if seconds is not None and seconds < LEAST_SECONDS:
            _leave_out(
                trace, recipe, f"its share of the time, {seconds:.1f} s, is too short to try"
            )
            continue
        trace.add("companion", name=recipe.name, state="started", n_folds=task.folds.n_folds)
        try:
            from threadpoolctl import threadpool_limits  # an interrupt may come while it is read

            # Around the folds' own limits: side by side, they would restore each other's.
            with threadpool_limits(n_threads):
                one = _train_one(recipe, task, n_threads, seconds)
        except KeyboardInterrupt:
            _leave_out(trace, recipe, "stopped on request, and with it the companions after it")
            return tuple(joined), True
        except _TooSlowError as error:
            _leave_out(trace, recipe, str(error))
            continue
        except Exception as error:  # noqa: BLE001 - whatever a foreign library raises
            _leave_out(trace, recipe, f"{type(error).__name__}: {error}")
            continue
        trace.add(
            "companion", name=recipe.name, state="finished", scores=list(one.companion.scores),
            seconds=one.companion.seconds,
        )  # fmt: skip
        if task.weighs_rows and not recipe.weighted:
            text = f"companion {recipe.name!r} takes no sample_weight: it counts all rows alike"
            trace.note(text)
        joined.append(one)
    return tuple(joined), False


def _leave_out(trace: Trace, recipe: Recipe, reason: str) -> None:
    trace.add("companion", name=recipe.name, state="left out")
    trace.note(f"companion {recipe.name!r} was left out: {reason:.300}")


class _TooSlowError(Exception):
    """A companion does not fit into its time."""


def _train_one(recipe: Recipe, task: Task, n_threads: int, seconds: float | None) -> Joined:
    start = monotonic()
    members, held_out = _fold_by_fold(recipe, task, n_threads, seconds)
    folds = task.folds
    rows = [folds.valid[folds.of_fold(fold)[0]] for fold in range(folds.n_folds)]
    for predicted in held_out:
        if not np.isfinite(predicted).all():
            raise ValueError("it predicts values that are not finite")
    scores = [task.score(p, own) for p, own in zip(held_out, rows, strict=True)]
    companion = Companion(
        recipe.name, recipe.view, tuple(members), tuple(scores), monotonic() - start, recipe
    )
    return Joined(companion, tuple(held_out), _row_seconds(companion, task, rows[0]))


def _row_seconds(companion: Companion, task: Task, rows: NDArray[np.int64]) -> float:
    """Seconds that a row takes in all members, measured on some rows of the first."""
    member = task.folds.of_fold(0)[0]
    some = rows[:PROBE_ROWS]
    x = VIEWS[companion.view](task.design, task.layout, task.tables, member).take(some).x
    start = monotonic()
    companion.members[0].predict(x)
    return (monotonic() - start) / max(1, len(some)) * len(companion.members)


def _fold_by_fold(
    recipe: Recipe, task: Task, n_threads: int, seconds: float | None
) -> tuple[list[Fitted], list[Floats]]:
    """Train the folds in rounds of as many as run at a time, while they fit into the time."""
    from joblib import Parallel, delayed, effective_n_jobs

    n_folds = task.folds.n_folds
    at_a_time = max(1, min(effective_n_jobs(None), n_folds))
    threads = max(1, n_threads // at_a_time)
    start, n_rounds = monotonic(), math.ceil(n_folds / at_a_time)
    members: list[Fitted] = []
    held_out: list[Floats] = []
    for number in range(n_rounds):
        own = range(number * at_a_time, min((number + 1) * at_a_time, n_folds))
        lessons = [_lesson(recipe, task, fold, threads) for fold in own]
        if seconds is not None:
            left = seconds - (monotonic() - start)
            _check_time(recipe, lessons[0], number, n_rounds, seconds, left)
            lessons = [replace(one, seconds=max(left, 0.0) / (n_rounds - number))
                       for one in lessons]  # fmt: skip
        done = Parallel()(delayed(_learn)(recipe.train, lesson) for lesson in lessons)
        for member, predicted in done:
            members.append(member)
            held_out.append(predicted)
    return members, held_out


def _check_time(
    recipe: Recipe, lesson: Lesson, number: int, n_rounds: int, seconds: float, left: float
) -> None:
    """Raise where a companion would take too long.

    Before the first fold it is timed on a tenth of the rows: that is cheap, and what cannot be
    stopped must not be begun. One that keeps the time itself is timed for the least that it does,
    and only where the rows are many enough for that to matter.
    """
    if recipe.clock and left <= 0.0:
        raise _TooSlowError(f"no time is left of its {seconds:.1f} s")
    if recipe.clock and (number or lesson.train.matrix.x.size * lesson.n_outputs < PILOT_CELLS):
        return
    if number == 0:
        start = monotonic()
        expected = _expected(recipe, lesson, left / n_rounds, SHORT * left) * n_rounds
        left -= monotonic() - start
    else:
        expected = (seconds - left) / number * (n_rounds - number)
    if expected > left:
        raise _TooSlowError(f"it would take about {expected:.1f} s, its share is {seconds:.1f} s")


def _expected(recipe: Recipe, lesson: Lesson, enough: float, short: float) -> float:
    """Return about how many seconds a lesson takes, by a tenth of its rows.

    If that is more than ``enough``, and the tenth took at most ``short``, much of it may be what
    any number of rows takes: a second look, at twice as many, tells that apart.
    """
    first = _timed(recipe, lesson, PILOT)
    expected = first / PILOT
    if expected <= enough or first > short:
        return expected
    second = _timed(recipe, lesson, 2 * PILOT)
    return second + max(second - first, 0.0) / PILOT * (1.0 - 2 * PILOT)


def _timed(recipe: Recipe, lesson: Lesson, share: float) -> float:
    """Train on a share of the rows, and return how many seconds that took."""
    import_module(recipe.module)  # takes as long for a share of the rows as for all
    pilot, start = replace(lesson.sample(share), seconds=0.0), monotonic()
    teach(recipe.train, pilot)
    return monotonic() - start


def _lesson(recipe: Recipe, task: Task, fold: int, n_threads: int) -> Lesson:
    member = task.folds.of_fold(fold)[0]
    matrix = VIEWS[recipe.view](task.design, task.layout, task.tables, member)
    y, objective, learning = task.design.y, task.objective, task.folds.train[member]
    assert y is not None
    target = objective.learned(y)
    weight = loss_weights(y, task.design.weight, [learning], objective)

    def rows(own: NDArray[np.int64]) -> Rows:
        weights = None if weight is None else weight[0][own].astype(np.float64)
        return Rows(matrix.take(own), target[own], weights)

    return Lesson(
        train=rows(learning),
        valid=rows(task.folds.valid[member]) if len(task.folds.valid[member]) else None,
        n_classes=0 if task.classes is None else len(task.classes),
        seed=task.folds.seed[member],
        n_threads=n_threads,
        objective=objective,
    )


def _learn(train: Callable[[Lesson], Fitted], lesson: Lesson) -> tuple[Fitted, Floats]:
    """Train one fold with its share of threads, and predict its validation rows."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(lesson.n_threads):
        member = teach(train, lesson)
        valid = lesson.train.matrix.x[:0] if lesson.valid is None else lesson.valid.matrix.x
        return member, lesson.objective.restored(member.predict(valid))


def refit_companion(companion: Companion, task: Task, *, n_threads: int) -> Companion:
    """Learn from all rows of ``task``, whose one fold holds no row out.

    Boosters train as many rounds as the typical member of the folds did, by the same settings.

    Raises
    ------
    InputError
        If the companion was loaded, and was no companion by name.
    """
    recipe = companion.recipe or COMPANIONS.get(companion.name)
    if recipe is None:
        raise InputError(
            "Refitting needs to know how a companion was set up, however: "
            f"{companion.name!r} was loaded without it. Refit before saving, or leave it out: "
            f"fit.without([{companion.name!r}])."
        )
    lesson = replace(
        _lesson(recipe, task, 0, n_threads),
        n_rounds=companion.rounds or None, like=companion.typical,
    )  # fmt: skip
    member, _ = _learn(recipe.train, lesson)
    return replace(companion, members=(member,))
