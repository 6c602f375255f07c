"""The numbers behind scores, steps, rows, groups, trust and drift, and how they are packed."""

import re
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from view import samples
from view.samples import unpack

from tabnet_auto.view import draw, evidence_panels, prediction_panels, rates
from tabnet_auto.view.packed import pack
from tabnet_auto.view.page import render_page
from tabnet_auto.view.report_data import BinaryPredictions


def test_what_is_packed_comes_out():
    data = samples.binary()
    found, levels = unpack(pack(data))
    assert found["columns"] == data.columns
    np.testing.assert_allclose(found["fold"], data.attention, atol=1e-5)
    np.testing.assert_allclose(found["step"], data.attention_steps, atol=1e-5)
    rows = found["rows"]
    np.testing.assert_array_equal(levels.reshape(rows["shape"]), data.rows.levels)
    assert rows["cells"] == data.rows.cells
    assert rows["heldOut"] == data.rows.held_out
    np.testing.assert_allclose(found["cohorts"]["mean"], data.cohorts.mean, atol=1e-5)
    assert found["cohorts"]["members"] == data.cohorts.members
    assert unpack(pack(replace(data, rows=None)))[0]["cohorts"]["members"] == []
    assert pack(data) == pack(samples.binary())


def test_seeds_are_packed_where_there_are_several():
    data = samples.binary(n_seeds=3)
    found, _ = unpack(pack(data))
    np.testing.assert_allclose(found["foldSeeds"], data.seed_attention, atol=1e-5)
    np.testing.assert_allclose(found["stepSeeds"], data.seed_steps, atol=1e-5)
    np.testing.assert_allclose(np.mean(found["foldSeeds"], axis=1), found["fold"], atol=2e-5)
    found, _ = unpack(pack(samples.regression(n_columns=9)))
    assert not {"foldSeeds", "stepSeeds"} & set(found)


def test_text_without_utf8_and_numbers_without_value_are_packed():
    data = samples.binary()
    odd = replace(data.rows, names=["\ud800"] * 60, error=[float("nan")] * 60)
    found, _ = unpack(pack(samples.binary(rows=odd)))
    assert found["rows"]["names"][0] == "?"
    assert found["rows"]["error"][0] is None


@pytest.mark.parametrize(
    ("n_columns", "n_seeds", "kept"), [(300, 1, 1), (500, 1, 1), (150, 4, 4), (500, 4, 1)]
)
def test_a_full_sample_of_rows_stays_under_two_megabytes(n_columns, n_seeds, kept):
    from tabnet_auto.evidence.rows import sample_size

    n, found = sample_size(5, n_seeds, 3, n_columns)
    assert n >= 40
    assert found == kept
    rng = np.random.default_rng(0)
    data = samples.regression(n_columns=n_columns)
    own = samples.rows(rng, data.attention_steps, n, ["200,000"], kept)
    wide = replace(
        own, cells=[[f"{v:.5g} of a long text" for v in r] for r in rng.random((n, n_columns))]
    )
    by = [f"sensor_{i // 6:03d}" for i in range(144)]
    mean = rng.dirichlet(np.ones(n_columns), 144)
    groups = replace(
        data.cohorts, by=by, label=by, n_rows=[9] * 144, mean=mean, error=mean / 3,
        members=[[i for i in range(n) if (i * 7 + k) % 6 == 0] for k in range(144)],
    )  # fmt: skip
    page = render_page(
        samples.regression(n_columns=n_columns, n_seeds=n_seeds, rows=wide, cohorts=groups)
    )
    assert len(page.encode()) < 2_000_000


def test_the_strip_has_every_folds_score():
    data = samples.binary()
    strip = evidence_panels.score_strip(data)
    assert strip.rows == tuple(row["name"] for row in data.leaderboard)
    assert strip.values[0] == pytest.approx(data.leaderboard[0]["folds"])
    assert strip.table.rows[0][2] == pytest.approx(np.std(data.leaderboard[0]["folds"], ddof=1))
    one = [{**row, "folds": row["folds"][:1]} for row in data.leaderboard]
    assert evidence_panels.score_strip(samples.binary(leaderboard=one)) is None


def test_steps_say_what_they_add_or_that_it_was_not_measured():
    data = samples.binary()
    bars = evidence_panels.step_bars(data)
    assert bars.left == pytest.approx((2 / 3, 1 / 3))
    assert bars.right == pytest.approx((0.02, 0.01))
    unknown = np.full((5, 2), np.nan)
    work = replace(data.step_work, change=unknown, harm=unknown)
    assert evidence_panels.step_bars(samples.binary(step_work=work)).right_label == "not measured"
    assert evidence_panels.step_bars(samples.binary(step_work=None)) is None


def test_the_row_table_names_what_the_rows_own_fold_looked_at():
    data = samples.binary()
    levels = np.zeros_like(data.rows.levels)
    levels[data.rows.held_out[0], :, :, 0, 5] = 255
    levels[(data.rows.held_out[0] + 1) % 5, :, :, 0, 7] = 255
    table = evidence_panels.rows_table(
        samples.binary(rows=replace(data.rows, levels=levels, peak=0.9))
    )
    assert table.rows[0][0] == "row 0"
    assert table.rows[0][4].startswith(f"cabin_deck = {data.rows.cells[0][5]} (90%)")
    assert len(table.rows) == evidence_panels.N_TABLE_ROWS
    assert table.caption == "Rows with the largest errors out of fold: 12 of 30"


def test_group_heat_shows_the_first_two_groupings():
    data = samples.binary()
    heat = evidence_panels.cohort_heat(data)
    assert [title for title, _ in heat.groups] == ["true class", "error, by tenths"]
    top = data.columns.index(heat.rows[0])
    assert heat.values[0] == pytest.approx(data.cohorts.mean[:12, top])
    assert "3 more groups are in this page's explorer" in heat.note


def test_drift_puts_first_what_is_read_and_moved():
    data = samples.binary()
    bars = evidence_panels.drift_bars(data)
    assert bars.rows[0] == data.columns[1]
    assert bars.right[0] == 0.31
    assert max(bars.right[1:]) < 0.021
    assert set(bars.right_mark) == {0.021}
    svg, _, _ = draw.picture_svg(bars)
    assert svg.count('class="bar-pale"') == 13, "what chance does is pale, and is not nothing"
    assert svg.count('class="range"') == 14
    assert "1 of 14 columns moved" in evidence_panels.drift_sentence(data.drift)
    still = replace(data.drift, shift=[0.0] * 14)
    assert evidence_panels.drift_sentence(still).startswith("No column of the 800 test rows")
    histogram = evidence_panels.drift_histogram(data.drift)
    for _, shares in histogram.series:
        assert sum(shares) == pytest.approx(1.0)


def test_predictions_of_several_classes_are_compared_class_by_class():
    data = samples.multiclass()
    drift = replace(
        data.drift, of_class="", classes=["a", "b", "c"], train=np.array([0.2, 0.5, 0.3]),
        test=np.array([0.1, 0.3, 0.6]),
    )  # fmt: skip
    bars = evidence_panels.drift_classes(drift)
    assert bars.rows == ("c", "b", "a")
    assert (bars.left, bars.right) == ((0.3, 0.5, 0.2), (0.6, 0.3, 0.1))
    assert bars.left_full == bars.right_full == 0.6, "both sides have one scale"
    assert "Furthest apart: 'c', 30.0% and 60.0%." in bars.note
    assert evidence_panels.drift_histogram(drift) is None
    page = render_page(replace(data, drift=drift))
    assert page.count("Predictions of training and test rows") == 1
    assert evidence_panels.drift_classes(data.drift) is None


def test_a_tiny_shift_has_a_tiny_bar():
    def widest(beyond):
        data = samples.binary()
        moved = replace(data.drift, shift=[beyond] * 14, chance=[0.001] * 14)
        svg, _, _ = draw.picture_svg(evidence_panels.drift_bars(replace(data, drift=moved)))
        bars = re.findall(r'<rect class="bar" x="([0-9.]+)" y="[0-9.]+" width="([0-9.]+)"', svg)
        return max(float(width) for x, width in bars if float(x) > 500)

    assert widest(0.3) == widest(0.1) == 310
    assert widest(0.002) < 10


def test_the_legend_shows_a_dashed_curve_as_one():
    svg, _, _ = draw.picture_svg(
        evidence_panels.trust_chart(samples.binary().trust_curves[0], "loss")
    )
    legend = svg[: svg.index("attention</text>")], svg[: svg.index("random</text>")]
    assert [part[part.rindex("<path") :].count("dashed") for part in legend] == [0, 1]


def test_trust_curves_carry_their_verdict():
    data = samples.binary()
    chart = evidence_panels.trust_chart(data.trust_curves[0], "loss")
    assert [series.label for series in chart.series] == list(data.trust_curves[0].losses)
    assert "each row's own order" not in chart.note, "there is no order of the fold's mean"
    losses = {name: [0.1, 0.2] for name in ("attention", "fold mean")}
    both = replace(data.trust_curves[0], share=[0.0, 1.0], losses=losses)
    assert "each row's own order" in evidence_panels.trust_chart(both, "loss").note
    page = render_page(data)
    assert page.count("<strong>Deleting by attention hurts more than at random.</strong>") == 1


@pytest.mark.parametrize("ties", [False, True])
def test_average_precision_is_scikit_learns(ties):
    rng = np.random.default_rng(0)
    truth = (rng.random(500) < 0.2).astype(np.int64)
    p = np.clip(truth * 0.2 + rng.random(500) * 0.8, 0, 1)
    p = p.round(1) if ties else p
    _, _, average = rates.precision_points(p, truth)
    assert average == pytest.approx(average_precision_score(truth, p))


def test_the_confusion_of_two_classes_is_at_the_threshold():
    predictions = BinaryPredictions(
        "yes", "no", np.array([0.2, 0.5, 0.7, 0.4]), np.array([0, 0, 1, 1])
    )
    made = prediction_panels.threshold_confusion(predictions)
    assert made.counts == ((1, 1), (1, 1))
    assert made.labels == ("no", "yes")
    tuned = prediction_panels.threshold_confusion(replace(predictions, threshold=0.3))
    assert tuned.counts == ((1, 1), (0, 2))
    assert tuned.title == "Confusion at 0.3: 75.0% right"
    assert "'yes' from a probability of 0.3." in tuned.note
    assert made.title == "Confusion at 0.5: 50.0% right"
