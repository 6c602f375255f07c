"""Is the attention true? Planted signals, decoys, deletion, and a target that nothing can tell.

    python benchmarks/attention.py [synthetic] [decoys] [deletion] [shuffled]
                                   [--preset NAME] [--rows N] [--column-sparsity X]
                                   [--json FILE] [--data DIR]

All parts run by default, each with five folds and default settings:

- synthetic: Syn1-Syn6 of INVASE and the TabNet paper (10,000 training rows, 11 normal columns).
  Average precision of each test row's attention (steps averaged by their size) against the columns
  that make its label, in every fold and for the mean of the folds, and the AUC on 100,000 fresh
  rows beside the Bayes optimum on the same.
- decoys: five shuffled copies of columns beside the real ones; their share of the attention on
  held-out rows (uniform attention would give 5 / (D + 5)), and the folds' rank correlation.
- deletion: mean rise of the held-out loss while columns turn missing, each row's in the order of
  its attention, beside the order of permutation importance, and chance.
- shuffled: the target is shuffled among the rows; entropy of the attention over that of uniform
  weights.

Figures named "effective" are of ``fit.attention.effective``: weights scaled by what they let
through to the output, on test rows (deletion: on the held-out rows, as the others). ``--rows``
caps the training rows of real sets, ``--column-sparsity`` sets the penalty of that name.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from command import command_line
from data import DEFAULT, Split, read_split
from sklearn.metrics import roc_auc_score
from synthetic import NAMES, make_synthetic

from tabnet_auto import FitResult, auto_fit
from tabnet_auto.attention.controls import evenness
from tabnet_auto.attention.effective import effective_attention
from tabnet_auto.attention.read import (
    blanked,
    held_out_sample,
    mean_losses,
    over_seeds,
)
from tabnet_auto.attention.summary import FINE_CURVE_POINTS, MAX_CURVE_ROWS, SAMPLE_ROWS
from tabnet_auto.config import PRESETS, Preset
from tabnet_auto.result.trial import held_out_task
from tabnet_auto.train.predict import forward_chunks

TRAIN_ROWS, TEST_ROWS, N_DECOYS = 10_000, 5_000, 5
AUC_ROWS = 100_000
"""Rows of the AUC, of the networks' and of the true probabilities: its standard error is 0.001."""
REAL = ("adult", "california_housing", "churn_mlc", "credit_g", "abalone")
Row = dict[str, Any]


def average_precision(weights: np.ndarray, true: np.ndarray) -> float:
    """Mean over rows of the average precision of ``(n, D)`` weights, ties counted together."""
    at_least = weights[:, None, :] >= weights[:, :, None]
    precision = (at_least & true[:, None, :]).sum(axis=2) / at_least.sum(axis=2)
    return float(((precision * true).sum(axis=1) / true.sum(axis=1)).mean())


def read(fit: FitResult, frame: pd.DataFrame) -> np.ndarray:
    """Attention of rows, the steps averaged by their size; ``(fold, row, column)``."""
    design = fit.encoder.encode(frame)
    parts = [
        output.mean_weights().numpy()
        for output in forward_chunks(fit.net, design, fit.folds.n_members)
    ]
    return over_seeds(np.concatenate(parts, axis=1), fit.folds.fold)


def preset(options: argparse.Namespace) -> Preset:
    """Return the preset, with the penalty that was asked for."""
    chosen = PRESETS[options.preset]
    if options.column_sparsity is None:
        return chosen
    return replace(chosen, net=replace(chosen.net, column_sparsity=options.column_sparsity))


def run_synthetic(options: argparse.Namespace) -> Iterator[Row]:
    """Fit the six planted signals."""
    for number, name in enumerate(NAMES, start=1):
        train = make_synthetic(name, TRAIN_ROWS, seed=number).frame
        drawn = make_synthetic(name, TEST_ROWS, seed=100 + number)
        test, true = drawn.frame, drawn.active
        fit = auto_fit(train, "y", preset=preset(options), verbose=False)
        weights = read(fit, test)
        folds = [average_precision(own, true) for own in weights]
        effective = fit.attention.effective(test)
        effective_folds = [average_precision(own, true) for own in effective]
        yield {
            "set": name, **score_beside_bayes(fit, name, seed=200 + number),
            "ap_worst_fold": min(folds), "ap_mean": float(np.mean(folds)),
            "ap_of_mean": average_precision(weights.mean(axis=0), true),
            "mass": float((weights * true).sum(axis=2).mean()),
            "effective_worst_fold": min(effective_folds),
            "effective_mean": float(np.mean(effective_folds)),
            "effective_of_mean": average_precision(effective.mean(axis=0), true),
        }  # fmt: skip


def score_beside_bayes(fit: FitResult, name: str, seed: int) -> Row:
    """AUC on fresh rows, and the most that can be reached on them: that of P(y = 1) itself."""
    fresh = make_synthetic(name, AUC_ROWS, seed)
    y = fresh.frame["y"]
    auc, bayes = (
        roc_auc_score(y, fit.predict_proba(fresh.frame)[:, 1]),
        roc_auc_score(y, fresh.probability),
    )
    return {"auc": auc, "bayes": bayes, "below_bayes": bayes - auc}


def load_real(name: str, options: argparse.Namespace) -> Split:
    """Read a set and cap its training rows."""
    split = read_split(name, options.data)
    rows = np.random.default_rng(0).permutation(len(split.train))[: options.rows]
    return Split(
        split.name, split.task, split.target,
        split.train.iloc[rows].reset_index(drop=True), split.test,
    )  # fmt: skip


def run_decoys(options: argparse.Namespace) -> Iterator[Row]:
    """Fit beside shuffled copies of columns."""
    for name in ("adult", "california_housing"):
        split = load_real(name, options)
        random = np.random.default_rng(0)
        columns = [column for column in split.train if column != split.target]
        train, test = split.train.copy(), split.test[:2000].copy()
        for column in random.choice(columns, N_DECOYS, replace=False):
            for frame in (train, test):
                frame[f"decoy_{column}"] = random.permutation(frame[column].to_numpy())
        fit = auto_fit(train, split.target, task=split.task, preset=preset(options), verbose=False)
        attention = fit.attention.per_fold
        decoys = [column for column in attention if column.startswith("decoy_")]
        mass = attention[decoys].sum(axis=1)
        effective = pd.DataFrame(
            fit.attention.effective(test).mean(axis=1), columns=attention.columns
        )
        yield {
            "set": name, "decoys": len(decoys), "mass": float(mass.mean()),
            "mass_worst_fold": float(mass.max()),
            "uniform": len(decoys) / attention.shape[1],
            "fold_spearman": fit.attention.stability().fold_rank,
            "fold_spearman_real": rank_agreement_of_folds(attention.drop(columns=decoys)),
            "effective_mass": float(effective[decoys].sum(axis=1).mean()),
            "effective_spearman": rank_agreement_of_folds(effective),
            "score": fit.oof_score, "checks_share": checks_share(fit),
        }  # fmt: skip


def checks_share(fit: FitResult) -> float:
    """Time from the end of the training to the answer, as a share of the training's."""
    at = {event.kind: event.seconds for event in fit.trace}
    return (at["done"] - at["stopped"]) / (at["stopped"] - at["plan"])


def rank_agreement_of_folds(per_fold: pd.DataFrame) -> float:
    """Mean Spearman correlation of the folds' columns."""
    correlation = per_fold.T.corr(method="spearman").to_numpy()
    return float(correlation[np.triu_indices(len(correlation), 1)].mean())


def effective_damage(fit: FitResult, frame: pd.DataFrame) -> float:
    """Mean rise of the loss as in the deletion curves, in the order of effective attention."""
    sample = held_out_sample(held_out_task(fit, frame), SAMPLE_ROWS, torch.device("cpu"))
    sample = sample.first(MAX_CURVE_ROWS)
    shares = effective_attention(fit.net, sample.rows, sample.rows)
    place = torch.from_numpy(np.argsort(np.argsort(-shares, axis=2), axis=2))
    n = shares.shape[2]
    removed = np.unique(np.linspace(0, n, min(FINE_CURVE_POINTS, n + 1)).round().astype(int))
    losses = np.stack([
        mean_losses(fit.net, replace(sample, rows=blanked(sample.rows, place < k, sample.layout)))
        for k in removed.tolist()
    ])  # fmt: skip
    rise = losses - losses[0]
    return float(((rise[1:] + rise[:-1]) / 2 * np.diff(removed)[:, None] / n).sum(axis=0).mean())


def run_deletion(options: argparse.Namespace) -> Iterator[Row]:
    """Take columns away on held-out rows."""
    for name in REAL:
        split = load_real(name, options)
        fit = auto_fit(
            split.train, split.target, task=split.task, preset=preset(options), verbose=False
        )
        trust = fit.attention.trust(split.train)
        damage = {order: float(trust.curves.damage(order).mean()) for order in trust.curves.orders}
        yield {
            "set": name, **damage, "effective": effective_damage(fit, split.train),
            "holds": damage["attention"] >= damage["permutation importance"],
            "agreement": trust.agreement, "fold_spearman": trust.stability.fold_rank,
            "spread": trust.stability.spread, "verdict": trust.verdict,
        }  # fmt: skip


def run_shuffled(options: argparse.Namespace) -> Iterator[Row]:
    """Learn from a target that nothing can tell."""
    for name in ("adult", "california_housing"):
        split = load_real(name, options)
        fit = auto_fit(
            split.train, split.target, task=split.task, preset=preset(options), verbose=False
        )
        trust = fit.attention.trust(split.train, shuffled_target=True)
        even = trust.controls.null_evenness
        nothing = split.train.copy()
        random = np.random.default_rng(1)
        nothing[split.target] = random.permutation(nothing[split.target].to_numpy())
        null = auto_fit(
            nothing, split.target, task=split.task, preset=preset(options), verbose=False
        )
        effective = evenness(null.attention.effective(split.test[:2000]).astype(float))
        yield {
            "set": name,
            "evenness": float(even.mean()),
            "evenness_worst_fold": float(even.min()),
            "effective_evenness": float(effective.mean()),
        }


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[Row]]] = {
    "synthetic": run_synthetic,
    "decoys": run_decoys,
    "deletion": run_deletion,
    "shuffled": run_shuffled,
}


def main() -> None:
    """Measure the parts, print their tables, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    parser.add_argument("--preset", default="balanced")
    parser.add_argument("--column-sparsity", type=float, default=None)
    parser.add_argument("--rows", type=int, default=None)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--data", type=Path, default=DEFAULT)
    options = parser.parse_args()
    results: dict[str, list[Row]] = {}
    for part in options.parts or PARTS:
        print(part)
        results[part] = []
        start = time.perf_counter()
        for row in PARTS[part](options):
            results[part].append({**row, "seconds": time.perf_counter() - start})
            start = time.perf_counter()
            print(
                "  " + "  ".join(f"{k} {show(v)}" for k, v in results[part][-1].items()), flush=True
            )
            if options.json:
                options.json.write_text(json.dumps({"about": about(), **results}, indent=1))


def show(value: object) -> str:
    """Write a figure with few digits."""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def about() -> dict[str, object]:
    """Return what the figures depend on."""
    names = ("tabnet_auto", "torch", "scikit-learn", "pandas", "numpy")
    return {
        "python": platform.python_version(),
        **{name: version(name.replace("_", "-")) for name in names},
        "cores": os.cpu_count(),
        "command": command_line(),
    }


if __name__ == "__main__":
    main()
