"""Histogram boosting: the validation rows say how large its trees are and how many."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tabnet_auto.companions.hist import LEAVES, train_hist
from tabnet_auto.companions.lesson import Lesson, Rows
from tabnet_auto.companions.matrix import Matrix

MANY, FEW = LEAVES


def lesson_of(y, x):
    """Learn from the first half of the rows, validate on the other."""
    half = len(y) // 2
    learn, hold = (Rows(Matrix(x[own], (0,) * x.shape[1]), y[own], None)
                   for own in (slice(half), slice(half, None)))  # fmt: skip
    return Lesson(learn, hold, n_classes=0, seed=0, n_threads=1)


@pytest.fixture
def noisy():
    """A sum of columns under much noise: large trees learn the noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2000, 5))
    return lesson_of(x.sum(axis=1) + 5.0 * rng.standard_normal(len(x)), x)


@pytest.fixture
def irregular():
    """A level for each of 64 boxes: small trees see too few columns at once."""
    rng = np.random.default_rng(1)
    x = rng.random((4000, 6))
    box = (x > 0.5) @ (1 << np.arange(6))
    return lesson_of(rng.permutation(64)[box].astype(float), x)


def test_noise_asks_for_small_trees(noisy):
    assert train_hist(noisy).leaves <= FEW


def test_irregular_values_ask_for_large_trees(irregular):
    assert FEW < train_hist(irregular).leaves <= MANY


def test_the_second_size_waits_for_time(noisy):
    assert train_hist(replace(noisy, seconds=0.0)).leaves > FEW


def test_a_refit_grows_trees_as_large_as_those_of_the_fold(noisy, irregular):
    for lesson in (noisy, irregular):
        member = train_hist(lesson)
        refit = train_hist(replace(lesson, valid=None, n_rounds=member.rounds, like=member))
        assert refit.rounds == member.rounds
        assert (refit.leaves <= FEW) == (member.leaves <= FEW)
