"""Companions learn what the metric asks for, as the networks do: loss, scale, weights of rows."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from objective_helpers import BEST
from sklearn.neighbors import KNeighborsRegressor

from tabnet_auto import Preset, auto_fit, load
from tabnet_auto.companions.boosters import CATBOOST_LOSSES, LIGHTGBM_LOSSES, XGBOOST_LOSSES
from tabnet_auto.companions.hist import LOSSES as HIST_LOSSES
from tabnet_auto.config import NetConfig, TrainConfig
from tabnet_auto.ensemble.blend import Blend
from tabnet_auto.metrics import METRICS
from tabnet_auto.metrics.objective import Loss

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


@pytest.mark.parametrize("losses", [LIGHTGBM_LOSSES, XGBOOST_LOSSES, CATBOOST_LOSSES, HIST_LOSSES])
def test_every_booster_has_a_loss_for_every_metric_of_values(losses):
    learned = {one.objective.loss for one in METRICS.values() if "regression" in one.tasks}
    assert learned < set(losses)  # the pinball loss has a family of metrics
    assert set(losses) == set(get_args(Loss))


# The gamma deviance weighs small values as it does large ones; the squared error is off by 0.22.
@pytest.mark.parametrize("unit", [1e-4, 1e6])
@pytest.mark.parametrize(("metric", "enough"), [("poisson_deviance", 0.6), ("gamma_deviance", 0.1)])
@pytest.mark.parametrize("name", BOOSTERS)
def test_boosters_learn_logarithms_of_means_of_any_size(name, metric, enough, unit, tmp_path):
    pytest.importorskip(PACKAGES.get(name, name))
    rng = np.random.default_rng(0)
    x = rng.uniform(-4, 4, size=600)
    frame = pd.DataFrame({"x": x, "y": unit * np.exp(x) * rng.gamma(50, 0.02, size=600)})
    learned = alone(frame, name, metric=metric)
    predicted = learned.predict(frame)
    np.testing.assert_array_equal(load(learned.save(tmp_path)).predict(frame), predicted)
    small = x < -2.0
    for found in (predicted, learned.refit_full().predict(frame)):
        assert np.median(np.abs(np.log(found / unit) - x)[small]) < enough


@pytest.mark.parametrize(
    ("metric", "loss"),
    [("rmse", "RMSE"), ("mape", "MAE"), ("pinball@0.9", "Quantile:alpha=0.9"),
     ("poisson_deviance", "Poisson"), ("gamma_deviance", "Tweedie:variance_power=1.99")],
)  # fmt: skip
def test_catboost_learns_by_the_loss_of_the_metric(metric, loss):
    pytest.importorskip("catboost")
    (own,) = alone(skewed(100), "catboost", metric=metric).companions
    assert {one._model.get_all_params()["loss_function"] for one in own.members} == {loss}


@pytest.mark.parametrize("metric", ["rmse", "poisson_deviance", "log_loss"])
def test_catboost_is_refitted_by_the_settings_of_the_folds(metric):
    """It chooses them by the number of rounds: of few, each would count five times as much."""
    pytest.importorskip("catboost")
    frame = skewed(300)
    if metric == "log_loss":
        frame["y"] = np.where(frame["y"] > 1, "yes", "no")
    learned = alone(frame, "catboost", metric=metric)
    folds, (full,) = (fit.companions[0].members for fit in (learned, learned.refit_full()))
    assert full.chosen == folds[0].chosen
    assert full.chosen["learning_rate"] < 0.1


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
