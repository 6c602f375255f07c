"""What decision rules are worth: labels by tuned rule beside the most probable class.

    python benchmarks/decisions.py [SET ...] [--preset fast] [--seeds 3] [--json FILE] [--data DIR]

One fit a set and seed; probabilities are the same for both sides. ``oof`` is the cross-fitted
out-of-fold score beside the most probable class's; ``test`` the score of the held-out 30 %, which
choose nothing. wine_quality is learned as ordered classes under quadratic weighted kappa,
telco_churn and credit_g under F1.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from data import DEFAULT, read_split
from sklearn.metrics import cohen_kappa_score, f1_score

from tabnet_auto import auto_fit

CASES = {
    "wine_quality": ("multiclass", "quadratic_weighted_kappa"),
    "telco_churn": ("binary", "f1"),
    "credit_g": ("binary", "f1"),
}
SCORES = {
    "quadratic_weighted_kappa": lambda y, p: cohen_kappa_score(y, p, weights="quadratic"),
    "f1": f1_score,
}


def measure(name: str, folder: Path, preset: str, seed: int) -> dict[str, object]:
    """Fit one set and score both rules."""
    task, metric = CASES[name]
    split = read_split(name, folder)
    fit = auto_fit(split.train, split.target, task=task, metric=metric, preset=preset, seed=seed,
                   verbose=False)  # fmt: skip
    test = split.test[split.test[split.target].isin(fit.classes_)]
    position = {label: i for i, label in enumerate(fit.classes_.tolist())}
    truth = test[split.target].map(position).to_numpy()
    proba = fit.predict_proba(test.drop(columns=split.target))
    score = SCORES[metric]
    plain = float(score(truth, proba.argmax(axis=1)))
    tuned = float(score(truth, fit.decision.labels(proba)))
    return {
        "set": name, "metric": metric, "preset": preset, "seed": seed,
        "oof_argmax": fit.decision.argmax_score, "oof": fit.oof_score,
        "oof_gain": fit.oof_score - fit.decision.argmax_score,
        "test_argmax": plain, "test": tuned, "test_gain": tuned - plain,
        "gain": fit.decision.gain, "gain_error": fit.decision.gain_error,
        "kept": bool(fit.decision.values), "rule": fit.decision.describe(fit.schema.classes),
    }  # fmt: skip


def main() -> None:
    """Measure the sets, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("sets", nargs="*", default=list(CASES))
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--data", type=Path, default=DEFAULT)
    options = parser.parse_args()
    rows = []
    print(f"{'set':14}{'metric':>26}{'seed':>5}{'oof argmax':>11}{'oof':>8}{'gain':>8}"
          f"{'test argmax':>13}{'test':>8}{'gain':>8}{'judged gain':>20}")  # fmt: skip
    for name in options.sets:
        for seed in range(options.seeds):
            row = measure(name, options.data, options.preset, seed)
            rows.append(row)
            print(f"{name:14}{row['metric']:>26}{seed:>5}{row['oof_argmax']:>11.4f}"
                  f"{row['oof']:>8.4f}{row['oof_gain']:>+8.4f}{row['test_argmax']:>13.4f}"
                  f"{row['test']:>8.4f}{row['test_gain']:>+8.4f}"
                  f"{row['gain']:>+11.4f} +-{row['gain_error']:.4f}"
                  f"{'' if row['kept'] else ' (not kept)'}", flush=True)  # fmt: skip
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1))
    for name in options.sets:
        gains = [row["test_gain"] for row in rows if row["set"] == name]
        print(f"{name}: mean gain on the test rows {np.mean(gains):+.4f}")


if __name__ == "__main__":
    main()
