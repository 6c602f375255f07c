"""AutoGluon in its own environment: imports, then one problem from the input stream.

Imports nothing of this repository. Says ``{}`` when its imports are done; reads one line of JSON,
and the folder of its argument; leaves ``predicted.npz`` there, and says its notes as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

# The libraries that the portfolio of best_quality fits with, too: loaded before the clock starts.
import catboost  # noqa: F401
import fastai.tabular.all  # noqa: F401
import lightgbm  # noqa: F401
import numpy as np
import pandas as pd
import psutil
import torch  # noqa: F401
import xgboost  # noqa: F401
from autogluon.tabular import TabularPredictor


def solve(folder, order):
    """Fit, predict the test rows into a file, and return notes."""
    train, test = (pd.read_parquet(folder / f"{name}.parquet") for name in ("train", "test"))
    start, cpu_start = time.monotonic(), cpu_seconds()
    predictor = fit(folder, train, order)
    fitted = time.monotonic()
    if order["task"] == "regression":
        predicted, labels = predictor.predict(test, as_pandas=False), []
    else:
        shares = predictor.predict_proba(test)
        predicted, labels = shares.to_numpy(float), shares.columns.to_numpy(int)
    np.savez(folder / "predicted.npz", predicted=predicted.astype(float), labels=labels)
    spent = {"fit": fitted - start, "predict": time.monotonic() - fitted}
    return {
        **describe(predictor), "seconds": {k: round(v, 2) for k, v in spent.items()},
        "time_limit": round(order["seconds"], 2), "cpu_seconds": cpu_seconds() - cpu_start,
    }  # fmt: skip


def fit(folder, train, order):
    """Fit the preset with its own choices: bagged folds, and stacking after DyStack's trial."""
    start = time.monotonic()
    try:
        return fit_preset(folder / "models", train, order)
    except AssertionError as error:
        # 1.6.3, without ray, cannot go on after a trial that failed (for lack of time, say). Where
        # it can go on, it stacks then; so does this, in the time that is left.
        if "already fit" not in str(error):
            raise
        order = {**order, "seconds": order["seconds"] - (time.monotonic() - start)}
        return fit_preset(folder / "again", train, order, dynamic_stacking=False)


def fit_preset(path, train, order, **settings):
    """Fit ``best_quality`` in the seconds of the order."""
    predictor = TabularPredictor(
        label=order["target"], problem_type=order["task"], eval_metric=order["metric"],
        path=str(path), verbosity=1, learner_kwargs={"random_state": order["seed"]},
    )  # fmt: skip
    return predictor.fit(
        train, presets="best_quality", time_limit=order["seconds"],
        num_cpus=order["threads"], num_gpus=0,
        ag_args_ensemble={"model_random_seed": order["seed"]}, **settings,
    )  # fmt: skip


def describe(predictor):
    """Return which models there are, and which of them the best one blends."""
    best = predictor.model_best
    children = predictor.model_info(best).get("children_info", {}).values()
    weights = next((child["model_weights"] for child in children if "model_weights" in child), {})
    return {
        "best": best, "models": predictor.model_names(),
        "weights": {name: round(float(weight), 4) for name, weight in weights.items()},
    }  # fmt: skip


def cpu_seconds():
    """CPU time of this process and of those below it, ended ones included."""
    own = psutil.Process()
    return sum(sum(p.cpu_times()[:4]) for p in (own, *own.children(recursive=True)))


def end_with_parent(done):
    """Leave when the input stream ends before we are done: a killed cell must not keep the cores.

    Read below ``sys.stdin``, whose lock a waiting thread would hold when the interpreter ends.
    """
    os.read(0, 1)
    if not done.is_set():
        os._exit(1)


def main():
    """Answer one order. What AutoGluon prints goes to the error stream."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    folder = Path(sys.argv[1])
    print("{}", file=out, flush=True)
    order = json.loads(sys.stdin.readline())
    done = threading.Event()
    threading.Thread(target=end_with_parent, args=(done,), daemon=True).start()
    try:
        reply = solve(folder, order)
    except Exception as error:  # noqa: BLE001 - the other side decides
        reply = {"error": f"{type(error).__name__}: {error}".splitlines()[-1]}
    done.set()
    print(json.dumps(reply), file=out, flush=True)


if __name__ == "__main__":
    main()
