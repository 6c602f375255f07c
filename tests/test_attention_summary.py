"""What the networks looked at: weights that sum to 1, and a check that they matter."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from tabnet_auto import Preset, auto_fit
from tabnet_auto.attention.curves import HARM_COLUMNS
from tabnet_auto.attention.stability import measure_stability
from tabnet_auto.attention.summary import AttentionSummary
from tabnet_auto.config import NetConfig, PaperConfig, TrainConfig

NET = NetConfig(n_steps=2, n_hidden=32, n_layers=1, n_bins=4, n_context=8)
TRAIN = TrainConfig(max_epochs=10, batch_size=64)
NETS = {"default": NET, "published": PaperConfig(n_d=4, n_a=4, virtual_batch_size=64)}


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    n = 600
    frame = pd.DataFrame({f"noise{i}": rng.normal(size=n) for i in range(3)})
    frame["signal"] = rng.normal(size=n)
    frame["kind"] = rng.choice(["a", "b", "c"], n)
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), "D")
    frame["y"] = (2 * frame["signal"] + (frame["kind"] == "a") + 0.3 * rng.normal(size=n)) > 0.3
    return frame


@pytest.fixture(scope="module", params=NETS, ids=NETS)
def learned(request, frame):
    preset = Preset(net=NETS[request.param], train=TRAIN, n_seeds=2)
    return auto_fit(frame, "y", preset=preset, folds=3, verbose=False)


def test_weights_of_folds_and_steps_sum_to_one(learned):
    attention = learned.attention
    n_steps = learned.preset.net.n_steps
    assert attention.features == ("noise0", "noise1", "noise2", "signal", "kind", "day")
    assert attention.per_fold.shape == (3, 6)
    assert list(attention.per_fold) == list(attention.features)
    assert attention.per_step.shape == (3 * n_steps, 6)
    assert attention.per_step.index.names == ["fold", "step"]
    assert attention.per_step.loc[(2, n_steps - 1)].shape == (6,)
    for weights in (attention.per_fold, attention.per_step):
        np.testing.assert_allclose(weights.sum(axis=1), 1.0, atol=1e-5)
        assert (weights.to_numpy() >= 0).all()


def test_weights_of_rows(learned, frame):
    rows = learned.attention.rows(frame[:50])
    assert rows.shape == (3, learned.preset.net.n_steps, 50, 6)
    assert rows.dtype == np.float32
    assert (rows >= 0).all()
    np.testing.assert_allclose(rows.sum(axis=3), 1.0, atol=1e-4)
    alone = learned.attention.rows(frame[7:8])
    np.testing.assert_allclose(alone[:, :, 0], rows[:, :, 7], atol=1e-5)


def test_the_summary_is_the_mean_over_held_out_rows(learned, frame):
    summary = learned.attention_summary
    for fold in range(3):
        valid = learned.folds.valid[learned.folds.of_fold(fold)[0]]
        rows = learned.attention.rows(frame.iloc[valid])
        np.testing.assert_allclose(rows[fold].mean(axis=1), summary.per_step[fold], atol=1e-4)


def test_permuting_what_matters_hurts(learned):
    harm = learned.attention.permutation()
    assert list(harm.index) == list(learned.attention.features)
    assert harm["signal"] > 0.05
    assert harm["signal"] == harm.max()
    assert harm["signal"] > 5 * harm[["noise0", "noise1", "noise2"]].abs().max()
    attention = learned.attention.per_fold.mean()
    assert attention["signal"] > attention[["noise0", "noise1", "noise2"]].max()


def test_stability(learned):
    per_fold = learned.attention.per_fold.to_numpy()
    pairs = [spearmanr(per_fold[i], per_fold[j])[0] for i, j in ((0, 1), (0, 2), (1, 2))]
    assert learned.attention_summary.stability() == pytest.approx(np.mean(pairs))
    assert -1 <= learned.attention_summary.stability() <= 1
    assert -1 <= learned.attention_summary.agreement() <= 1


def make_summary(members, harm=None, fold=None):
    members = np.asarray(members, dtype=float)
    n, d = members.shape
    names = tuple(f"c{i}" for i in range(d))
    harm = np.zeros(d) if harm is None else np.asarray(harm, dtype=float)
    fold = fold or tuple(range(n))
    common = measure_stability(members[:, None], fold)
    return AttentionSummary(names, members, members[:, None], harm, fold, common, None)


def test_stability_of_known_weights():
    up, down = [0.1, 0.2, 0.7], [0.7, 0.2, 0.1]
    assert make_summary([up, up]).stability() == pytest.approx(1.0)
    assert make_summary([up, down]).stability() == pytest.approx(-1.0)
    assert make_summary([up, up, down]).stability() == pytest.approx(-1 / 3)
    assert np.isnan(make_summary([up]).stability())
    assert np.isnan(make_summary([[1.0], [1.0]]).stability())
    # Seeds of a fold are averaged first.
    seeds = make_summary([up, down, up, up], fold=(0, 0, 1, 1))
    np.testing.assert_allclose(seeds.per_fold, [[0.4, 0.2, 0.4], up])
    np.testing.assert_array_equal(seeds.per_seed, [[up, down], [up, up]])
    np.testing.assert_array_equal(seeds.per_seed_step[:, :, 0], seeds.per_seed)


def test_agreement_of_known_weights():
    assert make_summary([[0.1, 0.2, 0.7]], [0.0, 0.1, 0.5]).agreement() == pytest.approx(1.0)
    assert make_summary([[0.1, 0.2, 0.7]], [0.5, 0.1, 0.0]).agreement() == pytest.approx(-1.0)
    known = make_summary([[0.1, 0.2, 0.3, 0.4]], [0.0, 0.1, np.nan, 0.5])
    assert known.agreement() == pytest.approx(1.0)
    assert np.isnan(make_summary([[0.1, 0.9]], [0.0, 0.0]).agreement())


def test_no_time_to_shuffle(frame, monkeypatch, tmp_path):
    monkeypatch.setattr("tabnet_auto.attention.curves.monotonic", lambda: float("inf"))
    preset = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=2, batch_size=64))
    learned = auto_fit(frame, "y", preset=preset, folds=2, time_limit=600, verbose=False)
    assert learned.attention.permutation().isna().all()
    assert np.isnan(learned.attention_summary.agreement())
    assert "agreement with permutation importance nan" in repr(learned.attention)
    learned.report(tmp_path / "report.html")


def test_one_fold_one_column_and_many_columns(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, HARM_COLUMNS + 6))
    preset = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=1, batch_size=64))
    wide = pd.DataFrame(x).add_prefix("x").assign(y=x[:, 0])
    learned = auto_fit(wide, "y", preset=preset, folds=2, verbose=False)
    assert learned.attention.permutation().isna().sum() == 6
    learned.report(tmp_path / "wide.html")
    pairs = [(np.arange(60), np.arange(60, 80))]
    narrow = auto_fit(wide[["x0", "y"]], "y", preset=preset, folds=pairs, verbose=False)
    assert np.isnan(narrow.attention.stability().fold_rank)
    assert "stability between folds (Spearman)" in repr(narrow.attention)
    narrow.report(tmp_path / "narrow.html")
