"""Shapes, new frames, and saved state of the encoder."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tabnet_auto.config import EncodeConfig
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.errors import ArtifactError, SchemaMismatchError
from tabnet_auto.folds import make_folds


def same(a, b):
    return all(
        np.array_equal(getattr(a, name), getattr(b, name), equal_nan=True)
        for name in ("x_num", "codes", "x_stat")
    )


@pytest.fixture
def fitted(frame, schema, folds, y, config):
    return fit_encoder(frame, schema, folds, y, config)


def fit_one(schema_of, role, values, classes=("no", "yes"), config=None, n_folds=2):
    """Encode a frame of one column ``x``."""
    frame = pd.DataFrame({"x": values})
    y = np.arange(len(frame)) % 2 if classes else np.arange(len(frame), dtype=float)
    schema = schema_of({"x": role}, classes)
    folds = make_folds(schema.task, y, folds=n_folds)
    return (*fit_encoder(frame, schema, folds, y, config or EncodeConfig()), folds)


def test_layout_and_shapes(fitted, config):
    encoder, design = fitted
    layout = encoder.layout
    assert layout.columns == ("size", "rooms", "new", "kind", "city", "sold", "title")
    # Of all categories only the levels of rooms are those of a number that is read as well.
    assert [
        f.name for f, also in zip(layout.category, layout.level_of_number, strict=True) if also
    ] == ["rooms:level"]
    assert [f.name for f in layout.numeric] == [
        "size",
        "rooms",
        "sold:days",
        "sold:year sin",
        "sold:year cos",
        "sold:week sin",
        "sold:week cos",
        "sold:day sin",
        "sold:day cos",
        "title:length",
        "title:words",
    ]
    assert [f.name for f in layout.category] == [
        "rooms:level",
        "new",
        "kind",
        "city",
        "sold:month",
        "sold:weekday",
    ]
    assert [f.name for f in layout.statistic] == [
        "city:share of yes",
        "city:frequency",
        "title:component 1",
        "title:component 2",
        "title:component 3",
    ]
    assert len(layout.feature_to_column) == 22
    assert design.x_num.shape == (300, 11)
    assert design.x_num.dtype == np.float64
    assert design.codes.shape == (300, 6)
    assert design.codes.dtype == np.int32
    assert design.x_stat.shape == (3, 300, 5)
    assert design.x_stat.dtype == np.float32
    assert design.y is None
    tables = encoder.tables
    assert tables.quantiles.shape == (3, 11, config.n_quantiles)
    assert tables.lookup.shape == (3, sum(layout.n_codes))
    assert tables.lookup.dtype == np.int32
    assert tables.n_levels.shape == (6,)
    assert (design.codes.max(axis=0) < np.array(layout.n_codes)).all()
    assert np.isfinite(tables.quantiles).all()
    assert np.array_equal(tables.y_scale, np.ones(3))


def test_statistics_are_standardised_on_training_rows(fitted, folds):
    _, design = fitted
    for member, train in enumerate(folds.train):
        own = design.x_stat[member, train]
        assert np.allclose(np.nanmean(own, axis=0), 0, atol=1e-5)
        assert np.allclose(np.nanstd(own, axis=0), 1, atol=1e-4)


def test_regression_scales_the_target_on_training_rows(frame, schema_of, config):
    y = np.linspace(0, 50, 300)
    schema = schema_of({"size": "numeric"}, ())
    folds = make_folds("regression", y, folds=3)
    tables = fit_encoder(frame, schema, folds, y, config)[0].tables
    for member, train in enumerate(folds.train):
        assert tables.y_center[member] == pytest.approx(y[train].mean())
        assert tables.y_scale[member] == pytest.approx(y[train].std())


def test_state_round_trip(fitted, frame):
    encoder, _ = fitted
    described, arrays = encoder.to_state()
    again = Encoder.from_state(json.loads(json.dumps(described)), arrays)
    assert again.layout == encoder.layout
    assert again.columns == encoder.columns
    assert same(encoder.encode(frame), again.encode(frame))
    assert all(array.dtype != object for array in arrays.values())
    del arrays["tables.center"]
    with pytest.raises(ArtifactError, match="center"):
        Encoder.from_state(described, arrays)


def test_select_members(frame, schema, y, config):
    folds = make_folds("binary", y, folds=2, n_seeds=2)
    encoder, _ = fit_encoder(frame, schema, folds, y, config)
    whole, part = encoder.encode(frame), encoder.select(np.array([3, 0])).encode(frame)
    assert np.array_equal(part.x_stat, whole.x_stat[[3, 0]], equal_nan=True)
    last = encoder.select(np.array([2, 3]))
    assert last.blocks[0].table.shape[0] == 1
    assert np.array_equal(last.encode(frame).x_stat, whole.x_stat[2:], equal_nan=True)
    assert same(last.encode(frame), Encoder.from_state(*last.to_state()).encode(frame))


def test_frame_is_not_changed_and_its_order_does_not_matter(fitted, frame):
    encoder, design = fitted
    copy = frame.copy(deep=True)
    shuffled = frame[list(frame.columns[::-1])].assign(extra=1).set_index("id", drop=False)
    assert same(encoder.encode(shuffled), encoder.encode(frame))
    pd.testing.assert_frame_equal(frame, copy)
    assert np.array_equal(encoder.encode(frame).x_num, design.x_num, equal_nan=True)


def test_no_rows(fitted, frame):
    design = fitted[0].encode(frame.iloc[:0])
    assert design.n_rows == 0
    assert design.x_stat.shape == (3, 0, 5)
    assert design.codes.shape == (0, 6)


def test_unseen_and_missing_levels(fitted, frame):
    encoder, _ = fitted
    rows = frame.iloc[:2].copy()
    rows["kind"] = ["palace", None]
    rows["city"] = ["nowhere", None]
    rows["title"] = ["", None]
    rows["size"] = [np.inf, 1.0]
    design = encoder.encode(rows)
    names = [f.name for f in encoder.layout.category]
    assert design.codes[:, names.index("kind")].tolist() == [0, 1]
    assert design.codes[:, names.index("city")].tolist() == [0, 1]
    assert np.isfinite(design.x_stat[:, :, :2]).all()
    assert np.isnan(design.x_stat[:, 1, 2:]).all()
    assert np.isnan(design.x_num[0, 0])


def test_missing_columns_and_unreadable_values(fitted, frame):
    encoder, _ = fitted
    with pytest.raises(SchemaMismatchError, match=r"'size' is missing. Did you mean 'Size'"):
        encoder.encode(frame.rename(columns={"size": "Size"}))
    with pytest.raises(SchemaMismatchError, match="for example 'large'"):
        encoder.encode(frame.assign(size="large"))
    with pytest.raises(SchemaMismatchError, match="a date, for example 'soon'"):
        encoder.encode(frame.assign(sold="soon"))
    with pytest.raises(SchemaMismatchError, match="dtype datetime64"):
        encoder.encode(frame.assign(size=frame["sold"]))
    with pytest.raises(SchemaMismatchError, match="more than once"):
        encoder.encode(pd.concat([frame, frame[["size"]]], axis=1))
    all_missing = encoder.encode(frame.assign(size="n/a", rooms=np.inf))
    assert np.isnan(all_missing.x_num[:, :2]).all()


@pytest.mark.parametrize(
    "convert",
    [
        lambda s: s.astype(float),
        lambda s: s.astype("Int64"),
        lambda s: s.astype("category"),
        lambda s: s.astype(str),
        lambda s: s.astype(object),
    ],
    ids=["float", "Int64", "category", "text", "object"],
)
@pytest.mark.parametrize("role", ["numeric", "discrete", "categorical", "high_cardinality"])
def test_another_dtype_means_the_same(schema_of, role, convert):
    values = pd.Series(np.random.default_rng(0).integers(0, 9, 80))
    encoder, _, _ = fit_one(schema_of, role, values)
    assert same(
        encoder.encode(pd.DataFrame({"x": values})),
        encoder.encode(pd.DataFrame({"x": convert(values)})),
    )


def test_arrow_means_the_same(fitted, frame):
    pytest.importorskip("pyarrow")
    encoder, _ = fitted
    frame = frame.assign(new=frame["new"].astype("boolean"))
    arrow = frame.convert_dtypes(dtype_backend="pyarrow")
    assert "pyarrow" in str(arrow.dtypes["city"])
    assert same(encoder.encode(frame), encoder.encode(arrow))


def test_truth_values_come_in_many_spellings(schema_of):
    encoder, _, _ = fit_one(schema_of, "boolean", [True, False] * 20)
    for values in ([1, 0], [1.0, 0.0], ["True", "False"], [True, False]):
        codes = encoder.encode(pd.DataFrame({"x": values})).codes[:, 0]
        assert codes.tolist() == [3, 2]


def test_dates_become_only_parts_that_vary(schema_of):
    yearly = pd.to_datetime([f"{year}-01-01" for year in range(1980, 2020)])
    encoder, design, _ = fit_one(schema_of, "datetime", yearly)
    assert [f.name for f in encoder.layout.numeric] == ["x:days"]
    assert encoder.layout.category == ()
    assert design.x_num[20, 0] == 0.0  # 2000-01-01
    daily = pd.date_range("1969-12-25", periods=40).astype(str)
    encoder, design, _ = fit_one(schema_of, "datetime", daily)
    assert [f.name for f in encoder.layout.category] == ["x:month", "x:weekday"]
    assert set(encoder.vocabulary[0]) == {"Dec", "Jan", "Feb"}
    assert encoder.vocabulary[1][design.codes[0, 1] - 2] == "Thu"


@pytest.mark.parametrize("values", [["same"] * 40, [None] * 40, [""] * 40, ["a", None] * 20])
def test_poor_texts(schema_of, values):
    encoder, design, _ = fit_one(schema_of, "text", np.array(values, dtype=object))
    assert design.x_stat.shape == (2, 40, 8)
    assert np.nanmax(np.abs(design.x_stat), initial=0.0) < 1e-3
    assert np.isfinite(encoder.blocks[0].components).all()
    assert encoder.encode(pd.DataFrame({"x": ["new words"]})).x_stat.shape == (2, 1, 8)


def test_texts_that_share_words_are_near(schema_of):
    rng = np.random.default_rng(0)
    topics = (["red", "sea", "view", "boat", "wave"], ["old", "garden", "house", "tree", "wall"])
    values = np.array([" ".join(rng.choice(topics[i % 3 == 0], 3)) for i in range(300)], object)
    encoder, _, _ = fit_one(schema_of, "text", values)
    new = pd.DataFrame({"x": ["a red sea and a boat", "gardens, old houses", "red view, sea"]})
    stat = encoder.encode(new).x_stat[0, :, :2]
    distance = np.linalg.norm(stat[:, None] - stat[None], axis=2)
    assert distance[0, 2] < distance[0, 1]
    assert distance[0, 2] < distance[2, 1]


def test_a_text_unlike_all_others_stays_in_bounds(schema_of):
    values = np.array(["the same words", "the same word"] * 50, dtype=object)
    encoder, _, _ = fit_one(schema_of, "text", values)
    stat = encoder.encode(pd.DataFrame({"x": ["something else"]})).x_stat
    assert np.abs(stat).max() <= 10


def test_many_classes_get_frequencies_only(schema_of):
    n_classes, n = 12, 240
    y = np.arange(n) % n_classes
    frame = pd.DataFrame({"x": np.arange(n) % 60})
    schema = schema_of({"x": "high_cardinality"}, tuple(range(n_classes)))
    folds = make_folds("multiclass", y, folds=2)
    encoder, design = fit_encoder(frame, schema, folds, y, EncodeConfig())
    assert [f.name for f in encoder.layout.statistic] == ["x:frequency"]
    assert np.isfinite(design.x_stat).all()


def test_no_usable_column(frame, schema_of, folds, y, config):
    schema = schema_of({"id": "identifier"})
    encoder, design = fit_encoder(frame, schema, folds, y, config)
    assert design.x_num.shape == (300, 0)
    assert design.x_stat.shape == (3, 300, 0)
    assert encoder.encode(frame).codes.shape == (300, 0)


def test_a_hundred_thousand_levels(schema_of):
    n = 120_000
    values = [f"level {v}" for v in np.random.default_rng(0).integers(0, 100_000, n)]
    encoder, design, _ = fit_one(schema_of, "high_cardinality", values)
    assert encoder.layout.n_codes[0] > 60_000
    assert np.isfinite(design.x_stat).all()
    assert encoder.tables.n_levels[0] == 2  # no level occurs 20 times
    assert np.array_equal(encoder.encode(pd.DataFrame({"x": values})).codes, design.codes)


def test_two_training_rows(schema_of):
    encoder, design, _ = fit_one(schema_of, "high_cardinality", ["a", "b", "a", "b"])
    assert np.isfinite(design.x_stat).all()
    assert encoder.encode(pd.DataFrame({"x": ["a"]})).n_rows == 1
