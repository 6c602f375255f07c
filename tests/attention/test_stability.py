"""Agreement of folds, of seeds, and the spread between rows, on known weights."""

from __future__ import annotations

import numpy as np
import pytest

from tabnet_auto.attention.stability import measure_stability, row_spread, top_overlap

UP, DOWN = [0.1, 0.2, 0.3, 0.4], [0.4, 0.3, 0.2, 0.1]


def same_for_all_rows(*members, n=6):
    return np.stack([np.tile(member, (n, 1)) for member in members])


def test_folds_that_agree_and_folds_that_do_not():
    agree = measure_stability(same_for_all_rows(UP, UP), (0, 1))
    assert agree.fold_rank == pytest.approx(1.0)
    assert agree.fold_top == 1.0
    assert agree.fold_rows == pytest.approx(1.0)
    assert agree.spread == pytest.approx(0.0, abs=1e-9)
    assert (agree.top, agree.n_rows) == (2, 6)
    differ = measure_stability(same_for_all_rows(UP, DOWN), (0, 1))
    assert differ.fold_rank == pytest.approx(-1.0)
    assert differ.fold_top == 0.0
    assert differ.fold_rows == pytest.approx(20 / 30)


def test_seeds_are_compared_within_a_fold_and_averaged_between_folds():
    found = measure_stability(same_for_all_rows(UP, DOWN, UP, UP), (0, 0, 1, 1))
    assert found.seed_rank == pytest.approx(0.0)
    assert found.seed_top == pytest.approx(0.5)
    assert np.isnan(found.fold_rank), "the mean of opposite seeds has no order"
    alone = measure_stability(same_for_all_rows(UP, UP), (0, 1))
    assert np.isnan(alone.seed_rank)
    assert np.isnan(alone.seed_rows)
    assert np.isnan(measure_stability(same_for_all_rows(UP, UP), (0, 0)).fold_rank)


def test_rows_that_agree_are_told_from_rows_that_only_agree_in_the_mean():
    rows = np.eye(4)
    same = measure_stability(np.stack([rows, rows]), (0, 1))
    other = measure_stability(np.stack([rows, rows[::-1]]), (0, 1))
    assert same.fold_rows == pytest.approx(1.0)
    assert same.chance_rows == pytest.approx(0.0)
    assert other.fold_rows == pytest.approx(0.0)
    assert same.spread == other.spread > 0.3


def test_spread_is_the_divergence_from_the_mean_row():
    from scipy.spatial.distance import jensenshannon

    weights = np.random.default_rng(0).dirichlet(np.ones(5), 20)
    mean = weights.mean(axis=0)
    expected = np.mean([jensenshannon(row, mean, base=2) ** 2 for row in weights])
    assert row_spread(weights) == pytest.approx(expected)


def test_top_overlap():
    a, b = np.array([4.0, 3, 2, 1]), np.array([4.0, 1, 2, 3])
    assert top_overlap(a, b, 1) == 1.0
    assert top_overlap(a, b, 2) == pytest.approx(1 / 3)
    assert top_overlap(a, b, 4) == 1.0
