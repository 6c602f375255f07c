"""The estimators take what auto_fit takes: companions, blends, folds, times, presets, audits."""

from __future__ import annotations

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.utils.estimator_checks import estimator_checks_generator

from tabnet_auto import (
    PRESETS,
    FoldPlan,
    InputError,
    NetConfig,
    Preset,
    TabNetClassifier,
    TabNetRegressor,
    TrainConfig,
)

NET = NetConfig(n_steps=1, n_hidden=16, n_layers=1, n_bins=8, n_context=8, dropout=0.0)
BRIEF = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=2, batch_size=32, lr=0.05))
CLASSIFIER = TabNetClassifier(
    preset=BRIEF, folds=2, device="cpu", companions=[LogisticRegression()], blend="greedy",
    class_weight="balanced", audit="warn",
)  # fmt: skip
REGRESSOR = TabNetRegressor(
    preset=BRIEF, folds=FoldPlan(2, repeats=2), device="cpu", companions=["linear"], audit="act"
)
SOME_CHECKS = (
    "check_estimator_cloneable", "check_no_attributes_set_in_init", "check_estimators_pickle",
    "check_dont_overwrite_attributes", "check_parameters_default_constructible",
    "check_fit_idempotent", "check_get_params_invariance", "check_set_params",
    "check_dict_unchanged", "check_estimators_overwrite_params",
)  # fmt: skip


def numbers(n=90, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    return X, X[:, 0] - 0.5 * X[:, 2] + 0.1 * rng.normal(size=n)


def _named(value):
    function = getattr(value, "func", value)
    return getattr(function, "__name__", type(value).__name__)


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        case
        for model in (CLASSIFIER, REGRESSOR)
        for case in estimator_checks_generator(model)
        if _named(case[1]) in SOME_CHECKS
    ],
    ids=_named,
)
def test_scikit_learn_checks_with_companions(estimator, check):
    check(estimator)


def test_companions_join_the_blend_and_the_pickle(tmp_path):
    X, y = numbers()
    labels = np.where(y > 0, "up", "down")
    model = clone(CLASSIFIER).fit(X, labels)
    board = model.result_.leaderboard()
    assert "LogisticRegression" in set(board["model"])
    assert model.score(X, labels) > 0.9
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params()["blend"] == "greedy"


def test_a_companion_given_is_not_fitted():
    X, y = numbers(40)
    own = Ridge()
    model = TabNetRegressor(preset=BRIEF, folds=2, companions=[own]).fit(X, y)
    assert model.companions[0] is own
    assert not hasattr(own, "coef_")


def test_fold_plans_and_times():
    X, y = numbers(60)
    assert clone(REGRESSOR).fit(X, y).result_.folds.n_folds == 4
    plan = FoldPlan(2, rule="time", gap="5D")
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(60)[::-1], unit="D")
    model = TabNetRegressor(preset=BRIEF, folds=plan).fit(X, y, time=np.asarray(when))
    folds = model.result_.folds
    days = np.arange(60)[::-1]
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert days[train].max() <= days[valid].min() - 5
    assert model.feature_importances_.shape == (3,)
    with pytest.raises(InputError, match="time"):
        TabNetRegressor(preset=BRIEF, folds=plan).fit(X, y)


def test_times_are_routed():
    X, y = numbers(60)
    with sklearn.config_context(enable_metadata_routing=True):
        model = TabNetRegressor(preset=BRIEF, folds=2).set_fit_request(time=True)
        scores = cross_validate(
            model, X, y, cv=2, params={"time": np.arange(60)}, return_estimator=True
        )
    assert all("time" in one.result_.folds.rule for one in scores["estimator"])


def test_grid_search_over_presets_by_name_companions_and_blends():
    X, y = numbers(60)
    grid = [{"preset": ["fast"], "companions": [(), ["linear"]]}, {"blend": ["stack"]}]
    search = GridSearchCV(clone(REGRESSOR), grid, cv=2, error_score="raise").fit(X, y)
    assert len(search.cv_results_["params"]) == 3
    assert search.predict(X).shape == y.shape


def leaky(n=1200):
    X, y = numbers(n)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    return frame.assign(paid=2.0 * y + 1.0), y


@pytest.mark.parametrize(("audit", "is_used"), [("off", True), ("warn", True), ("act", False)])
def test_an_audit_is_made_on_request(audit, is_used):
    frame, y = leaky()
    model = TabNetRegressor(preset=BRIEF, folds=2, audit=audit).fit(frame, y)
    assert (model.result_.audit is None) == (audit == "off")
    assert model.result_.schema["paid"].used == is_used
    assert (model.feature_importances_[3] > 0) == is_used
    assert model.feature_importances_.sum() == pytest.approx(1.0)
    assert model.predict(frame).shape == y.shape
    if audit != "off":
        assert [one.columns for one in model.result_.audit.warnings] == [("paid",)]


def test_an_audit_leaves_the_columns_of_an_array():
    frame, y = leaky()
    array = frame.to_numpy()
    model = TabNetRegressor(preset=BRIEF, folds=2, audit="act").fit(array, y)
    assert model.result_.schema["x3"].used
    (note,) = [e["text"] for e in model.result_.trace.of("note") if "audit" in e["text"]]
    assert note.endswith("kept: 'x3' (the role is given, or no other column is left)")


def test_an_audit_holds_twins_together_in_the_folds():
    X, y = numbers(200)
    frame = pd.DataFrame(np.tile(X, (2, 1)), columns=["a", "b", "c"])
    model = TabNetRegressor(preset=BRIEF, folds=2, audit="act").fit(frame, np.tile(y, 2))
    held = set(model.result_.folds.valid[0].tolist())
    assert all((i in held) == (i + 200 in held) for i in range(200))


def test_there_are_no_pseudo_labels():
    assert "pseudo_labels" not in TabNetClassifier().get_params()
    assert TabNetClassifier().audit == TabNetRegressor().audit == "off"


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"audit": "look"}, "audit must be one of"),
        ({"blend": "greed"}, "greedy"),
        ({"companions": "linear"}, "list"),
    ],
)
def test_what_is_wrong_is_said_by_fit(wrong, word):
    X, y = numbers(20)
    model = TabNetRegressor(preset=BRIEF, folds=2, **wrong)
    with pytest.raises(InputError, match=word):
        model.fit(X, y)


def test_presets_are_public_records():
    assert set(PRESETS) >= {"fast", "balanced", "best", "paper"}
    assert isinstance(PRESETS["fast"], Preset)
    assert isinstance(PRESETS["fast"].net, NetConfig)
