"""Does searching settings lower the error on held-out rows? The same seed with and without.

python -m benchmarks.search --data ../shared/data --sets credit_g:700 --seeds 0 1
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import monotonic

import numpy as np
import torch

from benchmarks.data import DEFAULT, read_set
from tabnet_auto import Search, auto_fit
from tabnet_auto.target import encode_target

SETS = ("credit_g:700", "wine_quality:2000", "california_housing:4000")


def measure(name: str, n_rows: int, seed: int, folder: Path, search: Search | None) -> dict:
    data = read_set(name, folder)
    order = np.random.default_rng(seed).permutation(len(data.train))
    train, test = (data.train.iloc[rows] for rows in (order[:n_rows], order[n_rows:][:4000]))
    start = monotonic()
    fit = auto_fit(
        train.reset_index(drop=True), data.target, search=search, seed=seed, verbose=False
    )
    seconds = monotonic() - start
    if fit.task != "regression":  # a class without a training row cannot be predicted by anyone
        test = test[test[data.target].isin(train[data.target])]
    predicted = fit.predict(test) if fit.task == "regression" else fit.predict_proba(test)
    y = encode_target(test[data.target].reset_index(drop=True), fit.schema)
    classes = None if fit.task == "regression" else np.array(fit.schema.classes)
    found = fit.search
    return {
        "set": name, "rows": n_rows, "seed": seed, "search": found is not None,
        "metric": fit.metric.name, "held out": fit.metric.score(y, predicted, None, classes),
        "out of fold": fit.oof_score, "seconds": round(seconds, 1),
        "inner, default": found and found.default_score(),
        "inner, chosen": found and found.inner_score(),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DEFAULT)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--engine", default="halving")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for named in options.sets:
        name, rows = named.split(":")
        for seed in options.seeds:
            for search in (None, Search(engine=options.engine)):
                print(json.dumps(measure(name, int(rows), seed, options.data, search)), flush=True)


if __name__ == "__main__":
    main()
