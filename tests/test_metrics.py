"""The metric table against scikit-learn and the definitions; what users may pass instead."""

from __future__ import annotations

import itertools
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn.metrics as sk
from sklearn.metrics import make_scorer

from tabnet_auto.errors import InputError
from tabnet_auto.metrics import DEFAULT_METRIC, METRICS, Objective, get_metric, metric_by_name
from tabnet_auto.metrics.table import ALIASES, find_metric

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


def ovr_weighted(y, p, sample_weight=None):
    return sk.roc_auc_score(
        y, p, multi_class="ovr", average="weighted", sample_weight=sample_weight
    )


def ovo(y, p, sample_weight=None, by_share=False):
    """Hand and Till 2001, pair by pair."""
    weight = np.ones(len(y)) if sample_weight is None else sample_weight
    areas, shares = [], []
    for a, b in itertools.combinations(range(p.shape[1]), 2):
        rows = np.isin(y, [a, b])
        areas += [sk.roc_auc_score(y[rows] == k, p[rows, k], sample_weight=weight[rows])
                  for k in (a, b)]  # fmt: skip
        shares += [weight[rows].sum()] * 2
    return np.average(areas, weights=shares if by_share else None)


def amex_official(y, p, sample_weight=None):
    """The competition's code, in pandas; sample weights multiply its own."""
    own = np.ones(len(y)) if sample_weight is None else sample_weight
    frame = pd.DataFrame({"target": y, "prediction": p, "own": own})
    frame["weight"] = frame["target"].apply(lambda x: 20 if x == 0 else 1) * frame["own"]

    def top_four_percent_captured(df):
        df = df.sort_values("prediction", ascending=False)
        df["weight_cumsum"] = df["weight"].cumsum()
        df_cutoff = df.loc[df["weight_cumsum"] <= int(0.04 * df["weight"].sum())]
        return (df_cutoff["target"] * df_cutoff["own"]).sum() / (df["target"] * df["own"]).sum()

    def weighted_gini(df, by):
        df = df.sort_values(by, ascending=False)
        df["random"] = (df["weight"] / df["weight"].sum()).cumsum()
        total_pos = (df["target"] * df["weight"]).sum()
        df["lorentz"] = (df["target"] * df["weight"]).cumsum() / total_pos
        return ((df["lorentz"] - df["random"]) * df["weight"]).sum()

    def evened(df):  # rows of equal truth share their weight: its order among them is arbitrary
        df["weight"] = df.groupby("target")["weight"].transform("mean")
        return weighted_gini(df, "target")

    gini = weighted_gini(frame, "prediction") / evened(frame.copy())
    return 0.5 * (gini + top_four_percent_captured(frame))


def gini_of_values(y, p, sample_weight=None):
    """Area between the Lorenz curve in the order of the predictions and the diagonal."""
    w = np.ones(len(y)) if sample_weight is None else sample_weight

    def area(by):
        order = np.argsort(-by)
        x = np.r_[0, np.cumsum(w[order])] / w.sum()
        held = np.r_[0, np.cumsum((w * y)[order])] / (w * y).sum()
        return np.sum(np.diff(x) * (held[1:] + held[:-1]) / 2) - 0.5

    return area(p) / area(y)


def average(error, sample_weight=None):
    return np.average(error, weights=sample_weight)


def smape(y, p, sample_weight=None):
    return average(2 * np.abs(y - p) / (np.abs(y) + np.abs(p)), sample_weight)


def above_zero(function):
    return lambda y, p, **k: function(y, np.maximum(p, 1e-12), **k)


def label(function, **fixed):
    return lambda y, p, **k: function(y, p.argmax(axis=1), **fixed, **k)


def positive(function):
    return lambda y, p, **k: function(y, p[:, 1], **k)


EXPECTED = {
    ("roc_auc", "binary"): positive(sk.roc_auc_score),
    ("roc_auc_ovr", "multiclass"): ovr,
    ("average_precision", "binary"): positive(sk.average_precision_score),
    ("average_precision", "multiclass"): sk.average_precision_score,
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
    ("mse", "regression"): sk.mean_squared_error,
    ("msle", "regression"): lambda y, p, **k: sk.mean_squared_log_error(y, np.maximum(p, 0), **k),
    ("smape", "regression"): smape,
    ("rmspe", "regression"): lambda y, p, sample_weight=None: np.sqrt(
        average(((y - p) / y) ** 2, sample_weight)
    ),
    ("poisson_deviance", "regression"): above_zero(sk.mean_poisson_deviance),
    ("gamma_deviance", "regression"): above_zero(sk.mean_gamma_deviance),
    ("normalized_gini", "regression"): gini_of_values,
    ("normalized_gini", "binary"): positive(lambda *a, **k: 2 * sk.roc_auc_score(*a, **k) - 1),
    ("amex", "binary"): positive(amex_official),
    ("roc_auc_ovr_weighted", "multiclass"): ovr_weighted,
    ("roc_auc_ovo", "multiclass"): ovo,
    ("roc_auc_ovo_weighted", "multiclass"): partial(ovo, by_share=True),
    ("brier", "multiclass"): lambda y, p, sample_weight=None: average(
        ((p - np.eye(4)[y]) ** 2).sum(axis=1), sample_weight
    ),
    ("f1_micro", "binary"): label(sk.f1_score, average="micro"),
    ("f1_micro", "multiclass"): label(sk.f1_score, average="micro"),
    ("f1_weighted", "binary"): label(sk.f1_score, average="weighted"),
    ("f1_weighted", "multiclass"): label(sk.f1_score, average="weighted"),
    ("cohen_kappa", "binary"): label(sk.cohen_kappa_score),
    ("cohen_kappa", "multiclass"): label(sk.cohen_kappa_score),
    ("quadratic_weighted_kappa", "binary"): label(sk.cohen_kappa_score, weights="quadratic"),
    ("quadratic_weighted_kappa", "multiclass"): label(sk.cohen_kappa_score, weights="quadratic"),
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


def map_at_3(y, p, sample_weight=None):
    order = np.argsort(-p, axis=1, kind="stable")[:, :3]
    hits = (order == y[:, None]) / np.arange(1, 4)
    return average(hits.sum(axis=1), sample_weight)


WITH_A_NUMBER = {
    ("map@3", "multiclass"): map_at_3,
    ("top_k_accuracy@2", "multiclass"): partial(sk.top_k_accuracy_score, k=2),
    ("f_beta@2", "binary"): label(sk.fbeta_score, beta=2),
    ("pinball@0.9", "regression"): partial(sk.mean_pinball_loss, alpha=0.9),
}


@pytest.mark.parametrize(("name", "task"), WITH_A_NUMBER)
def test_names_with_a_number(name, task):
    metric = get_metric(name, task)
    assert metric.name == name
    y, prediction, weight = ROWS[task](0)
    expected = WITH_A_NUMBER[name, task]
    assert metric.score(y, prediction) == pytest.approx(expected(y, prediction))
    assert metric.score(y, prediction, weight) == pytest.approx(
        expected(y, prediction, sample_weight=weight)
    )
    again = metric_by_name(name, task, greater_is_better=True)
    assert again.score(y, prediction) == metric.score(y, prediction)
    assert again.objective == metric.objective


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("map@0", "whole number above 0, however: 'map@0'. Pass 'map@3'"),
        ("map@2.5", "whole number above 0"),
        ("top_k_accuracy@few", "whole number above 0"),
        ("pinball@1", "above 0 and below 1, however: 'pinball@1'"),
        ("pinball@nan", "above 0 and below 1"),
        ("rmse@3", "must be one of"),
    ],
)
def test_numbers_that_do_not_fit(name, message):
    with pytest.raises(InputError, match=message):
        get_metric(name, "regression")


def test_other_names():
    for alias, name in ALIASES.items():
        found = find_metric(alias)
        assert found is not None
        assert found.name == name
    assert get_metric("neg_log_loss", "binary") is METRICS["log_loss"]
    assert get_metric("mean_pinball_loss", "regression").objective == Objective("pinball", 0.5)
    assert set(ALIASES) & set(METRICS) == set()


@pytest.mark.parametrize(
    ("written", "task", "name"),
    [("RMSE", "regression", "rmse"), ("QWK", "binary", "quadratic_weighted_kappa"),
     ("MAP@3", "multiclass", "map@3"), ("LogLoss", "binary", "log_loss"),
     ("mean_absolute_error", "regression", "mae"), ("roc_auc_score", "binary", "roc_auc")],
)  # fmt: skip
def test_capitals_and_names_of_functions(written, task, name):
    assert get_metric(written, task).name == name


def test_every_scorer_of_the_table_is_its_row():
    rows = {get_metric(name, task).name for name, task in [*EXPECTED, *WITH_A_NUMBER]}
    for name in sk.get_scorer_names():
        row = find_metric(name)
        if row is not None:
            found = get_metric(sk.get_scorer(name), row.tasks[0])
            assert (found.name, found.tuning) == (row.name, row.tuning)
            rows.discard(row.name)
    assert rows == {
        "amex", "f_beta@2", "map@3", "normalized_gini", "pinball@0.9", "cohen_kappa",
        "quadratic_weighted_kappa", "rmspe", "smape",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("metric", "task", "name"),
    [
        (sk.f1_score, "binary", "f1"),
        (partial(sk.f1_score, average="macro"), "multiclass", "f1_macro"),
        (sk.roc_auc_score, "binary", "roc_auc"),
        (sk.average_precision_score, "multiclass", "average_precision"),
        (make_scorer(sk.average_precision_score, response_method="predict_proba"), "multiclass",
         "average_precision"),
        (sk.mean_absolute_error, "regression", "mae"),
        (make_scorer(sk.f1_score), "binary", "f1"),
        (make_scorer(sk.f1_score, pos_label="yes"), "binary", "f1"),
        (make_scorer(sk.fbeta_score, beta=0.5), "binary", "f_beta@0.5"),
        (make_scorer(sk.cohen_kappa_score, weights="quadratic"), "multiclass",
         "quadratic_weighted_kappa"),
        (make_scorer(sk.mean_pinball_loss, greater_is_better=False), "regression", "pinball@0.5"),
    ],
)  # fmt: skip
def test_functions_of_scikit_learn_are_rows_of_the_table(metric, task, name):
    found = get_metric(metric, task, ("no", "yes") if task == "binary" else ())
    row = get_metric(name, task)
    assert (found.name, found.need, found.tuning) == (name, row.need, row.tuning)
    assert (found.objective, found.labels) == (row.objective, False)


@pytest.mark.parametrize(
    ("metric", "task", "classes"),
    [
        (sk.f1_score, "binary", (1, 2)),  # scikit-learn looks for 1
        (make_scorer(sk.f1_score, pos_label="no"), "binary", ("no", "yes")),
        (make_scorer(sk.f1_score, average=None), "multiclass", ()),
        (
            make_scorer(
                sk.average_precision_score, average="micro", response_method="predict_proba"
            ),
            "multiclass",
            ("a", "b", "c"),
        ),
        (make_scorer(sk.roc_auc_score, response_method="predict"), "binary", (0, 1)),
        (make_scorer(sk.mean_absolute_error), "regression", ()),  # for more error, as said
        (make_scorer(sk.accuracy_score, normalize=False), "binary", (0, 1)),
    ],
)
def test_other_calls_of_them_are_not(metric, task, classes):
    found = get_metric(metric, task, classes)
    assert found.name not in METRICS
    assert (found.greater_is_better, found.tuning) == (True, "argmax")


def test_a_function_that_scikit_learn_calls_an_error_is_one():
    found = get_metric(sk.max_error, "regression")
    assert (found.name, found.greater_is_better) == ("max_error", False)


def test_one_vs_one_is_scikit_learns():
    y, p, _ = multiclass_rows(3)
    assert METRICS["roc_auc_ovo"].score(y, p) == pytest.approx(
        sk.roc_auc_score(y, p, multi_class="ovo")
    )
    weighted = METRICS["roc_auc_ovo_weighted"].score(y, p)
    assert weighted == pytest.approx(
        sk.roc_auc_score(y, p, multi_class="ovo", average="weighted"), abs=2e-3
    )


def test_average_precision_of_ties_is_scikit_learns():
    y, p, weight = multiclass_rows(1)
    coarse = p.round(1)
    assert METRICS["average_precision"].score(y, coarse, weight) == pytest.approx(
        sk.average_precision_score(y, coarse, sample_weight=weight)
    )


def test_equal_predictions_tell_nothing_in_whatever_order_the_rows_come():
    y = np.r_[np.ones(50, dtype=np.int64), np.zeros(950, dtype=np.int64)]
    p = np.full((1000, 2), 0.5)
    for name in ("normalized_gini", "amex"):
        first, last = METRICS[name].score(y, p), METRICS[name].score(y[::-1], p)
        assert first == pytest.approx(last)
        assert abs(first) < 0.03
    assert METRICS["amex"].score(y, np.eye(2)[y]) > 0.9


def test_confusion_scores_of_a_stack_are_those_of_each():
    rng = np.random.default_rng(0)
    stack = rng.integers(0, 9, (5, 3, 3)).astype(float)
    stack[0] = 0.0
    stack[1, :, 1:] = 0.0  # one class is predicted
    stack[2, 1:] = 0.0  # and one is true
    for metric in METRICS.values():
        if metric.of_confusion is None:
            continue
        each = [float(metric.of_confusion(c)) for c in stack]
        np.testing.assert_allclose(metric.of_confusion(stack), each)
        assert np.isfinite(each).all()
    y, label = np.array([0, 4, 4, 0]), np.array([0, 4, 0, 4])  # the classes between are absent
    score = METRICS["quadratic_weighted_kappa"].score(y, np.eye(5)[label])
    assert score == pytest.approx(
        sk.cohen_kappa_score(y, label, weights="quadratic", labels=range(5))
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


def test_what_scores_row_by_row_is_defined_on_one_class():
    """A fold of one class has a log-loss: the classes are known, however few of them occur."""
    y, p = np.zeros(2, dtype=np.int64), np.array([[0.5, 0.3, 0.2], [0.25, 0.7, 0.05]])
    scores = {name: find_metric(name).score(y, p) for name in ("log_loss", "brier", "map@2",
                                                               "top_k_accuracy@1")}  # fmt: skip
    assert scores == pytest.approx(
        {"log_loss": -np.log(0.5 * 0.25) / 2, "brier": (0.38 + 1.055) / 2, "map@2": 0.75,
         "top_k_accuracy@1": 0.5}
    )  # fmt: skip
    assert {name for name, one in METRICS.items() if one.needs_two_classes} == {
        "roc_auc", "roc_auc_ovr", "roc_auc_ovr_weighted", "roc_auc_ovo", "roc_auc_ovo_weighted",
        "average_precision", "normalized_gini", "amex",
    }  # fmt: skip


def test_values_where_a_metric_is_not_defined():
    assert np.isnan(METRICS["r2"].score(np.ones(1), np.ones(1)))
    assert METRICS["rmsle"].score(np.ones(3), np.array([1.0, 1.0, -5.0])) > 0
    with pytest.raises(InputError, match=r"never negative, however: -1\.0\. Choose rmse"):
        METRICS["rmsle"].score(-np.ones(3), np.ones(3))
    for name in ("poisson_deviance", "gamma_deviance"):
        assert METRICS[name].score(np.ones(2), np.array([-3.0, 1.0])) > 20
    assert METRICS["smape"].score(np.zeros(2), np.zeros(2)) == 0.0


@pytest.mark.parametrize(
    ("name", "y", "message"),
    [
        ("smape", [1.0, -2.0], "never negative, however: -2.0. Choose mae"),
        ("poisson_deviance", [0.0, -1.0], "never negative, however: -1.0"),
        ("gamma_deviance", [2.0, 0.0], "above 0 in every row, however: 0.0. Choose poisson"),
        ("rmspe", [2.0, 0.0], "never 0, however: 0.0"),
        ("normalized_gini", [2.0, -1.0], "never negative, however: -1.0. Choose r2"),
    ],
)
def test_targets_on_which_a_metric_is_not_defined(name, y, message):
    with pytest.raises(InputError, match=message):
        METRICS[name].check_target(np.array(y))
    METRICS[name].check_target(np.array([1.0, 2.0]))


def test_classes_that_a_fold_lacks():
    y, p, _ = multiclass_rows(0)
    rows = y != 2
    expected = -np.log(p[rows, y[rows]]).mean()
    assert METRICS["log_loss"].score(y[rows], p[rows]) == pytest.approx(expected)
    for name, function in (
        ("roc_auc_ovr", sk.roc_auc_score),
        ("average_precision", sk.average_precision_score),
    ):
        each = [function(y[rows] == k, p[rows, k]) for k in (0, 1, 3)]
        assert METRICS[name].score(y[rows], p[rows]) == pytest.approx(np.mean(each))
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
    found = get_metric(pinball, "regression")
    assert found.score(y, value, weight) == pytest.approx(expected)
    assert found.objective == Objective("pinball", 0.9)
    absolute = make_scorer(sk.mean_absolute_error, greater_is_better=False)
    assert get_metric(absolute, "regression").objective == METRICS["mae"].objective


def test_what_is_no_metric():
    with pytest.raises(InputError, match="Did you mean 'rmse'"):
        get_metric("rmlse", "regression")
    with pytest.raises(InputError, match="'f1' is for binary targets, however: this target is mul"):
        get_metric("f1", "multiclass")
    with pytest.raises(
        InputError, match=r"this target is regression. Choose from .*rmse, mse, mae"
    ):
        get_metric(METRICS["accuracy"], "regression")
    with pytest.raises(InputError, match="a name, a callable or a scikit-learn scorer"):
        get_metric(None, "binary")


def test_a_saved_metric_of_ones_own_keeps_name_and_direction():
    assert metric_by_name("accuracy", "binary", True) is METRICS["accuracy"]
    metric = pickle.loads(pickle.dumps(metric_by_name("mine", "binary", False)))
    assert (metric.name, metric.greater_is_better) == ("mine", False)
    with pytest.raises(InputError, match="scored with 'mine', a function that is not saved"):
        metric.score(*binary_rows(0)[:2])
