"""Does a time limit hold: wall seconds, overrun, when a first model was there, and the scores.

    python benchmarks/budget.py [SET ...] [--limits 10 30 60 120] [--preset best]
        [--json FILE] [--data DIR]

Each run is one fit in a process of its own, with the test rows given; the clock starts with
``auto_fit`` and stops when it returns. Predicting the test rows and writing the report are timed
beside it. ``first`` is the time of the first scored epoch: from then on an interrupt returns a
model. ``over`` is what exceeds the limit; it holds where that is at most 2 s or 5 %. Runs that
are in the file already are not repeated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

import torch
from data import DEFAULT, read_split

from tabnet_auto import auto_fit

SETS = ("adult", "california_housing", "telco_churn", "letter", "covertype")
LIMITS = (10.0, 30.0, 60.0, 120.0)
RESULTS = Path(__file__).resolve().parent / "results" / "budget.json"
ALLOWED_SECONDS, ALLOWED_SHARE = 2.0, 0.05


def measure(name: str, limit: float, preset: str, folder: Path) -> dict[str, Any]:
    """Fit one set within a limit."""
    split = read_split(name, folder)
    features = split.test.drop(columns=split.target)
    firsts: list[float] = []
    start = monotonic()

    def listen(event: Any) -> None:
        if event.kind == "epoch" and not firsts:
            firsts.append(monotonic() - start)

    fit = auto_fit(
        split.train, split.target, test=features, preset=preset, time_limit=limit, verbose=False,
        emit=listen,
    )  # fmt: skip
    wall = monotonic() - start
    known = split.test[split.target].notna()
    if fit.schema.classes:
        known &= split.test[split.target].isin(fit.classes_)
    score, predict_seconds = _test_score(fit, split.test[known], split.target)
    before = monotonic()
    with tempfile.TemporaryDirectory() as place:
        fit.report(Path(place) / "report.html")
    return {
        "set": name, "rows": len(split.train), "limit": limit, "preset": preset, "seconds": wall,
        "over": wall - limit, "first": firsts[0], "epochs": len(fit.trace.of("epoch")),
        "seeds": fit.n_seeds, "companions": [one.name for one in fit.companions],
        "metric": fit.metric.name, "oof": fit.oof_score, "test": score,
        "predict_seconds": predict_seconds, "report_seconds": monotonic() - before,
        "notes": [note["text"] for note in fit.trace.of("note")],
        "threads": torch.get_num_threads(),
    }  # fmt: skip


def _test_score(fit: Any, test: Any, target: str) -> tuple[float, float]:
    """Score the test rows under the fit's metric; also the seconds that predicting them took."""
    rows = test.drop(columns=target)
    start = monotonic()
    if fit.task == "regression":
        predicted, truth = fit.predict(rows), test[target].to_numpy(dtype=float)
        classes = None
    else:
        classes = fit.classes_
        position = {label: i for i, label in enumerate(classes.tolist())}
        truth = test[target].map(position).to_numpy(dtype=int)
        predicted = fit.predict_proba(rows)
    seconds = monotonic() - start
    return float(fit.metric.score(truth, predicted, None, classes)), seconds


def holds(row: dict[str, Any]) -> bool:
    """Whether the limit held: at most 2 s or 5 % over it."""
    limit, over = row["limit"], row["over"]
    return bool(over <= max(ALLOWED_SECONDS, ALLOWED_SHARE * limit))


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table."""
    print(f"{'set':20}{'limit':>6}{'seconds':>9}{'over':>7}{'first':>7}{'share':>7}{'metric':>10}"
          f"{'oof':>11}{'test':>11}  seeds, epochs, companions")  # fmt: skip
    for row in rows:
        first, limit = row["first"], row["limit"]
        made = f"{row['seeds']}, {row['epochs']}, {'+'.join(row['companions']) or '-'}"
        print(f"{row['set']:20}{limit:>6g}{row['seconds']:>9.2f}{row['over']:>+7.2f}"
              f"{first:>7.2f}{first / limit:>7.0%}{row['metric']:>10}{row['oof']:>11.5g}"
              f"{row['test']:>11.5g}  {made}{'' if holds(row) else '  OVER'}")  # fmt: skip
    held, early = sum(map(holds, rows)), sum(r["first"] <= 0.1 * r["limit"] for r in rows)
    print(f"{held} of {len(rows)} runs held their limit; in {early} a first model was there within "
          "a tenth of it")  # fmt: skip


def main() -> None:
    """Measure what the file does not have yet, each in its own process; print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("sets", nargs="*", default=list(SETS))
    parser.add_argument("--limits", nargs="*", type=float, default=list(LIMITS))
    parser.add_argument("--preset", default="best")
    parser.add_argument("--json", type=Path, default=RESULTS)
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.sets[0], given.limits[0], given.preset, given.data)))
        return
    rows = json.loads(given.json.read_text()) if given.json.exists() else []
    done = {(row["set"], row["limit"], row["preset"]) for row in rows}
    for name in given.sets:
        for limit in given.limits:
            if (name, limit, given.preset) in done:
                continue
            command = [sys.executable, __file__, name, "--limits", str(limit), "--one"]
            command += ["--preset", given.preset, "--data", str(given.data)]
            ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            rows.append(json.loads(ran.stdout.splitlines()[-1]))
            given.json.parent.mkdir(parents=True, exist_ok=True)
            given.json.write_text(json.dumps(rows, indent=1) + "\n")
    show([row for row in rows if row["set"] in given.sets and row["limit"] in given.limits])


if __name__ == "__main__":
    main()
