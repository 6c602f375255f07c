"""The benchmark's own logic, on hand-made tables: a wrong referee spoils every match."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss as sklearn_log_loss
from sklearn.metrics import roc_auc_score

from benchmarks.accuracy import __main__ as command
from benchmarks.accuracy import compute, measures, tally
from benchmarks.accuracy.cells import Cell, Key, from_line, read_cells, store, to_line
from benchmarks.accuracy.clock import Clock
from benchmarks.accuracy.plot import draw_time
from benchmarks.accuracy.report import error_in, is_busy, make_tables, write_report
from benchmarks.accuracy.sets import HALVES, N_FOLDS, deal, make_folds, read_exam
from benchmarks.accuracy.systems import SYSTEMS, choose
from benchmarks.accuracy.tables import make_tables as make_peer_tables
from benchmarks.accuracy.tables import spread
from benchmarks.data import DataSet
from benchmarks.synthetic import BAYES_AUC, NAMES, make_synthetic

KEY = Key("credit_g", "linear", 60, 8000, 0)


def make_data(task="binary", n=400, *, test=None):
    rng = np.random.default_rng(5)
    y = {
        "binary": rng.choice(["no", "yes"], n, p=[0.8, 0.2]),
        "multiclass": np.array(["rare"] * 10 + list(rng.choice(["a", "b"], n - 10))),
        "regression": rng.normal(size=n),
    }[task]
    frame = pd.DataFrame({"row": np.arange(n), "colour": rng.choice(["r", "g"], n), "y": y})
    return DataSet("toy", task, "y", frame, test)


def fill(folder, errors, *, half="development", seconds=1.0):
    """Store hand-made cells: errors[system] is one error a set of the half, None is a failure."""
    path = folder / "accuracy.jsonl"
    for system, row in errors.items():
        for name, error in zip(HALVES[half], row, strict=False):
            key = Key(name, system, 60, 8000, 0)
            scores = {"accuracy": 0.5, "log_loss": 0.5}
            failure = "" if error is not None else "killed"
            store(Cell(key, error, seconds, 0.1, scores=scores, failure=failure), path)
    return path


# ------------------------------------------------------------------------------------- the rows


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_training_and_test_rows_are_disjoint_and_complete(task):
    exam = deal(make_data(task), rows=10_000, test_rows=10_000, seed=0)
    train, test = set(exam.problem.train["row"]), set(exam.problem.test["row"])
    assert not train & test
    assert len(test) == 120
    assert len(train) == 280
    assert "y" not in exam.problem.test


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
def test_everyone_gets_the_same_rows_and_another_seed_others(task):
    one, two = (deal(make_data(task), rows=100, test_rows=50, seed=3) for _ in range(2))
    pd.testing.assert_frame_equal(one.problem.train, two.problem.train)
    pd.testing.assert_frame_equal(one.problem.test, two.problem.test)
    for a, b in zip(one.problem.folds, two.problem.folds, strict=True):
        np.testing.assert_array_equal(a[1], b[1])
    other = deal(make_data(task), rows=100, test_rows=50, seed=4)
    assert set(one.problem.train["row"]) != set(other.problem.train["row"])


def test_classes_keep_their_shares_in_test_and_training_rows():
    data = make_data()
    exam = deal(data, rows=100, test_rows=10_000, seed=0)
    share = (data.train["y"] == "yes").mean()
    assert exam.y_test.mean() == pytest.approx(share, abs=0.01)
    assert exam.problem.y.mean() == pytest.approx(share, abs=0.01)
    assert exam.problem.classes == ("no", "yes")


def test_a_rare_class_survives_the_cap_and_is_learned_in_every_fold():
    data = make_data("multiclass", n=4000)
    # An official test, so that all ten rare rows may be trained on.
    problem = deal(make_data("multiclass", n=4000, test=data.train), rows=50, test_rows=9, seed=0)
    problem = problem.problem
    rare = problem.classes.index("rare")
    assert (problem.y == rare).sum() == 5
    assert all((problem.y[own] == rare).any() for own, _ in problem.folds)
    assert len(problem.y) == 50


def test_official_test_rows_stay_the_test_rows():
    test = make_data(n=30).train.assign(row=lambda f: f["row"] + 1000)
    exam = deal(make_data(test=test), rows=10_000, test_rows=20, seed=0)
    assert set(exam.problem.test["row"]) <= set(test["row"])
    assert len(exam.y_test) == 20
    assert set(exam.problem.train["row"]) == set(range(400))


@pytest.mark.parametrize("classes", [(), ("a", "b")])
def test_folds_part_the_rows_into_equal_disjoint_shares(classes):
    y = np.random.default_rng(0).integers(0, 2, 103 // N_FOLDS * N_FOLDS)
    folds = make_folds(y, classes, 0)
    assert {len(held) for _, held in folds} == {len(y) // N_FOLDS}
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(len(y)))
    assert all(not set(own) & set(held) for own, held in folds)


def test_training_rows_are_a_multiple_of_the_folds():
    assert len(deal(make_data(n=403), rows=10_000, test_rows=9, seed=0).problem.y) % N_FOLDS == 0


def test_a_label_that_training_lacks_is_refused():
    test = make_data(n=30).train.assign(y="never")
    with pytest.raises(SystemExit, match="never"):
        deal(make_data(test=test), rows=100, test_rows=30, seed=0)


def test_published_sizes_win_over_the_cap():
    exam = read_exam("syn4", rows=123, seed=0)
    assert (len(exam.problem.y), len(exam.y_test)) == (10_000, 50_000)


# ---------------------------------------------------------------------------- the peers' tables


def test_levels_are_those_of_training_and_missing_cells_stay():
    frame = pd.DataFrame({
        "colour": ["r", None, "g", "r"] * 5, "n": [1.0, np.nan, 3.0, 4.0] * 5,
        "day": ["2020-01-01", "2020-01-02"] * 10, "y": [0.0, 1.0] * 10,
    })  # fmt: skip
    test = pd.DataFrame(
        {"colour": ["g", "blue", None], "n": [2, np.nan, 3], "day": ["2020-01-01"] * 3, "y": 0.0}
    )
    exam = deal(DataSet("toy", "regression", "y", frame, test), rows=99, test_rows=99, seed=0)
    tables = make_peer_tables(exam.problem)
    assert tables.numbers == ("n", "day")
    assert tables.categories == ("colour",)
    assert list(tables.train["colour"].cat.categories) == ["g", "r"]
    assert sorted(tables.test["colour"].astype(object).dropna()) == ["g"]
    assert tables.test["n"].isna().sum() == 1
    assert tables.train["colour"].isna().sum() == 5
    assert set(tables.train["day"].diff().dropna().abs()) <= {0.0, 86_400.0}
    assert "y" not in tables.train


def test_spread_puts_seen_classes_in_their_places():
    full = spread(np.array([[0.3, 0.7]]), np.array([2, 0]), 4)
    np.testing.assert_allclose(full, [[0.7, 0.0, 0.3, 0.0]])


def test_a_clock_passes_unused_time_on():
    from time import monotonic

    clock = Clock(100.0, monotonic())
    first, last = clock.deadline(5) - monotonic(), clock.deadline(1) - monotonic()
    assert first == pytest.approx(19.0, abs=0.5)
    assert last == pytest.approx(95.0, abs=0.5)
    assert Clock(1.0, monotonic() - 50.0).deadline(5) <= monotonic()


# ----------------------------------------------------------------------------------- the errors


def test_errors_are_the_ones_that_are_named():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, 90), rng.dirichlet(np.ones(3), 90)
    assert measures.error_of("multiclass", y, p) == pytest.approx(sklearn_log_loss(y, p))
    two, q = (y > 1).astype(int), np.stack([1 - p[:, 2], p[:, 2]], axis=1)
    assert measures.error_of("binary", two, q) == pytest.approx(1 - roc_auc_score(two, p[:, 2]))
    values = rng.normal(3.0, 2.0, 90)
    constant = np.full(90, values.mean())
    assert measures.error_of("regression", values, constant) == pytest.approx(1.0)
    assert measures.error_of("regression", values, values) == 0.0


def test_one_sure_mistake_costs_a_finite_amount_and_accuracy_is_told():
    scores = measures.scores_of("binary", np.array([0, 1]), np.array([[0.0, 1.0], [0.0, 1.0]]))
    assert scores["accuracy"] == 0.5
    assert scores["log_loss"] == pytest.approx(-np.log(1e-15) / 2)


@pytest.mark.parametrize("bad", [np.full((2, 2), np.nan), np.ones((3, 2)), np.ones(2)])
def test_predictions_of_another_shape_or_no_numbers_are_refused(bad):
    with pytest.raises(ValueError, match="however"):
        measures.error_of("binary", np.array([0, 1]), bad)


# ------------------------------------------------------------------------------------ the tally


def test_ranks_share_ties():
    errors = np.array([[0.1, 0.2, 0.2], [0.3, 0.2, 0.1]])
    np.testing.assert_allclose(tally.ranks_of(errors), [[1, 2.5, 2.5], [3, 2, 1]])


def test_win_rates_and_ratios_by_hand():
    standings = tally.stand(("a", "b"), np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0], [1.0, 1.0]]))
    by_name = {row.system: row for row in standings}
    assert by_name["a"].win_rate == pytest.approx(2.5 / 4)
    assert by_name["b"].win_rate == pytest.approx(1.5 / 4)
    assert by_name["a"].mean_rank == pytest.approx((1 + 1 + 2 + 1.5) / 4)
    assert by_name["a"].ratio == pytest.approx((2.001 / 1.001) ** 0.25)
    assert standings[0].system == "a"


def test_elo_gives_back_the_odds():
    # Three wins in four games are 400 log10(3) points, where the prior draws drown in games.
    wins = 1e6 * np.array([[0.0, 0.75], [0.25, 0.0]])
    elo = tally.elo_of(wins)
    assert elo[0] - elo[1] == pytest.approx(400 * np.log10(3), abs=0.1)
    assert elo.mean() == pytest.approx(1000.0)


def test_elo_of_one_that_always_wins_is_finite_and_its_interval_holds_it():
    errors = np.column_stack([np.full(8, 0.1), np.arange(8) % 3 + 1.0, np.full(8, 2.0)])
    best = tally.stand(("best", "b", "c"), errors)[0]
    assert best.system == "best"
    assert np.isfinite(best.elo_high)
    assert best.elo_low <= best.elo <= best.elo_high


# ------------------------------------------------------------------------------------ the cache


def test_a_cell_survives_its_line():
    cell = Cell(KEY, 0.25, 1.5, 0.3, scores={"rmse": 1.0}, notes={"rounds": [1, 2]})
    assert from_line(to_line(cell)) == cell
    assert "\n" not in to_line(cell)


def test_storing_replaces_only_its_own_cell(tmp_path):
    path = tmp_path / "results" / "accuracy.jsonl"
    other = Key("adult", "linear", 60, 8000, 0)
    for key, error in ((KEY, 0.3), (other, 0.2), (KEY, 0.1)):
        store(Cell(key, error, 1.0, 0.0), path)
    cells = read_cells(path)
    assert {key: cell.error for key, cell in cells.items()} == {KEY: 0.1, other: 0.2}
    assert len(path.read_text().splitlines()) == 2


def run_command(monkeypatch, path, *words):
    """Run the command with a computer that only counts."""
    asked = []

    def count(key, _folder):
        asked.append((key.set, key.system))
        return Cell(key, 0.5, 1.0, 0.0, about={"source": "now"})

    monkeypatch.setattr(command, "compute", count)
    monkeypatch.setattr(command, "source", lambda: "now")
    monkeypatch.setattr("sys.argv", ["accuracy", "--cache", str(path), *words])
    command.main()
    return asked


def test_a_second_run_computes_only_what_is_missing(monkeypatch, tmp_path):
    path = tmp_path / "accuracy.jsonl"
    first = run_command(monkeypatch, path, "--sets", "adult,ames", "--systems", "linear")
    assert first == [("adult", "linear"), ("ames", "linear")]
    more = run_command(monkeypatch, path, "--sets", "adult,letter", "--systems", "linear,hist")
    assert more == [("letter", "linear"), ("adult", "hist"), ("letter", "hist")]
    assert run_command(monkeypatch, path, "--only", "adult,linear") == [("adult", "linear")]
    seeds = run_command(
        monkeypatch, path, "--sets", "adult", "--systems", "linear", "--seeds", "0,1"
    )
    assert seeds == [("adult", "linear")]


def test_again_takes_our_cells_of_an_older_source_and_any_of_a_named_peer(monkeypatch, tmp_path):
    path = tmp_path / "accuracy.jsonl"
    words = ("--sets", "adult,ames", "--systems", "ours,linear")
    run_command(monkeypatch, path, *words)
    assert run_command(monkeypatch, path, *words, "--again", "ours") == []
    old = Key("ames", "ours", 60, 8000, 0)
    store(Cell(old, 0.5, 1.0, 0.0, about={"source": "older"}), path)
    assert run_command(monkeypatch, path, *words) == []
    assert run_command(monkeypatch, path, *words, "--again", "ours") == [("ames", "ours")]
    again = run_command(monkeypatch, path, *words, "--again", "linear")
    assert again == [("adult", "linear"), ("ames", "linear")]


def test_busy_cells_can_be_measured_again(monkeypatch, tmp_path):
    path = tmp_path / "accuracy.jsonl"
    words = ("--sets", "adult,ames", "--systems", "linear")
    run_command(monkeypatch, path, *words)
    key = Key("ames", "linear", 60, 8000, 0)
    store(Cell(key, 0.5, 40.0, 5.0, cpu_seconds=20.0), path)
    assert run_command(monkeypatch, path, *words, "--again", "busy") == [("ames", "linear")]


def test_check_sets_run_only_when_their_half_is_named(monkeypatch, tmp_path):
    path = tmp_path / "accuracy.jsonl"
    asked = run_command(monkeypatch, path, "--systems", "linear")
    assert [name for name, _ in asked] == list(HALVES["development"])
    with pytest.raises(SystemExit, match="abalone \\(check\\)"):
        run_command(monkeypatch, path, "--sets", "abalone")
    with pytest.raises(SystemExit, match="abalone \\(check\\)"):
        run_command(monkeypatch, path, "--only", "abalone,linear")
    asked = run_command(monkeypatch, path, "--half", "check", "--systems", "linear")
    assert [name for name, _ in asked] == list(HALVES["check"])


def test_halves_share_no_set_and_systems_are_chosen_by_name_or_group():
    names = [name for half in HALVES.values() for name in half]
    assert len(names) == len(set(names))
    assert choose(["ours"]) == ("ours",)
    assert set(choose(["all-ours", "all-peers", "autogluon", "ours-cuda"])) == set(SYSTEMS)
    assert "autogluon" not in choose(["all-peers"])
    assert "ours-cuda" not in choose(["all-ours"])
    with pytest.raises(SystemExit, match="nobody"):
        choose(["nobody"])


def test_a_process_that_fails_is_a_failed_cell(tmp_path):
    (tmp_path / "manifest.json").write_text("[]")
    cell = compute.compute(KEY, tmp_path)
    assert cell.error is None
    assert "credit_g" in cell.failure
    assert cell.about["threads"] == "2"


def test_a_process_that_hangs_is_killed_and_recorded(monkeypatch, tmp_path):
    monkeypatch.setattr(compute, "START_UP", 0.0)
    monkeypatch.setattr(compute, "KILL_AT", 0.001)
    cell = compute.compute(KEY, tmp_path)
    assert cell.error is None
    assert cell.failure.startswith("killed after")


def test_a_cell_is_computed_in_its_own_process(tmp_path):
    key = Key("syn1", "constant", 60, 10_000, 0)
    cell = compute.compute(key, tmp_path)
    assert cell.failure == ""
    assert cell.error == pytest.approx(0.5)
    assert (cell.n_train, cell.n_test, cell.n_columns) == (10_000, 50_000, 11)
    assert set(cell.about) >= {"scikit-learn", "commit", "python", "threads"}


# ----------------------------------------------------------------------------------- the report


def test_a_failure_counts_as_the_constant_prediction(tmp_path):
    path = fill(tmp_path, {"constant": [0.5], "linear": [None], "hist": [0.1]})
    table = make_tables(list(read_cells(path).values()))[0]
    assert error_in(table.cells["adult"], "linear") == 0.5
    assert table.ranked == ("linear", "hist")


def test_a_failure_without_the_constant_says_what_to_run(tmp_path):
    path = fill(tmp_path, {"linear": [None], "hist": [0.1]})
    with pytest.raises(SystemExit, match="--systems constant"):
        write_report(path)


def test_unfinished_systems_are_shown_but_not_ranked(tmp_path):
    errors = {"constant": [0.5, 0.5], "linear": [0.3, 0.2], "hist": [0.1, 0.1], "tabm": [0.05]}
    path = fill(tmp_path, errors)
    page, numbers, picture = write_report(path)
    table = json.loads(numbers.read_text())["tables"]["development_60s_8000"]
    assert [row["system"] for row in table["standings"]] == ["hist", "linear"]
    assert table["errors"]["adult"]["tabm"] == 0.05
    text = page.read_text()
    assert "not ranked: tabm 1/2" in text
    assert "**0.0500**" in text
    assert picture.name in text
    assert "Not measured: credit_g" in text


def test_nobody_is_the_best_of_one(tmp_path):
    path = fill(tmp_path, {"constant": [0.5], "ours": [0.1]})
    assert "**" not in write_report(path)[0].read_text()


def test_halves_and_budgets_get_tables_of_their_own(tmp_path):
    path = fill(tmp_path, {"linear": [0.3], "hist": [0.2]})
    fill(tmp_path, {"linear": [0.3], "hist": [0.2]}, half="check")
    store(Cell(Key("adult", "hist", 300, 8000, 0), 0.1, 9.0, 0.0), path)
    store(Cell(Key("syn1", "hist", 60, 10_000, 0), 0.31, 9.0, 0.0), path)
    tables = make_tables(list(read_cells(path).values()))
    assert [(t.half, t.budget) for t in tables] == [
        ("development", 60), ("development", 300), ("check", 60), ("paper", 60),
    ]  # fmt: skip
    assert "best possible errors: syn1 0.3009" in write_report(path)[0].read_text()


def test_a_published_set_shows_its_learning_curve(tmp_path):
    key = Key("covertype_paper", "ours", 3600, 387_340, 0)
    scores, notes = {"accuracy": 0.97}, {"curve": [[35.5, 0.6924], [607.5, 0.32509]]}
    path = tmp_path / "accuracy.jsonl"
    store(Cell(key, 0.07, 3255.0, 0.1, scores={**scores, "log_loss": 0.07}, notes=notes), path)
    text = write_report(path)[0].read_text()
    assert "accuracy on covertype_paper, 0.9699 in the paper: ours 0.9700" in text
    assert "learning curve of ours on covertype_paper" in text
    assert "36: 0.6924, 608: 0.3251" in text


def test_a_cell_is_busy_when_others_had_the_cores():
    assert is_busy(Cell(KEY, 0.1, 10.0, 4.0, cpu_seconds=9.0))
    assert not is_busy(Cell(KEY, 0.1, 10.0, 0.5, cpu_seconds=9.0))
    assert not is_busy(Cell(KEY, 0.1, 10.0, 4.0, cpu_seconds=19.0))


def test_the_plot_is_well_formed_and_draws_every_system():
    points = {"ours": (20.0, 1.0), "a<b": (3.0, 1.2), "c": (3.0, 1.2)}
    root = ET.fromstring(draw_time(points, "x & y"))
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}circle")) == 3
    assert {"ours", "a<b", "c"} <= {node.text for node in root.findall(f"{space}text")}


# -------------------------------------------------------------------------------- the synthetic


@pytest.mark.parametrize("name", NAMES)
def test_synthetic_sets_have_the_known_bayes_optimum(name):
    drawn = make_synthetic(name, 200_000, 0)
    auc = roc_auc_score(drawn.frame["y"], drawn.probability)
    assert auc == pytest.approx(BAYES_AUC[name], abs=0.004)


@pytest.mark.parametrize("name", NAMES)
def test_only_active_columns_decide(name):
    drawn = make_synthetic(name, 500, 1)
    assert drawn.active.sum(axis=1).min() >= 2
    again = make_synthetic(name, 500, 1)
    pd.testing.assert_frame_equal(drawn.frame, again.frame)
    assert drawn.active[:, 10].all() == (name in NAMES[3:])
