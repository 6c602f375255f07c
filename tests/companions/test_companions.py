"""Companions from the user's list to predictions: the same folds, no leaks, honest failures."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier

from tabnet_auto import ArtifactError, InputError, Preset, auto_fit, load
from tabnet_auto.companions import table, train
from tabnet_auto.companions.lesson import Lesson, Rows
from tabnet_auto.companions.matrix import Matrix, dense_matrix, tree_matrix
from tabnet_auto.companions.table import COMPANIONS, Recipe, check_companions
from tabnet_auto.config import PRESETS, NetConfig, TrainConfig
from tabnet_auto.decisions import row_parts
from tabnet_auto.ensemble.blend import Blend
from tabnet_auto.errors import NotInstalledError
from tabnet_auto.result.predict import predict_models

NET = NetConfig(n_steps=1, n_hidden=8, n_layers=1, n_bins=4, n_context=4)
TINY = Preset(n_seeds=1, net=NET, train=TrainConfig(max_epochs=2, batch_size=32))
SMALL = HistGradientBoostingClassifier(max_iter=10, random_state=0)


def make_frame(n=150, seed=0):
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "kind": rng.choice(["flat", "house", "boat"], n),
            "city": rng.choice([f"city {i}" for i in range(60)], n),
            "value": size**2 + 0.1 * rng.normal(size=n),
        }
    )
    frame["y"] = np.where(size + 0.5 * rng.normal(size=n) > 0, "yes", "no")
    return frame


def fit(frame, target="y", **options):
    return auto_fit(frame, target, **{"preset": TINY, "folds": 2, "verbose": False, **options})


@pytest.fixture(scope="module")
def frame():
    return make_frame()


@pytest.fixture(scope="module")
def learned(frame):
    return fit(frame, companions=["hist_gradient_boosting", "linear"])


def notes(fit):
    return [event["text"] for event in fit.trace.of("note")]


# --- the user's list ------------------------------------------------------------------------------


class TestList:
    @pytest.mark.parametrize(
        ("companions", "message"),
        [
            ("linear", r"must be a list .* Put it into a list"),
            (3, "must be a list"),
            (["lightgmb"], r"one of hist_gradient_boosting, .* Did you mean 'lightgbm'\?"),
            ([LogisticRegression], r"is a class. Pass LogisticRegression\(\)"),
            ([Ridge()], "Ridge is not for binary targets. Pass a classifier"),
            ([RidgeClassifier()], "RidgeClassifier has none. Wrap it: CalibratedClassifierCV"),
            ([3.5], r"3.5 has no fit\(\)"),
        ],
    )
    def test_misuse_is_told_before_training(self, frame, companions, message):
        events = []
        with pytest.raises(InputError, match=message):
            fit(frame, companions=companions, emit=events.append)
        assert events == []

    def test_classifiers_do_not_learn_values(self):
        with pytest.raises(InputError, match="Pass a regressor"):
            check_companions([LogisticRegression()], "regression")

    def test_what_is_not_installed_says_how_to_get_it(self, monkeypatch):
        known = {**COMPANIONS, "absent": Recipe("absent", None, "trees", "absent-pkg", "absent")}
        monkeypatch.setattr(table, "COMPANIONS", known)
        with pytest.raises(NotInstalledError, match="Run: pip install absent-pkg"):
            check_companions(["absent"], "binary")

    def test_equal_names_are_told_apart(self):
        found = check_companions([SMALL, "linear", SMALL, SMALL], "binary")
        kind = "HistGradientBoostingClassifier"
        assert [one.name for one in found] == [kind, "linear", f"{kind} 2", f"{kind} 3"]

    def test_what_reads_missing_values_gets_them(self):
        wanted = [SMALL, LogisticRegression(), KNeighborsClassifier(), "catboost", "linear"]
        found = check_companions(wanted[:3], "binary")
        assert [one.view for one in found] == ["trees", "dense", "dense"]
        assert [COMPANIONS[name].view for name in wanted[3:]] == ["trees", "dense"]

    def test_installed_boosters_are_asked_for_in_a_word(self, monkeypatch):
        there = {"sklearn", "lightgbm"}
        monkeypatch.setattr(table, "find_spec", lambda module: module in there or None)
        found = check_companions("installed", "binary")
        assert [one.name for one in found] == ["hist_gradient_boosting", "lightgbm"]
        more = check_companions(["linear", "installed"], "binary")
        assert [one.name for one in more] == ["linear", "hist_gradient_boosting", "lightgbm"]

    def test_the_best_preset_brings_its_own(self):
        assert PRESETS["best"].companions == ("hist_gradient_boosting", "extra_trees")
        assert PRESETS["balanced"].companions == ()


# --- from the frame to a matrix -------------------------------------------------------------------


class TestMatrices:
    def test_trees_see_raw_numbers_and_known_codes(self, frame, learned):
        design = learned.encoder.encode(frame)
        layout, tables = learned.encoder.layout, learned.encoder.tables
        matrix = tree_matrix(design, layout, tables, 0)
        n_num, n_cat = len(layout.numeric), len(layout.category)
        np.testing.assert_array_equal(matrix.x[:, :n_num], design.x_num)
        codes = matrix.x[:, n_num : n_num + n_cat]
        kinds = [f.column for f in layout.category]
        own = pd.DataFrame({"code": codes[:, kinds.index("kind")], "kind": frame["kind"]})
        assert own.groupby("kind")["code"].nunique().tolist() == [1, 1, 1]
        assert own["code"].nunique() == 3
        assert [n > 0 for n in matrix.n_levels[n_num : n_num + n_cat]] == [True] * n_cat
        unseen = frame.assign(kind="castle")
        again = tree_matrix(learned.encoder.encode(unseen), layout, tables, 0)
        assert (again.x[:, n_num + kinds.index("kind")] == 0).all()

    def test_dense_is_finite_and_of_even_size(self, frame, learned):
        design = learned.encoder.encode(frame.assign(size=frame["size"] * 1e9))
        x = dense_matrix(design, learned.encoder.layout, learned.encoder.tables, 1).x
        assert np.isfinite(x).all()
        assert np.abs(x).max() < 10
        missing = frame["size"].isna().to_numpy()
        assert any(np.array_equal(column, missing) for column in x.T)


# --- learning -------------------------------------------------------------------------------------


def test_a_companion_is_one_more_model(frame, learned):
    board = learned.leaderboard()
    assert board["model"].tolist() == [
        "blend", "attention TabNet", "hist_gradient_boosting", "linear",
    ]  # fmt: skip
    assert board["weight"][1:].sum() == pytest.approx(1.0)
    y = (frame["y"] == "yes").to_numpy()
    for fold in range(2):
        rows = learned.folds.valid[fold]
        for model, name in enumerate(board["model"][1:]):
            scored = roc_auc_score(y[rows], learned.held_out.own[model][fold][:, 1])
            assert board.set_index("model").loc[name, f"fold_{fold + 1}"] == pytest.approx(scored)
    assert learned.oof_score == pytest.approx(roc_auc_score(y, learned.oof[:, 1]))
    assert f"blend: attention TabNets {board['weight'][1]:.0%}" in repr(learned)
    assert "hist_gradient_boosting" in learned._repr_html_()


def test_new_rows_are_predicted_by_the_means_of_the_folds_members(frame, learned):
    design = learned.encoder.encode(frame)
    cube = predict_models(learned, design)
    assert cube.shape == (3, 150, 2)
    np.testing.assert_allclose(learned.predict_proba(frame), learned.blend.apply(cube))
    np.testing.assert_allclose(cube.sum(axis=2)[np.array(learned.blend.weights) > 0], 1.0)
    fits = replace(learned, blend=type(learned.blend)((0.0, 1.0, 0.0)))
    one = learned.companions[0]
    parts = [
        member.predict(tree_matrix(design, learned.encoder.layout, learned.encoder.tables, f).x)
        for f, member in enumerate(one.members)
    ]
    np.testing.assert_allclose(fits.predict_proba(frame), np.mean(parts, axis=0))
    assert learned.predict_proba(frame[:0]).shape == (0, 2)


def test_labels_of_all_models_are_decided_by_the_same_rule(frame):
    again = fit(frame, companions=["linear"], metric="f1")
    assert "companions=['linear']" in again.about["Call"]
    assert again.decision.rule == "threshold"
    part = row_parts(again.folds, len(again.target))
    for fold, rows in enumerate(again.held_out.rows):
        decided = again.decision.cross_fitted(again.held_out.own[-1][fold], part[rows])
        expected = f1_score(again.target[rows], decided.argmax(axis=1))
        assert again.companions[0].scores[fold] == pytest.approx(expected)


def test_values_and_many_classes(frame):
    values = fit(frame, "value", companions=["hist_gradient_boosting", Ridge()])
    assert values.companions[0].scores[0] < frame["value"].std(), "boosting learns a square"
    assert values.oof_score < frame["value"].std()
    kinds = fit(frame, "kind", companions=["hist_gradient_boosting", "extra_trees"])
    np.testing.assert_allclose(kinds.predict_proba(frame).sum(axis=1), 1.0)


def test_the_same_seed_gives_the_same_numbers_also_side_by_side(frame, learned):
    with parallel_config(backend="threading", n_jobs=2):
        again = fit(frame, companions=["hist_gradient_boosting", "linear"])
    np.testing.assert_array_equal(again.oof, learned.oof)
    assert again.blend == learned.blend
    np.testing.assert_array_equal(again.predict_proba(frame), learned.predict_proba(frame))


def test_an_estimator_of_ones_own_is_cloned(frame):
    model = LogisticRegression(C=0.1)
    learned = fit(frame, companions=[model])
    assert not hasattr(model, "coef_")
    assert learned.companions[0].name == "LogisticRegression"


def test_early_stopping_keeps_the_best_rounds():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=200), "y": rng.normal(size=200)})
    learned = fit(frame, companions=["hist_gradient_boosting"])
    assert [member.rounds for member in learned.companions[0].members] < [20, 20], "noise"


@pytest.mark.parametrize("name", ["lightgbm", "xgboost", "catboost"])
@pytest.mark.parametrize("target", ["y", "value", "kind"])
def test_boosters(frame, name, target, tmp_path):
    pytest.importorskip(name)
    weighted = frame.assign(w=np.arange(150) % 3 + 1.0)
    learned = fit(weighted, target, companions=[name], weight="w")
    assert [one.name for one in learned.companions] == [name], notes(learned)
    assert learned.companions[0].rounds >= 1
    # All of the blend, so that loading and refitting speak of it.
    alone = replace(learned, blend=type(learned.blend)((0.0, 1.0)))
    again = load(alone.save(tmp_path / "model"))
    new = frame.assign(kind=frame["kind"].where(frame.index > 20, "castle"))
    np.testing.assert_array_equal(again._predict(new), alone._predict(new))
    full = alone.refit_full()
    assert np.isfinite(full._predict(new)).all()
    assert full.companions[0].members[0].rounds == learned.companions[0].rounds


# --- no row that a fold holds out reaches its companions ------------------------------------------


def test_held_out_rows_leave_no_mark_but_by_early_stopping():
    frame = make_frame(240)
    halves = np.random.default_rng(1).permutation(240).reshape(2, 120)
    pairs = [(np.sort(halves[1 - i]), np.sort(halves[i])) for i in range(2)]
    wanted = [HistGradientBoostingClassifier(max_iter=15, random_state=0), LogisticRegression()]

    def learn(data):
        fits = fit(data, companions=wanted, folds=pairs)
        # The first fold's members, on rows of their own: what they have learned.
        design = fits.encoder.encode(frame)
        layout, tables = fits.encoder.layout, fits.encoder.tables
        return [
            one.members[0].predict(view(design, layout, tables, 0).x)
            for one, view in zip(fits.companions, (tree_matrix, dense_matrix), strict=True)
        ]

    def change(rows):
        changed = frame.copy()
        changed.loc[rows, "size"] = np.random.default_rng(5).normal(3, 5, len(rows))
        changed.loc[rows, "city"] = frame["city"].to_numpy()[rows[::-1]]
        changed.loc[rows, "y"] = frame.loc[rows, "y"].map({"yes": "no", "no": "yes"})
        return changed

    base, train, valid = learn(frame), *pairs[0]
    for own, other in zip(base, learn(change(valid)), strict=True):
        np.testing.assert_array_equal(own, other)
    for own, other in zip(base, learn(change(train[:60])), strict=True):
        assert not np.allclose(own, other), "negative control"


# --- failure, time, interrupts --------------------------------------------------------------------


class Failing(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        raise RuntimeError("out of cheese")

    def predict(self, X): ...

    def predict_proba(self, X): ...


class Infinite(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.full(len(X), np.inf)


class Interrupting(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        os.kill(os.getpid(), signal.SIGINT)

    def predict(self, X): ...

    def predict_proba(self, X): ...


class Slow(ClassifierMixin, BaseEstimator):
    """Pretends that hours pass."""

    def fit(self, X, y):
        Slow.now += 3600.0
        Slow.fits += 1
        return self

    def predict(self, X): ...

    def predict_proba(self, X): ...


def test_a_companion_that_fails_is_left_out_with_a_note(frame):
    learned = fit(frame, companions=[Failing(), "linear"])
    assert [one.name for one in learned.companions] == ["linear"]
    assert "companion 'Failing' was left out: RuntimeError: out of cheese" in notes(learned)
    assert learned.leaderboard()["model"].tolist() == ["blend", "attention TabNet", "linear"]
    values = fit(frame, "value", companions=[Infinite()])
    assert values.companions == ()
    assert any("not finite" in note for note in notes(values))


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_the_companions_and_keeps_the_complete(frame):
    learned = fit(frame, companions=["linear", Interrupting(), "extra_trees"])
    assert [one.name for one in learned.companions] == ["linear"]
    assert any("stopped on request" in note for note in notes(learned))
    assert np.isfinite(learned.oof_score)


def test_a_companion_that_does_not_fit_into_its_time_is_left_out(frame, monkeypatch):
    from tabnet_auto.companions import train

    Slow.now, Slow.fits = 0.0, 0
    real = train.monotonic
    monkeypatch.setattr(train, "monotonic", lambda: real() + Slow.now)
    learned = fit(frame, companions=[Slow(), "linear"], time_limit=1000)
    assert Slow.fits == 1, "timed on a tenth of a fold, and never begun"
    assert any("it would take about" in note for note in notes(learned))


@pytest.mark.parametrize(
    ("fixed", "by_row", "enough", "short", "expected", "n_timed"),
    [
        (0.0, 1.0, 200.0, 50.0, 100.0, 1),  # it fits by the first look
        (5.0, 0.0, 20.0, 50.0, 5.0, 2),  # all that it takes is what any number of rows takes
        (2.0, 1.0, 20.0, 50.0, 102.0, 2),
        (2.0, 1.0, 20.0, 10.0, 120.0, 1),  # too long for a second look
    ],
)
def test_how_long_a_companion_takes(monkeypatch, fixed, by_row, enough, short, expected, n_timed):
    from tabnet_auto.companions import train

    now, n_rows = [0.0], []

    def learn(lesson):
        n_rows.append(len(lesson.train.y))
        now[0] += fixed + by_row * len(lesson.train.y)

    monkeypatch.setattr(train, "monotonic", lambda: now[0])
    rows = Rows(Matrix(np.zeros((100, 1)), (0,)), np.arange(100.0), None)
    lesson = Lesson(rows, None, 0, 0, 1)
    found = train._expected(Recipe("slow", learn, "trees"), lesson, enough, short)
    assert found == pytest.approx(expected)
    assert n_rows == [10, 20][:n_timed]


def test_boosters_end_in_time(monkeypatch):
    given = {"companions": ["hist_gradient_boosting"], "time_limit": 2}
    short = fit(make_frame(3000), **given)
    assert short.trace.of("companion")[0]["state"] == "left out"
    assert any("too short to try" in note["text"] for note in short.trace.of("note"))
    monkeypatch.setattr(train, "LEAST_SECONDS", 0.0)
    learned = fit(make_frame(3000), **given)
    assert np.isfinite(learned.oof_score)
    assert learned.trace.of("companion")[0]["state"] == "started"


def test_weights_reach_companions_or_a_note_says_not(frame):
    typed = frame.assign(w=np.random.default_rng(0).uniform(0.1, 5.0, 150))
    names = ["hist_gradient_boosting", LogisticRegression(), KNeighborsClassifier()]
    learned = fit(typed, companions=names, weight="w")
    plain = fit(typed.drop(columns="w"), companions=names)
    for own in range(1, 3):
        assert not np.allclose(learned.held_out.own[own][0], plain.held_out.own[own][0])
    np.testing.assert_allclose(learned.held_out.own[3][0], plain.held_out.own[3][0])
    text = "companion 'KNeighborsClassifier' takes no sample_weight: it counts all rows alike"
    assert text in notes(learned)
    assert text not in notes(plain)


def test_a_class_that_a_fold_lacks(frame):
    rare = frame.assign(y=frame["kind"])
    rare.loc[:2, "y"] = "tent"
    folds = [(np.arange(3, 100), np.arange(100, 150)), (np.arange(90), np.arange(90, 150))]
    learned = fit(rare, folds=folds, companions=["hist_gradient_boosting", "linear"])
    assert len(learned.companions) == 2, notes(learned)
    tent = learned.classes_.tolist().index("tent")
    for own in learned.held_out.own[1:]:
        assert (own[0][:, tent] == 0).all()
        np.testing.assert_allclose(own[0].sum(axis=1), 1.0)


@pytest.mark.parametrize("name", COMPANIONS)
def test_what_learned_from_one_class_predicts_it(frame, name, tmp_path, capfd):
    if not COMPANIONS[name].is_installed:
        pytest.skip(f"{name} is not installed")
    late = frame.assign(y=np.where(np.arange(150) < 75, "no", frame["y"]))
    folds = [(np.arange(75), np.arange(75, 150)), (np.arange(50, 150), np.arange(50))]
    learned = fit(late, folds=folds, companions=[name], blend="uniform")
    assert len(learned.companions) == 1, notes(learned)
    np.testing.assert_array_equal(learned.held_out.own[1][0], [[1.0, 0.0]] * 75)
    new = make_frame(40, seed=1)
    loaded = load(learned.save(tmp_path))
    np.testing.assert_array_equal(loaded.predict_proba(new), learned.predict_proba(new))
    n_rounds = [member.rounds for member in learned.companions[0].members]
    assert learned.companions[0].rounds == n_rounds[1], "of the folds that boosted"
    assert np.isfinite(learned.refit_full().predict_proba(new)).all()
    assert "".join(capfd.readouterr()) == ""


@pytest.mark.parametrize("name", ["hist_gradient_boosting", "lightgbm", "xgboost", "catboost"])
def test_what_learned_from_one_value_predicts_it(frame, name, tmp_path, capfd):
    pytest.importorskip("sklearn" if name == "hist_gradient_boosting" else name)
    late = frame.assign(value=np.where(np.arange(150) < 75, 0.0, frame["value"].abs()))
    folds = [(np.arange(75), np.arange(75, 150)), (np.arange(50, 150), np.arange(50))]
    given = {"folds": folds, "blend": "uniform", "metric": "poisson_deviance"}
    learned = fit(late, "value", companions=[name], **given)
    assert len(learned.companions) == 1, notes(learned)
    np.testing.assert_array_equal(learned.held_out.own[1][0], np.zeros(75))
    loaded = load(learned.save(tmp_path))
    np.testing.assert_array_equal(loaded.predict(frame), learned.predict(frame))
    assert "".join(capfd.readouterr()) == ""


def test_a_pilot_of_one_class_does_not_leave_a_companion_out(frame, monkeypatch):
    rare = frame.assign(y=np.where(np.arange(150) % 50 == 7, "yes", "no"))
    monkeypatch.setattr(train, "PILOT_CELLS", 0)
    learned = fit(rare, companions=["hist_gradient_boosting"], time_limit=60, metric="log_loss")
    assert len(learned.companions) == 1, notes(learned)


def test_the_time_of_an_import_is_not_taken_for_that_of_the_rows(monkeypatch):
    now, imported = [0.0], []

    def imports(name):
        imported.append(name)
        now[0] += 100.0

    monkeypatch.setattr(train, "monotonic", lambda: now[0])
    monkeypatch.setattr(train, "import_module", imports)
    rows = Rows(Matrix(np.zeros((100, 1)), (0,)), np.arange(100.0), None)
    recipe = Recipe("quick", lambda _: None, "trees", module="far.away")
    assert train._timed(recipe, Lesson(rows, None, 0, 0, 1), 0.1) == 0.0
    assert imported == ["far.away"]


@pytest.mark.parametrize("name", ["hist_gradient_boosting", "lightgbm", "xgboost", "catboost"])
def test_boosters_tell_apart_large_values_that_differ_little(frame, name, tmp_path):
    pytest.importorskip("sklearn" if name == "hist_gradient_boosting" else name)
    near, far = (fit(frame.assign(value=frame["value"] + c), "value", companions=[name])
                 for c in (0.0, 1e9))  # fmt: skip
    assert far.companions[0].scores == pytest.approx(near.companions[0].scores, rel=0.1)
    far = replace(far, blend=Blend((0.0, 1.0)))
    predicted = far.predict(frame)
    np.testing.assert_array_equal(load(far.save(tmp_path)).predict(frame), predicted)
    assert np.std(predicted) > 0.3 * frame["value"].std()


# --- files ----------------------------------------------------------------------------------------

PROGRAM = """
import sys
import numpy as np
import pandas as pd
from tabnet_auto import load
folder = sys.argv[1]
frame = pd.read_csv(folder + "/new.csv")
np.save(folder + "/p.npy", load(folder + "/model")._predict(frame))
"""


@pytest.mark.parametrize("target", ["y", "value"])
def test_loaded_in_a_new_process_equals_saved(frame, target, tmp_path):
    learned = fit(frame, target, companions=["hist_gradient_boosting", "linear", "extra_trees"])
    learned = replace(learned, blend=type(learned.blend)((0.25,) * 4))
    learned.save(tmp_path / "model")
    frame.to_csv(tmp_path / "new.csv", index=False)
    subprocess.run([sys.executable, "-c", PROGRAM, tmp_path], check=True)
    np.testing.assert_array_equal(
        np.load(tmp_path / "p.npy"), learned._predict(pd.read_csv(tmp_path / "new.csv"))
    )
    again = load(tmp_path / "model")
    assert repr(again) == repr(learned)
    pd.testing.assert_frame_equal(again.leaderboard(), learned.leaderboard())


def test_what_has_no_weight_is_not_saved(frame, learned, tmp_path):
    whole = replace(learned, blend=type(learned.blend)((0.5, 0.25, 0.25)))
    part = replace(learned, blend=type(learned.blend)((0.75, 0.0, 0.25)))
    sizes = [
        sum(path.stat().st_size for path in one.save(tmp_path / name).iterdir())
        for one, name in ((whole, "whole"), (part, "part"))
    ]
    assert sizes[1] < sizes[0]
    again = load(tmp_path / "part")
    np.testing.assert_array_equal(again.predict_proba(frame), part.predict_proba(frame))
    pd.testing.assert_frame_equal(again.leaderboard(), part.leaderboard())


def test_what_cannot_be_saved_says_the_way_out(frame, tmp_path):
    learned = fit(frame, companions=[KNeighborsClassifier(), "linear"], blend="uniform")
    with pytest.raises(ArtifactError, match=r"fit.without\(\['KNeighborsClassifier'\]\)"):
        learned.save(tmp_path / "model")
    assert not (tmp_path / "model").exists()
    lighter = learned.without(["KNeighborsClassifier"])
    assert lighter.blend.weights == (0.5, 0.5)
    y = (frame["y"] == "yes").to_numpy()
    assert lighter.oof_score == pytest.approx(roc_auc_score(y, lighter.oof[:, 1]))
    expected = (learned.held_out.own[0][1] + learned.held_out.own[2][1]) / 2
    np.testing.assert_allclose(lighter.oof[learned.folds.valid[1]], expected)
    again = load(lighter.save(tmp_path / "model"))
    np.testing.assert_array_equal(again.predict_proba(frame), lighter.predict_proba(frame))
    with pytest.raises(InputError, match="loaded, unpickled or made slim"):
        again.without(["linear"])
    with pytest.raises(InputError, match=r"'lineal' is none of .* Did you mean 'linear'\?"):
        learned.without("lineal")
    # Pickles hold everything but the training rows.
    copy = pickle.loads(pickle.dumps(learned))
    assert copy.table is None
    np.testing.assert_array_equal(copy.predict_proba(frame), learned.predict_proba(frame))


@pytest.mark.parametrize("target", ["y", "value"])
def test_a_stacked_blend_is_saved(frame, target, tmp_path):
    kind = HistGradientBoostingClassifier if target == "y" else HistGradientBoostingRegressor
    learned = fit(frame, target, companions=[kind(max_iter=10)], blend="stack")
    again = load(learned.save(tmp_path / "model"))
    assert again.blend == learned.blend
    np.testing.assert_array_equal(again._predict(frame), learned._predict(frame))
