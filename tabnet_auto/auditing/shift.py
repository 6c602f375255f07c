"""Adversarial validation: whether test rows can be told from training rows, and by what."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.auditing.record import Finding
from tabnet_auto.auditing.sample import Floats, Sample, spaced
from tabnet_auto.auditing.score import area, parts_of, tell
from tabnet_auto.frames import list_names

MAX_ROWS = 4_000
"""Rows of either side that are told apart, at most."""
MAX_CELLS = 160_000
"""Cells of them, at most."""
MIN_ROWS = 100
"""Rows that either side must have."""
N_MODEL_PARTS = 3
"""Parts that the model is cross-fitted over."""
APART, APART_WARNING = 0.55, 0.75
"""ROC AUC from which the sides differ, and from which scores out of fold may not hold."""
GIVES_AWAY = 0.9
"""A column's own ROC AUC from which ``audit="act"`` leaves it out."""
SURE = 5.0
"""Standard errors from 0.5 that an ROC AUC must be."""
MAX_NAMED = 10
"""Columns that are named, at most."""


def find_drift(sample: Sample) -> Iterator[Finding]:
    """Tell test rows from training rows with boosted trees, scored on rows they did not see."""
    if sample.x_test is None or not sample.columns:
        return
    at_most = min(MAX_ROWS, MAX_CELLS // len(sample.columns))
    here, there = (side[spaced(len(side), at_most)] for side in (sample.x, sample.x_test))
    if min(len(here), len(there)) < MIN_ROWS:
        return
    x, is_test = np.concatenate([here, there]), np.arange(len(here) + len(there)) >= len(here)
    auc = area(_cross_fitted(x, is_test), is_test)
    own = _by_column(sample, x, is_test)
    error = _error(is_test)
    named = [name for name, one in own if one >= APART and one - 0.5 >= SURE * error][:MAX_NAMED]
    if auc < APART or auc - 0.5 < SURE * error:
        return
    away = tuple(name for name, one in own if one >= GIVES_AWAY)
    by = "by " + ", ".join(f"{n!r} ({a:.2f} alone)" for n, a in own if n in named)
    yield Finding(
        "drift", "warning" if auc >= APART_WARNING else "remark", away or tuple(named),
        {"auc": auc, **{f"auc of {name}": one for name, one in own if name in named}},
        f"test rows can be told from training rows (ROC AUC {auc:.3f}), "
        + (by if named else "by no column alone"), _offer(away), "drop" if away else "",
    )  # fmt: skip


def _offer(away: tuple[str, ...]) -> str:
    if not away:
        return "scores out of fold hold for rows like those of train"
    drops = ", ".join(f"{name!r}: 'drop'" for name in away)
    return (
        f"where new rows lie outside what {list_names(away)} held, networks must guess: leave "
        f"out (roles={{{drops}}}), or validate as the test lies (time=)"
    )


def _by_column(sample: Sample, x: Floats, is_test: NDArray[np.bool_]) -> list[tuple[str, float]]:
    """Return each column's ROC AUC alone, cross-fitted, the greatest first."""
    part = parts_of(len(x))
    target = is_test.astype(np.float64)[:, None]
    found = [
        (name, tell(x[:, i], target, part, is_level=bool(sample.is_level[i])).auc)
        for i, name in enumerate(sample.columns)
    ]
    return sorted(found, key=lambda pair: -pair[1])


def _cross_fitted(x: Floats, is_test: NDArray[np.bool_]) -> Floats:
    from sklearn.ensemble import HistGradientBoostingClassifier

    part = parts_of(len(x), N_MODEL_PARTS)
    score = np.empty(len(x))
    for own in range(N_MODEL_PARTS):
        model = HistGradientBoostingClassifier(
            max_iter=30, learning_rate=0.2, max_leaf_nodes=8, max_bins=64, early_stopping=False,
            random_state=0,
        )  # fmt: skip
        model.fit(x[part != own], is_test[part != own])
        score[part == own] = model.predict_proba(x[part == own])[:, 1]
    return score


def _error(is_test: NDArray[np.bool_]) -> float:
    """Return the standard error of an ROC AUC of scores that tell nothing (Mann and Whitney)."""
    n_test = int(is_test.sum())
    n_train = len(is_test) - n_test
    return float(np.sqrt((n_test + n_train + 1) / (12 * n_test * n_train)))
