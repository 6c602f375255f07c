"""Rows that are identical in every column: across folds, and across train and test."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.auditing.record import Finding
from tabnet_auto.auditing.sample import Floats, Sample

MIN_SHARE = 0.01
"""Share of rows from which identical ones are worth a word ..."""
MIN_TWINS = 20
"""... if they are so many."""
AGREE = 0.9
"""Agreement of their targets from which they are copies, not coincidence ..."""
MIN_RARE = 10
"""... where so many have another target than most."""
BEYOND = 2.0
"""Test rows that are in train, as a multiple of training rows that have a twin, from which they
were copied: rows that coincide do so on either side alike."""


def row_codes(x: Floats) -> NDArray[np.int64]:
    """Number the distinct rows of ``x (n, D)``; missing cells are equal to each other."""
    import pandas as pd

    code = np.zeros(len(x), dtype=np.int64)
    for column in x.T:
        own, levels = pd.factorize(column, use_na_sentinel=False)
        code = pd.factorize(code * (len(levels) + 1) + own)[0]
    return code


def find_duplicates(sample: Sample) -> Iterator[Finding]:
    """Find training rows that have a twin, of which folds hold one and learn from the other."""
    if not sample.columns:
        return
    code = row_codes(sample.x)
    twin = np.bincount(code)[code] > 1
    if sample.groups is not None:  # rows of one group are in one fold anyway
        twin &= _spans_groups(code, sample.groups)
    share = float(twin.mean())
    if share < MIN_SHARE or twin.sum() < MIN_TWINS:
        return
    agree = agreement(code[twin], sample.y[twin])
    figures = {"share": share, "rows": float(twin.sum())}
    agreed = "too few of them have another target than most to say whether they are copies"
    if not np.isnan(agree):
        figures["agreement"] = agree
        agreed = f"where their target is not the commonest one, twins share it in {agree:.0%}"
    copies = agree >= AGREE
    yield Finding(
        "duplicates", "warning" if copies else "remark", (), figures,
        f"{int(twin.sum()):,} rows ({share:.1%}) equal another row in every column; {agreed}",
        "keep them in one fold: groups= a column that numbers them, "
        "train.groupby(columns, dropna=False).ngroup()", "group" if copies else "",
    )  # fmt: skip


def find_overlap(sample: Sample) -> Iterator[Finding]:
    """Find test rows that are training rows too.

    Where test holds the target, it is there to be scored: on request such rows leave train.
    """
    if sample.x_test is None or not sample.columns or not len(sample.x_test):
        return
    n = sample.n_rows
    code = row_codes(np.concatenate([sample.x, sample.x_test]))
    here, there = code[:n], code[n:]
    known = np.isin(there, here)
    share = float(known.mean())
    if share < MIN_SHARE or known.sum() < MIN_TWINS:
        return
    usual = float((np.bincount(here)[here] > 1).mean())
    copied = share >= BEYOND * usual + MIN_SHARE
    figures = {"share": share, "rows": float(known.sum()), "usual": usual}
    agreed, is_scored = "", sample.test_labels is not None
    if sample.labels is not None and sample.test_labels is not None:
        figures["agreement"] = _agree_across(here, there[known], sample.labels,
                                             sample.test_labels[known])  # fmt: skip
        agreed = f"; their targets agree in {figures['agreement']:.0%} of pairs"
    yield Finding(
        "overlap", "warning" if copied else "remark", (),
        figures,
        f"{int(known.sum()):,} test rows ({share:.1%}) equal a training row in every column, "
        f"{usual:.1%} of the training rows equal another{agreed}",
        "scores on these test rows are of rows that were learned from; leave them out of train "
        "or of the test score", "set aside" if copied and is_scored else "",
    )  # fmt: skip


def equal_rows(sample: Sample) -> NDArray[np.bool_]:
    """Say which training rows a test row equals; ``(n,)``."""
    assert sample.x_test is not None
    code = row_codes(np.concatenate([sample.x, sample.x_test]))
    return np.isin(code[: sample.n_rows], code[sample.n_rows :])


def agreement(code: NDArray[np.int64], y: NDArray[Any]) -> float:
    """Return how often rows that equal each other have the same target, beyond the obvious.

    ``code (n,)`` numbers rows that all have a twin. Looked at are those whose target is not the
    commonest one among them: of rows that coincide (children, empty visits) nearly all have
    that. NaN where they are too few to say.
    """
    import pandas as pd

    own = pd.factorize(y)[0]
    both = pd.factorize(code * (int(own.max()) + 1) + own)[0]
    same = (np.bincount(both)[both] - 1) / (np.bincount(code)[code] - 1)
    rare = own != np.bincount(own).argmax()
    return float(same[rare].mean()) if rare.sum() >= MIN_RARE else float("nan")


def _agree_across(
    here: NDArray[np.int64],
    there: NDArray[np.int64],
    labels: NDArray[np.int64],
    test_labels: NDArray[np.int64],
) -> float:
    """Return how often a test row and a training row that are equal have the same target."""
    n_labels = int(max(labels.max(), test_labels.max())) + 1
    equal = np.bincount(here, minlength=int(there.max()) + 1)[there].sum()
    both, ours = there * n_labels + test_labels, here * n_labels + labels
    known, count = np.unique(ours, return_counts=True)
    found = np.searchsorted(known, both).clip(max=len(known) - 1)
    return float(count[found][known[found] == both].sum() / max(equal, 1))


def _spans_groups(code: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.bool_]:
    low, high = np.full(code.max() + 1, groups.max()), np.zeros(code.max() + 1, dtype=groups.dtype)
    np.minimum.at(low, code, groups)
    np.maximum.at(high, code, groups)
    return (low < high)[code]
