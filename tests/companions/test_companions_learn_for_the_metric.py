"""Companions learn what the metric asks for, as the networks do: loss, scale, weights of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from objective_helpers import BEST
from sklearn.neighbors import KNeighborsRegressor

from tabnet_auto import Preset, auto_fit, load
from tabnet_auto.config import NetConfig, TrainConfig
from tabnet_auto.ensemble.blend import Blend

NET = NetConfig(n_steps=1, n_hidden=8, n_layers=1, n_bins=4, n_context=4)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=1, batch_size=64))
BOOSTERS = ("hist_gradient_boosting", "lightgbm", "xgboost", "catboost")
PACKAGES = {"hist_gradient_boosting": "sklearn"}


def alone(frame, companion, **options):
    """Fit a companion beside a network, and let it predict without it."""
    learned = auto_fit(
        frame, "y", preset=TINY, folds=2, verbose=False, companions=[companion], **options
    )
    return replace(learned, blend=Blend((0.0, 1.0)))


def skewed(n=600):
    """A skewed target that nothing predicts: the best prediction is one number."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({"x": rng.normal(size=n), "y": np.exp(rng.normal(size=n)) + 0.05})


@pytest.mark.parametrize("metric", BEST)
@pytest.mark.parametrize("name", BOOSTERS)
def test_boosters_minimise_what_the_metric_asks_for(name, metric, tmp_path):
    pytest.importorskip(PACKAGES.get(name, name))
    frame = skewed()
    learned = alone(frame, name, metric=metric)
    best = BEST[metric](frame["y"].to_numpy())
    predicted = learned.predict(frame)
    assert np.median(predicted) == pytest.approx(best, rel=0.2)
    assert learned.companions[0].scores == pytest.approx(
        [learned.metric.score(learned.target[rows], held)
         for rows, held in zip(learned.folds.valid, learned.held_out.own[1], strict=True)]
    )  # fmt: skip
    np.testing.assert_array_equal(load(learned.save(tmp_path)).predict(frame), predicted)
    assert np.median(learned.refit_full().predict(frame)) == pytest.approx(best, rel=0.2)


@pytest.mark.parametrize("metric", ["rmse", "rmspe", "rmsle"])
def test_others_learn_on_the_same_scale_from_rows_of_the_same_weight(metric):
    frame = skewed()
    best = BEST[metric](frame["y"].to_numpy())
    assert np.median(alone(frame, "linear", metric=metric).predict(frame)) == pytest.approx(
        best, rel=0.2
    )


def test_what_takes_no_weights_is_named_where_the_metric_weighs_rows():
    frame, text = skewed(100), "'KNeighborsRegressor' takes no sample_weight"
    for metric, said in (("mape", True), ("mae", False)):
        learned = alone(frame, KNeighborsRegressor(), metric=metric)
        assert any(text in event["text"] for event in learned.trace.of("note")) is said


@pytest.mark.parametrize("name", [*BOOSTERS, "linear"])
def test_class_weights_change_what_companions_learn(name):
    pytest.importorskip(PACKAGES.get(name, "sklearn" if name == "linear" else name))
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    rare = x + 0.7 * rng.normal(size=400) > 1.5
    frame = pd.DataFrame({"x": x, "y": np.where(rare, "yes", "no")})
    share = rare.mean()
    plain = alone(frame, name).predict_proba(frame)[:, 1].mean()
    assert plain == pytest.approx(share, abs=0.05)
    weighted = (
        alone(frame, name, class_weight=given).predict_proba(frame)[:, 1].mean()
        for given in ("balanced", {"yes": (1 - share) / share})
    )
    balanced, given = weighted
    assert balanced > plain + 0.06
    assert given == pytest.approx(balanced, abs=0.05)
