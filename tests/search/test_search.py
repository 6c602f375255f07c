"""A search looks at nothing that its fold holds out, and says what it tried."""

from __future__ import annotations

import builtins
import importlib.util
import signal
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tabnet_auto import InputError, Preset, Search, auto_fit, load
from tabnet_auto.config import MemberSettings, NetConfig, PaperConfig, TrainConfig, get_preset
from tabnet_auto.folds import make_folds
from tabnet_auto.search import Rows, check_search
from tabnet_auto.search.engines import Optuna, Spread
from tabnet_auto.search.inner import inner_folds
from tabnet_auto.search.record import SearchRecord, Trial
from tabnet_auto.search.run import _ranked, _Tried
from tabnet_auto.search.space import Range, default_settings, search_space

NET = NetConfig(n_steps=1, n_hidden=16, n_layers=1, n_bins=4, n_context=8)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=8, batch_size=32))
# A learning rate that is too low by far: the search finds a better one.
SLOW = TrainConfig(max_epochs=8, batch_size=32, lr=0.001)
TWO_SEEDS = Preset(n_seeds=2, net=NET, train=SLOW)
FEW = Search(n_configurations=4, space={"lr": (0.0005, 0.05), "dropout": (0.0, 0.5)})


def make_frame(n=160, seed=0, *, noise=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    frame = pd.DataFrame(x, columns=list("abcd"))
    # Few levels: the size of the embeddings, the same for all folds, is that of all levels.
    frame["city"] = rng.choice([f"city {i}" for i in range(5)], n)
    signal = rng.normal(size=n) if noise else x[:, 0] + x[:, 1] * x[:, 2] + rng.normal(size=n)
    frame["y"] = np.where(signal > np.median(signal), "yes", "no")
    return frame


def halves(n):
    order = np.random.default_rng(5).permutation(n)
    return [(order[: n // 2], order[n // 2 :]), (order[n // 2 :], order[: n // 2])]


def fit(frame, **options):
    given = {"preset": TINY, "folds": halves(len(frame)), "search": FEW, "verbose": False}
    return auto_fit(frame, "y", **{**given, **options})


@pytest.fixture(scope="module")
def learned():
    return fit(make_frame(), preset=TWO_SEEDS)


def trials_of(learned, fold):
    return trials_of_record(learned.search, fold)


def trials_of_record(record, fold):
    return [trial for trial in record.trials if trial.fold == fold]


# ---------------------------------------------------------------------------------- honesty


def test_what_a_fold_holds_out_has_no_part_in_its_search():
    frame = make_frame()
    held_out = halves(len(frame))[0][1]
    changed = frame.copy()
    rng = np.random.default_rng(1)
    changed.loc[held_out, "y"] = np.where(frame["y"][held_out] == "yes", "no", "yes")
    changed.loc[held_out, list("abcd")] = rng.normal(size=(len(held_out), 4))
    changed.loc[held_out, "city"] = rng.permutation(frame["city"][held_out])
    before, after = fit(frame), fit(changed)
    assert trials_of(before, 0) == trials_of(after, 0)
    # Negative control: the other fold learned from these rows.
    assert trials_of(before, 1) != trials_of(after, 1)


def test_choosing_on_noise_flatters_the_inner_score_and_not_the_out_of_fold_score():
    """Of a fair coin nothing can be known: no honest log-loss is below log 2 but by luck.

    With many configurations and few rows the best one's loss is far below it on the rows that
    chose it: that is what a search scored on its own rows would report.
    """
    net = replace(NET, n_hidden=32, n_layers=2)
    preset = Preset(n_seeds=1, net=net, train=TrainConfig(max_epochs=15, batch_size=16))
    search = Search(space={"lr": (0.002, 0.1), "dropout": (0.0, 0.5)})
    inner, out_of_fold = [], []
    for seed in range(5):
        frame = make_frame(80, seed, noise=True)
        found = fit(frame, preset=preset, search=search, metric="log_loss", seed=seed)
        inner.append(found.search.inner_score())
        out_of_fold.append(found.oof_score)
    assert np.mean(inner) < np.log(2.0) - 0.02, "the control: choosing flatters here"
    assert np.mean(out_of_fold) > np.log(2.0) - 0.01


# ---------------------------------------------------------------------------------- inner rows


def test_inner_rows_are_training_rows_and_groups_stay_together():
    rng = np.random.default_rng(0)
    y, groups = rng.integers(0, 2, 200), rng.integers(0, 40, 200)
    folds = make_folds("binary", y, folds=4, groups=groups, n_seeds=2)
    inner = inner_folds(folds, Rows("binary", y, groups, None, None), 10_000)
    assert inner.n_members == inner.n_folds == 4
    for fold in range(4):
        train, valid = inner.train[fold], inner.valid[fold]
        outer = folds.train[folds.of_fold(fold)[0]]
        np.testing.assert_array_equal(np.sort(np.concatenate([train, valid])), outer)
        assert not set(groups[train]) & set(groups[valid])


def test_later_rows_judge_where_there_is_a_time():
    y, time = np.arange(100) % 2, np.arange(100)[::-1]
    folds = make_folds("binary", y, folds=3, time=time)
    inner = inner_folds(folds, Rows("binary", y, None, time, None), 10_000)
    for train, valid in zip(inner.train, inner.valid, strict=True):
        assert time[train].max() < time[valid].min()


def test_later_rows_judge_and_groups_stay_together_where_there_are_both():
    y, time, groups = np.arange(120) % 2, np.arange(120), np.arange(120) // 3 % 20
    folds = make_folds("binary", y, folds=2, time=time, groups=groups)
    inner = inner_folds(folds, Rows("binary", y, groups, time, None), 10_000)
    for train, valid in zip(inner.train, inner.valid, strict=True):
        assert time[train].max() < time[valid].min()
        assert not set(groups[train]) & set(groups[valid])


def test_of_many_rows_a_sample_is_searched():
    y = np.arange(1000) % 2
    folds = make_folds("binary", y, folds=2)
    inner = inner_folds(folds, Rows("binary", y, None, None, None), 200)
    used = np.unique(np.concatenate([*inner.train, *inner.valid]))
    assert len(used) == 200


def test_rows_that_cannot_be_split_again_are_not_searched():
    frame = make_frame(40)
    frame["group"] = np.arange(40) // 20  # one group learns, the other is held out
    found = fit(frame, folds=2, groups="group")
    assert found.search is None
    assert any("search: left out" in event["text"] for event in found.trace.of("note"))


# ---------------------------------------------------------------------------------- what is tried


@pytest.mark.parametrize("preset", ["fast", "balanced", "best", "paper"])
@pytest.mark.parametrize(("n_rows", "n_columns"), [(300, 4), (100_000, 60)])
def test_the_presets_own_settings_are_the_centre(preset, n_rows, n_columns):
    given = get_preset(preset)
    space = search_space(given, task="binary", n_rows=n_rows, n_columns=n_columns, given=Search())
    own = default_settings(given)
    assert space
    for name, around in space.items():
        assert around.at(0.5) == pytest.approx(own[name])
        assert around.at(0.0) == pytest.approx(around.low)
        assert around.low < around.at(0.25) < around.at(0.75) < around.high


def test_what_the_preset_switches_off_stays_off_unless_named():
    paper = Preset(net=PaperConfig(), train=TrainConfig(weight_decay=0.0))
    sizes = {"task": "binary", "n_rows": 500, "n_columns": 9}
    assert set(search_space(paper, given=Search(), **sizes)) == {"lr"}
    named = Search(space={"weight_decay": (0.0, 0.1)})
    assert set(search_space(paper, given=named, **sizes)) == {"weight_decay"}


def test_points_are_spread_over_the_space():
    space = search_space(TINY, task="binary", n_rows=500, n_columns=9, given=Search())
    tried = Spread(space, 3).propose(16)
    for name, around in space.items():
        values = [one[name] for one in tried]
        below = np.mean([value < around.centre for value in values])
        assert 0.3 <= below <= 0.7
        assert around.low <= min(values) <= max(values) <= around.high
    assert tried == Spread(space, 3).propose(16) != Spread(space, 4).propose(16)


def test_equal_losses_leave_the_presets_own():
    def tried(number, loss, *, stood=True):
        return _Tried(Trial(0, number, {"lr": 0.1 * number}, 3, loss, 0.0), stood)

    ranks = [t.rank for t in _ranked([tried(0, 0.5), tried(1, 0.5), tried(2, 0.6)])]
    assert ranks == [1, 0, 0]
    found = _ranked([tried(0, 0.5), tried(1, 0.4), tried(2, 0.3), tried(3, 0.1, stood=False)])
    assert [t.rank for t in found] == [3, 2, 1, 0]


def test_seeds_of_a_fold_take_its_best_in_turn():
    def trial(fold, number, rank):
        return Trial(fold, number, {"lr": 10.0 * fold + number}, 3, 0.5, 0.5, rank)

    record = SearchRecord(
        (trial(0, 0, 2), trial(0, 1, 1), trial(0, 2, 0), trial(1, 0, 1), trial(1, 1, 0)), "x", 1.0
    )
    assert record.member_settings((0, 0, 0, 1, 1)) == MemberSettings(lr=(1.0, 0.0, 1.0, 10.0, 10.0))
    assert record.for_all_rows(2) == MemberSettings(lr=(5.5, 5.0))


# ---------------------------------------------------------------------------------- in a run


def test_the_settings_found_are_those_trained(learned):
    frame = learned.search.to_frame()
    assert len(frame) == 2 * 4
    assert {"lr", "dropout", "rung", "inner loss", "inner roc_auc", "rank"} <= set(frame.columns)
    assert (frame[frame["configuration"] == 0]["lr"] == SLOW.lr).all()
    assert set(learned.search.trials[0].settings) == {"lr", "dropout"}, "kinds keep the rest"
    assert (frame.groupby("fold")["rank"].max() >= 1).all()
    assert len(set(frame["rung"])) > 1
    plain = fit(make_frame(), preset=TWO_SEEDS, search=None)
    changed = any(len(learned.search.ranked(fold)) > 1 for fold in range(2))
    assert changed, "the test needs a fold that prefers something"
    assert not np.array_equal(plain.oof, learned.oof)


def test_the_same_seed_searches_the_same(learned):
    again = fit(make_frame(), preset=TWO_SEEDS)
    assert again.search.trials == learned.search.trials
    np.testing.assert_array_equal(again.oof, learned.oof)


def test_both_scores_are_said(learned, tmp_path):
    notes = [event["text"] for event in learned.trace.of("note") if "search:" in event["text"]]
    assert notes[0] == "search: 4 configurations a fold"
    for score in (learned.search.inner_score(), learned.oof_score):
        assert f"{score:.4f}" in notes[-1]
    page = learned.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Configurations by fold" in page
    assert "1 (preset)" in page
    assert "search=Search(n_configurations=4" in learned.about["Call"]


def test_saved_and_refitted(learned, tmp_path):
    loaded = load(learned.save(tmp_path / "model"))
    assert loaded.search == learned.search
    frame = make_frame(30, seed=9)
    np.testing.assert_allclose(loaded.predict_proba(frame), learned.predict_proba(frame))
    assert learned.refit_full().predict_proba(frame).shape == (30, 2)


def test_an_interrupt_ends_the_search_and_training_goes_on():
    frame, pressed = make_frame(), []

    def press(event):
        if event.kind == "note" and event.data["text"].startswith("search:") and not pressed:
            pressed.append(threading.Timer(0.3, signal.raise_signal, (signal.SIGINT,)))
            pressed[0].start()

    long = Search(n_configurations=4, space=FEW.space)
    endless = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=2_000, batch_size=32))
    found = fit(frame, preset=endless, search=long, emit=press, time_limit=8.0)
    notes = [note["text"] for note in found.trace.of("note")]
    assert any("stopped on request; training goes on" in text for text in notes)
    assert found.search.seconds < 2.0, "of 3.2"
    assert np.isfinite(found.oof_score)


def test_a_search_ends_in_its_share_of_the_time():
    large = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=100_000, batch_size=32))
    found = fit(make_frame(), preset=large, time_limit=4.0)
    assert found.search is not None
    assert max(trial.rung for trial in found.search.trials) == 3
    assert found.trace.of("stopped")[-1]["reason"] in ("time_limit", "converged")


needs_optuna = pytest.mark.skipif(
    importlib.util.find_spec("optuna") is None, reason="Optuna is not installed"
)


@needs_optuna
def test_optuna_proposes_in_two_rounds():
    search = Search(n_configurations=8, engine="optuna")
    found = fit(make_frame(), search=search).search
    assert [t.number for t in found.trials] == [*range(8)] * 2
    for fold in range(2):
        assert len({t.settings["lr"] for t in trials_of_record(found, fold)}) == 8
    assert found.trials == fit(make_frame(), search=search).search.trials


@needs_optuna
def test_optuna_learns_from_what_it_is_told():
    def second(losses):
        engine = Optuna({"lr": Range(0.001, 0.01, 0.1, log=True)}, seed=0)
        engine.propose(8)
        engine.tell(losses, [3] * 8)
        return engine.propose(4)

    rising = [0.1 * i for i in range(8)]
    assert second(rising) == second(rising) != second(rising[::-1])


def test_without_optuna_the_error_says_what_to_install(monkeypatch):
    plain = builtins.__import__

    def no_optuna(name, *rest, **more):
        if name == "optuna":
            raise ImportError(name)
        return plain(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", no_optuna)
    with pytest.raises(InputError, match="pip install optuna"):
        fit(make_frame(), search=Search(n_configurations=4, engine="optuna"))


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("yes", "True, False or a Search"),
        (Search(engine="optun"), "Did you mean 'optuna'"),
        (Search(n_configurations=1), "at least 2 configurations"),
        (Search(share=1.0), "share of the time between 0 and 1"),
    ],
)
def test_bad_searches_are_refused(search, message):
    with pytest.raises(InputError, match=message):
        check_search(search)


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"learning_rate": (0.1, 0.2)}, "however: 'learning_rate'"),
        ({"lr": (0.2, 0.1)}, "low before high"),
        ({"lr": (0.0, 0.1)}, "learning rate above it"),
        ({"dropout": (0.1, 1.0)}, "dropout below 1"),
        ({"dropout": 0.1}, "two numbers"),
    ],
)
def test_bad_spaces_are_refused(space, message):
    given = SimpleNamespace(space=space)
    with pytest.raises(InputError, match=message):
        search_space(TINY, task="binary", n_rows=100, n_columns=4, given=given)


def test_scores_that_are_not_defined_in_a_fold_leave_the_others_mean():
    trials = tuple(Trial(fold, 0, {"lr": 0.01}, 0, 1.0, score, 1)
                   for fold, score in enumerate([0.5, float("nan"), 0.7]))  # fmt: skip
    record = SearchRecord(trials, "roc_auc", 1.0)
    assert record.inner_score() == record.default_score() == pytest.approx(0.6)
    alone = SearchRecord(trials[1:2], "roc_auc", 1.0)
    assert "nan" not in replace(alone, trials=(replace(trials[1], fold=0),)).outcome(0.5)
