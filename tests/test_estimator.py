"""The estimators behave as scikit-learn's own do: its checks, its tools, its conventions."""

from __future__ import annotations

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.metrics import make_scorer, median_absolute_error
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

from tabnet_auto import InputError, Preset, TabNetClassifier, TabNetRegressor, auto_fit
from tabnet_auto.config import NetConfig, TrainConfig

NET = NetConfig(n_steps=1, n_hidden=16, n_layers=1, n_bins=8, n_context=8, dropout=0.0)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=12, batch_size=32, lr=0.05))
BRIEF = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=2, batch_size=32, lr=0.05))
CLASSIFIER = TabNetClassifier(preset=TINY, folds=2, device="cpu")
REGRESSOR = TabNetRegressor(preset=TINY, folds=2, device="cpu")

NOT_EXPECTED = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a row of weight 2 is not two rows here: copies of a row fall into different folds and "
        "minibatches, and change how these are dealt"
    )
}


@pytest.fixture(autouse=True)
def _one_thread():
    """Networks this small only lose time to a second thread."""
    torch.set_num_threads(1)


def _shown(value):
    if not callable(value):
        return type(value).__name__
    details = getattr(value, "keywords", {}).items()
    return ", ".join([value.func.__name__, *(f"{key}={what}" for key, what in details)])


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        case
        for model in (CLASSIFIER, REGRESSOR)
        for case in estimator_checks_generator(
            model, expected_failed_checks=NOT_EXPECTED, mark="xfail"
        )
    ],
    ids=_shown,
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# --- data -----------------------------------------------------------------------------------------


def make_numbers(n=120, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, X[:, 0] - 0.5 * X[:, 2]


def make_frame(n=120, seed=0):
    """Text, categories, truth values, dates, gaps, a constant and a row number."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "color": rng.choice(["red", "green", "blue"], size=n),
            "size": pd.Categorical(rng.choice(["S", "M", "L"], size=n)),
            "flag": rng.random(n) < 0.5,
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D"),
            "constant": 1.0,
            "row_id": np.arange(n),
        },
        index=[f"row {i}" for i in range(n)],
    )
    y = np.where(frame["number"] + 2.0 * (frame["color"] == "red") > 0.5, "yes", "no")
    frame.loc[rng.random(n) < 0.1, "number"] = np.nan
    frame.loc[rng.random(n) < 0.1, "color"] = None
    return frame, y


# --- learning and predicting ----------------------------------------------------------------------


def test_numbers_are_learned():
    X, values = make_numbers(300)
    labels = np.where(values > 0, "up", "down")
    new, truth = make_numbers(200, seed=1)
    assert CLASSIFIER.fit(X, labels).score(new, np.where(truth > 0, "up", "down")) > 0.9
    assert REGRESSOR.fit(X, values).score(new, truth) > 0.7


@pytest.mark.parametrize(
    "labels",
    [[0, 1], [-1, 1], ["no", "yes"], [False, True], [3, 5, 7], [0.0, 1.0], ["a", "b", "c", "d"]],
    ids=str,
)
def test_labels_come_back_as_they_were(labels):
    X, _ = make_numbers(40)
    y = np.array(labels)[np.arange(40) % len(labels)]
    model = clone(CLASSIFIER).set_params(preset=BRIEF).fit(X, y)
    assert model.classes_.dtype == y.dtype
    assert model.classes_.tolist() == sorted(labels)
    assert model.predict(X).dtype == y.dtype
    proba = model.predict_proba(X)
    assert proba.shape == (40, len(labels))
    np.testing.assert_allclose(proba.sum(axis=1), 1.0, atol=1e-6)
    assert list(model.result_.classes_) == model.classes_.tolist()


def test_a_frame_is_kept_as_it_is():
    frame, y = make_frame()
    before = frame.copy(deep=True)
    model = clone(CLASSIFIER).fit(frame, pd.Series(y, index=frame.index, name="answer"))
    assert model.feature_names_in_.tolist() == list(frame.columns)
    roles = {column.name: column.role for column in model.result_.schema}
    assert roles["color"] == "categorical"
    assert roles["day"] == "datetime"
    assert roles["constant"] == "constant"
    assert roles["row_id"] == "identifier"
    assert model.result_.schema.target == "answer"
    assert model.score(frame, y) > 0.7
    pd.testing.assert_frame_equal(frame, before)


def test_the_fit_is_the_one_of_auto_fit():
    frame, y = make_frame()
    model = clone(CLASSIFIER).set_params(random_state=3).fit(frame, y)
    fit = auto_fit(
        frame.assign(y=y), "y", preset=TINY, folds=2, seed=3, device="cpu", verbose=False
    )
    np.testing.assert_array_equal(model.predict_proba(frame), fit.predict_proba(frame))
    assert model.result_.oof_score == fit.oof_score


def test_importances_cover_all_columns_and_sum_to_one():
    frame, y = make_frame()
    model = clone(CLASSIFIER).fit(frame, y)
    importances = pd.Series(model.feature_importances_, index=frame.columns)
    assert importances[["constant", "row_id"]].tolist() == [0.0, 0.0]
    assert (importances.drop(["constant", "row_id"]) > 0).all()
    assert importances.sum() == pytest.approx(1.0)
    attention = model.result_.attention.per_fold.mean()
    assert importances["number"] == pytest.approx(attention["number"])


def test_every_numeric_column_of_an_array_is_learned_from():
    X, y = make_numbers(80)
    X = np.column_stack([X, np.arange(80), np.full(80, 7.0), X[:, 0], X[:, 1] > 0])
    model = clone(REGRESSOR).set_params(preset=BRIEF).fit(X, y)
    assert {column.role for column in model.result_.schema} == {"numeric"}
    assert not hasattr(model, "feature_names_in_")
    assert model.feature_importances_.shape == (8,)
    frame = clone(model).fit(pd.DataFrame(X), y)
    np.testing.assert_array_equal(frame.predict(pd.DataFrame(X)), model.predict(X))


def test_an_array_without_any_information_can_be_fitted():
    X = np.ones((20, 3))
    y = np.arange(20.0)
    predicted = clone(REGRESSOR).set_params(preset=BRIEF).fit(X, y).predict(X)
    assert len(set(predicted.tolist())) == 1
    with pytest.raises(InputError, match="at least one column to learn from"):
        clone(REGRESSOR).fit(pd.DataFrame(X, columns=["a", "b", "c"]), y)


def test_arrays_of_objects_and_roles_by_position():
    frame, y = make_frame()
    X = frame[["number", "color", "flag"]].to_numpy(dtype=object)
    model = clone(CLASSIFIER).set_params(preset=BRIEF, roles={2: "categorical"}).fit(X, y)
    roles = [column.role for column in model.result_.schema]
    assert roles == ["numeric", "categorical", "categorical"]
    assert model.predict(X[:1]).shape == (1,)


def test_polars_frames():
    pl = pytest.importorskip("polars")
    frame, y = make_frame()
    some = frame[["number", "color"]].reset_index(drop=True)
    model = clone(CLASSIFIER).set_params(preset=BRIEF).fit(pl.from_pandas(some), pl.Series(y))
    expected = clone(model).fit(some, y).predict_proba(some)
    np.testing.assert_array_equal(model.predict_proba(pl.from_pandas(some)), expected)
    assert model.feature_names_in_.tolist() == ["number", "color"]


def test_columns_called_like_ours_do_no_harm():
    X, values = make_numbers(60)
    frame = pd.DataFrame(X, columns=["y", "sample_weight", "groups", "y_"])
    plain = frame.set_axis(["a", "b", "c", "d"], axis=1)
    more = {"sample_weight": np.linspace(1, 2, 60), "groups": np.arange(60) // 3}
    a, b = (
        clone(REGRESSOR).set_params(preset=BRIEF).fit(x, values, **more) for x in (frame, plain)
    )
    np.testing.assert_array_equal(a.predict(frame), b.predict(plain))
    assert a.feature_importances_.shape == (4,)


def test_other_columns_in_predict_are_an_error():
    frame, y = make_frame(40)
    model = clone(CLASSIFIER).set_params(preset=BRIEF).fit(frame, y)
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename(columns={"color": "colour"}))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame[frame.columns[::-1]])


def test_few_rows_get_fewer_folds():
    X, y = make_numbers(7)
    model = clone(REGRESSOR).set_params(preset=BRIEF, folds=5).fit(X, y)
    assert model.result_.folds.n_folds == 3
    assert model.get_params()["folds"] == 5
    with pytest.raises(ValueError, match="minimum of 4"):
        clone(model).fit(X[:3], y[:3])
    with pytest.raises(InputError, match="folds must be at least 2"):
        clone(model).set_params(folds=1).fit(X, y)


@pytest.mark.parametrize("y", [["a"] * 20, [1.0] * 20], ids=["label", "value"])
def test_one_label_or_value_is_an_error(y):
    X, _ = make_numbers(20)
    model = REGRESSOR if y[0] == 1.0 else CLASSIFIER
    with pytest.raises(InputError, match="at least two"):
        clone(model).fit(X, y)


def test_blank_labels_are_an_error():
    X, _ = make_numbers(20)
    with pytest.raises(InputError, match="must not be blank"):
        clone(CLASSIFIER).fit(X, ["a", " "] * 10)


def test_random_state_decides():
    X, y = make_numbers(40)

    def predict(random_state):
        model = clone(REGRESSOR).set_params(preset=BRIEF, random_state=random_state)
        return model.fit(X, y).predict(X)

    np.testing.assert_array_equal(predict(1), predict(1))
    assert not np.array_equal(predict(1), predict(2))
    first, second = (predict(np.random.RandomState(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert np.isfinite(predict(None)).all()


# --- weights and groups ---------------------------------------------------------------------------


def test_rows_of_weight_zero_take_no_part():
    X, y = make_numbers(80)
    weight = (np.arange(80) % 4 != 0).astype(float)
    rows = weight > 0
    with_all = clone(REGRESSOR).fit(X, np.where(rows, y, 1e6), sample_weight=weight)
    without = clone(REGRESSOR).fit(X[rows], y[rows], sample_weight=weight[rows])
    np.testing.assert_array_equal(with_all.predict(X), without.predict(X))
    assert len(with_all.result_.oof) == 60


def test_weights_count():
    X, y = make_numbers(200)
    contrary = np.concatenate([y[:100], -y[100:]])
    weight = np.repeat([1.0, 0.01], 100)
    assert clone(REGRESSOR).fit(X, contrary, sample_weight=weight).score(X, y) > 0.5


def test_groups_stay_together():
    X, y = make_numbers(60)
    groups = np.repeat([f"group {i}" for i in range(6)], 10)
    folds = clone(REGRESSOR).set_params(preset=BRIEF).fit(X, y, groups=groups).result_.folds
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert not set(groups[train]) & set(groups[valid])


@pytest.mark.parametrize("name", ["sample_weight", "groups"])
def test_weights_and_groups_of_another_length_are_an_error(name):
    X, y = make_numbers(20)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clone(REGRESSOR).fit(X, y, **{name: np.ones(19)})


def test_metadata_is_routed():
    X, y = make_numbers(60)
    groups = np.repeat(np.arange(6), 10)
    weight = np.tile([0.0, 1.0], 30)
    with sklearn.config_context(enable_metadata_routing=True):
        model = clone(REGRESSOR).set_params(preset=BRIEF)
        model.set_fit_request(sample_weight=True, groups=True)
        model.set_score_request(sample_weight=True)
        scores = cross_validate(
            model, X, y, cv=GroupKFold(3), params={"sample_weight": weight, "groups": groups},
            return_estimator=True,
        )  # fmt: skip
    fits = [model.result_ for model in scores["estimator"]]
    assert all(fit.folds.rule.startswith("2 stratified group folds") for fit in fits)
    assert [len(fit.target) for fit in fits] == [20] * 3


# --- scikit-learn's tools -------------------------------------------------------------------------


@pytest.mark.parametrize("output", ["default", "pandas"])
def test_behind_a_column_transformer(output):
    frame, y = make_frame()
    columns = ColumnTransformer(
        [
            ("levels", OneHotEncoder(sparse_output=False), ["color"]),
            ("numbers", StandardScaler(), ["number"]),
        ],
        verbose_feature_names_out=False,
    ).set_output(transform=output)
    pipeline = make_pipeline(columns, clone(CLASSIFIER)).fit(frame, y)
    assert pipeline.score(frame, y) > 0.7
    assert hasattr(pipeline[-1], "feature_names_in_") == (output == "pandas")
    assert pipeline[-1].feature_importances_.shape == (pipeline[-1].n_features_in_,)


def test_columns_passed_through_keep_their_dtypes():
    frame, y = make_frame()
    columns = ColumnTransformer(
        [("numbers", StandardScaler(), ["number"])],
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    pipeline = make_pipeline(columns, clone(CLASSIFIER).set_params(preset=BRIEF)).fit(frame, y)
    assert pipeline[-1].result_.schema["color"].role == "categorical"


def test_grid_search_over_presets():
    frame, y = make_frame()
    search = GridSearchCV(clone(CLASSIFIER), {"preset": [BRIEF, TINY]}, cv=2, error_score="raise")
    search.fit(frame, y)
    assert search.best_params_["preset"] in (BRIEF, TINY)
    assert search.best_estimator_.predict(frame).shape == y.shape


def test_cross_val_score_by_roc_auc():
    X, values = make_numbers(200)
    y = np.where(values > 0, "yes", "no")
    assert cross_val_score(clone(CLASSIFIER), X, y, cv=2, scoring="roc_auc").min() > 0.9


@pytest.mark.parametrize("metric", ["auto", "mae", "scorer", "callable"])
def test_pickles_predict_the_same(metric, tmp_path):
    given = {
        "scorer": make_scorer(median_absolute_error, greater_is_better=False),
        "callable": lambda truth, predicted: -np.abs(truth - predicted).max(),
    }
    X, y = make_numbers(60)
    model = clone(REGRESSOR).set_params(preset=BRIEF, metric=given.get(metric, metric)).fit(X, y)
    if metric == "callable":
        model.set_params(metric="auto")  # the parameter itself must be picklable
    joblib.dump(model, tmp_path / "model.joblib")
    again = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.feature_importances_, model.feature_importances_)
    assert again.result_.metric.name == model.result_.metric.name
    assert repr(again.result_) == repr(model.result_)
    twice = joblib.load(joblib.dump(again, tmp_path / "again.joblib")[0])
    np.testing.assert_array_equal(twice.predict(X), model.predict(X))


def test_a_pickle_with_progress_and_a_clone_of_a_fitted_model(tmp_path, capsys):
    X, y = make_numbers(40)
    model = clone(REGRESSOR).set_params(preset=BRIEF, verbose=True).fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    assert joblib.load(tmp_path / "model.joblib").predict(X).shape == (40,)
    assert not hasattr(clone(model), "result_")
    assert clone(model).get_params() == model.get_params()


def test_small_data_fit_without_warnings():
    X, y = make_numbers(9)
    labels = np.array(["a", "a", "a", "a", "b", "b", "b", "c", "c"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for folds in (2, 4):
            preset = {"preset": BRIEF, "folds": folds}
            clone(REGRESSOR).set_params(**preset).fit(X, y).predict(X)
            clone(CLASSIFIER).set_params(**preset).fit(X, labels).predict(X)
            clone(CLASSIFIER).set_params(**preset).fit(X, labels == "c").predict(X)
