"""A race of the kinds of networks: who comes first, what is told, and when there is none."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from time import monotonic
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from tabnet_auto import NetConfig, Preset, Search, TrainConfig, auto_fit, load
from tabnet_auto.config import Kind
from tabnet_auto.models import race, train
from tabnet_auto.models.race import KindRace, name_of
from tabnet_auto.reporting import member_curves
from tabnet_auto.train.members import Training
from tabnet_auto.view.run_state import RunState, sentence_of

NET = NetConfig(
    n_steps=1, n_hidden=32, n_layers=1, n_bins=4, n_context=8, dropout=0.0, column_dropout=0.02,
    other_kinds=(Kind(n_bins=1), Kind(levels_of_numbers=True), Kind(n_bins=2, asks_by_row=False)),
)  # fmt: skip
TRAIN = TrainConfig(max_epochs=30, batch_size=32)
RACING = Preset(n_seeds=1, max_seeds=3, net=NET, train=TRAIN)


def make_codes(n=900, seed=0):
    """Whole numbers that are codes: a value's neighbours say nothing of it."""
    rng = np.random.default_rng(seed)
    tables = np.random.default_rng(7).normal(size=(2, 24))
    codes = rng.integers(0, 24, size=(n, 2))
    y = tables[0][codes[:, 0]] + tables[1][codes[:, 1]]
    return pd.DataFrame({"a": codes[:, 0], "b": codes[:, 1], "y": y + 0.1 * rng.normal(size=n)})


def learn(preset=RACING, frame=None, **settings):
    frame = make_codes() if frame is None else frame
    return auto_fit(frame, "y", preset=preset, folds=2, verbose=False, **settings)


@pytest.fixture(scope="module")
def events():
    return []


@pytest.fixture(scope="module")
def learned(events):
    return learn(emit=events.append)


class TestCodes:
    """Codes among whole numbers: only levels tell them apart."""

    def test_the_kind_that_reads_levels_comes_first(self, events, learned):
        (found,) = [event.data for event in events if event.kind == "race"]
        assert found["kinds"][0] == 2
        assert sorted(found["kinds"]) == [0, 1, 2, 3]
        assert found["anew"]
        assert found["fold"] == 1
        assert found["epochs"] == 6, "a fifth of the plan"
        assert found["names"][0] == "4 bins, levels of numbers"
        assert found["losses"][0] < 0.5 * max(found["losses"])
        assert found["gaps"][-1] is None, "who leaves at the first rung is not asked"
        assert learned.folds.kinds == (2,)
        assert learned.net.tokens.reads_level.all()

    def test_it_learns_as_if_it_had_been_the_only_one(self, learned):
        alone = learn(replace(RACING, net=replace(NET, levels_of_numbers=True, other_kinds=())))
        np.testing.assert_array_equal(learned.member_scores, alone.member_scores)

    def test_the_epoch_before_counts_for_nothing(self, events, learned):
        curves = member_curves(learned.trace)
        assert [curve.epochs[0] for curve in curves] == [1, 1]
        for curve in curves:
            assert curve.epochs == sorted(set(curve.epochs))
        state = RunState()
        for event in events:
            state.read(event)
            if event.kind == "race":
                said = sentence_of(event, state)
                assert state.losses == {}
                assert state.epoch == 0
        for xs, _ in state.losses.values():
            assert xs[0] == 1.0
            assert xs == sorted(set(xs))
        assert said.startswith("race on fold 2, 6 epochs: ")
        assert "4 bins, levels of numbers (loss 0." in said

    def test_the_model_is_whole(self, learned, tmp_path):
        frame = make_codes(seed=1)
        again = load(learned.save(tmp_path / "model"))
        np.testing.assert_array_equal(again.predict(frame), learned.predict(frame))
        assert learned.refit_full().net.tokens.reads_level.all()
        page = learned.report(tmp_path / "report.html").read_text(encoding="utf-8")
        assert "4 bins, levels of numbers: ahead of 3 kinds in a race" in page


def test_further_rounds_go_by_the_order_of_the_race():
    learned = learn(time_limit=60)
    order = learned.trace.of("race")[0]["kinds"]
    assert learned.folds.kinds == tuple(order[:3])


def test_where_time_is_ample_all_kinds_have_their_turn_without_one(monkeypatch):
    every = replace(RACING, max_seeds=4)
    learned = learn(every, time_limit=60)
    assert learned.trace.of("race") == []
    assert learned.folds.kinds[0] == 0
    asked = []
    monkeypatch.setattr(train._Begun, "step_seconds", 0.1)
    monkeypatch.setattr(
        train, "race_kinds", lambda *args: asked.append(args) or ((3, 2, 1, 0), False)
    )
    learn(every, time_limit=60)
    assert asked, "30 epochs of 14 steps of a tenth of a second"


def test_values_as_they_are_stay_first_where_they_say_all():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(900, 2))
    frame = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": 2.0 * x[:, 0] - x[:, 1]})
    net = replace(NET, n_bins=1, other_kinds=(Kind(column_dropout=0.9), Kind(asks_by_row=False)))
    learned = learn(replace(RACING, net=net), frame)
    (found,) = learned.trace.of("race")
    assert found["kinds"][0] == 0
    assert not found["anew"]
    curves = member_curves(learned.trace)
    assert [curve.epochs[0] for curve in curves] == [1, 1]


class TestKindRace:
    """Who goes on from which rung, and when it is over."""

    def run(self, losses, gaps, asks_by_row=(True, False, True, True, True)):
        kinds, told = KindRace(asks_by_row, lambda: gaps), []
        for progress, loss in zip((0.07, 0.2, 0.47), losses, strict=False):
            kinds.survivors(SimpleNamespace(best_loss=loss), progress)
            told.append(sorted(kinds.standing))
        assert kinds.is_over
        assert kinds.n_rungs == len(losses)
        return told, kinds.order(SimpleNamespace(best_loss=loss))

    def test_it_is_over_at_the_second_rung_if_the_gap_changes_nothing(self):
        loss = [0.4, 0.1, 0.3, 0.6, 0.5]
        told, order = self.run([loss, loss], {0: 0.3, 2: 0.3, 4: 0.2})
        assert told == [[0, 2, 4], [2]], "who asks by a constant never wins"
        assert order == [2, 0, 4, 1, 3], "by how far they ran, then by loss"

    def test_what_is_known_by_heart_calls_for_a_third_rung(self):
        loss = [0.40, 0.9, 0.45, 0.6, 0.5]
        for last, winner in (([0.40, 0.9, 0.35, 0.6, 0.5], 2), ([0.34, 0.9, 0.35, 0.6, 0.5], 0)):
            told, order = self.run([loss, loss, last], {0: 0.3, 2: 0.1, 4: 0.3})
            assert told == [[0, 2, 4], [0, 2], [winner]]
            assert order == [winner, 2 - winner, 4, 3, 1]

    def test_where_all_ask_by_a_constant_all_can_win(self):
        net = replace(NET, asks_by_row=False, other_kinds=(Kind(n_bins=1), Kind(n_bins=2)))
        (found,) = learn(replace(RACING, net=net)).trace.of("race")
        assert sorted(found["kinds"]) == [0, 1, 2]


def test_kinds_start_from_the_same_weights_and_see_the_same_batches():
    twins = learn(replace(RACING, net=replace(NET, other_kinds=(Kind(), Kind()))))
    (found,) = twins.trace.of("race")
    assert found["losses"][0] == found["losses"][1]
    raced = [e["valid_loss"][1] for e in twins.trace.of("epoch") if e["epoch"] <= found["epochs"]]
    assert found["losses"][0] == pytest.approx(min(raced)), "and so does the fold's own network"


def test_kinds_race_with_what_a_search_found_for_the_fold():
    learned = learn(search=Search(n_configurations=2))
    assert learned.trace.of("race")[0]["kinds"][0] == 2


def test_who_has_lost_patience_is_compared_by_its_loss():
    told = KindRace([True] * 3, lambda: {2: 0.1})
    state = SimpleNamespace(best_loss=[0.5, 0.9, 0.45])
    told.survivors(state, 0.07)
    assert told.survivors(state, 0.2) == {0, 2}
    impatient = replace(RACING, train=replace(TRAIN, patience=1))
    assert len(learn(impatient).trace.of("race")) == 1


@pytest.mark.parametrize(
    "preset",
    [
        replace(RACING, max_seeds=1),
        replace(RACING, n_seeds=2, max_seeds=2),
        replace(RACING, train=replace(TRAIN, max_epochs=14)),
        replace(RACING, net=replace(NET, other_kinds=())),
    ],
    ids=["one network is asked for", "more begin at once", "short plan", "one kind"],
)
def test_there_is_none_where_nothing_is_open_or_too_little_would_be_seen(preset):
    learned = learn(preset)
    assert learned.trace.of("race") == []
    assert learned.folds.kinds[0] == 0


def test_one_that_had_no_time_for_some_steps_is_not_run(monkeypatch):
    monkeypatch.setattr(race, "SHARE", 0.0)
    monkeypatch.setattr(Training, "race", None)
    learned = learn(time_limit=60)
    assert learned.trace.of("race") == []
    assert learned.folds.kinds[0] == 0


def test_one_that_took_fewer_steps_decides_nothing(monkeypatch):
    monkeypatch.setattr(race, "LEAST_STEPS", 10_000)
    learned = learn()
    assert learned.trace.of("race") == []
    assert learned.folds.kinds[0] == 0


def test_it_ends_within_an_epoch_that_takes_longer_than_its_time(monkeypatch):
    state = SimpleNamespace(epoch=1, n_steps=1, alive=[0], best_epoch=[1])
    stops = []

    class Slow:
        def race(self, halving, *, deadline, stop):
            stops.extend([stop(), deadline - monotonic()])
            return state

    kinds = KindRace([True] * 3, dict)
    assert race._run(Slow(), kinds, 0.0) == (state, False)
    assert stops[0], "not only at the end of an epoch"
    race._run(Slow(), kinds, 5.0)
    assert not stops[2]
    assert stops[3] == pytest.approx(20.0, abs=1.0), "four rungs would be the whole plan"


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_all_with_the_networks_that_had_begun(monkeypatch):
    def interrupted(self, halving, *, deadline, stop):
        os.kill(os.getpid(), signal.SIGINT)
        return ran(self, halving, deadline=deadline, stop=stop)

    ran = Training.race
    monkeypatch.setattr(Training, "race", interrupted)
    learned = learn()
    assert learned.trace.of("race") == []
    assert len(learned.trace.of("epoch")) == 1
    assert learned.trace.of("stopped")[0]["reason"] == "requested"
    assert learned.predict(make_codes(seed=1)).shape == (900,)


def test_kinds_have_names():
    net = NetConfig()
    names = [name_of(net, kind) for kind in range(net.n_kinds)]
    assert len(set(names)) == net.n_kinds
    assert names[2] == "32 bins, levels of numbers, column dropout 0.25"


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_between_what_looks_for_one_ends_all_with_the_networks_so_far():
    def press(event):
        if event.kind == "note" and event.data["text"].startswith("a race of"):
            os.kill(os.getpid(), signal.SIGINT)

    learned = learn(emit=press)
    assert learned.trace.of("race") == []
    assert len(learned.trace.of("epoch")) == 1
    assert learned.trace.of("stopped")[0]["reason"] == "requested"
    assert len(learned.predict(make_codes())) == 900
