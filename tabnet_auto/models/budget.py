"""A time limit as instants: what may take until when, by the size of the data and a measured pace.

Training can end at any time; what follows cannot: predicting the held-out rows and the test rows,
reading attention. So the pace of the networks is measured first, what follows is given its time,
and where even that is too much, fewer rows are held out or fewer seeds trained. How many seeds a
limit has room for is not guessed: they train round by round (:mod:`tabnet_auto.models.rounds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

import numpy as np
import torch

from tabnet_auto.attention.summary import COMMON_ROWS, SAMPLE_ROWS
from tabnet_auto.config import Preset
from tabnet_auto.errors import InputError
from tabnet_auto.evidence.drift import sample_positions
from tabnet_auto.evidence.read import SURVEY_ROWS
from tabnet_auto.folds import Folds
from tabnet_auto.folds.plan import read_plan
from tabnet_auto.table import Table
from tabnet_auto.train.members import Task
from tabnet_auto.train.predict import forward_chunks
from tabnet_auto.train.rows import spread_rows

FIRST_SHARE = 0.1
"""Share of a time limit after which a first usable model exists, where the data allow it."""
RESERVE = 0.05
"""Share of a time limit kept for what has no pace: encoding, blending, collecting."""
BLEND_SHARE = 0.5
"""Share of that which choosing the blend's weights may take where training has left nothing."""
TAIL_SHARE = 0.3
"""Share of the time after encoding that may go to predicting and reading held-out rows."""
MIN_VALID_ROWS = 500
"""Rows that every fold holds out at least, if it has them."""
PROBE_ROWS = 512
"""Rows of each member that the pace is measured on: of fewer each takes twice as long."""
FIRST_SECONDS = 4e-7
"""About how long a cell takes until there is a first model: roles, encoding, its validation."""
START_SECONDS = 1.7
"""About how long a first model takes of however few cells: imports, above all."""
MIN_ROWS = 1_000
"""Rows that are read in any case: fewer teach nothing worth the name."""
MIN_LEVEL_ROWS = 20
"""Rows of a class that a sample of the rows holds at least, if there are so many."""
TEST_SHARE = 0.4
"""Share of the time after encoding that is kept for predicting the test rows, at most."""


@dataclass(frozen=True)
class Deadlines:
    """The start, and when each part must end, if ever: ``time.monotonic()`` instants.

    ``first`` a first usable model, ``train`` training, ``blend`` choosing the blend, ``report``
    when the report's reading of rows may begin at the latest, ``end`` all. ``seed_seconds``
    is how long what follows the training takes for each network of every fold beyond ``n_seeds``,
    ``test_seconds`` the part of it that predicts the ``n_test`` test rows.
    """

    start: float
    first: float | None = None
    train: float | None = None
    blend: float | None = None
    report: float | None = None
    end: float | None = None
    seed_seconds: float = 0.0
    test_seconds: float = 0.0
    n_test: int = 0
    n_seeds: int = 1

    def with_companions(self, row_seconds: float) -> Deadlines:
        """Return the deadlines where companions take so long for each test row."""
        seconds = self.n_test * row_seconds
        train = None if self.train is None else self.train - seconds
        return replace(self._answered_earlier(seconds), train=train)

    def with_seeds(self, n_seeds: int) -> Deadlines:
        """Return the deadlines where so many networks of every fold predict the test rows."""
        more = (n_seeds - self.n_seeds) * self.test_seconds
        return replace(self._answered_earlier(more), n_seeds=n_seeds)

    def _answered_earlier(self, seconds: float) -> Deadlines:
        if self.blend is None or self.report is None:
            return self
        return replace(self, blend=self.blend - seconds, report=self.report - seconds)


def read_time_limit(time_limit: object) -> Deadlines:
    """Return the deadlines of a time limit in seconds that begins now; None is no limit.

    Raises
    ------
    InputError
        If it is no positive number.
    """
    start = monotonic()
    if time_limit is None:
        return Deadlines(start)
    is_number = isinstance(time_limit, int | float | np.number) and time_limit is not True
    seconds: Any = time_limit  # whatever the user wrote
    if not is_number or not 0 < seconds < np.inf:
        raise InputError(
            "time_limit must be positive seconds, or None for no limit, however: "
            f"time_limit={time_limit!r}."
        )
    seconds = float(seconds)
    end = start + seconds
    kept = end - RESERVE * seconds
    return Deadlines(start, start + FIRST_SHARE * seconds, kept, kept, kept, end)


def affordable_rows(table: Table, times: Deadlines, folds: object) -> Table:
    """Return the rows from which a first model can be had in its share of the time.

    A random sample, with at least ``MIN_LEVEL_ROWS`` rows of each frequent target value, if it
    has them. Splitters and row positions that the user gave as folds may count the rows: they
    get all of them.
    """
    n_rows, n_columns = table.frame.shape
    if times.end is None or read_plan(folds) is None:
        return table
    share = FIRST_SHARE * (times.end - times.start)
    wanted = max(share - START_SECONDS, share / 2) / (FIRST_SECONDS * n_columns)
    rows = max(MIN_ROWS, int(wanted))
    if n_rows <= rows:
        return table
    order = np.random.default_rng(0).permutation(n_rows)
    kept = order[:rows]
    shuffled = table.frame[table.target].iloc[order]
    values = shuffled.groupby(shuffled, observed=True)
    if MIN_LEVEL_ROWS * values.ngroups <= rows:
        kept = np.union1d(kept, order[(values.cumcount() < MIN_LEVEL_ROWS).to_numpy()])
    note = (
        f"time_limit leaves time to read {len(kept):,} of {n_rows:,} rows: a random sample is "
        "learned from, and oof holds NaN for the others"
    )
    return table.take(np.sort(kept), note)


def fit_into_time(
    times: Deadlines, task: Task, settings: Preset, device: torch.device, n_test: int
) -> tuple[Task, Deadlines, str]:
    """Measure the networks' pace; return the task and the deadlines that it allows, and a note.

    Where predicting all held-out rows would take more than its share of the time, each fold
    holds out fewer of its rows, evenly spaced; the others get no out-of-fold prediction.

    Parameters
    ----------
    n_test
        Test rows, which :meth:`FitResult.predict` will have its time for.
    """
    if times.end is None or times.first is None:
        return task, times, ""
    row, folds = _row_seconds(task, settings, device), task.folds
    left = max(0.0, times.end - monotonic())
    test = row * folds.n_folds * n_test  # of one seed, as all that follows
    kept = min(1.0, TEST_SHARE * left / (test * folds.n_seeds)) if n_test else 1.0
    # Validation after the last step, then the predictions out of fold.
    per_row = 2.0 * row
    n_held = _n_held(folds)
    thinner = _thin(folds, TAIL_SHARE * left / (per_row * folds.n_seeds * n_held))
    now_held = _n_held(thinner)
    attention = row * (SAMPLE_ROWS + COMMON_ROWS) * folds.n_folds
    drift = len(sample_positions(n_test)) + COMMON_ROWS if n_test else COMMON_ROWS
    report = row * (3 * SURVEY_ROWS + drift * folds.n_folds)
    end = times.end - RESERVE * (times.end - times.start)
    seeds, valid = folds.n_seeds, 0.5 * now_held * per_row
    weighing = BLEND_SHARE * RESERVE * (times.end - times.start)
    after = kept * test + 0.5 * attention + 2.0 * valid
    times = replace(
        times, first=times.first - seeds * valid, train=end - seeds * after,
        blend=end + weighing - seeds * kept * test,
        report=times.end - seeds * (kept * test + report), n_seeds=seeds,
        seed_seconds=test + attention + report + 2.0 * valid, test_seconds=kept * test,
        n_test=int(kept * n_test),
    )  # fmt: skip
    return replace(task, folds=thinner), times, _short_of(n_held, now_held, n_test, kept)


def _n_held(folds: Folds) -> int:
    """Rows that are predicted out of fold, by each seed."""
    return sum(len(folds.valid[folds.of_fold(fold)[0]]) for fold in range(folds.n_folds))


def _short_of(n_held: int, now_held: int, n_test: int, kept: float) -> str:
    """Say for which predictions there is no time."""
    short = []
    if now_held < n_held:
        short.append(
            f"time_limit leaves time to predict {now_held:,} of {n_held:,} held-out rows: the "
            "score is of these, and oof holds NaN for the others"
        )
    if kept < 1.0:
        short.append(
            f"time_limit leaves time to predict {int(kept * n_test):,} of {n_test:,} test rows: "
            "predicting all will take longer"
        )
    return "; ".join(short)


def _row_seconds(task: Task, settings: Preset, device: torch.device) -> float:
    """Seconds that one row takes in one member, measured: the faster of two passes."""
    net = task.build(settings.net, device)
    rows = np.linspace(0, task.design.n_rows - 1, min(PROBE_ROWS, task.design.n_rows))
    some = rows.astype(np.int64)
    design = replace(
        task.design, x_num=task.design.x_num[some], codes=task.design.codes[some],
        x_stat=task.design.x_stat[:, some],
    )  # fmt: skip
    seconds = []
    for _ in range(2):
        start = monotonic()
        for output in forward_chunks(net, design, task.folds.n_members):
            output.logits.cpu()
        seconds.append(monotonic() - start)
    return min(seconds) / (len(some) * task.folds.n_members)


def _thin(folds: Folds, share: float) -> Folds:
    """Hold out a share of each fold's rows, evenly spaced; seeds of a fold the same ones."""
    if share >= 1.0:
        return folds
    n = [max(MIN_VALID_ROWS, int(share * len(rows))) for rows in folds.valid]
    valid = tuple(map(spread_rows, folds.valid, n))
    return replace(folds, valid=valid)


def budget_words(times: Deadlines, companions: Sequence[str], share: float) -> str:
    """Say what may take how long, before it begins; nothing without a limit."""
    if times.end is None or times.train is None or times.first is None:
        return ""
    now, limit = monotonic(), times.end - times.start
    first = max(times.first, now) - times.start
    words = [
        f"{now - times.start:.1f} s gone", f"networks for an epoch, until {first:.1f} s at most",
    ]  # fmt: skip
    if companions:
        most = share * max(0.0, times.train - max(times.first, now))
        words.append(f"{', '.join(companions)} at most {most:.1f} s")
    words.append(f"networks, round by round, until {max(times.train - times.start, first):.1f} s")
    words.append("the rest for predictions, blend, attention and report")
    return f"plan of {limit:g} s: {'; '.join(words)}"
