"""Does a default run do its job? auto_fit beside LightGBM and a linear model, same folds.

    python benchmarks/first_run.py [SET ...] [--json FILE] [--cli] [--data DIR]

Every system learns from the same training rows in the same five folds; its test prediction is
the mean over the folds. LightGBM stops early on each fold's validation rows (learning rate 0.05,
at most 2,000 trees, its own handling of categories and missing values); the linear model is a
logistic or ridge regression on one-hot and standardised columns. Within a run test rows choose
nothing.
Errors: 1 - AUC (binary), log-loss (multiclass), RMSE / standard deviation (regression).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
from command import command_line
from data import DEFAULT, Split, read_split
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from tabnet_auto import FitResult, auto_fit

SETS = ("adult", "credit_g", "california_housing", "ames", "letter", "telco_churn", "nycflights13")
ROWS = {"nycflights13": 50_000}


def error(split: Split, predicted: np.ndarray, classes: list[object]) -> float:
    """Error of probabilities or values on the test rows; lower is better."""
    if split.task == "regression":
        truth = split.test[split.target].to_numpy(float)
        return float(np.sqrt(np.mean((predicted - truth) ** 2)) / truth.std())
    position = {label: i for i, label in enumerate(classes)}
    truth = split.test[split.target].map(position).to_numpy()
    if split.task == "binary":
        return 1.0 - float(roc_auc_score(truth, predicted[:, 1]))
    return float(log_loss(truth, predicted, labels=list(range(len(classes)))))


def run_ours(split: Split) -> tuple[FitResult, float, float]:
    """Return the fit, its test error and its seconds."""
    start = time.perf_counter()
    fit = auto_fit(split.train, split.target, task=split.task, verbose=False)
    features = split.test.drop(columns=split.target)
    regression = split.task == "regression"
    predicted = fit.predict(features) if regression else fit.predict_proba(features)
    seconds = time.perf_counter() - start
    return fit, error(split, predicted, [] if regression else fit.classes_.tolist()), seconds


def plain_frames(split: Split) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Give numbers, dates as numbers, and text as categories: what the peers read."""
    train, test = (f.drop(columns=split.target) for f in (split.train, split.test))
    train, test = train.copy(), test.copy()
    for name in train.columns:
        if pd.api.types.is_datetime64_any_dtype(train[name]):
            for frame in (train, test):
                frame[name] = frame[name].astype("int64") / 1e9
        elif not pd.api.types.is_numeric_dtype(train[name]):
            levels = sorted(train[name].dropna().unique(), key=str)
            kind = pd.CategoricalDtype(levels)
            train[name], test[name] = train[name].astype(kind), test[name].astype(kind)
    return train, test


def encoded_target(split: Split, fit: FitResult) -> np.ndarray:
    """Class positions or values of the training rows."""
    if split.task == "regression":
        return split.train[split.target].to_numpy(float)
    position = {label: i for i, label in enumerate(fit.classes_.tolist())}
    return split.train[split.target].map(position).to_numpy()


def run_lightgbm(split: Split, fit: FitResult) -> tuple[float, float]:
    """Return the test error and the seconds of LightGBM in the same folds."""
    start = time.perf_counter()
    train, test = plain_frames(split)
    y = encoded_target(split, fit)
    regression = split.task == "regression"
    kind = lightgbm.LGBMRegressor if regression else lightgbm.LGBMClassifier
    parts = []
    for own, held in zip(fit.folds.train, fit.folds.valid, strict=True):
        model = kind(n_estimators=2000, learning_rate=0.05, n_jobs=2, verbose=-1)
        model.fit(
            train.iloc[own], y[own], eval_set=[(train.iloc[held], y[held])],
            callbacks=[lightgbm.early_stopping(100, verbose=False)],
        )  # fmt: skip
        parts.append(model.predict(test) if regression else model.predict_proba(test))
    seconds = time.perf_counter() - start
    classes = [] if regression else fit.classes_.tolist()
    return error(split, np.mean(parts, axis=0), classes), seconds


def run_linear(split: Split, fit: FitResult) -> tuple[float, float]:
    """Return the test error and the seconds of a linear model in the same folds."""
    start = time.perf_counter()
    train, test = plain_frames(split)
    y = encoded_target(split, fit)
    regression = split.task == "regression"
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    levels = OneHotEncoder(handle_unknown="ignore", min_frequency=10)
    columns = make_column_transformer(
        (numbers, make_column_selector(dtype_include=np.number)),
        (levels, make_column_selector(dtype_exclude=np.number)),
    )
    parts = []
    for own in fit.folds.train:
        last = Ridge() if regression else LogisticRegression(max_iter=1000)
        model = make_pipeline(columns, last).fit(train.iloc[own], y[own])
        parts.append(model.predict(test) if regression else model.predict_proba(test))
    seconds = time.perf_counter() - start
    classes = [] if regression else fit.classes_.tolist()
    return error(split, np.mean(parts, axis=0), classes), seconds


def run_command_line(split: Split) -> tuple[float, bool]:
    """Fit through the command line; return the seconds and whether all files were written."""
    with tempfile.TemporaryDirectory() as folder:
        train, test = Path(folder, "train.csv"), Path(folder, "test.csv")
        split.train.to_csv(train, index=False)
        split.test.drop(columns=split.target).to_csv(test, index=False)
        command = [
            sys.executable, "-m", "tabnet_auto", "fit", str(train), "--target", split.target,
            "--task", split.task, "--test", str(test), "--out", f"{folder}/out", "--quiet",
        ]  # fmt: skip
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        written = {path.name for path in Path(folder, "out").iterdir()}
        rows = len(pd.read_csv(Path(folder, "out", "submission.csv")))
    files = {"model", "oof.csv", "report.html", "submission.csv"}
    return seconds, files <= written and rows == len(split.test)


def measure(name: str, folder: Path, *, command_line: bool) -> dict[str, object]:
    """Run all systems on one set, one after the other."""
    split = read_split(name, folder, rows=ROWS.get(name))
    fit, ours, ours_s = run_ours(split)
    peer, peer_s = run_lightgbm(split, fit)
    linear, linear_s = run_linear(split, fit)
    row: dict[str, object] = {
        "set": name, "task": split.task, "rows": len(split.train), "test_rows": len(split.test),
        "columns": split.train.shape[1] - 1, "ours": ours, "ours_s": ours_s,
        "lightgbm": peer, "lightgbm_s": peer_s, "linear": linear, "linear_s": linear_s,
        "ratio": ours / peer, "beats_linear": ours <= linear,
        "oof": fit.oof_score, "metric": fit.metric.name,
    }  # fmt: skip
    if command_line:
        row["command_line_s"], row["command_line_ok"] = run_command_line(split)
    return row


def main() -> None:
    """Measure the sets, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--cli", action="store_true", help="run the command line too")
    parser.add_argument("--data", type=Path, default=DEFAULT)
    options = parser.parse_args()
    rows = []
    print(f"{'set':20}{'rows':>7}{'ours':>9}{'lightgbm':>10}{'linear':>9}{'ratio':>8}"
          f"{'ours s':>9}{'lgbm s':>9}{'cli s':>8}")  # fmt: skip
    for name in options.sets:
        row = measure(name, options.data, command_line=options.cli)
        rows.append(row)
        print(f"{name:20}{row['rows']:>7}{row['ours']:>9.4f}{row['lightgbm']:>10.4f}"
              f"{row['linear']:>9.4f}{row['ratio']:>8.3f}{row['ours_s']:>9.1f}"
              f"{row['lightgbm_s']:>9.1f}{row.get('command_line_s', float('nan')):>8.1f}"
              f"{'' if row['beats_linear'] else '  WORSE THAN LINEAR'}", flush=True)  # fmt: skip
        if options.json:
            options.json.write_text(json.dumps({"about": about(), "rows": rows}, indent=1))


def about() -> dict[str, object]:
    """Return what the figures depend on."""
    names = ("tabnet_auto", "torch", "lightgbm", "scikit-learn", "pandas", "numpy")
    return {
        "python": platform.python_version(),
        **{name: version(name.replace("_", "-")) for name in names},
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "command": command_line(),
    }


if __name__ == "__main__":
    main()
