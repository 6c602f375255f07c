"""AutoGluon-Tabular, preset ``best_quality``, in a process of its own environment.

It gets the columns as a user has them, as we do, and makes its own bagged folds. The target goes
as class positions. Rows and predictions travel through files, orders through the input stream.
"""

from __future__ import annotations

import atexit
import json
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import numpy as np

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.clock import Clock
from benchmarks.accuracy.environment import AUTOGLUON
from benchmarks.accuracy.sets import Problem
from benchmarks.accuracy.tables import spread

WORKER = Path(__file__).with_name("autogluon_worker.py")
METRICS = {"binary": "roc_auc", "multiclass": "log_loss", "regression": "root_mean_squared_error"}
"""What each task is scored by here."""
RESERVE = 0.1
"""Share of the budget that ``time_limit`` leaves to prediction, and to overrunning it."""


class WorkerError(RuntimeError):
    """The process did not deliver; the last line that it said is in the message."""


def start_autogluon() -> Callable[[Problem, Clock], Answer]:
    """Start the process and wait for its imports; what is returned takes one problem."""
    if not AUTOGLUON.is_made():
        raise WorkerError(f"its environment must be made first, however: no {AUTOGLUON.name}")
    return Worker().run


class Worker:
    """The process: it imports, waits for one problem, answers, and ends with us."""

    def __init__(self) -> None:
        # In the working directory: a cell's is removed with the cell, also when it is killed.
        self.scratch = TemporaryDirectory(dir=Path.cwd(), prefix="autogluon-")
        self.folder = Path(self.scratch.name)
        # -I: neither our path nor this file beside the worker stands before the package autogluon.
        with (self.folder / "log.txt").open("wb") as log:
            self.process = subprocess.Popen(
                [AUTOGLUON.python, "-I", WORKER, self.folder], text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        atexit.register(self.close)
        try:
            self._listen()
        except WorkerError:
            self.close()
            raise

    def close(self) -> None:
        """Wait for the process, which ends by itself when it has answered, else with its input."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.scratch.cleanup()

    def run(self, problem: Problem, clock: Clock) -> Answer:
        """Send the rows, wait for the predictions of the test rows."""
        train = problem.train.assign(**{problem.target: problem.y})
        train.to_parquet(self.folder / "train.parquet", index=False)
        problem.test.to_parquet(self.folder / "test.parquet", index=False)
        self._tell(order_of(problem, clock))
        notes = self._listen()
        with np.load(self.folder / "predicted.npz") as found:
            predicted, labels = found["predicted"], found["labels"]
        if problem.task != "regression":
            predicted = spread(predicted, labels, len(problem.classes))
        return Answer(predicted, notes, cpu_seconds=notes.pop("cpu_seconds"))

    def _tell(self, order: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it ended: listening tells why
            self.process.stdin.write(json.dumps(order) + "\n")
            self.process.stdin.flush()

    def _listen(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        reply = json.loads(line) if line else {"error": self._last_words()}
        if "error" in reply:
            raise WorkerError(reply["error"])
        return reply

    def _last_words(self) -> str:
        said = (self.folder / "log.txt").read_text(encoding="utf-8", errors="replace")
        return (said.strip().splitlines() or ["the process ended"])[-1]


def order_of(problem: Problem, clock: Clock) -> dict[str, Any]:
    """Return what the process is asked for; ``seconds`` are AutoGluon's ``time_limit``."""
    spent = monotonic() - clock.start
    return {
        "target": problem.target, "task": problem.task, "metric": METRICS[problem.task],
        "seconds": clock.budget * (1.0 - RESERVE) - spent,
        "threads": clock.threads, "seed": problem.seed,
    }  # fmt: skip
