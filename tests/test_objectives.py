"""What is learned for a metric, from auto_fit to the saved model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from objective_helpers import BEST
from sklearn.metrics import f1_score, get_scorer

from tabnet_auto import FoldPlan, InputError, Preset, TabNetClassifier, auto_fit, load
from tabnet_auto.config import NetConfig, TrainConfig

NET = NetConfig(n_steps=1, n_hidden=16, n_layers=1, n_bins=4, n_context=8, dropout=0.0)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=6, batch_size=32, lr=0.02))


def fit(frame, **options):
    return auto_fit(frame, "y", **{"preset": TINY, "folds": 2, "verbose": False, **options})


def skewed(n=600):
    """A skewed target that nothing predicts: the best prediction is one number."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({"x": rng.normal(size=n), "y": np.exp(rng.normal(size=n)) + 0.05})


@pytest.mark.parametrize("metric", BEST)
def test_the_metric_decides_what_is_learned(metric, tmp_path):
    frame = skewed()
    learned = fit(frame, metric=metric)
    y = frame["y"].to_numpy()
    predicted = learned.predict(frame)
    best = BEST[metric](y)
    assert np.median(predicted) == pytest.approx(best, rel=0.2)
    # Nothing is to be known of a row, so one number scores about as well as can be.
    constant = learned.metric.score(y, np.full(len(y), best))
    assert learned.oof_score < 1.25 * constant
    learned.save(tmp_path)
    again = load(tmp_path)
    assert again.objective == learned.objective
    np.testing.assert_array_equal(again.predict(frame), predicted)


def test_a_scorer_of_scikit_learn_decides_as_its_row_does():
    scorer = get_scorer("neg_root_mean_squared_log_error")
    learned, named = fit(skewed(), metric=scorer), fit(skewed(), metric="RMSLE")
    assert learned.objective.transform == "log1p"
    assert learned.oof_score == named.oof_score
    assert fit(rare(200), metric=f1_score).decision.rule == "threshold"


def test_a_target_on_which_the_metric_is_not_defined_is_refused_before_training():
    frame = skewed(60)
    events = []
    frame.loc[3, "y"] = -1.0
    with pytest.raises(InputError, match=r"never negative, however: -1\.0\. Choose rmse"):
        fit(frame, metric="rmsle", emit=events.append)
    assert events == []


# --- decisions ------------------------------------------------------------------------------------


def rare(n=600, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = np.where(x + rng.normal(size=n) > 1.8, "yes", "no")
    return pd.DataFrame({"x": x, "z": rng.normal(size=n), "y": y})


def test_a_tuned_threshold_is_saved_shown_and_predicted_by(tmp_path):
    frame = rare(seed=2)
    learned = fit(frame, metric="f1")
    decision = learned.decision
    assert decision.rule == "threshold"
    proba = learned.predict_proba(frame)
    labels = np.where(proba[:, 1] >= decision.values[0], "yes", "no")
    assert learned.predict(frame).tolist() == labels.tolist()
    assert any("decision: tuned threshold" in note["text"] for note in learned.trace.of("note"))
    assert (labels == "yes").sum() != (proba.argmax(axis=1) == 1).sum()
    np.testing.assert_allclose(proba, fit(frame, metric="log_loss").predict_proba(frame))
    assert f"decision: 'yes' from a probability of {decision.values[0]:.3f}" in repr(learned)
    learned.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.decision == decision
    assert again.predict(frame).tolist() == labels.tolist()
    made = again.submission(frame.assign(id=range(600)), id_column="id", values="labels")
    assert made["y"].tolist() == labels.tolist()
    learned.report(tmp_path / "report.html")
    assert "from a probability of" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_out_of_fold_score_is_of_rules_tuned_on_other_folds():
    frame = rare(1500, seed=2)
    learned = fit(frame, metric="f1", folds=3)
    assert all(learned.decision.part_values)
    y = (frame["y"] == "yes").to_numpy().astype(np.int64)
    labels = np.zeros(1500, dtype=np.int64)
    for fold, rows in enumerate(learned.folds.valid):
        labels[rows] = learned.oof[rows, 1] >= learned.decision.part_values[fold][0]
        own = np.eye(2)[labels[rows]]
        assert learned.fold_scores[fold] == pytest.approx(learned.metric.score(y[rows], own))
    assert learned.oof_score == pytest.approx(learned.metric.score(y, np.eye(2)[labels]))
    tuned_on_itself = learned.metric.score(y, np.eye(2)[learned.decision.labels(learned.oof)])
    assert learned.oof_score <= tuned_on_itself


def test_noise_is_not_decided_better_than_chance():
    scores = []
    for seed in range(3):
        frame = rare(400, seed)
        frame["y"] = np.random.default_rng(seed).permutation(frame["y"])
        scores.append(fit(frame, metric="mcc").oof_score)
    assert np.mean(scores) < 0.09  # three standard errors of 1,200 rows


def test_estimators_predict_by_the_rule():
    frame = rare(800)
    model = TabNetClassifier(preset=TINY, folds=2, metric="balanced_accuracy")
    model.fit(frame[["x", "z"]], frame["y"])
    p = model.predict_proba(frame[["x", "z"]])[:, 1]
    threshold = model.result_.decision.values[0]
    assert threshold < 0.45
    assert (
        model.predict(frame[["x", "z"]]).tolist() == np.where(p >= threshold, "yes", "no").tolist()
    )


# --- class weights --------------------------------------------------------------------------------


def test_class_weights_change_what_is_learned_and_not_how_it_is_scored():
    frame = rare(400)
    plain, balanced = fit(frame), fit(frame, class_weight="balanced")
    share = (frame["y"] == "yes").mean()
    assert plain.oof[:, 1].mean() == pytest.approx(share, abs=0.07)
    assert balanced.oof[:, 1].mean() > share + 0.1
    y = (frame["y"] == "yes").to_numpy().astype(np.int64)
    assert balanced.oof_score == pytest.approx(balanced.metric.score(y, balanced.oof))
    given = fit(frame, class_weight={"no": 1.0, "yes": (1 - share) / share})
    np.testing.assert_allclose(given.oof, balanced.oof, atol=0.05)
    model = TabNetClassifier(preset=TINY, folds=2, class_weight={"yes": 50.0})
    model.fit(frame[["x", "z"]], frame["y"])
    assert (model.predict(frame[["x", "z"]]) == "yes").mean() > 0.6


@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ("auto", "'balanced', weights by label, or None, however: class_weight='auto'"),
        ({"maybe": 1.0}, "'maybe' is none of 'no', 'yes'"),
        ({"yes": 0.0}, "above 0, however: 'yes' has 0.0"),
        ({"yes": "much"}, "above 0, however: 'yes' has 'much'"),
        ({"yes": float("nan")}, "above 0"),
    ],
)
def test_class_weights_that_cannot_be_used(class_weight, message):
    with pytest.raises(InputError, match=message):
        fit(rare(60), class_weight=class_weight)


def test_values_have_no_class_weights():
    with pytest.raises(InputError, match="needs a classification target"):
        fit(skewed(60), class_weight="balanced")


# --- folds ----------------------------------------------------------------------------------------


def notes(learned):
    return [event["text"] for event in learned.trace.of("note")]


def test_repeated_folds_average_the_out_of_fold_predictions():
    frame = rare(150)
    learned = fit(frame, folds=FoldPlan(2, repeats=2))
    assert (learned.folds.n_folds, learned.folds.n_members) == (4, 4)
    assert np.isfinite(learned.oof).all()
    assert learned.leaderboard().shape[1] == 4 + 4
    assert "folds=FoldPlan(n_folds=2, repeats=2)" in learned._reproduce()


def test_repeated_entities_are_said_and_offered():
    frame = rare(200)
    frame["customer_id"] = [f"c{i % 60}" for i in range(200)]
    said = [text for text in notes(fit(frame)) if "entities" in text]
    assert len(said) == 1
    assert said[0].startswith("column 'customer_id' names 60 entities in 200 rows")
    assert said[0].endswith("pass groups='customer_id'")
    for options in ({"groups": "customer_id"}, {"folds": "shuffled"}):
        assert not any("entities" in text for text in notes(fit(frame, **options)))
    once = frame.assign(customer_id=[f"c{i}" for i in range(200)])
    assert not any("entities" in text for text in notes(fit(once)))


@pytest.mark.parametrize("task", ["classes", "values"])
def test_drift_along_time_is_said_and_offered(task):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300)})
    frame["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 600, 300), "D")
    rising = (frame["day"] - frame["day"].min()).dt.days / 300 + rng.normal(size=300)
    still = rng.normal(size=300)
    for size, drifts in ((rising, True), (still, False)):
        frame["y"] = size if task == "values" else np.where(size > 1, "yes", "no")
        said = [text for text in notes(fit(frame)) if "drifts along 'day'" in text]
        assert len(said) == drifts
        assert all(text.endswith("pass time='day'") for text in said)
    assert not any("drifts" in text for text in notes(fit(frame, time="day")))


def test_groups_do_not_hide_the_time_and_time_does_not_hide_the_groups():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300), "customer_id": rng.integers(0, 60, 300)})
    frame["day"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 600, 300), "D")
    frame["y"] = (frame["day"] - frame["day"].min()).dt.days / 300 + rng.normal(size=300)
    offers = ("pass groups='customer_id'", "pass time='day'")
    for options, expected in (
        ({}, (True, True)), ({"groups": "customer_id"}, (False, True)),
        ({"time": "day"}, (True, False)),
        ({"groups": "customer_id", "time": "day"}, (False, False)),
    ):  # fmt: skip
        said = notes(fit(frame, **options))
        assert tuple(any(text.endswith(o) for text in said) for o in offers) == expected


@pytest.mark.parametrize("side", ["groups", "weights"])
def test_a_fold_of_one_class_has_a_log_loss_and_no_auc(side):
    frame = rare(200)
    if side == "groups":  # the last of four groups is of one class
        frame["part"] = np.where(frame["y"] == "yes", np.arange(200) % 3, np.arange(200) % 4)
        options = {"folds": "leave_one_group_out", "groups": "part"}
    else:
        alone = (np.arange(200) >= 150) & (frame["y"] == "yes")
        frame["part"] = np.where(alone, 0.0, 1.0)
        quarters = np.split(np.arange(200), 4)
        options = {"weight": "part", "folds": [(np.setdiff1d(range(200), q), q) for q in quarters]}
    loss = fit(frame, metric="log_loss", **options)
    assert np.isfinite(loss.fold_scores).all()
    assert np.isfinite(loss.member_scores).all()
    area = fit(frame, metric="roc_auc", **options)
    assert np.isnan(area.fold_scores).tolist() == [False, False, False, True]
    assert np.isfinite(area.oof_score)
    assert np.isfinite(area.leaderboard()["roc_auc"]).all()
    said = "not defined on the validation rows of 1 of 4 folds, whose target is one"
    assert any(said in text for text in notes(area))
    assert not any(said in text for text in notes(loss))


def test_validation_rows_of_one_class_in_all_folds_are_refused_where_nothing_can_be_scored():
    frame, events = rare(200), []
    rows = np.flatnonzero(frame["y"] == "no")[:40]
    folds = [(np.setdiff1d(range(200), rows), rows)]
    match = (
        r"'roc_auc' needs validation rows with different targets, however: .* 'no'\. .* log_loss"
    )
    with pytest.raises(InputError, match=match):
        fit(frame, folds=folds, emit=events.append)
    assert not any(event.kind == "plan" for event in events)
    assert np.isfinite(fit(frame, folds=folds, metric="log_loss").oof_score)


@pytest.mark.parametrize(("name", "is_time"), [("Year", True), ("construction_year", False)])
def test_numbers_are_a_time_by_the_name_of_their_column(name, is_time):
    rng = np.random.default_rng(0)
    when = rng.integers(1990, 2020, 300)
    frame = pd.DataFrame({"x": rng.normal(size=300), name: when})
    frame["y"] = np.where((when - 2005) / 8 + rng.normal(size=300) > 0, "yes", "no")
    said = [text for text in notes(fit(frame)) if text.endswith(f"pass time={name!r}")]
    assert len(said) == is_time
