"""The whole pipeline: dtypes in and labels out, the same numbers, limits, and no leaks."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from tabnet_auto import Preset, auto_fit, config
from tabnet_auto.config import NetConfig, PaperConfig, TrainConfig

NET = NetConfig(n_steps=1, n_hidden=16, n_layers=1, n_bins=4, n_context=8)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=4, batch_size=16))


def fit(frame, target="y", **options):
    return auto_fit(frame, target, **{"preset": TINY, "folds": 2, "verbose": False, **options})


def make_frame(n=120, seed=0):
    """Numbers with gaps, levels, many levels, truth values, dates and texts."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "rooms": rng.integers(1, 9, n),
            "kind": rng.choice(["flat", "house", "boat"], n),
            "city": rng.choice([f"city {i}" for i in range(40)], n),
            "new": rng.random(n) < 0.3,
            "sold": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "text": [" ".join(rng.choice(["red", "sea", "old", "sun", "tree"], 5)) for _ in size],
        }
    )
    frame["y"] = np.where(size + 0.5 * rng.normal(size=n) > 0, "yes", "no")
    return frame


@pytest.fixture(scope="module")
def frame():
    return make_frame()


@pytest.fixture(scope="module")
def learned(frame):
    learned = fit(frame)
    assert np.ptp(learned.oof[:, 0]) > 0.05, "tests of equal predictions need predictions that vary"
    return learned


def same_numbers(a, b, frame):
    return (
        np.array_equal(a.oof, b.oof, equal_nan=True)
        and np.array_equal(a._predict(frame), b._predict(frame))
        and np.array_equal(a.attention_summary.members, b.attention_summary.members)
        and np.array_equal(a.attention_summary.harm, b.attention_summary.harm)
    )


# --- targets of every dtype -----------------------------------------------------------------------

WORDS = ["no", "yes"]
TARGETS = {
    "text": (lambda y: np.array(WORDS, dtype=object)[y], WORDS, object),
    "truth": (lambda y: y == 1, [False, True], np.bool_),
    "nullable truth": (lambda y: pd.array(y == 1, dtype="boolean"), [False, True], np.bool_),
    "integers": (lambda y: y, [0, 1], np.int64),
    "small integers": (lambda y: (y * 5 - 3).astype(np.int8), [-3, 2], np.int64),
    "nullable": (lambda y: pd.array(y + 7, dtype="Int64"), [7, 8], np.int64),
    "nullable text": (lambda y: pd.array(np.array(WORDS)[y], dtype="string"), WORDS, object),
    "floats": (lambda y: y.astype(float), [0.0, 1.0], np.float64),
    "arrow integers": (lambda y: pd.array(y + 1, dtype="int32[pyarrow]"), [1, 2], np.int64),
    "arrow text": (lambda y: pd.array(np.array(WORDS)[y], dtype="string[pyarrow]"), WORDS, object),
    "arrow truth": (lambda y: pd.array(y == 1, dtype="bool[pyarrow]"), [False, True], np.bool_),
    "categories": (lambda y: pd.Categorical(np.array(WORDS)[y]), WORDS, object),
    "ordered, unused": (
        lambda y: pd.Categorical(np.array(WORDS)[y], ["yes", "maybe", "no"], ordered=True),
        WORDS,
        object,
    ),
    "numbered categories": (lambda y: pd.Categorical(y + 3), [3, 4], np.int64),
    "with gaps": (lambda y: pd.Series(np.where(np.arange(len(y)) == 9, np.nan, y)), [0, 1], None),
}


@pytest.mark.parametrize(("make", "classes", "dtype"), TARGETS.values(), ids=TARGETS)
def test_labels_come_back_as_the_user_wrote_them(frame, learned, make, classes, dtype):
    y = (frame["y"] == "yes").to_numpy().astype(np.int64)
    typed = frame.assign(y=make(y))
    again = fit(typed)
    assert again.task == "binary"
    assert again.classes_.tolist() == classes
    predicted = again.predict(typed)
    if dtype is None:
        assert predicted.dtype == np.int64
        assert np.isnan(again.oof[9]).all()
        return
    assert again.classes_.dtype == predicted.dtype == dtype
    # What is learned does not depend on how the same two classes are written.
    np.testing.assert_array_equal(again.oof, learned.oof)
    assert predicted.tolist() == np.array(classes)[again._predict(typed).argmax(axis=1)].tolist()
    assert set(predicted.tolist()) <= set(classes)


def test_many_classes_and_values(frame):
    several = fit(frame, "kind")
    assert several.task == "multiclass"
    assert several.metric.name == "log_loss"
    assert several.classes_.tolist() == ["boat", "flat", "house"]
    np.testing.assert_allclose(several.predict_proba(frame).sum(axis=1), 1.0)
    values = fit(frame.dropna(), "size")
    assert values.task == "regression"
    assert values.predict(frame).shape == values.predict(frame[:120]).shape == (120,)
    assert values.oof.shape == (len(frame.dropna()),)
    assert fit(frame, "rooms", task="regression").predict(frame).dtype == np.float64
    assert fit(frame, "rooms", task="multiclass").predict(frame).dtype == np.int64


# --- frames of every sort -------------------------------------------------------------------------

FRAMES = {
    "nullable": lambda d, _: d.convert_dtypes(),
    "arrow": lambda d, _: d.convert_dtypes(dtype_backend="pyarrow"),
    "categories": lambda d, _: d.astype({"kind": "category", "city": "category"}),
    "objects": lambda d, _: d.astype(dict.fromkeys(["size", "rooms", "new"], object)),
    "dict": lambda d, _: {name: d[name].tolist() for name in d},
    "polars": lambda d, _: pytest.importorskip("polars").from_pandas(d),
    "lazy polars": lambda d, _: pytest.importorskip("polars").from_pandas(d).lazy(),
    "csv": lambda d, folder: d.to_csv(folder / "t.csv", index=False) or folder / "t.csv",
    "gzip": lambda d, folder: (
        d.to_csv(folder / "t.csv.gz", index=False) or str(folder / "t.csv.gz")
    ),
    "tabs": lambda d, folder: d.to_csv(folder / "t.tsv", sep="\t", index=False) or folder / "t.tsv",
    "parquet": lambda d, folder: d.to_parquet(folder / "t.parquet") or folder / "t.parquet",
}


@pytest.mark.parametrize("convert", FRAMES.values(), ids=FRAMES)
def test_the_same_table_in_another_form(frame, learned, convert, tmp_path):
    other = convert(frame, tmp_path)
    again = fit(other, test=other)
    roles = {column.name: column.role for column in again.schema}
    assert roles == {column.name: column.role for column in learned.schema}
    np.testing.assert_allclose(again.oof, learned.oof, atol=1e-6)
    assert again.predict(other).dtype == object
    assert again.predict(other).tolist() == learned.predict(frame).tolist()
    # A model learned from one form predicts the others alike.
    np.testing.assert_allclose(
        learned.predict_proba(other), learned.predict_proba(frame), atol=1e-12
    )


# --- the same numbers -----------------------------------------------------------------------------


def test_same_seed_same_numbers(frame, learned):
    np.random.seed(123)
    assert same_numbers(fit(frame), learned, frame)
    other = fit(frame, seed=1)
    assert not np.array_equal(other.predict_proba(frame), learned.predict_proba(frame))
    assert not np.array_equal(other.folds.valid[0], learned.folds.valid[0])


def test_several_seeds_a_fold(frame):
    preset = Preset(net=replace(NET, other_kinds=()), train=TINY.train, n_seeds=2)
    twice = fit(frame, preset=preset)
    assert twice.folds.n_members == 4
    board = twice.leaderboard()
    assert board["model"].tolist() == [
        "blend", "attention TabNet, seed 1", "attention TabNet, seed 2",
    ]  # fmt: skip
    assert board["weight"].tolist() == [1.0, 0.5, 0.5]


def test_of_large_data_the_folds_start_from_the_same_weights(frame, monkeypatch):
    still = Preset(
        n_seeds=1, net=TINY.net, train=TrainConfig(max_epochs=1, batch_size=32, lr=1e-12)
    )
    for is_large in (False, True):
        monkeypatch.setattr(config, "SMALL_DATA", 0 if is_large else 10_000)
        learned = fit(frame, preset=still)
        keys = learned.net.steps[0].column_key
        assert torch.allclose(keys[0], keys[1], atol=1e-6) == is_large


def test_the_published_network(frame):
    net = PaperConfig(n_d=4, n_a=4, n_steps=2, virtual_batch_size=32)
    learned = fit(frame, preset=Preset(n_seeds=1, net=net, train=TINY.train))
    assert np.isfinite(learned.oof_score)
    assert learned.attention.per_step.shape == (4, 7)


def test_the_callers_preset_is_filled_in_and_kept(frame, learned):
    assert learned.preset.train.max_epochs == 4
    assert learned.preset.train.patience == 4
    assert TINY.train.patience == 0


# --- limits, interrupts, quiet --------------------------------------------------------------------


def test_a_time_limit_ends_training_with_a_usable_result():
    big = make_frame(5000)
    start = time.monotonic()
    learned = auto_fit(big, "y", time_limit=2, verbose=False, folds=3)
    seconds = time.monotonic() - start
    assert learned.trace.of("stopped")[0]["reason"] == "time_limit"
    assert learned.trace.of("plan")[0]["time_limit"] == 2
    assert learned.oof_score > 0.6
    assert np.isfinite(learned.predict_proba(big)).all()
    assert seconds < 12  # what follows the training takes longer on a busy machine


def test_an_interrupt_ends_training_with_the_best_so_far(frame):
    def interrupt(event):
        if event.kind == "epoch" and event.data["epoch"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    preset = Preset(
        n_seeds=1, net=NET, train=TrainConfig(max_epochs=50, patience=50, batch_size=32)
    )
    learned = fit(frame, preset=preset, emit=interrupt)
    stopped = learned.trace.of("stopped")[0]
    assert stopped["reason"] == "requested"
    assert stopped["epoch"] < 5
    assert np.isfinite(learned.oof_score)
    assert learned.trace.of("done")
    assert signal.getsignal(signal.SIGINT) is before


def test_quiet_and_not(frame, capfd):
    fit(frame, verbose=False)
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")
    events = []
    fit(frame, verbose=True, emit=events.append)
    out, err = capfd.readouterr()
    assert out == ""
    assert err
    kinds = [event.kind for event in events]
    shown = [kind for kind in kinds if kind != "note"]
    assert shown == ["audit", "plan", "epoch", "epoch", "epoch", "epoch", "stopped", "done"]


def test_special_columns_are_not_learned_from(frame):
    typed = frame.assign(day=np.arange(120), shop=np.arange(120) // 10, w=1.0 + np.arange(120) % 3)
    forward = fit(typed, time="day", folds=3)
    assert "forward in time" in forward.folds.rule
    assert np.isnan(forward.oof[:30]).all()
    assert np.isfinite(forward.oof[30:]).all()
    assert np.isfinite(forward.oof_score)
    grouped = fit(typed, groups="shop", weight="w", folds=3)
    for train, valid in zip(grouped.folds.train, grouped.folds.valid, strict=True):
        assert not set(typed["shop"].iloc[train]) & set(typed["shop"].iloc[valid])
    for learned, names in ((forward, {"day"}), (grouped, {"shop", "w"})):
        assert not names & set(learned.attention.features)
    unweighted = fit(typed.drop(columns="w"), groups="shop", folds=3)
    assert not np.array_equal(unweighted.oof, grouped.oof)


# --- no row that a member holds out reaches it ----------------------------------------------------

ONE_EPOCH = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=1, batch_size=32))


def of_member(learned, member):
    """Everything that a member has learned: tables and weights."""
    names = ("quantiles", "center", "scale", "lookup", "y_center", "y_scale")
    known = {name: getattr(learned.encoder.tables, name)[member] for name in names}
    weights = {name: tensor[member].numpy() for name, tensor in learned.net.state_dict().items()}
    assert sum(w.size for w in weights.values()) > 1000
    return known | weights


def differing(a, b):
    return {name for name in a if not np.array_equal(a[name], b[name], equal_nan=True)}


def scramble(frame, target, rows, seed):
    """Deal the cells of every column anew among some rows, and give them other targets."""
    rng = np.random.default_rng(seed)
    changed = frame.copy()
    for name in frame.columns.drop(target):
        changed[name] = changed[name].to_numpy(copy=True)
        changed.loc[rows, name] = frame[name].to_numpy()[rng.permutation(rows)]
    changed.loc[rows, "size"] = rng.normal(3.0, 5.0, len(rows))
    own = frame.loc[rows, target]
    other = own * 10 + 100 if own.dtype.kind == "f" else own.map({"yes": "no", "no": "yes"})
    changed.loc[rows, target] = other
    return changed


@pytest.mark.parametrize("task", ["binary", "regression"])
def test_held_out_rows_leave_no_mark_on_their_member(task):
    frame = make_frame(240).drop(columns="text")
    if task == "regression":
        frame["y"] = np.nan_to_num(frame["size"]) + np.random.default_rng(5).normal(size=240)
    thirds = np.random.default_rng(1).permutation(240).reshape(3, 80)
    pairs = [(np.setdiff1d(np.arange(240), valid), np.sort(valid)) for valid in thirds]

    def learn(data):
        return fit(data, preset=ONE_EPOCH, folds=pairs)

    base = learn(frame)
    for member, (train, valid) in enumerate(pairs[:2]):
        changed = learn(scramble(frame, "y", valid, seed=member))
        assert [c.role for c in changed.schema] == [c.role for c in base.schema]
        assert differing(of_member(base, member), of_member(changed, member)) == set()
        # Where they are not held out, the same rows are seen.
        assert differing(of_member(base, 2), of_member(changed, 2))
        # Negative control: the same change to rows that the member learns from.
        control = learn(scramble(frame, "y", train[:80], seed=member))
        seen = differing(of_member(base, member), of_member(control, member))
        assert {"quantiles", "center"} <= seen
        assert sum(name in seen for name in base.net.state_dict()) > 5


def test_targets_alone_are_seen_where_learned_from_only():
    frame = make_frame(240).drop(columns="text")
    valid, train = np.arange(80), np.arange(80, 240)
    folds = [(train, valid)]
    base = of_member(fit(frame, preset=ONE_EPOCH, folds=folds), 0)
    for rows, expected in ((valid, False), (train[:80], True)):
        changed = frame.copy()
        changed.loc[rows, "y"] = changed.loc[rows, "y"].map({"yes": "no", "no": "yes"})
        again = of_member(fit(changed, preset=ONE_EPOCH, folds=folds), 0)
        assert bool(differing(base, again)) == expected


def test_noise_scores_like_noise():
    rng = np.random.default_rng(0)
    n = 1500
    frame = pd.DataFrame({f"x{i}": rng.normal(size=n) for i in range(3)})
    frame["code"] = [f"c{i}" for i in rng.integers(0, 400, n)]
    frame["y"] = rng.integers(0, 2, n)
    preset = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=6, batch_size=128))
    learned = fit(frame, preset=preset, folds=5, roles={"code": "high_cardinality"})
    assert abs(learned.oof_score - 0.5) < 0.06  # four standard errors
