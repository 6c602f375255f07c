"""tabnet_auto by its public call, nothing set but the preset and the budget."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from benchmarks.accuracy.answer import Answer
from benchmarks.accuracy.clock import RESERVE, Clock
from benchmarks.accuracy.sets import Problem
from benchmarks.accuracy.tables import spread
from tabnet_auto import FitResult, auto_fit

CURVE_POINTS = 25
"""Epochs that are noted of a learning curve."""


def run_fast(problem: Problem, clock: Clock) -> Answer:
    """Preset ``fast``."""
    return _run(problem, clock, "fast")


def run_balanced(problem: Problem, clock: Clock) -> Answer:
    """Preset ``balanced``."""
    return _run(problem, clock, "balanced")


def run_best(problem: Problem, clock: Clock) -> Answer:
    """Preset ``best``."""
    return _run(problem, clock, "best")


def run_paper(problem: Problem, clock: Clock) -> Answer:
    """Preset ``paper``: the published TabNet."""
    return _run(problem, clock, "paper")


def run_cuda(problem: Problem, clock: Clock) -> Answer:
    """Preset ``balanced`` on a CUDA device."""
    answer = _run(problem, clock, "balanced", "cuda")
    return replace(answer, notes={**answer.notes, "gpu": torch.cuda.get_device_name()})


def _run(problem: Problem, clock: Clock, preset: str, device: str = "cpu") -> Answer:
    torch.set_num_threads(clock.threads)
    fit = auto_fit(
        problem.train, problem.target, test=problem.test, task=problem.task, folds=problem.folds,
        preset=preset,
        time_limit=clock.budget * (1.0 - RESERVE), seed=problem.seed, device=device, verbose=False,
    )  # fmt: skip
    notes = {
        "members": fit.folds.n_members, "kinds": fit.folds.kinds, "out_of_fold": fit.oof_score,
        "curve": _curve(fit),
    }  # fmt: skip
    return Answer(answer_of(fit, problem), notes)


def _curve(fit: FitResult) -> list[tuple[float, float]]:
    """Return the learning curve: seconds, and the mean best score of the networks in training.

    The score is that of each network's validation rows; every round of networks begins anew.
    """
    epochs = [event for event in fit.trace if event.kind == "epoch"]
    places = np.linspace(0, len(epochs) - 1, min(CURVE_POINTS, len(epochs))).astype(int)
    return [
        (round(epochs[i].seconds, 1), round(float(np.mean(epochs[i].data["best_score"])), 5))
        for i in places
    ]


def answer_of(fit: FitResult, problem: Problem) -> np.ndarray:
    """Return a fit's predictions of the test rows, classes in the problem's order."""
    if problem.task == "regression":
        return np.asarray(fit.predict(problem.test), dtype=float)
    return spread(
        fit.predict_proba(problem.test), label_positions(fit, problem), len(problem.classes)
    )


def label_positions(fit: FitResult, problem: Problem) -> np.ndarray:
    """Return where the problem has each of a fit's classes."""
    position = {str(label): i for i, label in enumerate(problem.classes)}
    return np.array([position[str(label)] for label in fit.classes_.tolist()])
