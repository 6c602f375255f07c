"""The peer in an environment of its own: pins, the process, its failures, its predictions."""

from __future__ import annotations

import sys
from dataclasses import replace
from time import monotonic
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from benchmarks.accuracy import compute, environment
from benchmarks.accuracy.cells import Key
from benchmarks.accuracy.clock import Clock
from benchmarks.accuracy.environment import AUTOGLUON, Environment, NoEnvironmentError
from benchmarks.accuracy.peers import autogluon
from benchmarks.accuracy.sets import deal
from benchmarks.accuracy.systems import SYSTEMS
from benchmarks.data import DataSet

KEY = Key("credit_g", "autogluon", 60, 8000, 0)


def make_problem(task="binary", n=200):
    rng = np.random.default_rng(5)
    size = rng.normal(size=n)
    colour = rng.choice(["r", "g", None], n)
    noisy = size + (colour == "r") + rng.normal(size=n)
    y = noisy if task == "regression" else np.where(noisy > 0.3, "yes", "no")
    if task == "multiclass":
        y = np.where(noisy > 1.3, "maybe", y)
    frame = pd.DataFrame({"size": size, "colour": colour, "y": y})
    frame.loc[::7, "size"] = np.nan
    return deal(DataSet("toy", task, "y", frame, None), rows=n, test_rows=n, seed=0)


# ------------------------------------------------------------------------------ the environment


@pytest.fixture
def commands(monkeypatch, tmp_path):
    """What would have been run, in an empty folder of peers."""
    ran = []
    monkeypatch.setattr(environment, "PEERS", tmp_path)

    def run(*command):
        ran.append([str(word) for word in command])
        (tmp_path / "toy").mkdir(exist_ok=True)

    monkeypatch.setattr(environment, "_run", run)
    return ran


def test_an_environment_is_made_once_and_again_for_other_pins(commands):
    toy = Environment("toy", ("a==1", "b==2"))
    assert not toy.is_made()
    toy.make()
    toy.make()
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"]]
    assert commands[1][-2:] == ["a==1", "b==2"]
    newer = replace(toy, requirements=("a==2", "b==2"))
    assert not newer.is_made()
    newer.make()
    assert commands[-1][-2:] == ["a==2", "b==2"]
    assert newer.is_made()


def test_an_interrupted_installation_is_not_taken_for_a_whole_one(commands, monkeypatch):
    toy = Environment("toy", ("a==1",))
    toy.make()
    newer = replace(toy, requirements=("a==2",))

    def fail(*_command):
        raise NoEnvironmentError("no a==2")

    monkeypatch.setattr(environment, "_run", fail)
    with pytest.raises(NoEnvironmentError):
        newer.make()
    assert not toy.is_made()


def test_no_environment_is_a_failed_cell_with_the_last_words(monkeypatch):
    toy = Environment("toy", ("a==1",))
    script = "import sys; sys.exit('first line\\nERROR: no matching distribution')"
    monkeypatch.setattr(
        Environment, "make", lambda _: environment._run(sys.executable, "-c", script)
    )
    entry = replace(SYSTEMS["autogluon"], environment=toy)
    monkeypatch.setitem(compute.SYSTEMS, "autogluon", entry)
    cell = compute.compute(KEY)
    assert cell.error is None
    assert cell.failure == "no environment: ERROR: no matching distribution"
    assert cell.about["autogluon.tabular"] == "not installed"


# ---------------------------------------------------------------------------------- the process

ANSWERS = """
import json, sys
import numpy as np
folder = sys.argv[1]
print("{}", flush=True)
order = json.loads(sys.stdin.readline())
n = int(order["seconds"] > 0) * N_TEST
np.savez(folder + "/predicted.npz", predicted=np.tile([0.9, 0.1], (n, 1)), labels=[1, 0])
print(json.dumps({"order": order, "cpu_seconds": 1.5}), flush=True)
"""
SAYS_WHY = 'print(\'{}\\n{"error": "ValueError: bad rows"}\', flush=True)'
DIES = "import sys; print('{}', flush=True); sys.exit('some warning\\nout of memory')"
CANNOT_IMPORT = "import no_such_module"


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Start a worker of this environment whose script is given."""
    started = []
    monkeypatch.chdir(tmp_path)
    here = SimpleNamespace(python=sys.executable, is_made=lambda: True)
    monkeypatch.setattr(autogluon, "AUTOGLUON", here)
    monkeypatch.setattr(autogluon, "WORKER", tmp_path / "worker.py")

    def start(script):
        (tmp_path / "worker.py").write_text(script)
        run = autogluon.start_autogluon()
        started.append(run.__self__)
        return run

    yield start
    for worker in started:
        worker.close()
    assert not list(tmp_path.glob("autogluon-*"))


def test_predictions_come_back_in_the_order_of_the_classes(start):
    problem = make_problem().problem
    run = start(ANSWERS.replace("N_TEST", str(len(problem.test))))
    answer = run(problem, Clock(100.0, monotonic()))
    np.testing.assert_allclose(answer.predicted, np.tile([0.1, 0.9], (len(problem.test), 1)))
    assert answer.cpu_seconds == 1.5
    order = answer.notes["order"]
    assert order["metric"] == "roc_auc"
    assert order["threads"] == 2
    assert 80 < order["seconds"] < 100


def test_its_time_limit_is_what_is_left_of_the_budget():
    order = autogluon.order_of(make_problem().problem, Clock(100.0, monotonic() - 20.0))
    assert order["seconds"] == pytest.approx(80.0 - 100.0 * autogluon.RESERVE, abs=1.0)


@pytest.mark.parametrize(("script", "words"), [(SAYS_WHY, "bad rows"), (DIES, "out of memory")])
def test_a_failure_carries_the_last_line(start, script, words):
    run = start(script)
    with pytest.raises(autogluon.WorkerError, match=words):
        run(make_problem().problem, Clock(100.0, monotonic()))


def test_a_process_that_does_not_start_says_why(start):
    with pytest.raises(autogluon.WorkerError, match="no_such_module"):
        start(CANNOT_IMPORT)


def test_without_its_environment_it_says_so(monkeypatch):
    monkeypatch.setattr(autogluon, "AUTOGLUON", Environment("never-made", ()))
    with pytest.raises(autogluon.WorkerError, match="never-made"):
        autogluon.start_autogluon()


# ------------------------------------------------------------------------------------ the peer


@pytest.mark.slow
@pytest.mark.skipif(not AUTOGLUON.is_made(), reason="the environment of the peer is not made")
@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_autogluon_answers(task, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    exam = make_problem(task)
    run = autogluon.start_autogluon()
    answer = run(exam.problem, Clock(60.0, monotonic()))
    run.__self__.close()
    assert compute.error_of(task, exam.y_test, answer.predicted) < 1.0
    assert answer.notes["best"] in answer.notes["models"]
    assert answer.cpu_seconds > 0
