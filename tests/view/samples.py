"""Made-up report data: no model is needed to look at a report."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np

from tabnet_auto.view.report_data import (
    AuditTable,
    BinaryPredictions,
    Cohorts,
    Curve,
    Drift,
    MulticlassPredictions,
    RegressionPredictions,
    ReportData,
    RowSample,
    SearchTrials,
    StepWork,
    Trust,
    TrustCurves,
)

TITANIC = (
    "sex", "age", "ticket_class", "fare", "title_from_name", "cabin_deck", "siblings_spouses",
    "embarked", "parents_children", "ticket_prefix", "family_size", "fare_per_person",
    "cabin_count", "boat_side_of_the_assigned_cabin_as_recorded",
)  # fmt: skip


def unpack(text: str) -> tuple[dict[str, Any], np.ndarray]:
    """What the explorers hold: the numbers, and the levels of the rows' masks."""
    plain = gzip.decompress(base64.b64decode(text))
    size = int.from_bytes(plain[:4], "little")
    return json.loads(plain[4 : 4 + size]), np.frombuffer(plain[4 + size :], np.uint8)


def curves(rng: np.random.Generator, n_folds: int, n_epochs: int, *, rising: bool) -> list[Curve]:
    """Curves that fall, level out, and overfit a little."""
    out = []
    for fold in range(n_folds):
        n = int(n_epochs * rng.uniform(0.7, 1.0))
        epoch = np.arange(1, n + 1)
        wave = 0.012 * np.convolve(rng.normal(size=n + 4), np.ones(5) / 5, "valid")
        train = 0.28 + 0.42 * np.exp(-epoch / 9) + 0.4 * wave
        valid = 0.36 + 0.36 * np.exp(-epoch / 7) + 0.0011 * epoch + wave + 0.01 * rng.normal()
        score = 1.09 - 0.62 * valid if rising else 0.3 + 0.5 * valid
        best = int(valid.argmin()) + 1
        out.append(
            Curve(
                label=f"fold {fold + 1}",
                epochs=epoch.tolist(),
                train_loss=train.tolist(),
                valid_loss=valid.tolist(),
                score=score.tolist(),
                best_epoch=best,
            )
        )
    return out


def attention(
    rng: np.random.Generator, n_folds: int, n_steps: int, n_columns: int, sharp: float
) -> np.ndarray:
    """Masks that agree between folds up to noise, steps that differ; shape (fold, step, column)."""
    taste = rng.normal(size=(1, n_steps, n_columns)) + np.linspace(1.6, -1.6, n_columns)
    logits = sharp * (taste + 0.25 * rng.normal(size=(n_folds, n_steps, n_columns)))
    weights = np.exp(logits)
    weights[weights < 0.02 * weights.max(axis=-1, keepdims=True)] = 0.0
    return weights / weights.sum(axis=-1, keepdims=True)


def of_seeds(steps: np.ndarray) -> dict[str, np.ndarray]:
    """The attention of every seed, where there are several."""
    return {"seed_attention": steps.mean(axis=2), "seed_steps": steps} if steps.shape[1] > 1 else {}


def leaderboard(rng: np.random.Generator, n_folds: int, base: float, sign: float) -> list[dict]:
    """A few models, the blend among them."""
    names = ("blend", "tabnet", "gradient boosting", "logistic regression")
    rows: list[dict[str, Any]] = []
    for i, name in enumerate(names):
        folds = base - sign * 0.011 * i + 0.012 * rng.normal(size=n_folds)
        rows.append(
            {
                "name": name,
                "folds": folds.tolist(),
                "mean": float(folds.mean()),
                "seconds": (74.2, 61.8, 8.93, 0.41)[i],
                "weight": (None, 0.68, 0.32, 0.0)[i],
            }
        )
    return rows


def schema_rows(rng: np.random.Generator, columns: list[str]) -> list[dict[str, Any]]:
    """A role and a reason for each column, and one column that is not used."""
    kinds = (
        ("categorical", "text with 2 levels", "str", 2),
        ("numeric", "numbers with many distinct values", "float64", 812),
        ("discrete", "an integer with few distinct values", "int64", 7),
        ("high_cardinality", "text with 612 levels, most of them rare", "str", 612),
    )
    rows = [
        {
            "name": name,
            "role": kinds[i % 4][0],
            "reason": kinds[i % 4][1],
            "dtype": kinds[i % 4][2],
            "n_unique": kinds[i % 4][3],
            "missing": float(rng.choice([0.0, 0.0, 0.0003, 0.199, 0.771])),
        }
        for i, name in enumerate(columns)
    ]
    rows.append(
        {
            "name": "passenger_id",
            "role": "identifier",
            "reason": "every value differs; set aside",
            "dtype": "int64",
            "n_unique": 891,
            "missing": 0.0,
        }
    )
    return rows


def _summary(task: str, metric: str, score: str, rows: str, columns: str) -> dict[str, str]:
    return {
        "out-of-fold score": score,
        "metric": metric,
        "task": task,
        "target": "survived" if task == "binary" else "price",
        "rows": rows,
        "columns": columns,
        "folds": "5, stratified, shuffled",
        "preset": "balanced",
        "time": "1 min 14 s",
        "device": "cpu, 2 threads",
        "seed": "0",
        "versions": "tabnet_auto 0.1.0, torch 2.9, pandas 3.1",
    }


REPRODUCE = """\
# Python 3.11.7, tabnet_auto 0.1.0, torch 2.9.0, numpy 2.4.6, pandas 3.1.1
import pandas as pd
from tabnet_auto import auto_fit

train = pd.read_csv("train.csv")
fit = auto_fit(train, "survived", folds=5, preset="balanced", seed=0)
fit.report("report.html")
"""


def rows(
    rng: np.random.Generator, steps: np.ndarray, n: int, truths: list[str], n_seeds: int = 1
) -> RowSample:
    """Rows whose masks scatter around the folds' means; group ``random`` holds every third."""
    n_folds, n_steps, n_columns = steps.shape
    scatter = rng.gamma(2.0, 0.5, (n_folds, n_seeds, n_steps, n, n_columns))
    weights = steps[:, None, :, None, :] * scatter
    weights /= weights.sum(axis=-1, keepdims=True)
    peak = float(weights.max())
    error = np.sort(rng.random(n))[::-1]
    return RowSample(
        names=[f"row {7 * i}" for i in range(n)],
        held_out=[i % n_folds for i in range(n)],
        cells=[[f"{value:.4g}" for value in row] for row in rng.normal(size=(n, n_columns))],
        truth=[truths[i % len(truths)] for i in range(n)],
        predicted=[f"{truths[0]} {p:.0%}" for p in error],
        by_fold=[[f"{truths[0]} {p:.0%}" for p in rng.random(n)] for _ in range(n_folds)],
        error=error.tolist(),
        error_label="1 − probability of the truth",
        levels=np.round(255 * np.sqrt(weights / peak)).astype(np.uint8),
        peak=peak,
        sizes=np.full((n_folds, n_seeds, n_steps, n), 1.0 / n_steps),
        groups={"largest errors": list(range(n // 2)), "random": list(range(0, n, 3))},
        n_rows=12_000,
    )


def cohorts(rng: np.random.Generator, mean: np.ndarray, truths: list[str], n: int) -> Cohorts:
    """Two classes, ten tenths of the error, and the parts of one column; none is of the last.

    The ``n`` rows of the sample take turns in the other groups.
    """
    by = ["true class"] * len(truths) + ["error, by tenths"] * 10 + ["age"] * 3
    label = [*truths, *(str(i + 1) for i in range(10)), "0 to 20", "21 to 40", "41 to 80"]
    shares = mean * rng.gamma(9.0, 1 / 9, (len(by), len(mean)))
    shares /= shares.sum(axis=1, keepdims=True)
    sizes = [100 + i for i in range(len(by))]
    turns = [(k, each) for each in (len(truths), 10, 2) for k in range(each)]
    members = [*(list(range(k, n, each)) for k, each in turns), []]
    return Cohorts(by, label, sizes, shares, 0.1 * shares, 2000, members)


def step_work(n_folds: int, n_steps: int) -> StepWork:
    """Steps of which each adds less than the one before."""
    size = np.tile(np.linspace(2.0, 1.0, n_steps), (n_folds, 1))
    size /= size.sum(axis=1, keepdims=True)
    return StepWork(size, 0.1 * size, 0.03 * size, "share of the probability that moves")


def drift(rng: np.random.Generator, columns: list[str], *, of_class: str) -> Drift:
    """Chance everywhere, and one column that moved."""
    shift = rng.uniform(0.0, 0.02, len(columns))
    shift[1] = 0.31
    train, test = rng.beta(2, 5, 3000), rng.beta(3, 4, 800)
    chance = [0.021] * len(columns)
    return Drift(list(columns), shift.tolist(), chance, train, test, of_class, 800)


def trust_curves() -> tuple[TrustCurves, ...]:
    """Attention hurts a little more than chance."""
    share = np.linspace(0.0, 1.0, 11)
    orders = {"attention": 0.5, "permutation importance": 0.45, "random": 1.0}
    losses = {name: (0.4 + 0.3 * share**power).tolist() for name, power in orders.items()}
    verdict = "Deleting by attention hurts more than at random."
    return (
        TrustCurves("deletion", share.tolist(), losses, verdict),
        TrustCurves("insertion", share.tolist(), {k: v[::-1] for k, v in losses.items()}),
    )


def search(*, n_folds: int = 5, n: int = 8) -> SearchTrials:
    """Every fold keeps its third configuration."""
    names = ["lr", "weight_decay", "dropout", "column_dropout"]
    trials = [
        {
            "fold": fold, "number": i, "values": [0.02 / (i + 1), 0.02, 0.15, 0.1], "rung": i % 3,
            "loss": 0.3 + 0.01 * i, "score": 0.9 - 0.001 * i, "rank": int(i == 2),
        }
        for fold in range(n_folds)
        for i in range(n)
    ]  # fmt: skip
    return SearchTrials(names, trials, "Inner roc_auc 0.9000 of the preset's own settings.")


def audit() -> AuditTable:
    """A warning and a remark."""
    return AuditTable(
        (
            ("nearly the target", "warning", "column 'boat' alone nearly is the target",
             "if it is not known before the target is, leave it out: roles={'boat': 'drop'}"),
            ("identical rows", "remark", "2 rows equal another row in every column", "audit='act'"),
        ),
        "all 891 training rows",
    )  # fmt: skip


def binary(*, seed: int = 0, trust: bool = True, n_seeds: int = 1, **changes: Any) -> ReportData:
    """14 columns, 5 folds, 2 steps."""
    rng = np.random.default_rng(seed)
    columns = list(TITANIC)
    seed_steps = attention(rng, 5 * n_seeds, 2, len(columns), 1.1).reshape(5, n_seeds, 2, -1)
    steps = seed_steps.mean(axis=1)
    truth = (rng.random(4000) < 0.38).astype(np.int64)
    logit = rng.normal(size=4000) * 1.2 + np.where(truth == 1, 1.1, -1.3)
    share = steps.mean(axis=(0, 1))
    values: dict[str, Any] = {
        "title": "Who survived the Titanic",
        "summary": _summary("binary", "roc_auc", "0.8817", "891", "14 used of 15"),
        "leaderboard": leaderboard(rng, 5, 0.882, 1.0),
        "metric_name": "roc_auc",
        "greater_is_better": True,
        "curves": curves(rng, 5, 64, rising=True),
        "columns": columns,
        "attention": steps.mean(axis=1),
        "attention_steps": steps,
        **of_seeds(seed_steps),
        "stability": 0.87,
        "schema_rows": schema_rows(rng, columns),
        "notes": [
            "2 rows without a target were set aside.",
            "Column 'fare' was text; 891 of 891 values were read as numbers.",
        ],
        "predictions": BinaryPredictions(
            "yes", "no", 1 / (1 + np.exp(-logit)), truth, n_rows=12_000
        ),
        "reproduce": REPRODUCE,
        "trust": Trust(
            columns,
            share.tolist(),
            (0.25 * share + 0.004 * rng.normal(size=len(columns))).tolist(),
            0.81,
        )
        if trust
        else None,
        "trust_curves": trust_curves() if trust else (),
        "plan": {"Time": "1 min 14 s", "Networks": "5 (5 folds)"},
        "step_work": step_work(5, 2),
        "rows": rows(rng, steps, 60, ["no", "yes"], n_seeds),
        "cohorts": cohorts(rng, share, ["no", "yes"], 60),
        "drift": drift(rng, columns, of_class="yes"),
    }
    return ReportData(**{**values, **changes})


def regression(
    *, n_columns: int = 300, seed: int = 1, n_seeds: int = 1, **changes: Any
) -> ReportData:
    """Many columns, 5 folds, 3 steps; of the rows only the mean over seeds was kept."""
    rng = np.random.default_rng(seed)
    columns = [f"sensor_{i:03d}_{'abc'[i % 3]}" for i in range(n_columns)]
    seed_steps = attention(rng, 5 * n_seeds, 3, n_columns, 0.9).reshape(5, n_seeds, 3, -1)
    steps = seed_steps.mean(axis=1)
    truth = np.exp(rng.normal(size=5000) * 0.5) * 200_000
    values: dict[str, Any] = {
        "title": "House prices from 300 sensors",
        "summary": _summary("regression", "rmse", "31,204", "48,211", f"{n_columns}"),
        "leaderboard": leaderboard(rng, 5, 0.31, -1.0),
        "metric_name": "rmse",
        "greater_is_better": False,
        "curves": curves(rng, 5, 80, rising=False),
        "columns": columns,
        "attention": steps.mean(axis=1),
        "attention_steps": steps,
        **of_seeds(seed_steps),
        "stability": 0.55,
        "schema_rows": schema_rows(rng, columns),
        "notes": [],
        "predictions": RegressionPredictions(
            truth * np.exp(rng.normal(size=5000) * 0.12), truth, n_rows=48_211
        ),
        "reproduce": REPRODUCE,
        "step_work": step_work(5, 3),
        "rows": rows(rng, steps, 80, ["200,000", "312,400"]),
        "cohorts": cohorts(rng, steps.mean(axis=(0, 1)), ["low", "high"], 80),
        "drift": drift(rng, columns, of_class=""),
    }
    return ReportData(**{**values, **changes})


def multiclass(*, n_classes: int = 7, seed: int = 2, **changes: Any) -> ReportData:
    """The binary report with classes."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 60, (n_classes, n_classes)) + np.diag(rng.integers(80, 900, n_classes))
    labels = [f"cover type {i}" for i in range(n_classes)]
    truth = np.repeat(np.arange(n_classes), counts.sum(axis=1))[::5]
    logits = 1.5 * rng.normal(size=(len(truth), n_classes))
    logits[np.arange(len(truth)), truth] += 2.5
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    predictions = MulticlassPredictions(
        labels, counts.astype(np.int64), share, share.argmax(axis=1), truth, int(counts.sum())
    )
    return binary(trust=False, **{"predictions": predictions, **changes})
