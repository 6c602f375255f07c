"""Compute one cell in a process of its own: nothing leaks into the next, and it can be killed.

python -m benchmarks.accuracy.compute '{"set": "adult", "system": "linear", ...}'
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, replace
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, process_time

from benchmarks.accuracy.cells import Cell, Key, from_line, to_line
from benchmarks.accuracy.clock import Clock
from benchmarks.accuracy.environment import NoEnvironmentError
from benchmarks.accuracy.measures import error_of, scores_of
from benchmarks.accuracy.sets import Exam, read_exam, rows_of
from benchmarks.accuracy.systems import SYSTEMS
from benchmarks.data import DEFAULT

ROOT = Path(__file__).resolve().parents[2]
THREADS = 2
KILL_AT = 2.0
"""A cell is killed at so many budgets, plus ``START_UP`` seconds for imports and reading."""
START_UP = 60.0
MAX_FAILURE = 300
NOT_INSTALLED = "not installed"


def compute(key: Key, folder: Path = DEFAULT) -> Cell:
    """Run a cell in a fresh process; whatever goes wrong there is a failed cell, not a gap."""
    environment = SYSTEMS[key.system].environment
    try:
        if environment:
            environment.make()
    except NoEnvironmentError as error:
        failure = f"no environment: {error}"[:MAX_FAILURE]
        return Cell(key, None, 0.0, 0.0, failure=failure, about=about(key.system))
    return _compute(key, folder)


def _compute(key: Key, folder: Path) -> Cell:
    load = os.getloadavg()[0]
    start = monotonic()
    limit = KILL_AT * key.budget + START_UP
    # The child writes its answer to a file: libraries print to the standard streams.
    with TemporaryDirectory() as scratch:
        answer = Path(scratch, "cell.json")
        command = [
            sys.executable, "-m", "benchmarks.accuracy.compute", json.dumps(asdict(key)),
            str(folder), str(answer),
        ]  # fmt: skip
        try:
            done = subprocess.run(
                command, cwd=scratch, env=_environment(), capture_output=True, text=True,
                timeout=limit, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            failure = f"killed after {limit:.0f} s"
        else:
            if answer.exists():
                return replace(from_line(answer.read_text(encoding="utf-8")), load=round(load, 2))
            words = (done.stderr.strip().splitlines() or [""])[-1]
            failure = f"exit {done.returncode}: {words}"[:MAX_FAILURE]
    seconds = round(monotonic() - start, 2)
    return Cell(key, None, seconds, round(load, 2), failure=failure, about=about(key.system))


def _environment() -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, **dict.fromkeys(names, str(THREADS)), "PYTHONPATH": path}


def measure(key: Key, exam: Exam) -> Cell:
    """Run a system on an exam in this process; the clock starts after imports and reading."""
    run = SYSTEMS[key.system].load()
    before = process_time()
    clock = Clock(key.budget, monotonic(), THREADS)
    answer = run(exam.problem, clock)
    seconds = monotonic() - clock.start
    cpu_seconds = process_time() - before + answer.cpu_seconds
    problem = exam.problem
    return Cell(
        key=key,
        error=error_of(problem.task, exam.y_test, answer.predicted),
        seconds=round(seconds, 2), cpu_seconds=round(cpu_seconds, 2), load=0.0,
        n_train=len(problem.train), n_test=len(problem.test), n_columns=problem.test.shape[1],
        scores=scores_of(problem.task, exam.y_test, answer.predicted),
        notes=answer.notes, about=about(key.system),
    )  # fmt: skip


def about(system: str) -> dict[str, str]:
    """Return what a cell depends on: versions, threads, commit, and our source where it is ours."""
    entry = SYSTEMS[system]
    own = entry.environment.versions() if entry.environment else None
    said = {name: _version(name, own) for name in entry.packages}
    said |= {"python": platform.python_version(), "threads": str(THREADS), "commit": _commit()}
    return said | ({"source": source()} if entry.is_ours else {})


def source() -> str:
    """Return a hash of the package's files: our cells are old when it changes."""
    digest = sha256()
    for path in sorted((ROOT / "tabnet_auto").rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _version(package: str, own: dict[str, str] | None) -> str:
    """Return a package's version, in the environment whose versions are ``own`` if it is given."""
    if own is not None:
        return own.get(package, NOT_INSTALLED)
    try:
        return version(package)
    except PackageNotFoundError:
        return NOT_INSTALLED


def _commit() -> str:
    """Return the commit, marked where the code that matters here differs from it."""
    head = _git("rev-parse", "--short", "HEAD")
    changed = _git("status", "--porcelain", "--", "tabnet_auto", "benchmarks/*.py")
    return (head or "unknown") + ("-dirty" if changed else "")


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def main() -> None:
    """Measure the cell of the first argument, with the data of the second, into the third."""
    key = Key(**json.loads(sys.argv[1]))
    exam = read_exam(key.set, rows_of(key.set, key.rows), key.seed, Path(sys.argv[2]))
    Path(sys.argv[3]).write_text(to_line(measure(key, exam)), encoding="utf-8")


if __name__ == "__main__":
    main()
