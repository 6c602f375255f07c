"""The numbers behind the pictures."""

import dataclasses
import math
from dataclasses import replace

import numpy as np
import pytest
from view import samples

from tabnet_auto.errors import InputError
from tabnet_auto.view import curve_panels, draw, panels, prediction_panels, rates
from tabnet_auto.view.report_data import (
    BinaryPredictions,
    Curve,
    RegressionPredictions,
)
from tabnet_auto.view.tables import table_html


def test_leaderboard_runs_from_best_to_worst_whatever_the_direction():
    rows = [
        {"name": "a", "folds": [0.2, 0.4], "mean": 0.3, "seconds": 1.0, "weight": 0.5},
        {"name": "b", "folds": [0.1], "mean": 0.1, "seconds": 1.0, "weight": 0.5},
        {"name": "c", "folds": [], "mean": math.nan, "seconds": None, "weight": None},
    ]
    up = samples.binary(leaderboard=rows, greater_is_better=True)
    down = samples.binary(leaderboard=rows, greater_is_better=False)
    assert [row[0] for row in panels.leaderboard_table(up).rows] == ["a", "b", "c"]
    table = panels.leaderboard_table(down)
    assert [row[0] for row in table.rows] == ["b", "a", "c"]
    assert table.rows[1][2] == pytest.approx(np.std([0.2, 0.4], ddof=1))
    assert table.rows[0][2] is None, "one fold has no spread"
    assert {len(row) for row in table.rows} == {len(table.columns)}


def test_summary_shows_the_score_first_and_loses_nothing():
    data = samples.binary()
    large, rest = panels.split_summary(data.summary)
    assert large[0] == ("out-of-fold score", "0.8817")
    assert sorted([*large, *rest]) == sorted(data.summary.items())


def test_heat_rows_are_the_most_read_columns_with_their_range():
    data = samples.regression(n_columns=500)
    heat = panels.attention_heat(data)
    mean = data.attention.mean(axis=0)
    best = int(mean.argmax())
    assert len(heat.rows) == 40
    assert heat.rows[0] == data.columns[best]
    assert heat.values[0] == pytest.approx(data.attention[:, best])
    assert heat.mean[0] == pytest.approx(mean[best])
    assert (heat.low[0], heat.high[0]) == (min(heat.values[0]), max(heat.values[0]))
    assert list(heat.mean) == sorted(mean, reverse=True)[:40]
    assert len(heat.table.rows) == 500, "the table holds every column"
    says = "The 40 most-read of 500 columns are shown."
    assert f"{says} The others share {1 - sum(heat.mean):.1%}." in heat.note


def test_step_heat_keeps_folds_while_they_fit_and_averages_beyond():
    data = samples.binary()
    heat = panels.step_heat(data)
    first = data.columns.index(heat.rows[0])
    assert [title for title, _ in heat.groups] == ["step 1", "step 2"]
    assert heat.values[0] == pytest.approx(data.attention_steps[:, :, first].T.ravel())
    many = samples.attention(np.random.default_rng(0), 20, 5, 14, 1.0)
    data = samples.binary(attention=many.mean(axis=1), attention_steps=many)
    heat = panels.step_heat(data)
    first = data.columns.index(heat.rows[0])
    assert heat.groups[0] == ("step 1", ("mean",))
    assert heat.values[0] == pytest.approx(many.mean(axis=0)[:, first])


@pytest.mark.parametrize(
    ("value", "word"),
    [(1.0, "very high"), (0.9, "very high"), (0.7, "high"), (0.69, "moderate"), (0.5, "moderate"),
     (0.49, "low"), (-1.0, "low"), (math.nan, "not measurable")],
)  # fmt: skip
def test_stability_bands(value, word):
    assert panels.stability_words(value) == word
    sentence = panels.stability_sentence(samples.binary(stability=value))
    assert (word in sentence) != math.isnan(value)


def test_attention_that_does_not_fit_its_names_is_refused():
    data = samples.binary()
    with pytest.raises(InputError, match="one value a column"):
        dataclasses.replace(data, columns=data.columns[:-1])


def test_without_a_network_there_are_no_masks_and_no_curves():
    data = samples.binary(
        columns=[], attention=np.empty((0, 0)), attention_steps=np.empty((0, 0, 0)), curves=[],
        trust=None, stability=math.nan, rows=None, cohorts=None,
    )  # fmt: skip
    assert panels.attention_heat(data) is None
    assert panels.step_heat(data) is None
    assert panels.trust_bars(data) is None
    assert curve_panels.curve_charts(data) == ()
    assert panels.schema_table(data).rows[0][-1] is None


def test_curves_mark_the_best_epoch_and_cut_a_wild_start():
    data = samples.binary()
    loss, score = curve_panels.curve_charts(data)
    curve = data.curves[0]
    at = curve.epochs.index(curve.best_epoch)
    first = next(series for series in loss.series if series.style == "line")
    assert first.mark == (curve.best_epoch, curve.valid_loss[at])
    assert score.series[0].mark == (curve.best_epoch, curve.score[at])
    assert loss.series[0].mark is None, "the training loss has no best epoch"
    assert loss.ceiling is None
    wild = dataclasses.replace(curve, train_loss=[1e4, *curve.train_loss[1:]])
    loss = curve_panels.curve_charts(samples.binary(curves=[wild]))[0]
    assert loss.ceiling < 1
    assert "leave the frame" in loss.note


def test_many_members_of_long_runs_are_thinned_and_keep_their_best_epoch():
    rng = np.random.default_rng(0)
    curves = samples.curves(rng, 40, 900, rising=True)
    loss, score = curve_panels.curve_charts(samples.binary(curves=curves))
    n_epochs = sum(len(curve.epochs) for curve in curves)
    every = int(np.ceil(2 * n_epochs / curve_panels.N_CURVE_POINTS))
    assert sum(len(series.x) for series in loss.series) < 1.1 * curve_panels.N_CURVE_POINTS
    members = [series for series in score.series if series.style == "faint"]
    for series, curve in zip(members, curves, strict=True):
        assert series.mark in set(zip(series.x, series.y, strict=True))
        assert (series.x[0], series.x[-1]) == (curve.epochs[0], curve.epochs[-1])
    assert every > 1
    assert f"One epoch in {every} is drawn." in loss.note
    few = curve_panels.curve_charts(samples.binary())[0]
    assert "is drawn" not in few.note
    assert len(few.series[0].x) == len(samples.binary().curves[0].epochs)


def _auc(probability, truth):
    a, b = probability[truth == 1], probability[truth == 0]
    return float((a[:, None] > b).mean() + 0.5 * (a[:, None] == b).mean())


def test_roc_area_is_the_rank_statistic_with_ties():
    rng = np.random.default_rng(0)
    probability = rng.random(400).round(1)
    truth = (rng.random(400) < probability).astype(int)
    fpr, tpr, area = rates.roc_points(probability, truth)
    assert area == pytest.approx(_auc(probability, truth))
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert len(fpr) == len(np.unique(probability)) + 1


def test_roc_of_one_class_is_undefined_and_says_so():
    chart = prediction_panels.roc_chart(
        BinaryPredictions("1", "0", np.array([0.2, 0.4]), np.array([1, 1]))
    )
    assert "one class only" in chart.title
    empty = rates.roc_points(np.array([]), np.array([], dtype=int))
    assert math.isnan(empty[2])


def test_calibration_bins_hold_all_rows_and_their_means():
    rng = np.random.default_rng(0)
    probability = rng.random(5000)
    truth = (rng.random(5000) < probability).astype(int)
    bins = rates.calibration_bins(probability, truth)
    assert len(bins) == 10
    assert sum(b[4] for b in bins) == 5000
    assert {b[4] for b in bins} == {500}
    covered = sum(low <= p <= high for p, _, low, high, _ in bins)
    assert covered >= 8, "calibrated probabilities lie in nearly all 95 % intervals"


@pytest.mark.parametrize("probability", [np.full(50, 0.3), np.repeat([0.0, 1.0], 25)])
def test_calibration_keeps_equal_predictions_together(probability):
    truth = np.tile([0, 1], 25)
    bins = rates.calibration_bins(probability, truth)
    assert sum(b[4] for b in bins) == 50
    assert [b[0] for b in bins] == pytest.approx(np.unique(probability).tolist())


def test_each_class_histogram_adds_up_to_one():
    histogram = prediction_panels.class_histogram(samples.binary().predictions)
    for _, shares in histogram.series:
        assert sum(shares) == pytest.approx(1)
    assert len(histogram.edges) == len(histogram.series[0][1]) + 1
    assert "sample of 4,000 of 12,000" in histogram.note


def test_regression_pictures():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4000)
    error = 0.1 * rng.normal(size=4000)
    error[0] = 1e6
    predictions = RegressionPredictions(truth + error, truth)
    scatter = prediction_panels.truth_scatter(predictions)
    assert len(scatter.x) == prediction_panels.N_POINTS
    histogram = prediction_panels.residual_histogram(predictions)
    assert sum(histogram.series[0][1]) == pytest.approx(1), "far errors are kept at the edge"
    assert histogram.edges[-1] < 1
    exact = prediction_panels.truth_scatter(RegressionPredictions(truth, truth))
    assert "1.000" in exact.title


def test_constant_and_empty_regression_do_not_fail():
    one = RegressionPredictions(np.ones(3), np.ones(3))
    none = RegressionPredictions(np.empty(0), np.empty(0))
    for predictions in (one, none):
        data = samples.regression(predictions=predictions)
        assert len(prediction_panels.prediction_figures(data)) == 2


def test_beside_a_large_harm_a_tiny_one_is_about_zero():
    data = samples.binary()
    harm = [18.25, 3.5e-8, -4.8e-10, 0.5, 0.0, *[0.1] * (len(data.columns) - 5)]
    attention = sorted(data.trust.attention, reverse=True)
    trust = replace(data.trust, attention=attention, harm=harm)
    figure = panels.trust_bars(replace(data, trust=trust))
    svg, _, _ = draw.picture_svg(figure)
    assert svg.count("≈ 0<") == 2
    for shown in ("18.2500", "0.5000", "0.0000"):
        assert f">{shown}<" in svg
    assert "3.50e-08" not in svg
    assert "3.5e-08" in draw.figure_html(figure), "the table has all digits"


def test_trust_rows_follow_attention():
    bars = panels.trust_bars(samples.binary())
    assert list(bars.left) == sorted(bars.left, reverse=True)
    assert "0.81" in bars.note
    assert "shown" not in bars.note
    trust = samples.binary().trust
    many = replace(
        trust, columns=[f"c{i}" for i in range(30)], attention=[0.0] * 30, harm=[0.0] * 30
    )
    bars = panels.trust_bars(replace(samples.binary(), trust=many))
    assert len(bars.table.rows) == 30
    assert "The 20 most-read of 30 columns are shown." in bars.note


def curve(fold, losses, best_epoch):
    epochs = list(range(1, len(losses) + 1))
    return Curve(f"fold {fold + 1}", epochs, losses, losses, losses, best_epoch, fold)


def test_seeds_of_a_fold_are_faint_behind_their_mean():
    curves = [curve(0, [4.0, 2.0, 1.0], 3), curve(0, [2.0, 4.0], 1), curve(1, [5.0], 1)]
    loss, score = curve_panels.curve_charts(samples.binary(curves=curves))
    mean = next(s for s in score.series if s.group == 0 and s.style == "line")
    assert mean.y == (3.0, 3.0, 2.5), "one that has stopped counts with its last value"
    assert mean.mark is None
    assert [s.group for s in score.series] == [0, 0, 0, 1], "members of a fold share a colour"
    assert [s.mark for s in score.series if s.style == "faint"] == [(3.0, 1.0), (1.0, 2.0)]
    assert [s.y for s in score.series if s.group == 1] == [(5.0,)], "one seed is its own mean"
    assert "mean of a fold's seeds" in score.note
    assert [s.style for s in loss.series].count("dashed") == 2, "training: the means alone"


def test_more_folds_than_colours_share_one_line():
    curves = [curve(fold, [float(fold), 1.0], 1) for fold in range(20)]
    _, score = curve_panels.curve_charts(samples.binary(curves=curves))
    assert {s.group for s in score.series} == {0}, "no colour stands for two folds"
    assert [s.style for s in score.series] == ["faint"] * 20 + ["line"]
    assert score.series[-1].y == (9.5, 1.0)
    assert "mean of all folds" in score.note


@pytest.mark.parametrize(("n_folds", "wide"), [(8, False), (20, True)])
def test_a_leaderboard_of_many_folds_prints_their_ends(n_folds, wide):
    rows = samples.leaderboard(np.random.default_rng(0), n_folds, 0.9, 1.0)
    table = panels.leaderboard_table(samples.binary(leaderboard=rows))
    names = [column.label for column in table.columns]
    assert {column.label for column in table.columns if column.screen} == (
        {f"Fold {i + 1}" for i in range(n_folds)} if wide else set()
    )
    assert ("Lowest fold" in names) == wide
    if wide:
        best = max(rows, key=lambda row: row["mean"])
        ends = [table.rows[0][names.index(f"{end} fold")] for end in ("Lowest", "Highest")]
        assert ends == [min(best["folds"]), max(best["folds"])]
        assert 'class="ta-num ta-screen"' in table_html(table)
