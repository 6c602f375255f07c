"""The blend against slow loops."""

from __future__ import annotations

import numpy as np
import pytest

from tabnet_auto.ensemble.blend import (
    Blend,
    HeldOut,
    Stack,
    blend_from_json,
    by_seed,
    held_out_rows,
    uniform,
)
from tabnet_auto.folds import make_folds


def make_held_out(rule="folds", shape=(), n=60, n_models=3):
    rng = np.random.default_rng(0)
    options = {"folds": 4, "n_seeds": 2}
    if rule == "time":
        options["time"] = rng.permutation(n)
    elif rule == "repeated":
        orders = [rng.permutation(n) for _ in range(5)]
        options["folds"] = [(order[20:], order[:20]) for order in orders]
    rows = held_out_rows(make_folds("regression", rng.normal(size=n), **options))
    own = tuple(
        tuple(rng.normal(size=(len(fold), *shape)) for fold in rows) for _ in range(n_models)
    )
    return HeldOut(own, rows, n)


@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize("rule", ["folds", "time", "repeated"])
def test_out_of_fold_blend_equals_a_loop(shape, rule):
    held = make_held_out(rule, shape)
    rng = np.random.default_rng(1)
    weights = rng.dirichlet(np.ones(3), size=len(held.rows))

    expected = np.full((held.n_rows, *shape), np.nan)
    for row in range(held.n_rows):
        found = [
            sum(w * held.own[k][f][list(rows).index(row)] for k, w in enumerate(weights[f]))
            for f, rows in enumerate(held.rows)
            if row in rows
        ]
        if found:
            expected[row] = np.mean(found, axis=0)
    blended = held.combine([Blend(tuple(w)) for w in weights])
    np.testing.assert_allclose(blended, expected, rtol=1e-12)
    never = ~np.isin(np.arange(held.n_rows), np.concatenate(held.rows))
    assert never.any() == (rule != "folds")
    np.testing.assert_array_equal(np.isnan(blended.reshape(held.n_rows, -1)[:, 0]), never)
    # Each model alone, weighed together, is the blend.
    alone = np.tensordot(weights[0], held.cube(), axes=1)
    np.testing.assert_allclose(alone, held.combine([Blend(tuple(weights[0]))] * len(held.rows)))


def test_new_rows_are_blended_by_weight():
    rng = np.random.default_rng(0)
    predictions, weights = rng.random((3, 5, 2)), (0.2, 0.5, 0.3)
    expected = sum(w * p for w, p in zip(weights, predictions, strict=True))
    np.testing.assert_allclose(Blend(weights).apply(predictions), expected)
    assert Blend(weights).apply(predictions[:, :0]).shape == (0, 2)


def test_models_weigh_alike():
    assert uniform(6).weights == pytest.approx([1 / 6] * 6)


def test_a_seed_is_the_mean_of_its_members():
    members = np.random.default_rng(0).random((6, 4, 2))  # 3 folds x 2 seeds, fold by fold
    means = by_seed(members, 2)
    np.testing.assert_allclose(means[0], members[[0, 2, 4]].mean(axis=0))
    np.testing.assert_allclose(means[1], members[[1, 3, 5]].mean(axis=0))
    assert by_seed(members[:, :0], 2).shape == (2, 0, 2)


def test_the_blend_is_no_worse_than_the_members_on_average():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, 200), rng.dirichlet(np.ones(3), (4, 200))
    losses = [-np.log(q[np.arange(200), y]).mean() for q in p]
    blended = uniform(4).apply(p)
    assert -np.log(blended[np.arange(200), y]).mean() <= np.mean(losses)


@pytest.mark.parametrize(
    "blend",
    [Blend((0.25, 0.75)), Stack(((0.5, 0.25), (1.0, 0.0)), (0.0, -1.0), 2)],
    ids=["mean", "stack"],
)
def test_blends_as_plain_data(blend):
    assert blend_from_json(blend.to_json()) == blend
    assert sum(blend.weights) == pytest.approx(1.0)
