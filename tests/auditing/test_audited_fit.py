"""auto_fit looks before it trains: what it notes, what it does on request, what it keeps."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from tabnet_auto import InputError, Preset, auto_fit, load
from tabnet_auto.config import NetConfig, TrainConfig

NET = NetConfig(n_steps=1, n_hidden=16, n_layers=1, n_bins=4, n_context=8)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=2, batch_size=64))
N = 300


def fit(frame, **options):
    return auto_fit(frame, "y", **{"preset": TINY, "folds": 2, "verbose": False, **options})


def leaky(seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=N)
    y = np.where(x + rng.normal(size=N) > 0, "yes", "no")
    frame = pd.DataFrame({"x": x, "z": rng.normal(size=N), "paid": y, "y": y})
    frame["paid"] = frame.paid + "!"
    return pd.concat([frame, frame.iloc[:60]], ignore_index=True)


def notes(found):
    return [event["text"] for event in found.trace.of("note") if event["text"].startswith("audit")]


@pytest.fixture(scope="module")
def warned():
    return fit(leaky())


def test_warnings_become_notes_before_the_plan(warned):
    assert {one.kind for one in warned.audit.warnings} == {"leak", "duplicates"}
    assert len(notes(warned)) == 2
    kinds = [event.kind for event in warned.trace]
    assert kinds.index("audit") < kinds.index("plan")
    assert warned.schema["paid"].used, "to warn is not to act"


def test_a_clean_table_has_no_notes():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(N, 3)), columns=list("abc"))
    frame["y"] = np.where(frame.a + rng.normal(size=N) > 0, "yes", "no")
    found = fit(frame)
    assert found.audit.findings == ()
    assert notes(found) == []


def test_acting_leaves_the_leak_out_and_keeps_copies_together():
    frame = leaky()
    acted = fit(frame, audit="act")
    assert acted.schema["paid"].role == "drop"
    assert "audit" in acted.schema["paid"].reason
    assert any("left out" in note for note in notes(acted))
    assert any("stay in one fold" in note for note in notes(acted))
    for valid in acted.folds.valid:
        held = set(valid.tolist())
        assert all((i in held) == (i + N in held) for i in range(60))


def boat(n=N, seed=0):
    """A cell that is filled in for survivors only."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    y = np.where(x[:, 0] + rng.normal(size=n) > 0, "yes", "no")
    known = np.where(y == "yes", 0.85, 0.1) > rng.random(n)
    number = np.where(known, rng.integers(1, 9, n).astype(float), np.nan)
    return pd.DataFrame({"x": x[:, 0], "z": x[:, 1], "boat": number, "y": y})


def test_acting_leaves_out_what_is_missing_by_the_target():
    assert fit(boat()).schema["boat"].used
    acted = fit(boat(), audit="act")
    assert acted.schema["boat"].role == "drop"
    assert any("left out" in note for note in notes(acted))


def test_acting_sets_training_rows_aside_that_a_test_to_be_scored_holds():
    frame = boat().drop(columns="boat")
    test = pd.concat([boat(200, 1).drop(columns="boat"), frame.iloc[:50]])
    acted = fit(frame, audit="act", test=test)
    assert any("50 training rows set aside" in note for note in notes(acted))
    assert np.isnan(acted.oof[:50]).all()
    assert np.isfinite(acted.oof[50:]).all()
    assert len(acted.target) == N - 50
    assert np.isfinite(acted.refit_full(frame).predict_proba(test)).all()
    unscored = fit(frame, audit="act", test=test.drop(columns="y"))
    assert np.isfinite(unscored.oof).all(), "of rows without a target one learns what one can"
    given = fit(frame, audit="act", test=test, folds=KFold(2))
    assert np.isfinite(given.oof).all()
    assert any("the folds that you gave count them" in note for note in notes(given))
    whole = fit(frame, audit="act", test=frame)
    assert any("rows kept: without them half" in note for note in notes(whole))


def test_acting_leaves_the_folds_of_sorted_rows_alone():
    frame = boat().drop(columns="boat").sort_values("y", ignore_index=True)
    acted = fit(frame, audit="act", folds=4)
    assert [one.kind for one in acted.audit.warnings] == ["order"]
    (note,) = notes(acted)
    assert note.endswith("if in blocks, groups= with the blocks"), "an offer, nothing done"
    assert all(set(acted.target[valid]) == {0, 1} for valid in acted.folds.valid)
    # Folds in blocks of that order would be of one class each, their scores not defined.
    blocks = [set(acted.target[valid]) for _, valid in KFold(4).split(frame)]
    assert sum(len(block) == 1 for block in blocks) >= 3


def in_time(seed=0, strength=2.0):
    """Rows in the order of their days, two a day, along which the target drifts."""
    rng = np.random.default_rng(seed)
    rising = np.linspace(-strength, strength, N) + rng.normal(size=N)
    frame = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N)})
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(N) // 2, "D")
    return frame.assign(y=np.where(rising > 0, "yes", "no"))


def test_acting_goes_forward_in_time_and_learns_from_nothing_later():
    frame = in_time()
    acted = fit(frame, audit="act", folds=3)
    (note,) = notes(acted)
    assert note.endswith("folds go forward in time by 'day', which is not learned from")
    assert acted.schema["day"].role == "drop"
    for train, valid in zip(acted.folds.train, acted.folds.valid, strict=True):
        assert frame.day.iloc[train].max() < frame.day.iloc[valid].min()
    assert acted.trace.of("plan")[-1]["split"] == "3 folds forward in time"
    same = fit(frame, time="day", folds=3)
    assert [list(rows) for rows in same.folds.valid] == [list(rows) for rows in acted.folds.valid]
    np.testing.assert_array_equal(same.oof, acted.oof)
    warned = fit(frame, folds=3)
    assert any(
        frame.day.iloc[train].max() > frame.day.iloc[valid].min()
        for train, valid in zip(warned.folds.train, warned.folds.valid, strict=True)
    ), "to warn is not to act"
    assert warned.schema["day"].used


def test_what_hinders_going_forward_is_said():
    frame = in_time()
    given = fit(frame, audit="act", folds="stratified")
    assert any("folds kept as you gave them" in note for note in notes(given))
    one_class = fit(in_time(strength=30.0), audit="act", folds=3)
    assert any("one would lack a class" in note for note in notes(one_class))
    assert "stratified" in one_class.folds.rule
    few = frame.assign(day=frame.day.dt.year.astype(str) + "-01-01")
    few["day"] = np.where(np.arange(N) < N // 2, "2023-01-01", "2024-01-01")
    halved = fit(few.assign(day=pd.to_datetime(few.day)), audit="act", folds=3)
    assert "stratified" in halved.folds.rule


def test_going_forward_keeps_copies_together_and_the_role_that_was_given():
    frame = in_time()
    doubled = pd.concat([frame, frame.iloc[::5]]).sort_values("day", ignore_index=True)
    acted = fit(doubled, audit="act", folds=3, roles={"day": "datetime"})
    assert acted.schema["day"].used
    assert {one.kind for one in acted.audit.warnings} == {"order", "duplicates"}
    assert any(note.endswith("folds go forward in time by 'day'") for note in notes(acted))
    assert any(note.endswith("identical rows stay in one fold") for note in notes(acted))
    code = doubled.groupby(list(doubled.columns)).ngroup().to_numpy()
    for train, valid in zip(acted.folds.train, acted.folds.valid, strict=True):
        assert not set(code[train]) & set(code[valid])


def test_without_acting_copies_fall_apart(warned):
    held = set(warned.folds.valid[0].tolist())
    assert any((i in held) != (i + N in held) for i in range(60))


def test_what_the_user_gave_wins():
    frame = leaky().assign(block=np.arange(N + 60) % 31)
    acted = fit(frame, audit="act", roles={"paid": "categorical"}, groups="block")
    assert acted.schema["paid"].used
    assert any("kept: 'paid'" in note for note in notes(acted))
    assert any("folds kept as you gave them" in note for note in notes(acted))


def test_the_only_column_is_kept():
    acted = fit(leaky()[["paid", "y"]], audit="act")
    assert acted.schema["paid"].used
    assert any("no other column is left" in note for note in notes(acted))


def test_off_does_not_look():
    found = fit(leaky(), audit="off")
    assert found.audit is None
    assert notes(found) == []


def test_the_report_shows_it(warned, tmp_path):
    page = warned.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert 'id="audit"' in page
    assert "alone nearly is the target" in page


def test_it_survives_saving(warned, tmp_path):
    assert load(warned.save(tmp_path / "model")).audit == warned.audit


def test_no_time_is_noted():
    found = fit(leaky(), time_limit=1e-6)
    assert len(found.audit.skipped) > 0
    assert any("no time left" in note for note in notes(found))


def test_another_word_is_refused():
    with pytest.raises(InputError, match=r"audit must be one of .*Did you mean 'warn'"):
        fit(leaky(), audit="warm")
