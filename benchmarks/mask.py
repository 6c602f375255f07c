"""What the mask costs and what it is worth: the network with and without it, decoys beside.

    python -m benchmarks.mask [--sets ...] [--decoys 0 20 100] [--seeds 0 1 2] [--json FILE]

Rows, folds and errors are the accuracy benchmark's. Both networks are the default one with a seed
a fold, trained for the same number of steps and stopped by the same rule: no clock, so that a busy
machine changes no figure. Without its mask every column weighs the same for every row. Decoys are
copies of the set's columns, each shuffled on its own: they look like the others and say nothing.
RealMLP trains all its epochs. ``--json`` keeps what was measured, and a later run goes on from it.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path
from time import monotonic
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch

from benchmarks.accuracy.clock import Clock
from benchmarks.accuracy.measures import error_of
from benchmarks.accuracy.ours import answer_of
from benchmarks.accuracy.sets import HALVES, Exam, Problem, read_exam
from benchmarks.data import DEFAULT
from tabnet_auto import auto_fit
from tabnet_auto.config import PRESETS
from tabnet_auto.net.attention import ColumnAttention

AMPLE = 3600
"""Seconds that are enough for all epochs of RealMLP."""
NEVER = -200.0
"""A strength whose sigmoid, and so its gradient, is zero in single precision."""
SYSTEMS = ("mask", "no mask", "realmlp")


@contextmanager
def without_mask() -> Iterator[None]:
    """Let every attention unit be built with its mask at strength zero, where it stays."""
    build = ColumnAttention.__init__

    def blind(self: ColumnAttention, *args: object, **options: object) -> None:
        build(self, *args, **options)
        torch.nn.init.constant_(self.strength, NEVER)

    with patch.object(ColumnAttention, "__init__", blind):
        yield


def with_decoys(exam: Exam, n: int) -> Exam:
    """Add ``n`` columns: the set's own in turn, rows shuffled."""
    problem = exam.problem
    rng = np.random.default_rng(problem.seed + 1)
    names = list(problem.test.columns)
    taken = [names[i % len(names)] for i in range(n)]

    def longer(frame: pd.DataFrame) -> pd.DataFrame:
        decoys = {
            f"decoy {i} of {name}": frame[name].to_numpy()[rng.permutation(len(frame))]
            for i, name in enumerate(taken)
        }
        return pd.concat([frame, pd.DataFrame(decoys, index=frame.index)], axis=1)

    wider = replace(problem, train=longer(problem.train), test=longer(problem.test))
    return replace(exam, problem=wider)


def predict(problem: Problem) -> np.ndarray:
    """Predict the test rows by the default network, a seed a fold."""
    fit = auto_fit(
        problem.train, problem.target, task=problem.task, folds=problem.folds,
        preset=replace(PRESETS["balanced"], n_seeds=1), seed=problem.seed, device="cpu",
        verbose=False,
    )  # fmt: skip
    return answer_of(fit, problem)


def measure(exam: Exam, system: str) -> float:
    """Return a system's error on the test rows."""
    problem = exam.problem
    if system == "realmlp":
        from benchmarks.accuracy.peers.pytabkit import run_realmlp

        predicted = run_realmlp(problem, Clock(AMPLE, monotonic(), 2)).predicted
    elif system == "no mask":
        with without_mask():
            predicted = predict(problem)
    else:
        predicted = predict(problem)
    return error_of(problem.task, exam.y_test, predicted)


def table(rows: list[dict]) -> str:
    """Return errors, means over each system's seeds, and how much decoys let those seeds' grow."""
    errors: dict[tuple[str, int, str], dict[int, float]] = defaultdict(dict)
    for row in rows:
        errors[row["set"], row["decoys"], row["system"]][row["seed"]] = row["error"]
    lines = ["| set | decoys | seeds | mask | no mask | realmlp | mask / no mask |",
             "|---|--:|--:|--:|--:|--:|--:|"]  # fmt: skip
    ratios: dict[int, list[float]] = defaultdict(list)
    for name, decoys in sorted({key[:2] for key in errors}):
        own, other, _ = found = [errors[name, decoys, system] for system in SYSTEMS]
        cells = [", ".join(str(len(seeds)) for seeds in found if seeds)]
        for system, seeds in zip(SYSTEMS, found, strict=True):
            grown = mean_ratio(seeds, errors[name, 0, system]) if decoys else None
            growth = "" if grown is None else f" ({grown - 1.0:+.1%})"
            cells.append(f"{np.mean(list(seeds.values())):.4f}{growth}" if seeds else "")
        ratio = mean_ratio(own, other)
        if ratio is not None:
            ratios[decoys].append(ratio)
        cells.append("" if ratio is None else f"{ratio:.3f}")
        lines.append(f"| {name} | {decoys} | {' | '.join(cells)} |")
    for decoys, own_ratios in sorted(ratios.items()):
        mean = geometric_mean(own_ratios)
        lines.append(f"| geometric mean of {len(own_ratios)} | {decoys} | | | | | {mean:.3f} |")
    return "\n".join(lines)


def mean_ratio(above: dict[int, float], below: dict[int, float]) -> float | None:
    """Return the geometric mean of the ratios of two systems' errors over seeds of both."""
    both = above.keys() & below.keys()
    return geometric_mean([above[seed] / below[seed] for seed in both]) if both else None


def geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sets", nargs="+", default=HALVES["development"])
    parser.add_argument("--decoys", nargs="+", type=int, default=[0])
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=SYSTEMS[:2])
    parser.add_argument("--rows", type=int, default=8_000)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--json", type=Path)
    parser.add_argument("--data", type=Path, default=DEFAULT)
    options = parser.parse_args()
    kept = options.json and options.json.exists()
    rows = json.loads(options.json.read_text(encoding="utf-8")) if kept else []
    for decoys, name, seed in product(options.decoys, options.sets, options.seeds):
        exam = with_decoys(read_exam(name, options.rows, seed, options.data), decoys)
        for system in options.systems:
            key = {"set": name, "decoys": decoys, "system": system, "rows": options.rows,
                   "seed": seed}  # fmt: skip
            if any(key.items() <= row.items() for row in rows):
                continue
            rows.append({**key, "error": measure(exam, system)})
            print(rows[-1], flush=True)
            if options.json:
                options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
