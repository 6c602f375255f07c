"""A time limit: what is planned, what is given up where time is short, and what always stands."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from time import monotonic
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import PredefinedSplit

from tabnet_auto import InputError, NetConfig, Preset, TrainConfig, auto_fit, automl, load
from tabnet_auto.config import PRESETS, TIMED_SEEDS, Kind
from tabnet_auto.folds import make_folds
from tabnet_auto.models import budget
from tabnet_auto.models.budget import Deadlines, affordable_rows, budget_words
from tabnet_auto.models.rounds import Room, Trained, Tried, train_rounds
from tabnet_auto.models.train import Plan, train_models
from tabnet_auto.reporting import member_curves, plan_facts
from tabnet_auto.table import read_table
from tabnet_auto.trace import Trace
from tabnet_auto.view.run_state import RunState, sentence_of

NET = NetConfig(n_steps=1, n_hidden=16, n_layers=1, n_bins=4, n_context=8, dropout=0.0)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=3, batch_size=32))


def make_frame(n=400, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    y = np.where(x + 0.5 * rng.normal(size=n) > 0, "yes", "no")
    return pd.DataFrame({"x": x, "z": rng.normal(size=n), "y": y})


def limits(seconds):
    now = monotonic()
    return Deadlines(now, now + 0.1 * seconds, *[now + seconds] * 4)


class Interrupting(ClassifierMixin, BaseEstimator):
    """A companion during whose fit the user presses stop."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        os.kill(os.getpid(), signal.SIGINT)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]


def test_networks_learn_an_epoch_before_companions_do():
    events = []
    learned = auto_fit(
        make_frame(), "y", preset=TINY, folds=2, companions=["linear"], verbose=False,
        emit=events.append,
    )  # fmt: skip
    kinds = [event.kind for event in events if event.kind in ("epoch", "companion", "stopped")]
    assert kinds[:3] == ["epoch", "companion", "companion"]
    alone = auto_fit(make_frame(), "y", preset=TINY, folds=2, verbose=False)
    np.testing.assert_array_equal(learned.member_scores, alone.member_scores)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_of_a_companion_ends_all_with_the_networks_so_far():
    frame = make_frame()
    learned = auto_fit(
        frame, "y", preset=TINY, folds=2, companions=["linear", Interrupting(), "extra_trees"],
        verbose=False,
    )  # fmt: skip
    assert [one.name for one in learned.companions] == ["linear"]
    assert len(learned.trace.of("epoch")) == 1
    assert learned.trace.of("stopped")[0]["reason"] == "requested"
    assert learned.predict_proba(frame).shape == (400, 2)
    assert learned.oof_score > 0.5


def test_the_plan_is_said_before_training():
    events = []
    auto_fit(
        make_frame(), "y", preset=TINY, folds=2, companions=["linear"], time_limit=60,
        verbose=False, emit=events.append,
    )  # fmt: skip
    texts = [event.data.get("text", "") for event in events]
    place = next(i for i, text in enumerate(texts) if text.startswith("plan of 60 s: "))
    assert "linear at most" in texts[place]
    plan = next(event for event in events if event.kind == "plan")
    said = sentence_of(plan, RunState())
    assert said.endswith("within 60 s; rows split into 2 stratified folds, seed 0")
    assert [e.kind for e in events].index("epoch") > place
    assert budget_words(Deadlines(0.0), ["linear"], 0.2) == ""


def test_choosing_weights_has_a_share_of_its_own(monkeypatch):
    plans = []

    def train(task, plan, *rest):
        plans.append(plan)
        return train_models(task, plan, *rest)

    monkeypatch.setattr(automl, "train_models", train)
    single = replace(TINY, max_seeds=1)
    auto_fit(make_frame(), "y", preset=single, folds=2, time_limit=600, verbose=False)
    times = plans[0].times
    assert times.blend - times.train >= budget.BLEND_SHARE * budget.RESERVE * 600
    assert times.blend < times.report < times.end


def test_further_networks_take_their_time_for_the_test_rows_from_blend_and_report():
    times = replace(limits(60.0), test_seconds=2.0, n_seeds=2)
    later = times.with_seeds(5)
    assert (times.blend - later.blend, times.report - later.report) == (6.0, 6.0)
    assert (times.train, times.end) == (later.train, later.end)
    assert Deadlines(0.0).with_seeds(3).blend is None


def test_companions_take_their_time_for_the_test_rows_from_all_that_comes_before():
    times = replace(limits(60.0), n_test=1000)
    later = times.with_companions(0.004)
    assert times.train - later.train == times.blend - later.blend == pytest.approx(4.0)
    assert times.report - later.report == pytest.approx(4.0)
    assert Deadlines(0.0).with_companions(0.004) == Deadlines(0.0)


def test_networks_a_fold_at_most_with_a_time_limit():
    assert PRESETS["fast"].timed_seeds() == TIMED_SEEDS
    assert replace(TINY, n_seeds=2).timed_seeds() == 2
    assert replace(TINY, n_seeds=0).timed_seeds() == PRESETS["best"].timed_seeds() == TIMED_SEEDS


@pytest.fixture(scope="module")
def events():
    return []


@pytest.fixture(scope="module")
def learned(events):
    preset = replace(TINY, max_seeds=3)
    return auto_fit(
        make_frame(), "y", preset=preset, folds=2, companions=["linear"], blend="uniform",
        time_limit=60, verbose=False, emit=events.append,
    )  # fmt: skip


class TestRounds:
    """Time that is left after early stopping trains further seeds of every fold."""

    def test_they_equal_seeds_that_train_at_once(self, learned):
        preset = replace(TINY, n_seeds=3)
        at_once = auto_fit(
            make_frame(), "y", preset=preset, folds=2, companions=["linear"], blend="uniform",
            verbose=False,
        )  # fmt: skip
        assert learned.n_seeds == 3
        assert learned.folds.seed == at_once.folds.seed
        assert learned.folds.fold == (0, 0, 0, 1, 1, 1)
        np.testing.assert_allclose(learned.member_scores, at_once.member_scores, rtol=1e-4)
        np.testing.assert_allclose(learned.oof, at_once.oof, rtol=1e-4)
        frame = make_frame(seed=1)
        np.testing.assert_allclose(
            learned.predict_proba(frame), at_once.predict_proba(frame), rtol=1e-4
        )

    def test_they_are_told_and_shown(self, events, learned, tmp_path):
        kinds = [e.kind for e in events if e.kind in ("round", "stopped", "done")]
        assert kinds == ["stopped", "round", "stopped", "round", "stopped", "done"]
        state = RunState()
        for event in events:
            state.read(event)
            if event.kind == "epoch":
                assert len(state.folds) == 2
        assert [e.data["number"] for e in events if e.kind == "round"] == [2, 3]
        board = learned.leaderboard()
        assert board["model"].tolist()[1:5] == [
            *(f"attention TabNet, seed {i}" for i in (1, 2, 3)), "linear",
        ]  # fmt: skip
        labels = [curve.label for curve in member_curves(learned.trace)]
        assert labels[:3] == ["fold 1, seed 1", "fold 1, seed 2", "fold 1, seed 3"]
        assert "in 3 rounds" in plan_facts(learned.trace)["Networks"]
        learned.report(tmp_path / "report.html")

    def test_the_model_is_whole(self, learned, tmp_path):
        frame = make_frame(seed=1)
        again = load(learned.save(tmp_path / "model"))
        np.testing.assert_array_equal(again.predict_proba(frame), learned.predict_proba(frame))
        assert learned.refit_full().members.n_members == 3
        assert learned.attention_summary.members.shape == (6, 2)

    def test_none_is_begun_that_does_not_fit(self):
        course = Plan(TINY, (), "auto", torch.device("cpu"), Deadlines(0.0)).course
        folds = make_folds("binary", np.tile([0, 1], 20), folds=2)
        first = Trained(object(), SimpleNamespace(folds=folds), (8,), ended=False)
        state = SimpleNamespace(best_epoch=[2, 2], best_loss=[0.5, 0.5])
        for room in (
            Room(None, 0.0, 8, 0, 0.0),
            Room(monotonic() + 1.0, 0.0, 8, 0, 2.5),
            Room(monotonic() + 1.0, 2.0, 8, 0, 0.1),
            Room(monotonic() + 1.0, 0.0, 1, 0, 0.0),
        ):
            same = train_rounds(course, first, state, room, (0,), Trace())
            assert vars(same) == vars(first)

    def test_each_kind_has_its_turn_and_then_the_better_one(self):
        folds = make_folds("binary", np.tile([0, 1], 20), folds=2)
        tried = Tried((0, 1), 8)
        tried.add(folds, SimpleNamespace(best_epoch=[3, 6], best_loss=[0.5, 0.7]), 8)
        assert tried.next_plan(100) == (1, 8)
        assert tried.next_plan(2) == (0, 8), "there is no time to tell how good another kind is"
        other = folds.with_kinds([1])
        tried.add(other, SimpleNamespace(best_epoch=[2, 2], best_loss=[0.5, 0.6]), 8)
        assert tried.next_plan(11) == (1, 4), "twice its best epochs"
        # What later networks of the same plan say changes nothing.
        tried.add(other, SimpleNamespace(best_epoch=[9, 9], best_loss=[0.9, 0.9]), 8)
        assert tried.next_plan(11) == (1, 4)

    def test_kinds_are_planned_for_twice_what_the_first_round_found_best(self):
        folds = make_folds("binary", np.tile([0, 1], 20), folds=2)
        tried = Tried((0, 1), 30)
        tried.add(folds, SimpleNamespace(best_epoch=[5, 5], best_loss=[0.5, 0.7]), 30)
        assert tried.next_plan(14) == (0, 10), "the first kind, too"
        tried.add(folds, SimpleNamespace(best_epoch=[9, 9], best_loss=[0.4, 0.6]), 10)
        assert tried.next_plan(14) == (1, 10)
        tried.add(
            folds.with_kinds([1]), SimpleNamespace(best_epoch=[3, 3], best_loss=[0.8] * 2), 10
        )
        assert tried.next_plan(100) == (0, 10), "more has been tried before"

    def test_all_kinds_have_the_first_plan_where_time_is_ample(self):
        folds = make_folds("binary", np.tile([0, 1], 20), folds=2)
        first = SimpleNamespace(best_epoch=[5, 5], best_loss=[0.5, 0.7])
        for n_epochs, planned in ((119, 10), (120, 30)):
            tried = Tried((0, 2, 1), 30)
            tried.add(folds, first, 30)
            kind = 0 if planned == 10 else 2
            assert tried.next_plan(n_epochs) == (kind, planned)
            tried.add(folds.with_kinds([kind]), first, planned)
            assert tried.next_plan(60)[1] == planned, "all of them have the same"

    def test_longer_training_of_the_next_kinds_is_tried_where_time_is_ample(self):
        folds = make_folds("binary", np.tile([0, 1], 20), folds=2)

        def add(kind, planned, loss):
            state = SimpleNamespace(best_epoch=[3, 3], best_loss=[loss, loss])
            tried.add(folds.with_kinds([kind]), state, planned)

        for n_epochs, then in ((32, (1, 16)), (31, (0, 6))):
            tried = Tried((0, 1, 2), 8)
            add(0, 8, 0.5)
            tried.next_plan(n_epochs)
            for kind, planned, loss in (
                (0, 6, 0.55),
                (1, 8, 0.6),
                (1, 6, 0.6),
                (2, 8, 0.8),
                (2, 6, 0.8),
            ):
                add(kind, planned, loss)
            assert tried.next_plan(12) == (0, 16)
            add(0, 16, 0.7)
            assert tried.next_plan(12) == then
        tried.is_ample = True
        add(1, 16, 0.4)
        assert tried.next_plan(100) == (1, 32), "and goes on while it is better"
        add(1, 32, 0.45)
        assert tried.next_plan(100) == (2, 16)
        add(2, 16, 0.45)
        assert tried.next_plan(23) == (1, 6), "the best as it was"
        assert tried.next_plan(24) == (2, 32)

    def test_longer_training_is_tried_and_goes_on_while_it_is_better(self):
        folds = make_folds("binary", np.tile([0, 1], 20), folds=2)
        tried = Tried((0,), 8)
        tried.add(folds, SimpleNamespace(best_epoch=[3, 6], best_loss=[0.5, 0.7]), 8)
        assert tried.next_plan(11) == (0, 8), "there is no time for most of twice the epochs"
        assert tried.next_plan(12) == (0, 16)
        tried.add(folds, SimpleNamespace(best_epoch=[15, 16], best_loss=[0.5, 0.6]), 16)
        assert tried.next_plan(100) == (0, 32)
        tried.add(folds, SimpleNamespace(best_epoch=[9, 9], best_loss=[0.6, 0.6]), 32)
        assert tried.next_plan(100) == (0, 16), "and the best plan is kept to"

    def test_no_plan_is_longer_than_the_user_lets_it_be(self):
        folds = make_folds("binary", np.tile([0, 1], 20), folds=2)
        tried = Tried((0,), 8, 15)
        tried.add(folds, SimpleNamespace(best_epoch=[8, 8], best_loss=[0.5, 0.7]), 8)
        assert tried.next_plan(100) == (0, 8)
        preset = replace(TINY, max_seeds=3, net=replace(NET, other_kinds=()))
        events = []
        auto_fit(
            make_frame(), "y", preset=preset, folds=2, time_limit=60, verbose=False,
            emit=events.append,
        )  # fmt: skip
        assert [e.data["max_epochs"] for e in events if e.kind == "round"] == [3, 3]

    def test_networks_of_another_kind_join(self):
        preset = replace(
            TINY, max_seeds=3, net=replace(TINY.net, n_bins=6, other_kinds=(Kind(n_bins=2),))
        )
        learned = auto_fit(make_frame(), "y", preset=preset, folds=2, time_limit=60, verbose=False)
        kinds = learned.folds.kinds
        assert kinds[:2] == (0, 1)
        bins = [6 if kind == 0 else 2 for kind in kinds] * 2
        assert learned.net.tokens.bins.tolist() == bins
        assert learned.refit_full().net.tokens.bins.tolist() == bins[:3]

    @pytest.mark.usefixtures("interruptible")
    def test_an_interrupted_one_is_left_out(self):
        def press(event):
            if pressed and event.kind == "epoch":
                os.kill(os.getpid(), signal.SIGINT)
            pressed.extend([1] if event.kind == "round" and event.data["number"] == 3 else [])

        pressed = []
        learned = auto_fit(
            make_frame(), "y", preset=replace(TINY, max_seeds=4), folds=2, time_limit=60,
            verbose=False, emit=press,
        )  # fmt: skip
        assert learned.n_seeds == 2
        assert len(learned.trace.rounds()) == 2
        assert len(member_curves(learned.trace)) == 4


def test_rows_are_sampled_where_time_is_short_and_rare_classes_stay():
    frame = make_frame(20_000)
    frame.loc[[7, 77], "y"] = "rare"
    frame.loc[100:149, "y"] = None
    table = read_table(frame, "y")
    some = affordable_rows(table, limits(0.005), 5)
    assert len(some.frame) < 2000
    assert (some.frame["y"] == "rare").sum() == 2
    assert some.has_target.sum() == len(some.frame)
    np.testing.assert_array_equal(some.frame["x"], frame["x"][some.has_target])
    assert "leaves time to read" in some.notes[-1]
    assert affordable_rows(table, limits(600), 5) is table
    assert affordable_rows(table, Deadlines(0.0), 5) is table
    counting = [(np.arange(9), np.arange(9, 19))], PredefinedSplit(np.arange(19_950) % 2)
    for folds in counting:
        assert affordable_rows(table, limits(0.005), folds) is table


def test_a_sample_of_the_rows_is_learned_from(monkeypatch, tmp_path):
    monkeypatch.setattr(budget, "FIRST_SECONDS", 0.005)
    monkeypatch.setattr(budget, "MIN_ROWS", 100)
    frame = make_frame(3000)
    learned = auto_fit(frame, "y", preset=TINY, folds=2, time_limit=60, verbose=False)
    assert 200 <= len(learned.target) < 1000
    assert learned.oof.shape == (3000, 2)
    assert np.isnan(learned.oof[:, 0]).sum() == 3000 - len(learned.target)
    assert learned.predict(frame).shape == (3000,)
    assert any("leaves time to read" in note["text"] for note in learned.trace.of("note"))
    # The same sample is refitted, from the rows at hand or from the whole table again.
    again = load(learned.save(tmp_path / "model")).refit_full(frame)
    full = learned.refit_full()
    assert len(full.members.train[0]) == len(learned.target)
    np.testing.assert_array_equal(again.predict_proba(frame), full.predict_proba(frame))
    with pytest.raises(InputError, match="2999 rows"):
        load(tmp_path / "model").refit_full(frame[:-1])


def test_fewer_rows_are_held_out_where_time_is_short(monkeypatch, tmp_path):
    monkeypatch.setattr(budget, "_row_seconds", lambda *_: 0.02)
    monkeypatch.setattr(budget, "MIN_VALID_ROWS", 50)
    frame = make_frame(2000)
    learned = auto_fit(
        frame, "y", preset=TINY, folds=3, companions=["linear"], time_limit=60, verbose=False
    )
    known = ~np.isnan(learned.oof[:, 0])
    assert 3 * 50 <= known.sum() < 2000
    assert set(np.flatnonzero(known)) == set(np.concatenate(learned.folds.valid))
    whole = make_folds("binary", learned.target, folds=3)
    for member in range(3):
        assert set(learned.folds.valid[member]) <= set(whole.valid[member])
        np.testing.assert_array_equal(learned.folds.train[member], whole.train[member])
    assert any("leaves time to predict" in note["text"] for note in learned.trace.of("note"))
    learned.report(tmp_path / "report.html")


@pytest.mark.parametrize("limit", [0.05, 1.0])
def test_however_short_the_time_there_is_a_model(limit):
    frame = make_frame()
    learned = auto_fit(
        frame, "y", preset="best", folds=3, test=frame.drop(columns="y"), time_limit=limit,
        verbose=False,
    )  # fmt: skip
    assert np.isfinite(learned.predict_proba(frame)).all()
    assert learned.oof_score > 0.4
