"""Which sets there are, and the rows and folds that every system gets of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold, StratifiedKFold

from benchmarks import synthetic
from benchmarks.data import DEFAULT, DataSet, read_set

N_FOLDS = 5
TEST_SHARE = 0.3
TEST_ROWS = 50_000
"""Test rows at most: the error of so many is known to a third digit, prediction stays cheap."""
MIN_CLASS_ROWS = N_FOLDS
"""Training rows a class keeps whatever the cap, so that no fold learns without it."""

HALVES: dict[str, tuple[str, ...]] = {
    "development": (
        "adult", "bank_marketing", "credit_g", "california_housing", "diamonds", "ames",
        "churn_mlc", "letter", "satimage", "magic_telescope", "wine_quality", "covertype",
    ),
    "check": (
        "abalone", "online_shoppers", "nycflights13", "king_county_house_sales",
        "census_income_kdd", "telco_churn", "connect_4", "poker_hand", "mushroom",
    ),
    "paper": (*synthetic.NAMES, "poker_paper", "covertype_paper"),
}  # fmt: skip
"""Choices are made on ``development``; ``check`` is looked at for the final table only;
``paper`` holds the TabNet paper's own tables, at their published sizes."""


@dataclass(frozen=True)
class Size:
    """Rows of a set whose sizes are published: they win over ``--rows`` and the test cap."""

    source: str
    rows: int
    test_rows: int


SIZES = {
    **{name: Size(name, 10_000, 50_000) for name in synthetic.NAMES},
    "poker_paper": Size("poker_hand", 25_010, 100_000),
    # Each fold learns from 309,872 rows and holds 77,468 out, as the paper did once.
    "covertype_paper": Size("covertype", 387_340, 193_672),
}


@dataclass(frozen=True)
class Problem:
    """What a system gets: training rows with their target, test rows without, and the folds.

    ``train`` holds the columns as a user has them, ``target`` among them; ``y`` is the same
    target as class positions in ``classes`` (sorted labels) or as values. ``folds`` are pairs of
    training and validation row positions, all of equal size. ``seed`` is the cell's.
    """

    name: str
    task: str
    target: str
    train: pd.DataFrame
    test: pd.DataFrame
    y: np.ndarray
    classes: tuple[object, ...]
    folds: tuple[tuple[np.ndarray, np.ndarray], ...]
    seed: int


@dataclass(frozen=True)
class Exam:
    """A problem and the answers to its test rows, which no system sees."""

    problem: Problem
    y_test: np.ndarray


def half_of(name: str) -> str:
    """Return the half that a set belongs to."""
    return next(half for half, names in HALVES.items() if name in names)


def rows_of(name: str, rows: int) -> int:
    """Return the training rows asked for: published sizes win."""
    return SIZES[name].rows if name in SIZES else rows


def read_exam(name: str, rows: int, seed: int, folder: Path = DEFAULT) -> Exam:
    """Read a set and deal its rows; the same arguments deal the same rows to everyone."""
    size = SIZES.get(name, Size(name, rows, TEST_ROWS))
    if size.source in synthetic.NAMES:
        drawn = synthetic.make_synthetic(size.source, size.rows + size.test_rows, seed).frame
        data = DataSet(name, "binary", "y", drawn.iloc[: size.rows], drawn.iloc[size.rows :])
    else:
        data = read_set(size.source, folder)
    return deal(data, rows=size.rows, test_rows=size.test_rows, seed=seed)


def deal(data: DataSet, *, rows: int, test_rows: int, seed: int) -> Exam:
    """Split a set into training and test rows, cap both, and lay the folds.

    Official test rows stay the test rows; elsewhere 30 % are held out, by class where there are
    classes. The training rows are a multiple of the folds, so that folds are of equal size.
    """
    rng = np.random.default_rng(seed)
    labels = data.train[data.target]
    classes = () if data.task == "regression" else tuple(sorted(labels.unique().tolist(), key=str))
    codes = encode(labels, classes)
    order = rng.permutation(len(codes))
    train, test = order, data.train.iloc[:0]
    if data.test is None:
        n_test = round(TEST_SHARE * len(order))
        held = draw(codes, order, n_test, classes)
        train = order[~np.isin(order, held)]
        test = data.train.iloc[held]
    else:
        test = data.test.iloc[rng.permutation(len(data.test))]
    own = draw(codes, train, min(rows, len(train)), classes, keep=MIN_CLASS_ROWS)
    own = own[: len(own) // N_FOLDS * N_FOLDS]
    test = test.iloc[:test_rows].reset_index(drop=True)
    y = codes[own]
    problem = Problem(
        name=data.name, task=data.task, target=data.target,
        train=data.train.iloc[own].reset_index(drop=True), test=test.drop(columns=data.target),
        y=y, classes=classes, folds=make_folds(y, classes, seed), seed=seed,
    )  # fmt: skip
    return Exam(problem, encode(test[data.target], classes))


def encode(labels: pd.Series, classes: tuple[object, ...]) -> np.ndarray:
    """Return class positions, or values where there are no classes."""
    if not classes:
        return labels.to_numpy(float)
    codes = labels.map({label: i for i, label in enumerate(classes)})
    if codes.isna().any():
        raise SystemExit(f"test labels must occur in training, however: {labels[codes.isna()]}")
    return codes.to_numpy(np.int64)


def draw(
    codes: np.ndarray, rows: np.ndarray, n: int, classes: tuple[object, ...], *, keep: int = 0
) -> np.ndarray:
    """Take ``n`` of the shuffled ``rows``, each class by its share and ``keep`` rows at least.

    The order of ``rows`` stays; rounding and ``keep`` are paid by the most frequent classes.
    """
    if not classes:
        return rows[:n]
    counts = np.bincount(codes[rows], minlength=len(classes))
    wanted = np.minimum(counts, np.maximum(np.round(n * counts / len(rows)).astype(int), keep))
    while wanted.sum() != n:
        step = 1 if wanted.sum() < n else -1
        room = counts - wanted if step > 0 else wanted
        wanted[np.argmax(np.where(room > 0, counts, -1))] += step
    taken = [rows[codes[rows] == i][:quota] for i, quota in enumerate(wanted)]
    return rows[np.isin(rows, np.concatenate(taken))]


def make_folds(
    y: np.ndarray, classes: tuple[object, ...], seed: int
) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    """Lay five folds of equal size, stratified for classes."""
    kind = StratifiedKFold if classes else KFold
    pairs = kind(N_FOLDS, shuffle=True, random_state=seed).split(np.zeros((len(y), 1)), y)
    return tuple((train, valid) for train, valid in pairs)
