"""What users really pass: it works sensibly and says what it did, or states the way out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold

from tabnet_auto import InputError, Preset, auto_fit, prepare
from tabnet_auto.config import NetConfig, TrainConfig
from tabnet_auto.errors import SchemaMismatchError

NET = NetConfig(n_steps=1, n_hidden=16, n_layers=1, n_bins=4, n_context=8)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=6, batch_size=16))


def fit(frame, target="y", **options):
    """Fit quietly, and check that the caller's frame is as it was."""
    before = frame.copy(deep=True)
    try:
        return auto_fit(frame, target, **{"preset": TINY, "folds": 2, "verbose": False, **options})
    finally:
        pd.testing.assert_frame_equal(frame, before, check_exact=True, check_freq=True)
        assert frame.index.equals(before.index)
        assert frame.dtypes.equals(before.dtypes)


def notes(learned):
    return "\n".join(event["text"] for event in learned.trace.of("note"))


def make_frame(n=90):
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    return pd.DataFrame(
        {
            "size": size,
            "kind": rng.choice(["flat", "house", "boat"], n),
            "y": np.where(size + rng.normal(size=n) > 0, "yes", "no"),
        }
    )


@pytest.fixture
def frame():
    return make_frame()


@pytest.fixture(scope="module")
def learned():
    learned = fit(make_frame())
    assert np.ptp(learned.oof[:, 0]) > 0.1, "tests of equal predictions need predictions that vary"
    return learned


# --- training rows that cannot be learned from ----------------------------------------------------

REFUSED = {
    "unknown target": (lambda d: d, {"target": "Y_"}, r"target='Y_'\. Did you mean 'y'\?"),
    "empty frame": (lambda d: d[:0], {}, "at least one row .* 0 rows and 3 columns"),
    "no columns": (lambda d: d[[]], {}, "90 rows and 0 columns"),
    "one class": (lambda d: d.assign(y="no"), {}, "at least two classes, however: 'y' is 'no'"),
    "one value": (lambda d: d.assign(y=1.5), {}, "at least two distinct values, however: 'y'"),
    "no target at all": (lambda d: d.assign(y=np.nan), {}, "missing, blank or infinite in all 90"),
    "same label twice": (lambda d: d.set_axis(["a", "a", "y"], axis=1), {}, "'a' occur more"),
    "same label as text": (lambda d: d.set_axis([1, "1", "y"], axis=1), {}, "'1' occur more"),
    "no other column": (lambda d: d[["y"]], {}, "the target is the only column"),
    "constants only": (
        lambda d: d[["y"]].assign(c=1, m=np.nan),
        {},
        "'c' is constant .* 'm' is constant",
    ),
    "all dropped": (
        lambda d: d,
        {"roles": {"size": "drop", "kind": "drop"}},
        "at least one column to learn from",
    ),
    "fewer rows than folds": (lambda d: d[:8], {"folds": 5}, "8 rows for folds=5. Pass a smaller"),
    "a class a row": (lambda d: d.assign(y=[f"c{i}" for i in range(90)]), {}, "90 distinct labels"),
    "dates to predict": (
        lambda d: d.assign(y=pd.date_range("2020-01-01", periods=90)),
        {},
        "labels or real numbers, however: 'y' has dtype datetime64",
    ),
    "words to regress": (lambda d: d, {"task": "regression"}, "finite numbers, however: 'y' holds"),
    "three classes as two": (
        lambda d: d.assign(y=np.arange(90) % 3),
        {"task": "binary"},
        "exactly two classes, however: 'y' has 3",
    ),
}


@pytest.mark.parametrize(("change", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_rows_that_cannot_be_learned_from(frame, change, options, message):
    with pytest.raises(InputError, match=message):
        fit(change(frame), **options)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([1, 2], "DataFrame, a dict of columns, or the path .* however: list"),
        ("nowhere.csv", "'nowhere.csv' is not there"),
        ("table.xlsx", "ends with .csv"),
    ],
)
def test_what_is_no_table(data, message):
    with pytest.raises(InputError, match=message):
        auto_fit(data, "y", verbose=False)


# --- arguments ------------------------------------------------------------------------------------

ARGUMENTS = {
    "task": ({"task": "regresion"}, "Did you mean 'regression'"),
    "metric name": ({"metric": "rocauc"}, "Did you mean 'roc_auc'"),
    "metric of another task": ({"metric": "rmse"}, "for regression targets, however: this target"),
    "metric of no kind": ({"metric": 5}, "a name, a callable or a scikit-learn scorer"),
    "preset name": ({"preset": "balancd"}, "Did you mean 'balanced'"),
    "preset of no kind": ({"preset": 5}, "or a Preset, however: 5"),
    "device name": ({"device": "gpu"}, "device must be"),
    "time_limit zero": (
        {"time_limit": 0},
        "positive seconds, or None for no limit, however: time_limit=0",
    ),
    "time_limit negative": ({"time_limit": -1.0}, "positive seconds"),
    "time_limit nan": ({"time_limit": float("nan")}, "positive seconds"),
    "time_limit without end": ({"time_limit": float("inf")}, "or None for no limit"),
    "time_limit text": ({"time_limit": "1h"}, "however: time_limit='1h'"),
    "folds one": ({"folds": 1}, "at least 2, however: folds=1"),
    "folds true": ({"folds": True}, "at least 2"),
    "folds fraction": ({"folds": 2.5}, "a number, one of auto, stratified, .* or pairs"),
    "folds text": ({"folds": "five"}, "however: folds='five'"),
    "folds splitter": ({"folds": KFold(200)}, "split the 90 rows"),
    "folds splitter without groups": ({"folds": GroupKFold(3)}, "'groups' parameter"),
    "folds no pairs": ({"folds": []}, "at least one pair"),
    "seed negative": ({"seed": -1}, "whole number from 0 .* seed=-1"),
    "seed none": ({"seed": None}, "whole number from 0"),
    "role name": ({"roles": {"size": "number"}}, "A role must be one of"),
    "role column": ({"roles": {"sise": "numeric"}}, "Did you mean 'size'"),
    "groups name": ({"groups": "knd"}, r"groups='knd'\. Did you mean 'kind'"),
    "time name": ({"time": "when"}, "time must name a column"),
    "weight name": ({"weight": "w"}, "weight must name a column"),
    "weight is the target": ({"weight": "y"}, "weight must be another column than the target"),
    "groups is the target": ({"groups": "y"}, "groups must be another column"),
    "weight is text": ({"weight": "kind"}, "0 or more in every row, however: 'kind' holds '"),
    "weight is negative": ({"weight": "size"}, "'size' holds -"),
    "time is text": ({"time": "kind"}, "a number or a date in every row, however: 'kind' has none"),
    "groups fewer than folds": ({"groups": "kind", "folds": 5}, "3 groups for folds=5"),
}


@pytest.mark.parametrize(("options", "message"), ARGUMENTS.values(), ids=ARGUMENTS)
def test_arguments(frame, options, message):
    with pytest.raises(InputError, match=message):
        fit(frame, **options)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (lambda w: np.where(w == 3, np.nan, w), "'w' holds nan among 1 such rows"),
        (lambda w: np.where(w == 3, np.inf, w), "'w' holds inf among 1"),
        (lambda w: np.where(w == 3, -1.0, w), r"'w' holds -1.0 among 1"),
        (lambda w: 0.0 * w, "'w' is 0 in all 90 rows"),
        (lambda w: np.where(w < 45, 1.0, 0.0), "all 45 training rows of fold 0 have weight 0"),
    ],
)
def test_weights_that_cannot_weigh(frame, weight, message):
    frame["w"] = weight(np.arange(90.0))
    half = np.arange(90)
    with pytest.raises(InputError, match=message):
        fit(frame, weight="w", folds=[(half[45:], half[:45])])


def test_groups_that_never_end_leave_nothing_to_learn_from_before(frame):
    frame = frame.assign(when=np.arange(90))
    with pytest.raises(InputError, match=r"are of their groups\. Pass fewer folds, folds='time'"):
        fit(frame.assign(who=np.arange(90) % 3), time="when", groups="who")
    learned = fit(frame.assign(who=np.arange(90) // 5), time="when", groups="who")
    assert "groups of validation rows not learned from" in learned.folds.rule
    assert not learned.schema["who"].used


def test_a_row_without_time_is_named(frame):
    frame["when"] = pd.Series([None, *pd.date_range("2024-01-01", periods=89)])
    with pytest.raises(InputError, match="'when' has none in 1 rows"):
        fit(frame, time="when")


# --- training rows that are learned from all the same ---------------------------------------------


def test_rows_without_a_target_are_set_aside_and_stay_aligned(frame):
    frame.index = np.arange(90)[::-1] * 7
    frame.loc[[14, 70, 77], "y"] = [None, np.nan, "  "]
    learned = fit(frame)
    text = "3 rows have no value of the target 'y' and were set aside"
    assert text in learned.schema.notes
    assert text in notes(learned)
    gone = frame.index.isin([14, 70, 77])
    assert learned.oof.shape == (90, 2)
    np.testing.assert_array_equal(np.isnan(learned.oof[:, 0]), gone)
    np.testing.assert_array_equal(learned.has_target, ~gone)
    # Rows are the caller's: what is held for row i is of row i.
    without = fit(frame[~gone].reset_index(drop=True))
    np.testing.assert_array_equal(learned.oof[~gone], without.oof)
    assert learned.classes_[learned.target].tolist() == frame["y"][~gone].tolist()


def test_infinite_values_are_missing_values(frame):
    frame.loc[[3, 9], "size"] = [np.inf, -np.inf]
    learned = fit(frame)
    assert "'size': 2 infinite values are read as missing" in notes(learned)
    np.testing.assert_array_equal(
        learned.predict_proba(frame), learned.predict_proba(frame.replace([np.inf, -np.inf], None))
    )


@pytest.mark.parametrize(
    ("cells", "role", "reason"),
    [
        ([np.nan] * 90, "constant", "all values are missing"),
        ([7] * 90, "constant", "one value"),
        ([*map(str, np.arange(89) / 7), "many"], "numeric", ""),
        ([1, "a", None, 2.5, (1, 2), [3], {"k": 1}, b"x", True, pd.NaT] * 9, None, ""),
        ([1.5, "x", None] * 30, None, ""),
        (pd.array([1, None, 3, 4, 8] * 18, dtype="Int64"), "discrete", ""),
        ([f"word{i} and{i % 7} more words" for i in range(90)], "text", ""),
        (pd.to_timedelta(np.arange(90), unit="h"), "numeric", ""),
        (pd.period_range("2020-01", periods=90, freq="M"), "datetime", ""),
        (pd.Categorical(["a", None, "b"] * 30, categories=["z", "b", "a"]), "boolean", ""),
        (pd.arrays.SparseArray([0.0, 0.0, 1.5] * 30), None, ""),
    ],
    ids=[
        "all missing", "constant", "text among numbers", "mixed objects", "mixed with words",
        "nullable", "free text", "durations", "periods", "category with gaps", "sparse",
    ],
)  # fmt: skip
def test_columns_of_every_sort(frame, cells, role, reason):
    frame["odd"] = cells
    learned = fit(frame, test=frame.drop(columns="y"))
    column = learned.schema["odd"]
    assert role is None or column.role == role
    assert reason in column.reason
    assert ("odd" in learned.attention.features) == (column.role != "constant")
    assert np.isfinite(learned.predict_proba(frame)).all()


def test_classes_with_fewer_rows_than_folds(frame):
    frame["y"] = ["a"] * 45 + ["b"] * 42 + ["c"] * 2 + ["d"]
    learned = fit(frame, folds=5)
    said = notes(learned)
    assert "class 'c' has no validation rows in 3 of 5 folds" in said
    assert "class 'd' has no training rows in 1 of 5 folds" in said
    assert "a single row ('d')" in said
    assert learned.classes_.tolist() == ["a", "b", "c", "d"]
    np.testing.assert_allclose(learned.oof.sum(axis=1), 1.0)


RANKINGS = ["roc_auc", "average_precision"]
METRICS = [*RANKINGS, "brier", "log_loss", "accuracy", "balanced_accuracy", "f1", "f1_macro", "mcc"]


@pytest.mark.parametrize("metric", METRICS)
def test_two_positives_in_five_folds(metric, capfd, tmp_path):
    rng = np.random.default_rng(0)
    y = np.zeros(300, dtype=int)
    y[[5, 77]] = 1
    frame = pd.DataFrame({"a": rng.normal(size=300), "y": y})
    learned = fit(frame, folds=5, metric=metric, verbose=True)
    capfd.readouterr()
    assert "class 1 has no validation rows in 3 of 5 folds" in notes(learned)
    said = f"{metric!r} is not defined on the validation rows of 3 of 5 folds"
    assert (said in notes(learned)) == (metric in RANKINGS)
    assert np.isfinite(learned.oof_score)
    defined = np.isfinite(learned.fold_scores)
    undefined = metric in RANKINGS
    assert defined.sum() == (2 if undefined else 5)
    board = learned.leaderboard()
    assert board[metric][0] == pytest.approx(learned.fold_scores[defined].mean())
    assert np.isfinite(board[metric]).all()
    assert ("–" in repr(learned)) == undefined
    assert learned.report(tmp_path / "report.html").stat().st_size > 10_000


@pytest.mark.parametrize("scale", [1e9, 1e-6, 1e-100, 1e150])
def test_values_of_any_scale(scale, tmp_path):
    a = np.random.default_rng(0).normal(size=200)
    preset = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=20, batch_size=32))
    frame = pd.DataFrame({"a": a, "y": (3.0 + a) * scale})
    learned = fit(frame, preset=preset, metric="mae")
    assert learned.task == "regression"
    predicted = learned.predict(frame)
    assert np.corrcoef(predicted / scale, a)[0, 1] > 0.9
    assert abs(np.median(predicted / scale) - 3.0) < 1.0
    assert len(max(repr(learned).splitlines(), key=len)) < 120
    learned.report(tmp_path / "report.html")


@pytest.mark.parametrize("n", [4, 5, 10])
def test_a_handful_of_rows(n):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=n), "y": rng.normal(size=n)})
    assert np.isfinite(fit(frame).oof).all()
    frame["y"] = ["no", "yes"] * (n // 2) + ["no"] * (n % 2)
    assert np.isfinite(fit(frame).oof).all()


@pytest.mark.slow
@pytest.mark.parametrize("role", ["auto", "high_cardinality", "categorical"])
def test_a_hundred_thousand_levels(role):
    rng = np.random.default_rng(0)
    n = 120_000
    code = rng.permutation(np.r_[np.arange(100_000), rng.integers(0, 500, 20_000)])
    frame = pd.DataFrame(
        {"code": [f"c{i}" for i in code], "a": rng.normal(size=n), "y": (code % 2).astype(float)}
    )
    preset = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=1, batch_size=4096))
    learned = fit(frame, preset=preset, roles=None if role == "auto" else {"code": role})
    if role != "auto":
        assert learned.schema["code"].role == role
    new = frame[:1000].assign(code="c-1")
    assert np.isfinite(learned.predict_proba(new)).all()


# --- labels and indexes ---------------------------------------------------------------------------

INDEXES = {
    "unsorted": lambda n: np.random.default_rng(1).permutation(n),
    "repeated": lambda n: np.zeros(n, dtype=int),
    "text": lambda n: [f"row {i}" for i in range(n)],
    "dates": lambda n: pd.date_range("2020-01-01", periods=n, freq="D")[::-1],
    "levels": lambda n: pd.MultiIndex.from_arrays([np.arange(n) % 3, np.arange(n)]),
}


@pytest.mark.parametrize("make_index", INDEXES.values(), ids=INDEXES)
def test_the_index_does_not_matter(frame, learned, make_index):
    frame.index = make_index(len(frame))
    again = fit(frame)
    np.testing.assert_array_equal(again.oof, learned.oof)
    np.testing.assert_array_equal(learned.predict(frame), again.predict(frame))


LABELS = {
    "numbers": ([0, 1, 2], 2),
    "mixed": ([None, 1.5, "y"], "y"),
    "tuples": ([("a", "b"), ("a", "c"), ("t", "y")], ("t", "y")),
    "levels": (pd.MultiIndex.from_tuples([("a", "b"), ("a", "c"), ("t", "y")]), ("t", "y")),
    "dates": (pd.date_range("2020-01-01", periods=3), pd.Timestamp("2020-01-03")),
    "with dots and braces": (["a.b", "{a}", "<y>"], "<y>"),
}


@pytest.mark.parametrize(("columns", "target"), LABELS.values(), ids=LABELS)
def test_labels_that_are_not_text(frame, learned, columns, target, tmp_path):
    frame.columns = columns
    again = fit(frame, target, test=frame)
    np.testing.assert_array_equal(again.oof, learned.oof)
    np.testing.assert_array_equal(again.predict(frame), learned.predict(make_frame()))
    assert again.predict(frame[:0]).shape == (0,)
    again.report(tmp_path / "report.html")


def test_roles_and_special_columns_by_number():
    frame = make_frame().assign(w=1.0, g=np.arange(90) % 9).set_axis(range(5), axis=1)
    learned = fit(frame, 2, weight=3, groups=4, roles={1: "drop"})
    assert learned.attention.features == ("0",)


# --- rows to predict ------------------------------------------------------------------------------


def test_a_test_frame_is_checked_before_training(frame):
    events = []
    with pytest.raises(SchemaMismatchError, match=r"'kind' is missing\. Did you mean 'kinds'"):
        fit(frame, test=frame.rename(columns={"kind": "kinds"}), emit=events.append)
    assert "plan" not in {event.kind for event in events}
    learned = fit(frame, test=frame[["kind", "size"]].assign(kind="tent"))
    assert "'kind': 100% of the test rows have a level" in notes(learned)


def test_columns_that_are_missing_or_of_another_sort(frame, learned):
    with pytest.raises(SchemaMismatchError, match=r"'size' is missing"):
        learned.predict(frame.drop(columns="size"))
    with pytest.raises(SchemaMismatchError, match=r"'size' is read as numeric, however: none of"):
        learned.predict(frame.assign(size="large"))
    with pytest.raises(InputError, match="test must be a pandas or polars DataFrame"):
        learned.predict(frame["size"])


def test_surplus_columns_and_the_target_are_ignored(frame, learned):
    expected = learned.predict_proba(frame[["size", "kind"]])
    for other in (
        frame,
        frame.assign(new=1, y=None)[["new", "y", "kind", "size"]],
        frame.assign(y=[[1]] * 90),
    ):
        np.testing.assert_array_equal(learned.predict_proba(other), expected)


@pytest.mark.parametrize(
    "convert",
    [
        lambda d: d.astype({"size": str}),
        lambda d: d.astype({"size": object, "kind": "category"}),
        lambda d: d.astype({"size": "Float64", "kind": "string"}),
        lambda d: d.astype({"size": "double[pyarrow]", "kind": "string[pyarrow]"}),
        lambda d: d.convert_dtypes(dtype_backend="pyarrow"),
    ],
    ids=["text", "objects", "nullable", "arrow", "converted"],
)
def test_other_dtypes_of_the_same_values(frame, learned, convert):
    np.testing.assert_array_equal(
        learned.predict_proba(convert(frame)), learned.predict_proba(frame)
    )


def test_unseen_levels_and_missing_values_are_predicted(frame, learned):
    new = frame[:3].assign(kind=["tent", None, "flat"], size=[np.nan, np.inf, 1e30])
    before = new.copy(deep=True)
    predicted = learned.predict_proba(new)
    pd.testing.assert_frame_equal(new, before)
    assert np.isfinite(predicted).all()
    castle = learned.predict_proba(new[:1].assign(kind="castle"))
    np.testing.assert_allclose(predicted[:1], castle, atol=1e-6)


def test_of_many_test_rows_a_sample_is_checked(frame, monkeypatch):
    monkeypatch.setattr(prepare, "CHECKED_ROWS", 3)
    size = ["tall"] * 90
    size[1:3] = ["0.5", "0.7"]  # rows 0, 44 and 89 are looked at
    sparse = frame.drop(columns="y").assign(size=size)
    assert len(fit(frame, test=sparse).predict(sparse)) == 90
    with pytest.raises(SchemaMismatchError, match="'size'"):
        fit(frame, test=sparse.assign(size="tall"))
    strange = frame.drop(columns="y").assign(kind=["tent", *["flat"] * 88, "tent"])
    assert "column 'kind': 67% of the test rows have a level" in notes(fit(frame, test=strange))


def test_one_row_and_no_row(frame, learned):
    alone = np.concatenate([learned.predict_proba(frame[i : i + 1]) for i in range(5)])
    np.testing.assert_allclose(alone, learned.predict_proba(frame)[:5], atol=1e-6)
    assert learned.predict_proba(frame[:0]).shape == (0, 2)
    assert learned.predict(frame[:0]).tolist() == []
    assert learned.predict(frame[:0]).dtype == learned.predict(frame).dtype
    assert learned.attention.rows(frame[:0]).shape == (2, 1, 0, 2)
    assert learned.attention.rows(frame[:1]).shape == (2, 1, 1, 2)
    polars = pytest.importorskip("polars")
    assert learned.predict(polars.from_pandas(frame).clear()).shape == (0,)
    with pytest.raises(SchemaMismatchError, match="'size' is missing"):
        learned.predict(frame[:0].drop(columns="size"))
    values = fit(frame.assign(y=frame["size"]))
    assert values.predict(frame[:0]).shape == (0,)
    with pytest.raises(InputError, match="predict_proba needs a classification target"):
        values.predict_proba(frame)
    with pytest.raises(InputError, match="classes_ needs a classification target"):
        _ = values.classes_


def test_special_columns_are_not_needed_to_predict(frame):
    frame = frame.assign(w=1.0, g=np.arange(90) % 9)
    learned = fit(frame, weight="w", groups="g")
    assert learned.attention.features == ("size", "kind")
    assert "given as weight=" in learned.schema["w"].reason
    assert learned.predict(frame[["size", "kind"]]).shape == (90,)


def test_a_metric_that_takes_no_weights_says_so(frame):
    def hits(y, predicted):
        return float(np.mean(y == predicted))

    frame["w"] = np.arange(90) + 1.0
    learned = fit(frame, weight="w", metric=hits)
    assert "'hits' takes no sample_weight" in notes(learned)
    assert learned.oof_score == hits(frame["y"], learned.classes_[learned.oof.argmax(axis=1)])


def test_a_metric_that_returns_no_number_is_named(frame):
    def printed(y, predicted):
        del y, predicted

    with pytest.raises(InputError, match="metric 'printed' must return a number, however: None"):
        fit(frame, metric=printed)


def test_rows_without_a_group_are_kept_together_and_said(frame):
    frame["g"] = np.where(np.arange(90) % 3 == 0, np.nan, np.arange(90) % 9)
    learned = fit(frame, groups="g")
    assert "30 rows have no value of groups=: folds keep them together" in notes(learned)
    alone = [np.isin(np.flatnonzero(frame["g"].isna()), rows) for rows in learned.folds.valid]
    assert all(inside.all() or not inside.any() for inside in alone)
    assert "no value of groups=" not in notes(fit(frame.fillna({"g": -1}), groups="g"))


def test_one_row_without_a_target_was_set_aside(frame):
    frame.loc[3, "y"] = None
    assert "1 row has no value of the target 'y' and was set aside" in notes(fit(frame))


@pytest.mark.parametrize("limit", [True, 0, "9", float("nan")])
def test_a_time_limit_that_is_no_number_of_seconds(frame, limit):
    with pytest.raises(InputError, match="time_limit must be positive seconds"):
        fit(frame, time_limit=limit)
