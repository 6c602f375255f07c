"""The metric table against scikit-learn and the definitions; what users may pass instead."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import sklearn.metrics as sk
from sklearn.metrics import make_scorer

from tabnet_auto.errors import InputError
from tabnet_auto.metrics import DEFAULT_METRIC, METRICS, get_metric, metric_by_name

N = 400


def binary_rows(seed):
    rng = np.random.default_rng(seed)
    y = (rng.random(N) < 0.3).astype(np.int64)
    p = np.clip(0.3 * y + rng.random(N) * 0.7, 0.0, 1.0)
    return y, np.column_stack([1 - p, p]), rng.uniform(0.1, 3.0, N)


def multiclass_rows(seed, k=4):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, N)
    p = rng.dirichlet(np.ones(k), N) + 0.5 * np.eye(k)[y]
    return y, p / p.sum(axis=1, keepdims=True), rng.uniform(0.1, 3.0, N)


def regression_rows(seed):
    rng = np.random.default_rng(seed)
    y = rng.gamma(2.0, 3.0, N)
    return y, y + rng.normal(size=N), rng.uniform(0.1, 3.0, N)


def ovr(y, p, sample_weight=None):
    return np.mean(
        [sk.roc_auc_score(y == k, p[:, k], sample_weight=sample_weight) for k in range(4)]
    )


def rmsle(y, p, sample_weight=None):
    error = (np.log1p(np.maximum(p, 0)) - np.log1p(y)) ** 2
    return np.sqrt(np.average(error, weights=sample_weight))


def label(function, **fixed):
    return lambda y, p, **k: function(y, p.argmax(axis=1), **fixed, **k)


def positive(function):
    return lambda y, p, **k: function(y, p[:, 1], **k)


EXPECTED = {
    ("roc_auc", "binary"): positive(sk.roc_auc_score),
    ("roc_auc_ovr", "multiclass"): ovr,
    ("average_precision", "binary"): positive(sk.average_precision_score),
    ("log_loss", "binary"): sk.log_loss,
    ("log_loss", "multiclass"): sk.log_loss,
    ("brier", "binary"): positive(
        lambda y, p, sample_weight=None: np.average((y - p) ** 2, weights=sample_weight)
    ),
    ("accuracy", "binary"): label(sk.accuracy_score),
    ("accuracy", "multiclass"): label(sk.accuracy_score),
    ("balanced_accuracy", "binary"): label(sk.balanced_accuracy_score),
    ("balanced_accuracy", "multiclass"): label(sk.balanced_accuracy_score),
    ("f1", "binary"): label(sk.f1_score),
    ("f1_macro", "binary"): label(sk.f1_score, average="macro"),
    ("f1_macro", "multiclass"): label(sk.f1_score, average="macro"),
    ("mcc", "binary"): label(sk.matthews_corrcoef),
    ("mcc", "multiclass"): label(sk.matthews_corrcoef),
    ("rmse", "regression"): lambda y, p, sample_weight=None: np.sqrt(
        np.average((y - p) ** 2, weights=sample_weight)
    ),
    ("mae", "regression"): lambda y, p, sample_weight=None: np.average(
        np.abs(y - p), weights=sample_weight
    ),
    ("mape", "regression"): lambda y, p, sample_weight=None: np.average(
        np.abs(y - p) / np.abs(y), weights=sample_weight
    ),
    ("rmsle", "regression"): rmsle,
    ("r2", "regression"): sk.r2_score,
    ("median_absolute_error", "regression"): sk.median_absolute_error,
}
ROWS = {"binary": binary_rows, "multiclass": multiclass_rows, "regression": regression_rows}


def test_every_metric_of_the_table_is_checked():
    assert set(EXPECTED) == {(m.name, task) for m in METRICS.values() for task in m.tasks}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("name", "task"), EXPECTED)
def test_scores(name, task, weighted):
    expected = EXPECTED[name, task]
    metric = get_metric(name, task)
    for seed in range(3):
        y, prediction, weight = ROWS[task](seed)
        keyword = {"sample_weight": weight} if weighted else {}
        score = metric.score(y, prediction, weight if weighted else None)
        assert score == pytest.approx(expected(y, prediction, **keyword), rel=1e-10)
        assert pickle.loads(pickle.dumps(metric)).score(y, prediction) == pytest.approx(
            expected(y, prediction), rel=1e-10
        )


@pytest.mark.parametrize(("name", "task"), EXPECTED)
def test_better_predictions_score_better(name, task):
    metric = METRICS[name]
    y, prediction, _ = ROWS[task](0)
    rng = np.random.default_rng(0)
    perfect = y if task == "regression" else np.eye(prediction.shape[1])[y]
    good, bad = metric.score(y, perfect), metric.score(y, rng.permutation(prediction))
    assert metric.better(good, metric.score(y, prediction))
    assert metric.better(metric.score(y, prediction), bad)
    assert not metric.better(bad, good)
    assert not metric.better(good, good)


@pytest.mark.parametrize("name", [m.name for m in METRICS.values() if "regression" not in m.tasks])
def test_rows_of_one_class_and_no_rows(name):
    metric = METRICS[name]
    k = 3 if metric.tasks == ("multiclass",) else 2
    y, p = np.zeros(5, dtype=np.int64), np.full((5, k), 1 / k)
    assert np.isnan(metric.score(y, p)) == metric.needs_two_classes
    assert np.isnan(metric.score(y[:0], p[:0]))
    weight = np.ones(6)
    weight[5] = 0.0  # the only row of the second class does not count
    six = np.append(y, 1), np.full((6, k), 1 / k)
    assert np.isnan(metric.score(*six, weight)) == metric.needs_two_classes


def test_values_where_a_metric_is_not_defined():
    assert np.isnan(METRICS["r2"].score(np.ones(1), np.ones(1)))
    assert METRICS["rmsle"].score(np.ones(3), np.array([1.0, 1.0, -5.0])) > 0
    with pytest.raises(InputError, match=r"never negative, however: -1\.0\. Choose rmse"):
        METRICS["rmsle"].score(-np.ones(3), np.ones(3))


def test_classes_that_a_fold_lacks():
    y, p, _ = multiclass_rows(0)
    rows = y != 2
    expected = -np.log(p[rows, y[rows]]).mean()
    assert METRICS["log_loss"].score(y[rows], p[rows]) == pytest.approx(expected)
    areas = [sk.roc_auc_score(y[rows] == k, p[rows, k]) for k in (0, 1, 3)]
    assert METRICS["roc_auc_ovr"].score(y[rows], p[rows]) == pytest.approx(np.mean(areas))
    recall = [(p[y == k].argmax(axis=1) == k).mean() for k in (0, 1, 3)]
    score = METRICS["balanced_accuracy"].score(y[rows], p[rows])
    assert score == pytest.approx(np.mean(recall))


def test_certain_and_wrong_costs_a_finite_loss():
    p = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert 30 < METRICS["log_loss"].score(np.array([1, 0]), p) < 40


# --- what users pass ------------------------------------------------------------------------------


def test_auto():
    assert {task: get_metric("auto", task).name for task in ROWS} == DEFAULT_METRIC


CLASSES = np.array(["a", "b", "c", "d"], dtype=object)


def share_right(y, predicted):
    assert set(y) <= set(CLASSES)
    return np.mean(np.asarray(y) == predicted)


def weighted_share_right(y, predicted, sample_weight=None):
    return np.average(np.asarray(y) == predicted, weights=sample_weight)


def test_a_callable_sees_the_users_labels():
    y, p, weight = multiclass_rows(0)
    right = p.argmax(axis=1) == y
    metric = get_metric(share_right, "multiclass")
    assert metric.name == "share_right"
    assert metric.greater_is_better
    assert not metric.weighted
    assert metric.score(y, p, weight, CLASSES) == pytest.approx(right.mean())
    metric = get_metric(weighted_share_right, "multiclass")
    assert metric.score(y, p, weight, CLASSES) == pytest.approx(np.average(right, weights=weight))
    y, value, weight = regression_rows(0)
    metric = get_metric(lambda a, b: -np.abs(a - b).max(), "regression")
    assert metric.score(y, value, weight) == -np.abs(y - value).max()


def test_scorers():
    y, p, weight = binary_rows(0)
    labels = np.array(["no", "yes"], dtype=object)
    area = get_metric(make_scorer(sk.roc_auc_score, response_method="predict_proba"), "binary")
    assert area.need == "positive"
    assert area.score(y, p, weight, labels) == pytest.approx(
        sk.roc_auc_score(y, p[:, 1], sample_weight=weight)
    )
    either = make_scorer(
        sk.average_precision_score,
        response_method=("decision_function", "predict_proba"),
        pos_label="yes",
    )
    assert get_metric(either, "binary").score(y, p, None, labels) == pytest.approx(
        sk.average_precision_score(y, p[:, 1])
    )
    f2 = get_metric(make_scorer(sk.fbeta_score, beta=2, pos_label="no"), "binary")
    assert f2.name == "fbeta_score"
    assert f2.score(y, p, None, labels) == pytest.approx(
        sk.fbeta_score(1 - y, p.argmin(axis=1), beta=2)
    )
    assert pickle.loads(pickle.dumps(f2)).score(y, p, None, labels) == f2.score(y, p, None, labels)


def test_a_scorer_of_losses_and_a_class_that_a_fold_lacks():
    y, p, _ = multiclass_rows(0)
    scorer = make_scorer(sk.log_loss, response_method="predict_proba", greater_is_better=False)
    metric = get_metric(scorer, "multiclass")
    assert not metric.greater_is_better
    rows = y != 2
    expected = -np.log(p[rows, y[rows]]).mean()
    assert metric.score(y[rows], p[rows], None, CLASSES) == pytest.approx(expected)
    pinball = make_scorer(sk.mean_pinball_loss, alpha=0.9, greater_is_better=False)
    y, value, weight = regression_rows(0)
    expected = sk.mean_pinball_loss(y, value, alpha=0.9, sample_weight=weight)
    assert get_metric(pinball, "regression").score(y, value, weight) == pytest.approx(expected)


def test_what_is_no_metric():
    with pytest.raises(InputError, match="Did you mean 'rmse'"):
        get_metric("rmlse", "regression")
    with pytest.raises(InputError, match="'f1' is for binary targets, however: this target is mul"):
        get_metric("f1", "multiclass")
    with pytest.raises(InputError, match=r"this target is regression. Choose from rmse, mae"):
        get_metric(METRICS["accuracy"], "regression")
    with pytest.raises(InputError, match="a name, a callable or a scikit-learn scorer"):
        get_metric(None, "binary")


def test_a_saved_metric_of_ones_own_keeps_name_and_direction():
    assert metric_by_name("accuracy", "binary", True) is METRICS["accuracy"]
    metric = pickle.loads(pickle.dumps(metric_by_name("mine", "binary", False)))
    assert (metric.name, metric.greater_is_better) == ("mine", False)
    with pytest.raises(InputError, match="scored with 'mine', a function that is not saved"):
        metric.score(*binary_rows(0)[:2])
