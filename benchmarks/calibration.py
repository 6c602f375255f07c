"""Is the bagged network calibrated? Its log-loss beside that of temperature-scaled single folds.

    python -m benchmarks.calibration [--sets ...] [--seeds 0 1 2] [--json FILE] [--data DIR]

Rows and folds are the accuracy benchmark's, the network is the default one with a seed a fold, and
no clock runs. Each fold's network gets the temperature that is best for the rows it held out; the
best of the five on the test rows is what the mean of the five, as it is, has to reach.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar

from benchmarks.accuracy.measures import log_loss
from benchmarks.accuracy.ours import answer_of, label_positions
from benchmarks.accuracy.sets import HALVES, Exam, read_exam
from benchmarks.accuracy.tables import spread
from benchmarks.data import DEFAULT
from tabnet_auto import FitResult, auto_fit
from tabnet_auto.config import PRESETS
from tabnet_auto.train.predict import predict_members

FLAT, SHARP = 0.2, 5.0
"""Temperatures that are looked between."""


def scaled(p: np.ndarray, temperature: float) -> np.ndarray:
    """Divide the logits of probabilities ``(n, K)`` by a temperature."""
    logits = np.log(np.clip(p, 1e-12, 1.0)) / temperature
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def best_temperature(y: np.ndarray, p: np.ndarray) -> float:
    """Return the temperature of the least log-loss."""
    found = minimize_scalar(
        lambda t: log_loss(y, scaled(p, t)), bounds=(FLAT, SHARP), method="bounded"
    )
    return float(found.x)


def fold_losses(fit: FitResult, exam: Exam) -> list[dict[str, float]]:
    """Log-loss on the test rows of every fold's network, as it is and at its temperature."""
    problem, held = exam.problem, fit.held_out
    design, labels = fit.encoder.encode(problem.test), label_positions(fit, problem)
    chunks = predict_members(fit.net, design, fit.encoder.tables, is_class=True)
    losses = []
    for fold, predicted in enumerate(np.concatenate(list(chunks), axis=1)):
        own = spread(held.own[0][fold], labels, len(problem.classes))
        temperature = best_temperature(problem.y[held.rows[fold]], own)
        test = spread(predicted, labels, len(problem.classes))
        losses.append(
            {"as_it_is": log_loss(exam.y_test, test), "temperature": temperature,
             "scaled": log_loss(exam.y_test, scaled(test, temperature))}
        )  # fmt: skip
    return losses


def measure(exam: Exam) -> dict[str, object]:
    """Fit the default network, and compare."""
    problem = exam.problem
    fit = auto_fit(
        problem.train, problem.target, task=problem.task, folds=problem.folds, audit="off",
        preset=replace(PRESETS["balanced"], n_seeds=1), seed=problem.seed, device="cpu",
        verbose=False,
    )  # fmt: skip
    folds = fold_losses(fit, exam)
    bagged, best = log_loss(exam.y_test, answer_of(fit, problem)), min(f["scaled"] for f in folds)
    return {"set": problem.name, "seed": problem.seed, "bagged": bagged, "best_scaled_fold": best,
            "ratio": bagged / best, "folds": folds}  # fmt: skip


def table_row(rows: list[dict[str, Any]]) -> str:
    """Return the table's row of a set: means over seeds, and the extremes of what differs."""
    heats = [fold["temperature"] for row in rows for fold in row["folds"]]
    plain = np.mean([min(fold["as_it_is"] for fold in row["folds"]) for row in rows])
    bagged, best = (
        float(np.mean([r[key] for r in rows])) for key in ("bagged", "best_scaled_fold")
    )
    ratios = [row["ratio"] for row in rows]
    return (
        f"| {rows[0]['set']} | {len(rows)} | {bagged:.4f} | {best:.4f} | {bagged / best:.3f} "
        f"| {min(ratios):.3f} to {max(ratios):.3f} | {plain:.4f} "
        f"| {min(heats):.2f} to {max(heats):.2f} |"
    )


def main() -> None:
    """Print a row a set, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sets", nargs="+", default=HALVES["development"])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--json", type=Path, help="kept, and a later run goes on from it")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    options = parser.parse_args()
    kept = options.json and options.json.exists()
    rows = json.loads(options.json.read_text(encoding="utf-8")) if kept else []
    print("| set | seeds | bagged | best scaled fold | ratio | of single seeds "
          "| best fold as it is | temperatures |")  # fmt: skip
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for name in options.sets:
        for seed in options.seeds:
            if any((row["set"], row["seed"]) == (name, seed) for row in rows):
                continue
            exam = read_exam(name, 8_000, seed, options.data)
            if exam.problem.task == "regression":
                break
            rows.append(measure(exam))
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        own = [row for row in rows if row["set"] == name and row["seed"] in options.seeds]
        if own:
            print(table_row(own), flush=True)


if __name__ == "__main__":
    main()
