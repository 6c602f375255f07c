"""The blend against slow loops."""

from __future__ import annotations

import numpy as np
import pytest

from tabnet_auto.ensemble import Blend, blend_members, blend_out_of_fold
from tabnet_auto.folds import make_folds


@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize("rule", ["folds", "time", "repeated"])
def test_out_of_fold_blend_equals_a_loop(shape, rule):
    rng = np.random.default_rng(0)
    n = 60
    options = {"folds": 4, "n_seeds": 2}
    if rule == "time":
        options["time"] = rng.permutation(n)
    elif rule == "repeated":
        orders = [rng.permutation(n) for _ in range(5)]
        options["folds"] = [(order[20:], order[:20]) for order in orders]
    folds = make_folds("regression", rng.normal(size=n), **options)
    weights = rng.dirichlet(np.ones(folds.n_members))
    own = [rng.normal(size=(len(rows), *shape)) for rows in folds.valid]

    expected = np.full((n, *shape), np.nan)
    for row in range(n):
        held = [
            (weights[m], own[m][list(rows).index(row)])
            for m, rows in enumerate(folds.valid)
            if row in rows
        ]
        if held:
            expected[row] = sum(w * p for w, p in held) / sum(w for w, _ in held)
    blended = blend_out_of_fold(iter(own), folds, Blend(tuple(weights)), n)
    np.testing.assert_allclose(blended, expected, rtol=1e-12)
    never = ~np.isin(np.arange(n), np.concatenate(folds.valid))
    assert never.any() == (rule != "folds")
    np.testing.assert_array_equal(np.isnan(blended.reshape(n, -1)[:, 0]), never)


def test_new_rows_are_blended_by_weight():
    rng = np.random.default_rng(0)
    predictions, weights = rng.random((3, 5, 2)), (0.2, 0.5, 0.3)
    expected = sum(w * p for w, p in zip(weights, predictions, strict=True))
    np.testing.assert_allclose(Blend(weights).apply(predictions), expected)
    assert Blend(weights).apply(predictions[:, :0]).shape == (0, 2)


def test_members_weigh_alike():
    folds = make_folds("binary", np.arange(30) % 2, folds=3, n_seeds=2)
    assert blend_members(folds).weights == pytest.approx([1 / 6] * 6)


def test_the_blend_is_no_worse_than_the_members_on_average():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, 200), rng.dirichlet(np.ones(3), (4, 200))
    losses = [-np.log(q[np.arange(200), y]).mean() for q in p]
    blended = Blend((0.25,) * 4).apply(p)
    assert -np.log(blended[np.arange(200), y]).mean() <= np.mean(losses)
