"""The tables of one training set, against plain numpy and by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tabnet_auto.config import EncodeConfig
from tabnet_auto.encode.rows import sample_rows
from tabnet_auto.encode.tables import level_lookup, minimum_count, numeric_tables


def test_quantiles_equal_numpy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    x[rng.random(x.shape) < 0.2] = np.nan
    quantiles, center, scale = numeric_tables(x, 17)
    expected = np.nanquantile(x, np.linspace(0, 1, 17), axis=0).T
    assert np.allclose(quantiles, expected)
    assert np.allclose(center, np.nanmedian(x, axis=0))
    low, high = np.nanquantile(x, [0.25, 0.75], axis=0)
    assert np.allclose(scale, (high - low) / 1.349)


def test_quantiles_of_a_column_that_is_mostly_zero_tell_the_others_apart():
    others = np.arange(1.0, 101.0)
    x = np.concatenate([np.zeros(900), others])[:, None]
    quantiles, center, _ = numeric_tables(x, 17)
    assert center[0] == 0.0
    # 900 zeros weigh as much as a seventeenth of the rows; plain quantiles hold two others.
    assert np.count_nonzero(np.nanquantile(x, np.linspace(0, 1, 17))) == 2
    assert np.count_nonzero(quantiles[0]) >= 10
    assert quantiles[0, 0] == 0.0
    assert quantiles[0, -1] == 100.0


@pytest.mark.parametrize(
    ("values", "center", "scale"),
    [
        ([np.nan] * 9, 0.0, 1.0),
        ([5.0] * 9, 5.0, 1.0),
        ([0.0] * 9 + [8.0], 0.0, 4.0),
        ([7.0] + [np.nan] * 8, 7.0, 1.0),
        ([-1e308] * 5 + [1e308] * 5, 0.0, 2e308 / 1.349),
    ],
)
def test_poor_columns(values, center, scale):
    quantiles, c, s = numeric_tables(np.array(values)[:, None], 5)
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles) >= 0).all()
    assert c[0] == pytest.approx(center)
    if np.isfinite(scale):
        assert s[0] == pytest.approx(scale)
    assert np.isfinite(s).all()


def test_quantiles_of_no_rows():
    quantiles, center, scale = numeric_tables(np.zeros((0, 2)), 5)
    assert quantiles.shape == (2, 5)
    assert center.tolist() == [0, 0]
    assert scale.tolist() == [1, 1]


def test_lookup_orders_levels_by_count_and_ties_by_code():
    codes = np.repeat([2, 3, 4, 5, 1], [1, 3, 5, 3, 4])[:, None]
    lookup, n_rows = level_lookup(codes, (7,), (2,), 1024)
    assert lookup.tolist() == [0, 1, 0, 3, 2, 4, 0]
    assert n_rows.tolist() == [5]
    lookup, n_rows = level_lookup(codes, (7,), (1,), 2)
    assert lookup.tolist() == [0, 1, 0, 3, 2, 0, 0]
    assert n_rows.tolist() == [4]


def test_small_training_sets_keep_rare_levels():
    config = EncodeConfig(min_level_count=2, min_level_count_high=20)
    assert minimum_count("categorical", 200, config) == 1
    assert minimum_count("categorical", 201, config) == 2
    assert minimum_count("high_cardinality", 50, config) == 20


def test_sample_is_the_same_each_time():
    rows = np.arange(1000)
    first = sample_rows(rows, 100)
    assert np.array_equal(first, sample_rows(rows, 100))
    assert len(np.unique(first)) == 100
    assert np.array_equal(sample_rows(rows, 1000), rows)
