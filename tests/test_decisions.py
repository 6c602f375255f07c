"""From probabilities to labels: tuned where it helps, scored on rows that did not tune it."""

from __future__ import annotations

import numpy as np
import pytest

from tabnet_auto.decisions import MAX_TUNED_CLASSES, Decision, row_parts, tune_decision
from tabnet_auto.folds import FoldPlan, make_folds
from tabnet_auto.metrics import METRICS, get_metric
from tabnet_auto.metrics.paired import paired_gain
from tabnet_auto.metrics.rules import RULES

BINARY = ["f1", "f1_macro", "f1_weighted", "mcc", "cohen_kappa", "balanced_accuracy",
          "quadratic_weighted_kappa", "f_beta@2"]  # fmt: skip
MANY = ["f1_macro", "f1_weighted", "mcc", "cohen_kappa", "balanced_accuracy",
        "quadratic_weighted_kappa"]  # fmt: skip


def calibrated(n, k, seed=0):
    """Classes by a hidden size, rarer towards one end, and their true probabilities."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    logits = np.outer(size, 1.5 * np.arange(k)) - (2.0 if k == 2 else 0.9) * np.arange(k) ** 1.6
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    y = (p.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)
    return y, p


def scores(metric, y, p, folds, weight=None):
    """Cross-fitted score, and the score of the final rule on the rows that tuned it."""
    decision = tune_decision(metric, y, p, weight, folds)
    decided = decision.cross_fitted(p, row_parts(folds, len(y)))
    own = np.eye(p.shape[1])[decision.labels(p)]
    return decision, metric.score(y, decided, weight), metric.score(y, own, weight)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    ("name", "k"), [(name, 2) for name in BINARY] + [(name, 5) for name in MANY]
)
def test_rules_beat_the_most_probable_class_on_new_rows(name, k, weighted):
    y, p = calibrated(4000, k)
    weight = np.random.default_rng(5).uniform(0.2, 2.0, len(y)) if weighted else None
    task = "binary" if k == 2 else "multiclass"
    metric = get_metric(name, task)
    decision, honest, own = scores(metric, y, p, make_folds(task, y), weight)
    assert decision.argmax_score == pytest.approx(metric.score(y, p, weight))
    new_y, new_p = calibrated(40_000, k, seed=1)
    plain = metric.score(new_y, new_p)
    tuned = metric.score(new_y, np.eye(k)[decision.labels(new_p)])
    assert tuned >= plain
    # Weighted F1 is nearly the accuracy, for which the most probable class is best.
    if decision.gain > 2 * decision.gain_error and name != "f1_weighted":
        assert tuned > plain + 0.005
    assert own >= decision.argmax_score
    assert honest == pytest.approx(tuned, abs=0.04)


@pytest.mark.parametrize("k", [2, 4])
@pytest.mark.parametrize("name", ["mcc", "cohen_kappa", "quadratic_weighted_kappa"])
def test_random_labels_score_like_chance(name, k):
    """Negative control: rules tuned on the very rows that they score do find something."""
    metric, own_scores, honest_scores = METRICS[name], [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y, p = rng.integers(0, k, 200), rng.dirichlet(np.ones(k), 200)
        folds = make_folds("binary" if k == 2 else "multiclass", y, seed=seed)
        _, honest, own = scores(metric, y, p, folds)
        honest_scores.append(honest)
        own_scores.append(own)
    error = np.std(honest_scores) / np.sqrt(len(honest_scores))
    # Chance is 0; stratified folds even turn a little noise against the rule.
    assert np.mean(honest_scores) < 3 * error
    assert np.mean(own_scores) > 3 * error


def test_a_part_is_decided_by_rules_that_have_not_seen_it():
    y, p = calibrated(600, 2)
    folds = make_folds("binary", y)
    part = row_parts(folds, 600)
    base = tune_decision(METRICS["f1"], y, p, None, folds)
    own = folds.valid[2]
    changed = y.copy()
    changed[own] = 1 - y[own]
    other = tune_decision(METRICS["f1"], changed, p, None, folds)
    assert other.part_values[2] == base.part_values[2]
    assert all(other.part_values[i] != base.part_values[i] for i in (0, 1))
    same = base.cross_fitted(p, part)[own]
    np.testing.assert_array_equal(same, other.cross_fitted(p, part)[own])


def test_rules_that_gain_nothing_beyond_noise_are_not_kept():
    kept = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        p = rng.beta(6, 6, 300)
        y = (rng.random(300) < p).astype(np.int64)  # 0.5 is best for the balanced accuracy
        p = np.column_stack([1 - p, p])
        decision = tune_decision(
            METRICS["balanced_accuracy"], y, p, None, make_folds("binary", y, seed=seed)
        )
        kept.append(bool(decision.values))
        assert decision.values or decision.describe(("a", "b")) == "the most probable class"
        assert ("gain of tuned threshold" in decision.reason()) != bool(decision.values)
    assert np.mean(kept) < 0.35
    y, p = calibrated(2000, 2)
    sure = tune_decision(METRICS["f1"], y, p, None, make_folds("binary", y))
    assert sure.values
    assert "decision: tuned threshold (gain +" in sure.reason()


def test_the_paired_standard_error_is_that_of_rows():
    rng = np.random.default_rng(0)
    y, plain = rng.integers(0, 3, 500), rng.integers(0, 3, 500)
    other = np.where(rng.random(500) < 0.3, y, plain)
    weight = rng.uniform(0.5, 1.5, 500)
    found = paired_gain(METRICS["cohen_kappa"].of_confusion, y, plain, other, weight, 3)
    kappa = METRICS["cohen_kappa"].score

    def gain(rows):
        own = (np.eye(3)[label[rows]] for label in (plain, other))
        before, after = (kappa(y[rows], p, weight[rows]) for p in own)
        return after - before

    assert found.gain == pytest.approx(gain(np.arange(500)))
    resampled = [gain(rng.integers(0, 500, 500)) for _ in range(200)]
    assert found.error == pytest.approx(np.std(resampled), rel=0.25)
    same = paired_gain(METRICS["cohen_kappa"].of_confusion, y, plain, plain, weight, 3)
    assert (same.gain, same.error, same.beyond_noise) == (0.0, 0.0, False)


def test_nothing_to_tune():
    y, p = calibrated(300, 3)
    folds = make_folds("multiclass", y)
    for name in ("log_loss", "accuracy", "f1_micro", "roc_auc_ovr"):
        decision = tune_decision(METRICS[name], y, p, None, folds)
        assert decision.rule == "argmax"
        assert decision.cross_fitted(p, row_parts(folds, 300)) is p
        np.testing.assert_array_equal(decision.labels(p), p.argmax(axis=1))
    values = np.arange(300.0)
    assert tune_decision(METRICS["rmse"], values, values, None, folds) == Decision()
    many = np.random.default_rng(0).dirichlet(np.ones(MAX_TUNED_CLASSES + 1), 300)
    assert tune_decision(METRICS["f1_macro"], y, many, None, folds).rule == "argmax"

    def mine(y_true, y_pred):
        return float(np.mean(y_true == y_pred))

    assert tune_decision(get_metric(mine, "multiclass"), y, p, None, folds).rule == "argmax"


def test_best_of_all_thresholds_cuts_and_offsets():
    """The search against trying everything."""
    y, p = calibrated(150, 2, seed=3)
    found = tune_decision(METRICS["f1"], y, p, None, make_folds("binary", y))
    every = [METRICS["f1"].score(y, np.eye(2)[(p[:, 1] >= t).astype(int)]) for t in p[:, 1]]
    own = METRICS["f1"].score(y, np.eye(2)[found.labels(p)])
    assert own == pytest.approx(max(every), abs=1e-9)
    y, p = calibrated(400, 3, seed=3)
    kappa = METRICS["quadratic_weighted_kappa"]
    found = tune_decision(kappa, y, p, None, make_folds("multiclass", y))
    assert found.rule == "cut_points"
    assert list(found.values) == sorted(found.values)
    expected = p @ np.arange(3)
    grid = np.linspace(0, 2, 60)
    every = [kappa.score(y, np.eye(3)[np.searchsorted([a, b], expected, side="right")])
             for a in grid for b in grid if a <= b]  # fmt: skip
    assert kappa.score(y, np.eye(3)[found.labels(p)]) > max(every) - 0.01


def test_equally_good_thresholds_leave_a_half():
    y = np.array([0, 0, 1, 1] * 5)
    p = np.where(y == 1, 0.9, 0.1)
    p = np.column_stack([1 - p, p])
    decision = tune_decision(METRICS["f1"], y, p, None, make_folds("binary", y))
    assert decision.values == ()
    assert RULES["threshold"].tune(METRICS["f1"].of_confusion, p, y, np.ones(20)) == (0.5,)


def test_rows_that_no_fold_or_one_fold_or_several_folds_hold_out():
    y, p = calibrated(120, 2)
    p[:30] = np.nan
    ahead = make_folds("binary", y, folds=[(range(30), range(30, 120))])
    part = row_parts(ahead, 120)
    assert set(part[:30]) == {-1}
    assert np.bincount(part[30:]).tolist() == [18] * 5
    decision = tune_decision(METRICS["f1"], y, p, None, ahead)
    decided = decision.cross_fitted(p, part)
    assert np.isnan(decided[:30]).all()
    assert set(np.unique(decided[30:])) == {0.0, 1.0}
    twice = make_folds("binary", y, folds=FoldPlan(3, repeats=2))
    np.testing.assert_array_equal(
        row_parts(twice, 120), row_parts(make_folds("binary", y, folds=3), 120)
    )
    p[:119] = np.nan
    single = make_folds("binary", y, folds=[(range(119), [119])])
    assert tune_decision(METRICS["f1"], y, p, None, single).part_values == ((),)


def test_rows_of_weight_zero_do_not_tune():
    y, p = calibrated(400, 2)
    folds = make_folds("binary", y)
    weight = np.ones(400)
    weight[::3] = 0.0
    other = y.copy()
    other[::3] = 1 - y[::3]
    a = tune_decision(METRICS["mcc"], y, p, weight, folds)
    b = tune_decision(METRICS["mcc"], other, p, weight, folds)
    assert a == b


def test_the_threshold_of_two_classes():
    assert Decision("threshold", (0.25,)).threshold == 0.25
    assert Decision("threshold").threshold == Decision().threshold == 0.5


def test_rules_in_words():
    classes = ("no", "yes", "maybe")
    said = {
        "'yes' from a probability of 0.250": Decision("threshold", (0.25,)),
        "'no' +0.00, 'yes' -1.50, 'maybe' +0.25": Decision("offsets", (0.0, -1.5, 0.25)),
        "3 ordered classes, cut at 0.40, 1.60": Decision("cut_points", (0.4, 1.6)),
        "the most probable class": Decision(),
    }
    for text, decision in said.items():
        assert text in decision.describe(classes)
