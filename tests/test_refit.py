"""The same models on all rows: how long, from what, and what stays the folds'."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from train_helpers import make_members, make_table, make_trainer

from tabnet_auto import InputError, Preset, auto_fit, load
from tabnet_auto.config import Kind, NetConfig, TrainConfig
from tabnet_auto.ensemble.blend import Blend
from tabnet_auto.folds import Folds
from tabnet_auto.result.predict import predict_models
from tabnet_auto.result.refit import Schedule, seed_schedules
from tabnet_auto.trace import Trace

NET = NetConfig(n_steps=2, n_hidden=8, n_layers=1, n_bins=4, n_context=4)
TINY = Preset(n_seeds=2, net=NET, train=TrainConfig(max_epochs=4, batch_size=32))


def make_frame(n=150):
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    return pd.DataFrame(
        {
            "size": size,
            "kind": rng.choice(["flat", "house", "boat"], n),
            "w": rng.uniform(0.5, 2.0, n),
            "y": np.where(size + 0.5 * rng.normal(size=n) > 0, "yes", "no"),
        }
    )


def fit(frame, **options):
    return auto_fit(frame, "y", **{"preset": TINY, "folds": 3, "verbose": False, **options})


@pytest.fixture(scope="module")
def frame():
    frame = make_frame()
    frame.loc[[3, 4], "y"] = None
    return frame


@pytest.fixture(scope="module")
def learned(frame):
    return fit(frame, weight="w", companions=["hist_gradient_boosting"], blend="uniform")


@pytest.fixture(scope="module")
def full(learned):
    return learned.refit_full()


def test_one_member_a_model_has_seen_every_row(frame, learned, full):
    assert full.members.n_members == full.encoder.n_members == 2
    assert [len(rows) for rows in full.members.train] == [148, 148]
    assert [len(rows) for rows in full.members.valid] == [0, 0]
    assert len(full.companions[0].members) == 1
    known = frame[frame["y"].notna()]["size"]
    assert full.encoder.tables.center[0][0] == pytest.approx(known.median())
    assert full.companions[0].members[0].rounds == learned.companions[0].rounds
    p = full.predict_proba(frame)
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert not np.allclose(p, learned.predict_proba(frame))
    # One network a seed: no two alike, and the blend's weights as they were.
    cube = predict_models(full, full.encoder.encode(frame))
    assert cube.shape == (3, 150, 2)
    assert not np.allclose(cube[0], cube[1])
    assert full.blend == learned.blend
    np.testing.assert_allclose(p, cube.mean(axis=0))


def test_what_was_scored_stays_the_folds(learned, full):
    assert full.oof_score == learned.oof_score
    np.testing.assert_array_equal(full.oof, learned.oof)
    assert full.folds is learned.folds
    assert "refitted on all rows; scores are of the folds" in repr(full)
    assert "refitted" not in repr(learned)
    pd.testing.assert_frame_equal(full.leaderboard(), learned.leaderboard())


def test_attention_is_that_of_the_new_networks(frame, learned, full):
    rows = full.attention.rows(frame)
    assert rows.shape == (1, 2, 150, 2)
    np.testing.assert_allclose(rows.sum(axis=3), 1.0, atol=1e-5)
    assert full.attention.rows(frame[:0]).shape == (1, 2, 0, 2)
    assert learned.attention.rows(frame).shape == (3, 2, 150, 2)


def test_saved_and_loaded(frame, full, tmp_path):
    again = load(full.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_proba(frame), full.predict_proba(frame))
    np.testing.assert_array_equal(again.attention.rows(frame), full.attention.rows(frame))
    assert repr(again) == repr(full)
    assert again.report(tmp_path / "report.html").stat().st_size > 0


def test_a_loaded_model_needs_the_training_table_again(frame, learned, full, tmp_path):
    again = load(learned.save(tmp_path / "model"))
    unpickled = pickle.loads(pickle.dumps(learned))
    for other in (again, unpickled):
        with pytest.raises(InputError, match=r"Pass it: fit.refit_full\(train\)"):
            other.refit_full()
        refitted = other.refit_full(frame)
        np.testing.assert_array_equal(refitted.predict_proba(frame), full.predict_proba(frame))
    with pytest.raises(InputError, match="147 rows, 148 were learned from"):
        again.refit_full(frame[:-1])
    flipped = frame.assign(y=frame["y"].map({"yes": "no", "no": "yes"}))
    with pytest.raises(InputError, match="same rows in the same order"):
        again.refit_full(flipped)


def test_groups_and_columns_that_are_also_learned_from_are_known_again(frame, tmp_path):
    grouped = frame.assign(owner=np.arange(len(frame)) // 3)
    learned = fit(grouped, groups="owner", weight="w", roles={"w": "numeric"})
    assert "w" in {column.name for column in learned.schema.used}
    full = learned.refit_full()
    known = grouped["y"].notna().to_numpy()
    assert len(full.full.groups) == known.sum()
    assert full.full.groups.max() == grouped["owner"][known].nunique() - 1
    again = load(learned.save(tmp_path / "model")).refit_full(grouped)
    np.testing.assert_array_equal(again.predict_proba(grouped), full.predict_proba(grouped))


def test_a_companion_leaves_a_refitted_model_that_its_blend_needed_alone(frame, learned):
    only = replace(learned, blend=Blend((0.0, 0.0, 1.0))).refit_full()
    left = only.without(["hist_gradient_boosting"])
    assert left.blend.weights == (0.5, 0.5)
    assert np.isfinite(left.predict_proba(frame)).all()


def test_estimators_of_ones_own_are_refitted_while_they_are_known(frame, tmp_path):
    wanted = [LogisticRegression(), HistGradientBoostingClassifier(max_iter=5)]
    learned = fit(frame.drop(columns="w"), companions=wanted, blend="uniform")
    full = learned.refit_full()
    assert [len(one.members) for one in full.companions] == [1, 1]
    again = load(learned.save(tmp_path / "model"))
    with pytest.raises(InputError, match="'LogisticRegression' was loaded without it"):
        again.refit_full(frame)


class TestSchedule:
    def test_the_median_of_the_best_epochs(self, learned):
        best = np.array(learned.trace.of("epoch")[-1]["best_epoch"]).reshape(-1, 2)
        lasts = np.maximum(1, np.median(best, axis=0).round())
        assert seed_schedules(learned) == [Schedule(4, last) for last in lasts], "of two kinds"

    def test_every_round_has_its_own(self, learned):
        trace = Trace()
        best = (
            ([7, 8, 3], 9, "time_limit"),
            ([15, 20, 16], 20, "max_epochs"),
            ([2] * 3, 3, "requested"),
        )
        for number, (epochs, epoch, reason) in enumerate(best):
            if number:
                trace.add("round", number=number + 1)
            trace.add("epoch", best_epoch=epochs, max_epochs=20)
            trace.add("stopped", reason=reason, epoch=epoch)
        # The first was cut short, and had bent its schedule; the third was interrupted.
        assert learned.folds.n_folds == 3
        assert seed_schedules(replace(learned, trace=trace)) == [Schedule(9, 7), Schedule(20, 16)]

    def test_networks_of_two_schedules_are_as_trained_alone(self, frame):
        net = replace(NET, other_kinds=(Kind(n_bins=2), Kind(column_dropout=0.5)))
        learned = fit(frame, preset=replace(TINY, net=net, n_seeds=3))
        trace = Trace()
        trace.add("epoch", best_epoch=[1, 3, 1] * 3, max_epochs=4)
        trace.add("stopped", reason="max_epochs", epoch=4)
        learned = replace(learned, trace=trace)
        whole = learned.refit_full()
        for seed in range(3):
            weights = [float(seed == other) for other in range(3)]
            one = replace(learned, blend=Blend(tuple(weights))).slim().refit_full()
            for name, tensor in one.net.state_dict().items():
                torch.testing.assert_close(whole.net.state_dict()[name][[seed]], tensor, msg=name)

    def test_without_validation_rows_the_last_epoch_counts(self):
        design, members = make_table(), make_members()
        none = (np.zeros(0, dtype=np.int64),) * 3
        blind = Folds(members.train, none, members.fold, members.seed, members.rule)
        config = TrainConfig(max_epochs=6, batch_size=32, patience=2)
        trainer = make_trainer(design, blind, config=config)
        state = trainer.run(last_epoch=4)
        assert state.epoch == 4
        assert state.best_epoch == [4, 4, 4]
        with trainer.optimizer.averaged():
            for name, tensor in trainer.net.state_dict().items():
                np.testing.assert_array_equal(state.best[name].numpy(), tensor.numpy())
        # The schedule is that of six epochs: at the same epoch, the same weights as with rows
        # to validate on, up to where those are stopped.
        seeing = make_trainer(design, members, config=replace(config, patience=6))
        seeing.run(last_epoch=4)
        for name, tensor in seeing.net.state_dict().items():
            np.testing.assert_array_equal(tensor.numpy(), trainer.net.state_dict()[name].numpy())


def test_a_column_that_serves_twice_does_so_again(tmp_path):
    frame = make_frame().assign(part=np.arange(150) % 7 + 1.0)
    learned = fit(frame, groups="part", weight="part")
    assert learned.schema["part"].reason == "given as groups= and weight="
    loaded = load(learned.save(tmp_path)).refit_full(frame)
    assert loaded.table.groups is not None
    np.testing.assert_array_equal(loaded.table.weight, frame["part"])
    same = learned.refit_full()
    np.testing.assert_array_equal(loaded.predict_proba(frame), same.predict_proba(frame))
