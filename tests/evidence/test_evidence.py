"""Evidence on real rows: which rows, who reads them, groups, steps, drift, and its saved form."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from train_helpers import LAYOUT, make_members, make_table, make_tables

from tabnet_auto import Preset, auto_fit, load
from tabnet_auto.config import NetConfig, PaperConfig, TrainConfig
from tabnet_auto.decisions import Decision
from tabnet_auto.evidence.cohorts import MAX_VALUES, _number, measure_cohorts
from tabnet_auto.evidence.drift import shift_of
from tabnet_auto.evidence.read import survey_rows
from tabnet_auto.evidence.record import Drift, Evidence, RowSample
from tabnet_auto.evidence.rows import _short, choose_groups, row_errors, sample_size
from tabnet_auto.evidence.shown import shown_drift, shown_rows
from tabnet_auto.infer import infer_schema
from tabnet_auto.metrics import get_metric
from tabnet_auto.result.dashboard import attend
from tabnet_auto.train.members import Task
from tabnet_auto.view.report_data import MulticlassPredictions

NET = NetConfig(n_steps=2, n_hidden=24, n_layers=1, n_bins=4, n_context=8)
TRAIN = TrainConfig(max_epochs=8, batch_size=32)


def make_frame(n=300, seed=0):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "size": rng.normal(size=n),
            "kind": rng.choice(["flat", "house", "boat"], n),
            "noise": rng.normal(size=n),
        }
    )
    frame["y"] = np.where(frame["size"] + (frame["kind"] == "boat") > 0.3, "yes", "no")
    frame.loc[[4, 40], "size"] = np.nan
    return frame


@pytest.fixture(scope="module")
def frame():
    frame = make_frame()
    frame.loc[[0, 7], "y"] = None
    return frame


@pytest.fixture(scope="module")
def learned(frame):
    test = make_frame(120, seed=1).drop(columns="y").assign(noise=lambda d: d["noise"] + 2)
    return auto_fit(
        frame, "y", preset=Preset(net=NET, train=TRAIN, n_seeds=2), folds=3, test=test,
        blend="uniform", verbose=False,
    )  # fmt: skip


def test_rows_are_read_as_attention_reads_them(frame, learned):
    sample = learned.evidence.rows
    weights = sample.peak * (sample.levels / 255.0) ** 2
    assert weights.shape[:3] == (3, 2, 2), "folds, seeds, steps"
    chosen = frame.iloc[sample.row]
    expected = learned.attention.rows(chosen)
    np.testing.assert_allclose(weights.mean(axis=1), expected, atol=0.01)
    every = attend(learned, chosen)
    np.testing.assert_allclose(weights, every.masks, atol=0.01)
    np.testing.assert_allclose(sample.sizes.sum(axis=2), 1.0, atol=1e-5)
    assert 0 not in sample.row
    assert 7 not in sample.row


def test_rows_say_who_held_them_out_and_what_was_predicted(frame, learned):
    sample = learned.evidence.rows
    known = np.flatnonzero(frame["y"].notna())
    place = np.searchsorted(known, sample.row)
    for i, fold in enumerate(sample.held_out):
        member = learned.folds.of_fold(int(fold))[0]
        assert place[i] in learned.folds.valid[member]
        np.testing.assert_allclose(sample.outputs[fold, i], sample.predicted[i], atol=1e-5)
    np.testing.assert_allclose(sample.predicted, learned.oof[sample.row])
    truth = frame["y"].iloc[sample.row].to_numpy()
    assert [learned.classes_[t] for t in sample.truth] == truth.tolist()
    size = [cells[0] for cells in sample.cells]
    assert all((text == "") == np.isnan(v) for text, v in
               zip(size, frame["size"].iloc[sample.row], strict=True))  # fmt: skip


@pytest.mark.parametrize(
    ("values", "decision"),
    [
        (("no", "yes"), Decision("threshold", (0.2,))),
        (("a", "b", "c"), Decision("offsets", (0.0, 2.0, -1.0))),
        (("a", "b", "c"), Decision("cut_points", (0.4, 1.8))),
        (("a", "b", "c"), Decision()),
    ],
)
def test_rows_are_labelled_as_predict_does(values, decision):
    rng = np.random.default_rng(0)
    n, k = 60, len(values)
    schema = infer_schema(pd.DataFrame({"x": rng.normal(size=n), "y": rng.choice(values, n)}), "y")
    p, outputs = rng.dirichlet(np.ones(k), n), rng.dirichlet(np.ones(k), (2, n))
    sample = RowSample(
        row=np.arange(n), held_out=np.zeros(n, int), levels=np.zeros((2, 1, 1, n, 1), np.uint8),
        peak=1.0, sizes=np.ones((2, 1, 1, n)), outputs=outputs, predicted=p,
        truth=rng.integers(0, k, n), error=np.zeros(n), cells=[["1"]] * n, groups={},
    )  # fmt: skip
    shown = shown_rows(Evidence(rows=sample), schema, n, decision.labels)
    for words, probabilities in ((shown.predicted, p), *zip(shown.by_fold, outputs, strict=True)):
        labels = decision.labels(probabilities)
        assert words == [
            f"{schema.classes[label]} ({own[label]:.0%})"
            for label, own in zip(labels, probabilities, strict=True)
        ]
        assert (labels != probabilities.argmax(axis=1)).any() == bool(decision.values)


def test_a_report_labels_rows_as_the_models_threshold_does(learned):
    strict = replace(learned, decision=Decision("threshold", (0.05,)))
    sample, shown = strict.evidence.rows, strict._report_data().rows
    expected = strict.classes_[strict.decision.labels(sample.predicted)]
    assert [words.split(" (")[0] for words in shown.predicted] == expected.tolist()
    assert shown.predicted != learned._report_data().rows.predicted


def test_groups_are_what_their_names_say():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 500)
    p = rng.random(500)
    predicted = np.stack([1 - p, p], axis=1)
    predicted[:5] = np.nan
    groups = choose_groups(predicted, truth, ("no", "yes"), 100)
    error = row_errors(predicted, truth)
    worst = groups["largest errors"]
    assert len(worst) == 25
    assert np.nanmin(error[worst]) >= np.sort(error[5:])[-25]
    assert np.all(np.diff(error[worst]) <= 0)
    near = np.abs(p - 0.5)[groups["near the threshold"]]
    assert near.max() <= np.sort(np.abs(p - 0.5))[30]
    tuned = choose_groups(predicted, truth, ("no", "yes"), 100, threshold=0.2)
    near = np.abs(p - 0.2)[tuned["near the threshold"]]
    assert near.max() <= np.sort(np.abs(p - 0.2))[30], "the threshold of the model"
    assert set(truth[groups["truly yes"]]) == {1}
    assert not set(np.concatenate(list(groups.values()))) & set(range(5)), "never held out"
    values = choose_groups(p, rng.normal(size=500), (), 100)
    assert list(values) == [
        "largest errors", "lowest fifth of the truth", "second fifth of the truth",
        "middle fifth of the truth", "fourth fifth of the truth", "highest fifth of the truth",
        "random",
    ]  # fmt: skip
    assert choose_groups(np.full(9, np.nan), np.zeros(9), (), 100) == {}


def test_drift_of_several_classes_compares_their_mean_probabilities():
    rng = np.random.default_rng(0)
    p, test = rng.dirichlet(np.ones(3), 50), rng.dirichlet(np.ones(3), 20)
    truth = rng.integers(0, 3, 50)
    predictions = MulticlassPredictions(list("abc"), np.eye(3, dtype=np.int64), p, truth, truth)
    drift = Drift(["x"], np.array([0.1]), np.array([0.2]), test, 20)
    shown = shown_drift(Evidence(drift=drift), predictions)
    assert shown.classes == ["a", "b", "c"]
    np.testing.assert_allclose(shown.train, p.mean(axis=0))
    np.testing.assert_allclose(shown.test, test.mean(axis=0))
    bare = MulticlassPredictions(list("abc"), np.eye(3, dtype=np.int64))
    assert shown_drift(Evidence(drift=drift), bare).classes == []


def test_the_sample_shrinks_with_folds_seeds_steps_and_columns():
    assert sample_size(5, 1, 2, 10) == (400, 1)
    assert sample_size(5, 3, 2, 10) == (400, 3)
    assert sample_size(5, 1, 2, 300) == (133, 1)
    assert sample_size(5, 4, 2, 300) == (41, 4)
    assert sample_size(5, 5, 2, 300) == (133, 1), "more rows are worth more than the seeds"
    assert sample_size(10, 3, 3, 5000) == (40, 1)


def test_groups_of_rows_average_their_own_rows():
    rng = np.random.default_rng(0)
    n = 400
    frame = pd.DataFrame(
        {
            "number": rng.normal(size=n),
            "letter": rng.choice(list("abcdefghijkl"), n),
            "few": rng.choice([1, 2, 10], n),
        }
    )
    frame.loc[:19, "number"] = np.nan
    frame["y"] = rng.normal(size=n)
    schema = infer_schema(frame, "y")
    attention = rng.dirichlet(np.ones(3), n)
    truth = frame["y"].to_numpy()
    found = measure_cohorts(attention, ["number", "letter", "few"], frame, schema, truth, truth + 1)
    by, label = np.array(found.by), np.array(found.label)
    ten = (by == "few") & (label == "10")
    rows = frame["few"].to_numpy() == 10
    np.testing.assert_allclose(found.mean[ten][0], attention[rows].mean(axis=0))
    expected = attention[rows].std(axis=0, ddof=1) / np.sqrt(rows.sum())
    np.testing.assert_allclose(found.error[ten][0], expected)
    assert label[by == "few"].tolist() == ["1", "2", "10"], "numbers in their order"
    letters = label[by == "letter"].tolist()
    assert len(letters) == MAX_VALUES + 1
    assert letters[-1] == "(5 others)"
    assert found.n_rows[by == "letter"].sum() == n
    assert label[by == "number"].tolist()[-1] == "(missing)"
    assert found.n_rows[by == "number"].tolist() == [76] * 5 + [20]
    assert found.n_rows[by == "error, by tenths"].sum() == n
    assert found.n_rows[by == "true value"].tolist() == [80] * 5


def test_a_row_of_the_sample_is_in_the_group_its_values_say(frame, learned):
    sample, groups = learned.evidence.rows, learned.evidence.cohorts
    rows = frame.iloc[sample.row].reset_index(drop=True)
    for by, label, members in zip(groups.by, groups.label, groups.members, strict=True):
        own = rows.iloc[members]
        if by in ("true class", "kind"):
            assert (
                members == np.flatnonzero(rows["y" if by == "true class" else by] == label).tolist()
            )
        elif by in ("size", "noise") and label == "(missing)":
            assert members == np.flatnonzero(rows[by].isna()).tolist()
        elif by in ("size", "noise"):
            low, high = (float(end) for end in label.split(" to "))
            assert own[by].between(low - 1e-3, high + 1e-3).all()
    for by in ("true class", "error, by tenths", "kind", "noise"):
        every = [i for own, other in zip(groups.members, groups.by, strict=True)
                 if other == by for i in own]  # fmt: skip
        assert sorted(every) == list(range(len(rows))), "each row in one group"
    tenths = [i for i, by in enumerate(groups.by) if by == "error, by tenths"]
    means = [sample.error[groups.members[i]].mean() for i in tenths if len(groups.members[i])]
    assert means == sorted(means)


def test_rows_that_make_no_group_join_the_one_they_fall_into():
    n = 100
    frame = pd.DataFrame({"number": np.arange(n) / 10, "letter": ["a", "b"] * 50})
    extra = pd.DataFrame({"number": [-5.0, 3.33, 99.0, np.nan], "letter": ["b", "a", "c", None]})
    both = pd.concat([frame, extra], ignore_index=True)
    schema = infer_schema(frame.assign(y=frame["number"]), "y")
    truth = np.array([*np.arange(n), -1.0, 0.0, 50.0, 1e6])
    attention = np.random.default_rng(0).dirichlet(np.ones(2), n)
    predicted = np.zeros(n + 4)
    found = measure_cohorts(attention, ["number", "letter"], both, schema, truth, predicted)
    alone = measure_cohorts(
        attention, ["number", "letter"], frame, schema, truth[:n], predicted[:n]
    )
    assert alone.members == [[]] * len(alone.by)
    assert alone.n_rows.tolist() == found.n_rows.tolist(), "the groups are those of the read rows"
    np.testing.assert_array_equal(alone.mean, found.mean)
    members = {}
    for by, own in zip(found.by, found.members, strict=True):
        members.setdefault(by, []).append(own)
    assert members["number"] == [[0], [1], [], [], [2]], "the missing one is in none"
    assert members["letter"] == [[1], [0]], "nor is a level of its own"
    assert members["true value"] == [[0, 1], [], [2], [], [3]]
    assert members["error, by tenths"] == [[0, 1], [], [], [], [], [2], [], [], [], [3]]
    labels = [name for name, by in zip(found.label, found.by, strict=True) if by == "number"]
    assert labels[0].startswith("-5 to "), "and a range holds all of its rows"


def test_ends_of_ranges_are_read_at_a_glance():
    ends = (14_999.0, 500_001.0, 123_456.7, 1985.0, 3.14159, -25_000.0)
    words = ["14,999", "500,001", "123,457", "1985", "3.142", "-25,000"]
    assert [_number(end) for end in ends] == words


def test_cells_keep_four_digits_of_broken_numbers_and_all_of_texts():
    texts = ("0.0154618", "-122.4194", "34.1", "3.10", "1.2.3.4.5", "63042", "Never-married")
    kept = ["0.01546", "-122.42", "34.1", "3.10", "1.2.3.4.5", "63042", "Never-married"]
    assert [_short(text) for text in texts] == kept


def test_steps_share_the_work_and_their_choice_matters(learned):
    work = learned.evidence.steps
    assert work.size.shape == work.change.shape == work.harm.shape == (3, 2)
    np.testing.assert_allclose(work.size.sum(axis=1), 1.0, atol=1e-5)
    assert (work.change > 0).all()
    assert (work.change < 1).all()


def test_a_step_without_strength_loses_nothing_by_not_choosing():
    torch.manual_seed(0)
    design, folds = make_table(), make_members()
    design = replace(design, x_stat=np.zeros((3, design.n_rows, 0), np.float32))
    tables = make_tables(design, folds)
    task = Task(design, LAYOUT, tables, folds, get_metric("auto", "binary"), np.array(["a", "b"]))
    net = task.build(NET, torch.device("cpu"))
    for step in net.steps:
        step.query.data.normal_()
    net.head.weight.data.normal_()
    assert (survey_rows(net, task).steps.change[:, 0] > 0).all(), "the control: it does choose"
    net.steps[0].strength.data.fill_(-torch.inf)
    work = survey_rows(net, task).steps
    np.testing.assert_array_equal(work.change[:, 0], 0.0)
    np.testing.assert_array_equal(work.harm[:, 0], 0.0)


def test_the_network_is_left_as_it_was(frame, learned):
    again = auto_fit(
        frame, "y", preset=Preset(net=NET, train=TRAIN, n_seeds=2), folds=3, blend="uniform",
        verbose=False,
    )  # fmt: skip
    np.testing.assert_array_equal(again.predict_proba(frame), learned.predict_proba(frame))
    assert all(np.isfinite(v.numpy()).all() for v in learned.net.state_dict().values())
    assert again.evidence.drift is None


def test_steps_of_the_published_network_are_not_measured_by_uniform_masks(frame):
    net = PaperConfig(n_d=4, n_a=4, virtual_batch_size=64)
    preset = Preset(net=net, train=TrainConfig(max_epochs=2, batch_size=64), n_seeds=1)
    work = auto_fit(frame, "y", preset=preset, folds=2, verbose=False).evidence.steps
    assert np.isnan(work.harm).all()
    np.testing.assert_allclose(work.size.sum(axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("ordered", [True, False])
def test_shift_tells_moved_from_dealt_at_random(ordered):
    rng = np.random.default_rng(0)
    make = (lambda move: rng.normal(move, 1, 1500)) if ordered else (
        lambda move: rng.choice(list("abcd"), 1500, p=np.array([1 + 4 * move, 1, 1, 1])
                                / (4 + 4 * move)))  # fmt: skip
    moved, chance = shift_of(make(0.0), make(0.5), ordered=ordered)
    assert moved > 2 * chance
    beyond = [np.subtract(*shift_of(make(0), make(0), ordered=ordered)) > 0 for _ in range(60)]
    assert np.mean(beyond) < 0.2, "the negative control: about 1 in 20"


def test_shift_is_the_known_distance():
    from scipy.stats import ks_2samp

    rng = np.random.default_rng(0)
    a, b = rng.normal(size=300), rng.normal(0.4, 1, 200)
    assert shift_of(a, b, ordered=True)[0] == pytest.approx(ks_2samp(a, b).statistic)
    half = np.array(["a"] * 10), np.array(["a"] * 5 + ["b"] * 5)
    assert shift_of(*half, ordered=False)[0] == pytest.approx(0.5)
    gone = np.array([1.0] * 10), np.array([1.0] * 6 + [np.nan] * 4)
    assert shift_of(*gone, ordered=True)[0] == pytest.approx(0.4), "missing is a value"


def test_drift_names_the_column_that_moved(learned):
    drift = learned.evidence.drift
    moved = {c for c, s, r in zip(drift.columns, drift.shift, drift.chance, strict=True) if s > r}
    assert "noise" in moved
    assert drift.predicted.shape == (120, 2)
    assert drift.n_test == 120


def test_it_is_saved_and_read_back(learned, tmp_path):
    data, arrays = learned.evidence.to_state()
    again = Evidence.from_state(json.loads(json.dumps(data)), arrays)
    assert again.rows.groups == learned.evidence.rows.groups
    before = {**arrays, "rows.levels": arrays["rows.levels"].mean(axis=1),
              "rows.sizes": arrays["rows.sizes"].mean(axis=1)}  # fmt: skip
    older = Evidence.from_state(json.loads(json.dumps(data)), before).rows
    assert older.levels.shape == (3, 1, 2, *learned.evidence.rows.levels.shape[3:])
    assert older.sizes.shape == older.levels.shape[:4]
    np.testing.assert_array_equal(again.cohorts.mean, learned.evidence.cohorts.mean)
    learned.save(tmp_path / "model")
    pages = [fit.report(tmp_path / "page.html").read_text("utf-8")
             for fit in (learned, load(tmp_path / "model"))]  # fmt: skip
    assert pages[0] == pages[1]


def test_rows_can_be_left_out(learned, frame, tmp_path):
    learned.save(tmp_path / "model", rows=False)
    text = (tmp_path / "model" / "model.json").read_text("utf-8")
    assert learned.evidence.rows.cells[0][2] not in text
    bare = load(tmp_path / "model")
    assert bare.evidence.rows is None
    assert bare.evidence.cohorts is not None
    assert 'id="rows"' not in bare.report(tmp_path / "bare.html").read_text("utf-8")
    assert 'id="rows"' not in learned.report(tmp_path / "b.html", rows=False).read_text("utf-8")
    assert 'id="rows"' in learned.report(tmp_path / "c.html").read_text("utf-8")
    np.testing.assert_array_equal(bare.predict_proba(frame), learned.predict_proba(frame))
