"""A model without what its blend does not need: the same predictions, and what is gone says so."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tabnet_auto import InputError, Preset, auto_fit, load
from tabnet_auto.artifact import ARRAYS
from tabnet_auto.config import NetConfig, PaperConfig, Search, TrainConfig
from tabnet_auto.ensemble.blend import Blend, Stack, uniform
from tabnet_auto.result.dashboard import attend, dashboard_source

NET = NetConfig(n_steps=2, n_hidden=16, n_layers=1, n_bins=4, n_context=8)
TINY = Preset(n_seeds=3, net=NET, train=TrainConfig(max_epochs=3, batch_size=32))
COMPANIONS = ["hist_gradient_boosting", "linear"]
SOME = Blend((0.0, 0.5, 0.25, 0.0, 0.25))
"""Of three seeds and two companions, the second and the third, and the second."""


def make_frame(n=150):
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "kind": rng.choice(["flat", "house", "boat"], n),
            "city": rng.choice([f"city {i}" for i in range(60)], n),
            "value": size + 0.1 * rng.normal(size=n),
        }
    )
    frame["y"] = np.where(size + 0.5 * rng.normal(size=n) > 0, "yes", "no")
    return frame


def fit(frame, target="y", blend=SOME, **options):
    given = {"preset": TINY, "folds": 2, "verbose": False, "companions": COMPANIONS, **options}
    return replace(auto_fit(frame, target, **given), blend=blend)


@pytest.fixture(scope="module")
def frame():
    return make_frame()


@pytest.fixture(scope="module")
def learned(frame):
    return fit(frame)


STACK = Stack(((0.0, 0.7, 0.0, 0.4, 0.0),), (0.1,), 5)
CASES = {
    "binary": ("y", {}),
    "multiclass": ("kind", {}),
    "regression": ("value", {"companions": (), "blend": Blend((0.25, 0.0, 0.75))}),
    "published": ("y", {"preset": replace(TINY, net=PaperConfig(n_d=4, n_a=4))}),
    "stack": ("y", {"blend": STACK}),
    "rounds": ("y", {"time_limit": 6.0, "companions": (), "blend": None}),
}


@pytest.mark.parametrize(("target", "options"), CASES.values(), ids=CASES)
def test_predicts_the_same_saved_or_not(frame, target, options, tmp_path):
    learned = fit(frame, target, **options)
    if learned.blend is None:  # rounds train fine and coarse networks, as many as there is time for
        weights = np.arange(learned.n_seeds) % 2
        learned = replace(learned, blend=Blend(tuple((weights / weights.sum()).tolist())))
    slim = learned.slim()
    again = load(slim.save(tmp_path / "slim"))
    kept = tuple(np.flatnonzero(learned.blend.weights[: learned.n_seeds]).tolist())
    assert kept == slim.networks == again.networks != tuple(range(learned.n_seeds))
    for one in (slim, again, again.slim()):
        assert one.members.n_members == one.encoder.n_members == 2 * len(kept)
        np.testing.assert_array_equal(one._predict(frame), learned._predict(frame))
        assert len(one.predict(frame[:0])) == 0
        pd.testing.assert_frame_equal(one.leaderboard(), learned.leaderboard())
        np.testing.assert_array_equal(one.oof, learned.oof)
    assert repr(again) == repr(slim)
    sizes = [path.stat().st_size for path in
             (tmp_path / "slim" / ARRAYS, learned.save(tmp_path / "whole") / ARRAYS)]  # fmt: skip
    assert sizes[0] < sizes[1]


def test_attention_is_that_of_the_networks_that_stay(frame, learned, tmp_path):
    again = load(learned.slim().save(tmp_path / "slim"))
    whole, own = attend(learned, frame), attend(again, frame)
    np.testing.assert_array_equal(own.masks, whole.masks[:, 1:])
    np.testing.assert_array_equal(own.size, whole.size[:, 1:])
    rows = again.attention.rows(frame)
    assert rows.shape == (2, 2, 150, 4)
    np.testing.assert_allclose(rows.sum(axis=3), 1.0, atol=1e-5)
    means = learned.attention_summary.members.reshape(2, 3, -1)[:, 1:].mean(axis=1)
    np.testing.assert_allclose(again.attention.per_fold, means)
    assert again.attention.effective(frame).shape == (2, 150, 4)
    assert again.attention.trust(frame).verdict
    assert again.attention.stability(frame).n_rows == 150
    source = dashboard_source(again)
    assert (source.n_folds, source.n_seeds) == (2, 2)
    assert again.report(tmp_path / "report.html").stat().st_size > 0


def test_refitted_before_and_after(frame, learned, tmp_path):
    full = learned.refit_full()
    slim = full.slim()
    later = learned.slim().refit_full()
    for one in (slim, later, load(slim.save(tmp_path / "slim"))):
        assert one.members.n_members == 2
        np.testing.assert_array_equal(one.predict_proba(frame), full.predict_proba(frame))
        assert dashboard_source(one).n_seeds == 2
    loaded = load(learned.slim().save(tmp_path / "loaded")).refit_full(frame)
    np.testing.assert_array_equal(loaded.predict_proba(frame), full.predict_proba(frame))


def test_refitted_with_the_settings_that_a_search_found_for_the_seeds_kept(frame):
    learned = fit(frame, companions=(), blend=Blend((0.0, 0.0, 1.0)), search=Search(4))
    full = learned.refit_full()
    # One network beside two others, and alone: sums in another order.
    np.testing.assert_allclose(
        learned.slim().refit_full().predict_proba(frame), full.predict_proba(frame), rtol=1e-5
    )


def test_a_blend_without_networks_keeps_them_all_to_be_looked_at(frame, learned):
    lone = replace(learned, blend=Blend((0.0, 0.0, 0.0, 1.0, 0.0)))
    slim = lone.slim()
    assert slim.networks == (0, 1, 2)
    assert [bool(one.members) for one in slim.companions] == [True, False]
    np.testing.assert_array_equal(slim.predict_proba(frame), lone.predict_proba(frame))
    np.testing.assert_array_equal(slim.attention.rows(frame), lone.attention.rows(frame))


def test_what_is_gone_says_so(frame, learned, tmp_path):
    slim = learned.slim()
    assert "slim: of the networks only those of seed 2, 3 are kept" in repr(slim)
    assert "slim" not in repr(learned)
    with pytest.raises(InputError, match=r"made slim\. Call without\(\) before slim\(\)"):
        slim.without(["linear"])
    with pytest.raises(InputError, match=r"'attention TabNet, seed 1' has weight 0\.2 and is not"):
        replace(slim, blend=uniform(5)).predict(frame)
    saved = load(learned.save(tmp_path / "whole"))
    alone = replace(saved, blend=Blend((0.0, 0.0, 0.0, 1.0, 0.0)))
    with pytest.raises(InputError, match="'hist_gradient_boosting' has weight 1 and is not there"):
        alone.predict(frame)
