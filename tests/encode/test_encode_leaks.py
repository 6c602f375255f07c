"""No row outside a member's training rows reaches what the member learns."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from tabnet_auto.config import EncodeConfig
from tabnet_auto.encode import levels
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.folds import make_folds
from tabnet_auto.infer import infer_schema


def seen_by(encoder, design, member, rows):
    """Everything one member knows, levels named by their text and not by their shared code."""
    tables, seen = encoder.tables, {}
    for name in ("quantiles", "center", "scale", "y_center", "y_scale"):
        seen[name] = getattr(tables, name)[member]
    start = 0
    for feature, words in zip(encoder.layout.category, encoder.vocabulary, strict=True):
        lookup = tables.lookup[member, start : start + len(words) + 2]
        known = {t: int(r) for t, r in zip(words, lookup[2:], strict=True) if r}
        seen[f"lookup {feature.name}"] = known
        start += len(words) + 2
    seen["x_stat"] = design.x_stat[member, rows]
    return seen


def equal(a, b):
    return all(
        a[k] == b[k] if isinstance(a[k], dict) else np.array_equal(a[k], b[k], equal_nan=True)
        for k in a
    )


def scramble(frame, y, rows, seed):
    """Other features, new levels and other targets in some rows; dates keep their form."""
    rng = np.random.default_rng(seed)
    changed, target = frame.copy(), y.copy()
    at = frame.index[rows]
    changed.loc[at, "size"] = rng.normal(5e6, 1e6, len(rows))
    changed.loc[at, "rooms"] = rng.integers(50, 90, len(rows))
    changed.loc[at, "new"] = rng.choice(np.array([True, False, None], dtype=object), len(rows))
    changed.loc[at, "kind"] = rng.choice(["a new kind", "flat", "zzz"], len(rows))
    changed.loc[at, "city"] = rng.choice(["c1", "c2", "aaa", "zzz"], len(rows))
    changed.loc[at, "sold"] = pd.Timestamp("2030-05-17 11:00") + pd.to_timedelta(
        rng.integers(0, 99999, len(rows)), "h"
    )
    changed.loc[at, "title"] = rng.choice(["entirely different", "words", "red sea"], len(rows))
    target[rows] = 1 - target[rows] if y.dtype.kind == "i" else target[rows] + 1e3
    return changed, target


@pytest.mark.parametrize("task", ["binary", "regression"])
@pytest.mark.parametrize("seed", range(2))
def test_validation_rows_do_not_reach_their_member(frame, schema_of, roles, config, task, seed):
    rng = np.random.default_rng(seed)
    n = len(frame)
    schema = schema_of(roles, ("no", "yes") if task == "binary" else ())
    y = rng.integers(0, 2, n) if task == "binary" else rng.normal(size=n)
    folds = make_folds(task, y, folds=3, seed=seed)
    member = seed % 3
    train, valid = folds.train[member], folds.valid[member]

    def fit_after_scrambling(rows):
        changed, target = scramble(frame, y, rows, seed)
        return fit_encoder(changed, schema, folds, target, config)

    before = fit_encoder(frame, schema, folds, y, config)
    after = fit_after_scrambling(valid)
    assert equal(seen_by(*before, member, train), seen_by(*after, member, train))
    # New rows are encoded alike as well.
    probe = frame.iloc[:50]
    assert np.array_equal(
        before[0].encode(probe).x_stat[member],
        after[0].encode(probe).x_stat[member],
        equal_nan=True,
    )

    # Negative control: the same change to training rows is seen in every part.
    control = fit_after_scrambling(train[:90])
    known, changed = seen_by(*before, member, train), seen_by(*control, member, train)
    # Both truth values, all months and all weekdays stay known; classes have no target scale.
    same = {"lookup new", "lookup sold:month", "lookup sold:weekday"}
    same |= {"y_center", "y_scale"} if task == "binary" else set()
    for part in known.keys() - same:
        assert not equal({part: known[part]}, {part: changed[part]}), part


def test_training_targets_alone_change_the_statistic(frame, schema, folds, y, config):
    _, before = fit_encoder(frame, schema, folds, y, config)
    flipped = y.copy()
    flipped[folds.train[0][::2]] ^= 1
    _, after = fit_encoder(frame, schema, folds, flipped, config)
    assert not np.array_equal(before.x_stat[0, :, 0], after.x_stat[0, :, 0])


def test_validation_rows_are_encoded_as_new_rows(frame, schema, folds, y, config):
    encoder, design = fit_encoder(frame, schema, folds, y, config)
    new = encoder.encode(frame)
    for member, valid in enumerate(folds.valid):
        assert np.array_equal(design.x_stat[member, valid], new.x_stat[member, valid], True)


@pytest.mark.parametrize("classes", [(), (0, 1), (0, 1, 2)])
def test_statistic_of_random_levels_does_not_know_the_target(schema_of, classes):
    n = 3000
    rng = np.random.default_rng(0)
    y = rng.integers(0, len(classes), n) if classes else rng.normal(size=n)
    frame = pd.DataFrame({"code": rng.integers(0, n // 2, n)})
    schema = schema_of({"code": "high_cardinality"}, classes)
    folds = make_folds(schema.task, y, folds=2)
    config = EncodeConfig(statistic_smoothing=1.0)
    encoder, design = fit_encoder(frame, schema, folds, y, config)
    leaky = encoder.encode(frame)
    target = (y == 1).astype(float) if classes else y
    column = 1 if len(classes) == 3 else 0
    for member, train in enumerate(folds.train):
        fitted = np.corrcoef(design.x_stat[member, train, column], target[train])[0, 1]
        control = np.corrcoef(leaky.x_stat[member, train, column], target[train])[0, 1]
        assert abs(fitted) < 0.1
        assert control > 0.5


def test_statistic_of_informative_levels_knows_the_target(schema_of):
    rng = np.random.default_rng(0)
    code = rng.integers(0, 100, 3000)
    y = (rng.random(3000) < (code % 10) / 10).astype(np.int64)
    schema = schema_of({"code": "high_cardinality"})
    folds = make_folds("binary", y, folds=2)
    frame = pd.DataFrame({"code": code})
    _, design = fit_encoder(frame, schema, folds, y, EncodeConfig())
    for side in (folds.train[0], folds.valid[0]):
        assert np.corrcoef(design.x_stat[0, side, 0], y[side])[0, 1] > 0.4


def test_level_of_one_row_looks_like_an_unseen_level(schema_of):
    frame = pd.DataFrame({"code": [f"only {i}" for i in range(100)]})
    y = np.arange(100) % 2
    folds = make_folds("binary", y, folds=2)
    schema = schema_of({"code": "high_cardinality"})
    encoder, design = fit_encoder(frame, schema, folds, y, EncodeConfig())
    unseen = encoder.encode(pd.DataFrame({"code": ["never"]}))
    own = design.x_stat[0, folds.train[0]]
    assert np.allclose(own, unseen.x_stat[0], atol=1e-6)


@pytest.mark.parametrize("smoothing", [0.0, 10.0])
def test_target_means_are_those_of_category_encoders(smoothing):
    from category_encoders import TargetEncoder

    rng = np.random.default_rng(0)
    codes, target = rng.integers(0, 40, 300), rng.normal(size=300)
    found = levels._target_table(codes, 45, target[:, None], smoothing)[:, 0]
    encoder = TargetEncoder(
        cols=["code"], min_samples_leaf=smoothing, smoothing=max(0.4 * smoothing, 1e-9)
    )
    with warnings.catch_warnings():
        # category_encoders 2.11 sets a pandas option that pandas 3 has deprecated.
        warnings.filterwarnings("ignore", message="'?future.no_silent_downcasting")
        encoder.fit(pd.DataFrame({"code": codes}), pd.Series(target - target.mean()))
        expected = encoder.transform(pd.DataFrame({"code": np.arange(45)}))["code"]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_seeds_share_the_work(frame, schema, y, config, monkeypatch):
    calls = []
    fit = levels.fit_level_statistics
    monkeypatch.setattr(levels, "fit_level_statistics", lambda *a: (calls.append(1), fit(*a))[1])
    folds = make_folds("binary", y, folds=2, n_seeds=3)
    encoder, design = fit_encoder(frame, schema, folds, y, config)
    assert len(calls) == 2
    assert encoder.tables.n_members == 6
    assert design.x_stat.shape[0] == 6
    assert np.array_equal(design.x_stat[0], design.x_stat[2], equal_nan=True)
    assert not np.array_equal(design.x_stat[0], design.x_stat[3], equal_nan=True)
    assert isinstance(encoder, Encoder)


def test_rows_of_a_group_are_in_one_inner_fold():
    rng = np.random.default_rng(0)
    group = rng.integers(0, 40, 300)
    inner = levels.grouped_inner_folds(group, 5, seed=0)
    assert set(inner) == set(range(5))
    assert all(len(set(inner[group == g])) == 1 for g in set(group))
    # A level that is a group looks in training as an unseen level: nothing of its own target.
    frame = pd.DataFrame({"shop": [f"s{g}" for g in group], "x": rng.normal(size=300)})
    frame["y"] = rng.normal(size=40)[group] + 0.1 * rng.normal(size=300)
    schema = infer_schema(frame, "y", roles={"shop": "high_cardinality"})
    y = frame["y"].to_numpy()

    def correlation(groups):
        folds = make_folds("regression", y, folds=2, groups=groups)
        rows = folds.train[0]
        _, design = fit_encoder(frame, schema, folds, y, EncodeConfig())
        return (
            np.corrcoef(design.x_stat[0, rows, 0], y[rows])[0, 1]
            if np.ptp(design.x_stat[0, rows, 0])
            else 0.0
        )

    assert abs(correlation(group)) < 0.2
    assert correlation(None) > 0.8
