"""Pseudo-labels inside the folds: what is labelled, by whom, and that nothing leaks."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from tabnet_auto import InputError, Preset, auto_fit
from tabnet_auto.config import NetConfig, TrainConfig
from tabnet_auto.models import pseudo
from tabnet_auto.models.pseudo import CONFIDENT, check_pseudo_labels

NET = NetConfig(n_steps=1, n_hidden=8, n_layers=1, n_bins=4, n_context=4)
TINY = Preset(n_seeds=2, net=NET, train=TrainConfig(max_epochs=3, batch_size=32))


def make_frame(n, seed):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    return pd.DataFrame(
        {
            "size": size,
            "kind": rng.choice(["flat", "house", "boat"], n),
            "city": rng.choice([f"city {i}" for i in range(60)], n),
            "w": rng.uniform(0.5, 2.0, n),
            "value": size + 0.2 * rng.normal(size=n),
            "y": np.where(size + 0.3 * rng.normal(size=n) > 0, "yes", "no"),
        }
    )


FRAME, TEST = make_frame(150, 0), make_frame(80, 1)


def fit(target="y", frame=FRAME, **options):
    defaults = {"preset": TINY, "folds": 2, "verbose": False, "weight": "w"}
    other = "value" if target == "y" else "y"
    drop = {"roles": {other: "drop"}}
    return auto_fit(frame, target, **(defaults | drop | options))


def effect(learned):
    (text,) = [n["text"] for n in learned.trace.of("note") if "pseudo-labels for" in n["text"]]
    return text


def said_scores(learned):
    """The scores before and after, as the note says them."""
    return [float(text) for text in re.findall(r"([\d.]+) (?:before|with them)", effect(learned))]


def epochs(learned):
    return [event["epoch"] for event in learned.trace.of("epoch")]


@pytest.mark.parametrize("target", ["y", "value"])
@pytest.mark.parametrize("kept", [True, False])
def test_the_effect_is_told_and_the_scores_are_of_the_training_rows(target, kept, monkeypatch):
    monkeypatch.setattr(pseudo, "is_gain", lambda *_: kept)
    plain = fit(target)
    learned = fit(target, test=TEST, pseudo_labels=0.5 if target == "y" else True)
    before, after = said_scores(learned)
    assert before == pytest.approx(plain.oof_score, abs=6e-5)
    assert learned.oof_score == pytest.approx(after if kept else before, abs=6e-5)
    assert len(learned.oof) == len(plain.oof) == 150
    assert np.array_equal(learned.oof, plain.oof) == (not kept)
    assert [len(rows) for rows in learned.folds.train] == [len(r) for r in plain.folds.train]
    if target == "value":
        assert "for 80 of 80 test rows" in effect(learned)
    assert epochs(learned) == sorted(set(epochs(learned))), "one training is in the record"


def truth(y):
    return [np.eye(2)[y]] * 2


@pytest.mark.parametrize(("labels", "is_kept"), [(truth, True), (lambda y: truth(1 - y), False)])
def test_the_better_training_is_kept_and_told(labels, is_kept, monkeypatch):
    many = make_frame(600, 1)
    y = (many["y"] == "yes").to_numpy(dtype=np.int64)
    monkeypatch.setattr(pseudo, "fold_labels", lambda *_: labels(y))
    learned = fit(test=many, pseudo_labels=True)
    before, after = said_scores(learned)
    assert (after > before) == is_kept
    assert effect(learned).endswith(pseudo.KEPT[is_kept])
    assert learned.oof_score == pytest.approx(max(before, after), abs=6e-5)
    if not is_kept:  # in all that it says and does it is the first training
        plain = fit(test=many)
        np.testing.assert_array_equal(learned.predict_proba(TEST), plain.predict_proba(TEST))
        assert learned.trace.of("epoch")[-1]["score"] == plain.trace.of("epoch")[-1]["score"]
        assert learned.trace.of("stopped") == plain.trace.of("stopped")
        seconds = [event.seconds for event in learned.trace]
        assert seconds == sorted(seconds)
    assert np.isfinite(learned.refit_full().predict_proba(TEST)).all()


def test_both_trainings_have_rounds_of_seeds():
    preset = replace(TINY, n_seeds=1, max_seeds=2)
    learned = fit(preset=preset, test=TEST, pseudo_labels=0.5, time_limit=120)
    assert learned.n_seeds == 2
    assert effect(learned)
    assert learned.predict_proba(TEST).shape == (80, 2)


def test_without_confident_rows_nothing_changes():
    learned = fit(test=TEST, pseudo_labels=0.999999)
    assert "for 0 of 80 test rows" in effect(learned)
    assert effect(learned).endswith("none is sure enough, the first training stays")
    np.testing.assert_array_equal(learned.oof, fit(test=TEST).oof)


def test_held_out_rows_leave_no_mark_on_their_fold(monkeypatch):
    # Which training is kept is for them to say, and that alone.
    monkeypatch.setattr(pseudo, "is_gain", lambda *_: True)
    halves = np.random.default_rng(1).permutation(150).reshape(2, 75)
    pairs = [(np.sort(halves[1 - i]), np.sort(halves[i])) for i in range(2)]
    one_epoch = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=1, batch_size=32))
    boosted = HistGradientBoostingClassifier(max_iter=10, random_state=0)

    def learn(frame):
        learned = fit(
            frame=frame, folds=pairs, preset=one_epoch, companions=[boosted], test=TEST,
            pseudo_labels=0.5,
        )  # fmt: skip
        weights = {k: v[0].numpy() for k, v in learned.net.state_dict().items()}
        return weights | learned.companions[0].members[0].to_arrays()

    def change(rows):
        changed = FRAME.copy()
        changed.loc[rows, "y"] = FRAME.loc[rows, "y"].map({"yes": "no", "no": "yes"})
        changed.loc[rows, "size"] = np.random.default_rng(3).normal(4, 2, len(rows))
        return changed

    base, (train, valid) = learn(FRAME), pairs[0]
    same, control = learn(change(valid)), learn(change(train[:40]))
    assert [name for name in base if not np.array_equal(base[name], same[name])] == []
    assert [name for name in base if not np.array_equal(base[name], control[name])]


def test_misuse():
    with pytest.raises(InputError, match=r"need rows to label, however: test=None"):
        fit(pseudo_labels=True)
    with pytest.raises(InputError, match=r"for a regression\. Pass pseudo_labels=True"):
        fit("value", test=TEST, pseudo_labels=0.9)
    for wrong in ("yes", 2, 1.0, 0.0, None):
        with pytest.raises(InputError, match=re.escape(f"pseudo_labels={wrong!r}")):
            check_pseudo_labels(wrong, "binary", has_test=True)
    assert check_pseudo_labels(False, "binary", has_test=False) is None
    assert check_pseudo_labels(True, "multiclass", has_test=True) == CONFIDENT
    assert check_pseudo_labels(True, "regression", has_test=True) == 0.0
