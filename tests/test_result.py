"""What a fit answers: leaderboard, predictions, submission, pages, pickles."""

from __future__ import annotations

import ast
import json
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import make_scorer, mean_absolute_error, roc_auc_score

import tabnet_auto.view
from tabnet_auto import InputError, Preset, auto_fit
from tabnet_auto.config import (
    PRESETS,
    EncodeConfig,
    Kind,
    NetConfig,
    PaperConfig,
    TrainConfig,
    preset_in_python,
)
from tabnet_auto.result.words import lines_of_python
from tabnet_auto.train.predict import predict_members

NET = NetConfig(n_steps=2, n_hidden=16, n_layers=1, n_bins=4, n_context=8)
TINY = Preset(net=NET, train=TrainConfig(max_epochs=3, batch_size=16), n_seeds=2)


def make_frame(n=150):
    rng = np.random.default_rng(0)
    size = rng.normal(size=n)
    return pd.DataFrame(
        {
            "id": np.arange(1000, 1000 + n),
            "size": size,
            "kind": rng.choice(["flat", "house", "boat"], n),
            "y": np.where(size + rng.normal(size=n) > 0, "yes", "no"),
        }
    )


def fit(frame, target="y", **options):
    return auto_fit(frame, target, **{"preset": TINY, "folds": 3, "verbose": False, **options})


@pytest.fixture(scope="module")
def frame():
    frame = make_frame()
    frame.loc[[5, 50], "y"] = None
    return frame


@pytest.fixture(scope="module")
def learned(frame):
    learned = fit(frame)
    assert np.nanstd(learned.oof[:, 0]) > 0.03, "predictions must vary to be compared"
    return learned


def test_scores_are_what_scikit_learn_says(frame, learned):
    known = frame["y"].notna()
    y = (frame["y"][known] == "yes").to_numpy()
    oof = learned.oof[known]
    assert learned.oof_score == pytest.approx(roc_auc_score(y, oof[:, 1]))
    for fold in range(3):
        rows = learned.folds.valid[2 * fold]
        assert learned.fold_scores[fold] == pytest.approx(roc_auc_score(y[rows], oof[rows, 1]))


def test_out_of_fold_predictions_are_of_members_that_did_not_learn_from_the_row(frame, learned):
    known = np.flatnonzero(frame["y"].notna())
    for fold in range(3):
        own = list(learned.folds.of_fold(fold))
        assert own == [2 * fold, 2 * fold + 1]
        rows = known[learned.folds.valid[own[0]]]
        design = learned.encoder.encode(frame.iloc[rows])
        (predicted,) = predict_members(learned.net, design, learned.encoder.tables, is_class=True)
        np.testing.assert_allclose(learned.oof[rows], predicted[own].mean(axis=0), atol=1e-6)


def test_new_rows_are_predicted_by_all_members(frame, learned):
    p = learned.predict_proba(frame)
    assert p.shape == (150, 2)
    assert p.dtype == np.float64
    np.testing.assert_allclose(p.sum(axis=1), 1.0)
    assert learned.predict(frame).tolist() == learned.classes_[p.argmax(axis=1)].tolist()


def test_leaderboard(learned):
    board = learned.leaderboard()
    assert list(board) == ["model", "roc_auc", "fold_1", "fold_2", "fold_3", "seconds", "weight"]
    folds = board[["fold_1", "fold_2", "fold_3"]].to_numpy()
    np.testing.assert_allclose(board["roc_auc"], folds.mean(axis=1))
    np.testing.assert_allclose(folds[0], learned.fold_scores)
    np.testing.assert_allclose(folds[1:].T.ravel(), learned.member_scores)
    assert (board["seconds"] > 0).all()


def test_it_shows_itself(learned):
    text = repr(learned)
    assert text.startswith("FitResult: 'y', binary, 148 rows x 2 columns, 3 folds x 2 seeds")
    assert f"out-of-fold roc_auc {learned.oof_score:.4f}" in text
    assert "attention TabNet, seed 2" in text
    assert "Attention over 2 columns: " in repr(learned.attention)
    assert "role" in str(learned.schema)
    html = learned._repr_html_()
    assert "roc_auc" in html
    assert "<html" not in html


def test_report(learned, tmp_path):
    page = learned.report(tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.lower().startswith("<!doctype html>")
    for word in (
        "roc_auc",
        "size",
        "kind",
        "2 rows have no value of the target",
        "fit = auto_fit(",
        "Agreement on one common set of rows",
        "seeds: cosine of the weights of the same row",
    ):
        assert word in page
    assert not re.search(r"(src|href)=.https?:", page)


def test_what_a_page_has_no_room_for_is_where_it_says(learned):
    view = Path(tabnet_auto.view.__file__).parent
    code = "".join(path.read_text(encoding="utf-8") for path in view.glob("*.py"))
    sources = set(re.findall(r'source="([^"]+)"', code))
    assert {"fit.attention.per_fold", "fit.schema.rows()"} < sources
    for source in sources - {"fit.search.to_frame()"}:  # there was no search
        eval(source, {"fit": learned})


def test_the_trace_is_plain(learned):
    json.loads(learned.trace.to_json())
    assert learned.trace.emit is None
    kinds = [event.kind for event in learned.trace]
    assert [kind for kind in kinds if kind != "note"][-2:] == ["stopped", "done"]
    best = learned.trace.of("epoch")[-1]["best_score"]
    np.testing.assert_array_equal(best, learned.member_scores)


def test_submission(frame, learned, tmp_path):
    test = frame.drop(columns="y")[:20]
    made = learned.submission(test, path=tmp_path / "submission.csv")
    assert list(made) == ["id", "y"]
    assert pd.read_csv(tmp_path / "submission.csv")["y"].tolist() == learned.predict(test).tolist()
    sample = pd.DataFrame({"id": test["id"][::-1], "y": 0.5})
    made = learned.submission(test, sample=sample)
    assert made["id"].tolist() == sample["id"].tolist()
    np.testing.assert_allclose(made["y"], learned.predict_proba(test)[::-1, 1])
    sample.to_csv(tmp_path / "sample.csv", index=False)
    test.to_csv(tmp_path / "test.csv", index=False)
    again = learned.submission(tmp_path / "test.csv", sample=tmp_path / "sample.csv")
    np.testing.assert_allclose(again["y"], made["y"])
    with pytest.raises(InputError, match="test must have at least one row"):
        learned.submission(test[:0])


def test_how_to_reproduce_it_fits_on_a_line(frame):
    pairs = [(np.arange(100), np.arange(100, 148))]
    assert "folds=..." in fit(frame, folds=pairs).about["Call"]


def test_a_preset_is_written_as_python_that_makes_the_same(frame):
    made = fit(frame)
    assert "preset=Preset(net=NetConfig(" in made.about["Call"]
    assert "..." not in made._reproduce()
    presets = [
        Preset(net=PaperConfig(n_d=16, mask="entmax15"), train=TrainConfig(lr=np.float64(0.1))),
        Preset(encode=EncodeConfig(max_levels=7), companions=("ridge",), n_seeds=3),
        Preset(net=NetConfig(other_kinds=(Kind(n_bins=1),), n_steps=3, n_hidden=64, d_key=8)),
        Preset(net=NetConfig(other_kinds=())),
    ]
    for preset in presets:
        call = f"preset={preset_in_python(preset)}, folds=5, seed=0"
        code = lines_of_python("y", {"Call": call, "torch": "2.0"})
        assert max(map(len, code.splitlines())) <= 100
        names = {}
        exec(code.split("\nfit = ")[0], names)
        names["auto_fit"] = lambda *_, preset, folds, seed: preset
        exec("fit = " + code.split("\nfit = ")[1], {"train": None} | names, names)
        assert names["fit"] == preset
    assert preset_in_python("fast") == preset_in_python(PRESETS["fast"]) == "'fast'"
    assert preset_in_python(Preset()) == "'balanced'", "what has a name is called by it"


def test_a_long_call_is_reproduced_on_many_lines_that_say_the_same():
    versions = {"torch": "2.0", "Device": "cpu"}
    short = lines_of_python("y", {"Call": "preset='fast', folds=5, seed=0", **versions})
    assert "fit = auto_fit(train, 'y', preset='fast', folds=5, seed=0)\n# torch 2.0" in short
    call = f"folds=FoldPlan(n_folds=2), search=Search(share=0.4), companions=['a', '{80 * 'b'}']"
    long = lines_of_python("a, (b", {"Call": call, **versions})
    assert "from tabnet_auto import FoldPlan, Search, auto_fit" in long
    assert "\n    'a, (b',\n" in long
    one = ast.parse(f"fit = auto_fit(train, 'a, (b', {call})").body[0]
    assert ast.dump(ast.parse(long).body[1]) == ast.dump(one)
    unreadable = f"companions=[<{100 * 'x'}>]"
    assert unreadable in lines_of_python("y", {"Call": unreadable})


def absolute(y, predicted):
    return -float(np.abs(y - predicted).mean())


@pytest.mark.parametrize(
    "metric",
    ["rmse", absolute, make_scorer(mean_absolute_error, greater_is_better=False)],
    ids=["table", "callable", "scorer"],
)
def test_a_fit_can_be_pickled(frame, metric):
    events = []
    values = fit(frame, "size", metric=metric, emit=events.append)
    again = pickle.loads(pickle.dumps(values))
    assert events
    assert repr(again) == repr(values)
    np.testing.assert_array_equal(again.predict(frame), values.predict(frame))
    y = frame["size"].to_numpy()
    assert again.metric.score(y, again.oof) == values.oof_score


def test_submission_takes_ids_from_a_named_index(learned, frame):
    test = frame.drop(columns="y").assign(id=np.arange(100, 100 + len(frame)))
    sample = pd.DataFrame({"id": test["id"], "y": 0.5})
    by_column = learned.submission(test, sample=sample)
    by_index = learned.submission(test.set_index("id"), sample=sample)
    pd.testing.assert_frame_equal(by_index, by_column)


def test_submission_of_zeros_says_what_is_wanted(learned, frame):
    test = frame.drop(columns="y").assign(id=np.arange(len(frame)))
    sample = pd.DataFrame({"id": test["id"], "y": 0})
    made = learned.submission(test, sample=sample, values="probabilities")
    np.testing.assert_allclose(made["y"], learned.predict_proba(test)[:, 1])
