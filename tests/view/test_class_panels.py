"""The numbers behind the pictures of several classes, against scikit-learn where it has them."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score
from view import samples

from tabnet_auto.reporting import SAMPLE, out_of_fold_sample
from tabnet_auto.schema import Schema
from tabnet_auto.view import class_panels, draw, rates
from tabnet_auto.view.page import render_page
from tabnet_auto.view.prediction_panels import prediction_figures
from tabnet_auto.view.report_data import MulticlassPredictions

SEVEN = samples.multiclass().predictions
MANY = samples.multiclass(n_classes=30).predictions


def test_confusion_folds_rare_classes_without_losing_rows():
    data = samples.multiclass(n_classes=30).predictions
    shown = class_panels.confusion(data)
    counts = np.array(shown.counts)
    assert counts.shape == (26, 26)
    assert counts.sum() == data.counts.sum()
    assert shown.labels[-1] == "5 others"
    kept = [data.labels.index(label) for label in shown.labels[:-1]]
    assert (counts[:-1, :-1] == data.counts[np.ix_(kept, kept)]).all()
    right = np.trace(data.counts) / data.counts.sum()
    assert right < np.trace(counts) / counts.sum(), "rare classes hide their confusions"
    assert shown.title == f"Confusion matrix: {right:.1%} right"


def test_class_table_is_recall_and_precision():
    table = class_panels.class_table(MulticlassPredictions(["a", "b", "c"], np.array(
        [[8, 2, 0], [1, 4, 0], [0, 0, 0]])))  # fmt: skip
    assert table.rows == (("a", 10, 0.8, 8 / 9), ("b", 5, 0.8, 4 / 6), ("c", 0, None, None))


def test_every_class_has_its_area_against_the_rest():
    rows = class_panels.class_table(SEVEN).rows
    for i, row in enumerate(rows):
        own, p = SEVEN.truth == i, SEVEN.probability[:, i]
        assert row[4] == pytest.approx(roc_auc_score(own, p))
        assert row[5] == pytest.approx(average_precision_score(own, p))


@pytest.mark.parametrize("predictions", [SEVEN, MANY])
def test_curves_are_of_the_most_frequent_classes_and_say_so(predictions):
    counts = np.bincount(predictions.truth, minlength=len(predictions.labels))
    order = np.argsort(-counts, kind="stable")[:7]
    for chart in (class_panels.class_roc(predictions), class_panels.class_precision(predictions)):
        assert [series.label for series in chart.series] == [predictions.labels[i] for i in order]
        assert [row[0] for row in chart.table.rows] == [predictions.labels[i] for i in order]
        some = len(order) < len(predictions.labels)
        assert ("Each of the 7 most frequent of 30 classes" in chart.note) == some
        assert f"sample of {len(predictions.truth):,} of {predictions.n_rows:,}" in chart.note
        assert max(len(series.x) for series in chart.series) <= 202
        svg, _, height = draw.picture_svg(chart)
        assert height > 420, "the legend takes nothing from the curves"
        for series in chart.series:
            assert f">{series.label}<" in svg, "every line is named"
    one = SEVEN.truth == 3
    drawn = class_panels.class_roc(SEVEN)
    row = next(row for row in drawn.table.rows if row[0] == SEVEN.labels[3])
    assert row[2] == pytest.approx(roc_auc_score(one, SEVEN.probability[:, 3]))
    threshold = np.quantile(SEVEN.probability[~one, 3], 0.9)
    assert row[5] == pytest.approx((SEVEN.probability[one, 3] >= threshold).mean(), abs=0.02)
    mean = np.mean([row[2] for row in drawn.table.rows])
    assert f"mean AUC {mean:.4f}" in drawn.title


def test_the_curve_of_a_rare_class_is_drawn_as_it_is():
    rng = np.random.default_rng(0)
    truth = np.zeros(5000, np.int64)
    truth[:20] = 1
    p = rng.random(5000) * 0.9 + 0.1 * truth * rng.random(5000)
    p[:12] = 0.97 + 0.03 * rng.random(12)
    p[40:70] = 0.97 + 0.02 * rng.random(30)
    for points in (rates.precision_points, rates.roc_points):
        x, y, _ = points(p, truth)
        keep = rates.along(x, y)
        assert len(keep) <= 202
        assert (keep[0], keep[-1]) == (0, len(x) - 1)
        nearest = np.abs(x[:, None] - x[keep]) + np.abs(y[:, None] - y[keep])
        assert nearest.min(axis=1).max() < 0.06, "no point is far from one that is drawn"


def test_long_names_have_fewer_to_a_line():
    long = replace(SEVEN, labels=[f"a rather long name of a class, {i}" for i in range(7)])
    heights = [draw.picture_svg(class_panels.class_roc(p))[2] for p in (SEVEN, long)]
    assert heights[0] < heights[1]


def test_calibration_is_of_the_class_that_was_predicted():
    named = (SEVEN.probability.argmax(axis=1) + 1) % 7
    odd = replace(SEVEN, predicted=named)
    chart = class_panels.confidence_chart(odd)
    confidence = odd.probability[np.arange(len(named)), named]
    right = named == odd.truth
    assert sum(row[4] for row in chart.table.rows) == len(named)
    share = sum(row[1] * row[4] for row in chart.table.rows) / len(named)
    assert share == pytest.approx(right.mean())
    assert f"Mean probability {confidence.mean():.1%}, {right.mean():.1%} right." in chart.note
    histogram = class_panels.confidence_histogram(SEVEN)
    assert [name for name, _ in histogram.series] == ["right", "wrong"]
    for _, shares in histogram.series:
        assert sum(shares) == pytest.approx(1)


def test_a_class_without_a_row_and_one_class_alone_do_not_fail():
    truth = np.zeros(9, np.int64)
    share = np.tile([0.5, 0.3, 0.2], (9, 1))
    one = MulticlassPredictions(["a", "b", "c"], np.diag([9, 0, 0]), share, truth, truth, 9)
    chart = class_panels.class_roc(one)
    assert [series.label for series in chart.series] == ["a"]
    rows = class_panels.class_table(one).rows
    assert np.isnan([rows[0][4], rows[1][4], rows[1][5]]).all()
    data = samples.multiclass(predictions=one)
    assert "ROC by class: AUC not defined" in render_page(data)
    for figure in prediction_figures(data):
        assert "nan" not in f"{figure.title} {figure.alt} {figure.note}"
        assert "NaN" not in draw.picture_svg(figure)[0]


def test_without_probabilities_the_confusion_matrix_remains():
    bare = MulticlassPredictions(SEVEN.labels, SEVEN.counts)
    figures = prediction_figures(samples.multiclass(predictions=bare))
    assert [type(figure).__name__ for figure in figures] == ["Confusion"]
    assert len(prediction_figures(samples.multiclass())) == 5


def test_labels_count_in_the_matrix_and_probabilities_in_the_curves():
    rng = np.random.default_rng(0)
    n = SAMPLE + 1000
    y = rng.integers(0, 3, n)
    oof = rng.dirichlet(np.ones(3), n)
    oof[:10] = np.nan
    decided = np.eye(3)[rng.integers(0, 3, n)]
    schema = Schema("y", "multiclass", "", ("a", "b", "c"), ())
    made = out_of_fold_sample(schema, y, oof, decided)
    assert made.counts.sum() == made.n_rows == n - 10
    assert len(made.truth) == SAMPLE
    assert made.counts[1, 2] == ((y == 1) & (decided.argmax(axis=1) == 2))[10:].sum()
    places = [int(np.flatnonzero((oof == row).all(axis=1))[0]) for row in made.probability[:50]]
    assert made.truth[:50].tolist() == y[places].tolist()
    assert made.predicted[:50].tolist() == decided[places].argmax(axis=1).tolist()
