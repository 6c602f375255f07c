"""What an audit says: each finding where it was planted, and nothing where nothing is."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tabnet_auto import InputError, audit
from tabnet_auto.auditing import run
from tabnet_auto.auditing.record import Audit
from tabnet_auto.auditing.sample import take_sample
from tabnet_auto.auditing.score import area, as_columns, parts_of, rank_correlation, tell
from tabnet_auto.auditing.twins import agreement, row_codes

N = 1500


def clean(n=N, seed=0, task="binary"):
    """Numbers with gaps, levels and counts, of which two tell something of the target."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n)
    kind = rng.integers(0, 4, n)
    signal = size + (kind == 2) + rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "kind": np.array(["flat", "house", "boat", "tent"])[kind],
            "rooms": rng.integers(1, 9, n),
            "other": rng.lognormal(size=n),
            "when": pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
        }
    )
    if task == "regression":
        frame["y"] = np.exp(signal)
    elif task == "multiclass":
        frame["y"] = pd.cut(signal, [-np.inf, -1, 0.5, np.inf], labels=False).astype(str)
    else:
        frame["y"] = np.where(signal > 0.3, "yes", "no")
    return frame


def kinds(found, level=None):
    return {one.kind for one in found.findings if level in (None, one.level)}


def one_of(found, kind):
    [finding] = [one for one in found.findings if one.kind == kind]
    return finding


def halves(frame):
    return frame.iloc[: len(frame) // 2], frame.iloc[len(frame) // 2 :].drop(columns="y")


tasks = pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])


# --- nothing is found where nothing is ------------------------------------------------------------


@tasks
@pytest.mark.parametrize("seed", range(5))
def test_clean_data_raise_no_alarm(task, seed):
    train, test = halves(clean(2 * N, seed, task))
    found = audit(train, "y", test=test)
    assert found.findings == ()
    assert found.skipped == ()


@pytest.mark.parametrize("seed", range(5))
def test_noise_alone_raises_no_alarm(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(600, 30)), columns=[f"x{i}" for i in range(30)])
    frame = frame.mask(rng.random(frame.shape) < 0.3)
    frame["y"] = (rng.random(600) < 0.1).astype(int)
    assert audit(frame, "y").findings == ()


def test_few_rows_and_few_levels_coincide_without_an_alarm():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 2, (800, 4)), columns=list("abcd")).astype(str)
    frame["y"] = np.where(rng.random(800) < 0.3 + 0.3 * (frame.a == "1"), "yes", "no")
    train, test = halves(frame)
    found = audit(train, "y", test=test)
    assert kinds(found, "warning") == set()
    assert kinds(found) == {"duplicates", "overlap"}
    assert audit(frame.iloc[:20], "y").warnings == ()


SHARED = ("adult", "california_housing", "bank_marketing", "churn_mlc", "mushroom", "diamonds")


@pytest.mark.parametrize("name", SHARED)
def test_real_sets_raise_no_alarm(name, shared_data):
    shared_data(name)
    from benchmarks.data import read_split

    split = read_split(name, shared_data(name).parent, rows=8000)
    found = audit(split.train, split.target, test=split.test.drop(columns=split.target))
    assert found.warnings == ()


def test_titanic_raises_no_alarm():
    from tabnet_auto.data import titanic_path

    found = audit(titanic_path("train"), "survived", test=titanic_path("test"))
    assert found.warnings == ()


# --- a column that nearly is the target -----------------------------------------------------------


@tasks
def test_a_leak_is_found(task):
    frame = clean(task=task)
    rng = np.random.default_rng(1)
    if task == "regression":
        frame["paid"] = 2.0 * frame.y + 0.001 * rng.normal(size=N)
    else:
        wrong = rng.random(N) < 0.005
        frame["paid"] = np.where(wrong, "?", frame.y.astype(str) + " it was")
    finding = one_of(audit(frame, "y"), "leak")
    assert finding.columns == ("paid",)
    assert finding.level == "warning"
    assert finding.action == "drop"
    assert "'paid': 'drop'" in finding.offer


def test_a_leak_that_is_missing_before_the_target_is_known_is_said_once():
    frame = clean()
    frame["boat"] = np.where(frame.y == "yes", frame.rooms.astype(float), np.nan)
    found = audit(frame, "y")
    assert [one.kind for one in found.findings] == ["leak"]


def test_the_score_of_a_column_is_of_rows_it_was_not_learned_on():
    rng = np.random.default_rng(0)
    x, y = np.arange(400.0), rng.integers(0, 2, 400)
    target, part = as_columns(y, 2), parts_of(400)
    honest = tell(x, target, part, is_level=True)
    seen = tell(np.concatenate([x, x]), np.tile(target, (2, 1)),
                np.repeat([0, 1], 400), is_level=True)  # fmt: skip
    assert honest.r2 < 0.05, "a level of every row tells nothing"
    assert seen.r2 > 0.5, "the control: with the same rows on both sides it seems to"


def test_area_is_scikit_learns():
    from sklearn.metrics import roc_auc_score

    rng = np.random.default_rng(0)
    score, truth = rng.integers(0, 9, 300) / 9, rng.random(300) < 0.3
    assert area(score, truth) == pytest.approx(roc_auc_score(truth, score))


# --- missing cells --------------------------------------------------------------------------------


@tasks
def test_missing_cells_that_tell_the_target_are_found(task):
    frame = clean(task=task)
    high = frame.y > frame.y.median() if task == "regression" else frame.y == frame.y.mode()[0]
    gone = np.random.default_rng(0).random(N) < np.where(high, 0.7, 0.2)
    frame["grade"] = np.where(gone, np.nan, frame.other)
    finding = one_of(audit(frame, "y"), "missingness")
    assert finding.columns == ("grade",)
    assert finding.figures["missing"] == pytest.approx(gone.mean())
    shuffled = frame.assign(grade=frame.grade.sample(frac=1.0, random_state=0).to_numpy())
    assert "missingness" not in kinds(audit(shuffled, "y"))


# --- the order of the rows ------------------------------------------------------------------------


@tasks
def test_sorted_rows_are_found_and_shuffled_ones_are_not(task):
    frame = clean(task=task)
    finding = one_of(audit(frame.sort_values("y"), "y"), "order")
    assert finding.level == "warning"
    assert finding.columns == ()
    assert "order" not in kinds(audit(frame, "y"))


def test_an_identifier_that_orders_the_target_is_named():
    frame = clean().sort_values("y").reset_index(drop=True)
    frame.insert(0, "case_id", [f"c{i:05d}" for i in range(N)])
    finding = one_of(audit(frame.sample(frac=1.0, random_state=0), "y"), "order")
    assert finding.columns == ("case_id",)


def in_time(task="binary", strength=3.0, n=N, seed=0):
    """Rows in the order of their dates, along which the target rises."""
    rng = np.random.default_rng(seed)
    age = np.linspace(-1, 1, n)
    frame = pd.DataFrame({"x": rng.normal(size=n), "other": rng.normal(size=n)})
    frame["day"] = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.arange(n) // 2, "D")
    rising = strength * age + frame.x + rng.normal(size=n)
    if task == "regression":
        return frame.assign(y=rising)
    if task == "multiclass":
        return frame.assign(y=pd.cut(rising, [-np.inf, -1, 1, np.inf], labels=["a", "b", "c"]))
    return frame.assign(y=np.where(rising > 0, "yes", "no"))


@tasks
def test_an_order_that_a_column_says_is_time_can_be_acted_upon(task):
    finding = one_of(audit(in_time(task), "y"), "order")
    assert finding.level == "warning"
    assert finding.action == "forward"
    assert finding.columns == ("day",)
    assert "pass time='day'" in finding.offer
    backward = one_of(audit(in_time(task).iloc[::-1], "y"), "order")
    assert backward.action == "forward"


def test_a_date_without_rows_in_its_order_is_none_to_act_upon():
    shuffled = in_time().sample(frac=1.0, random_state=0)
    assert "order" not in kinds(audit(shuffled, "y")), "dealt at random, as new rows may be"
    elsewhere = in_time().assign(day=lambda frame: frame.day.sample(frac=1.0).to_numpy())
    assert one_of(audit(elsewhere, "y"), "order").action == ""
    gaps = in_time()
    gaps.loc[gaps.index % 50 == 0, "day"] = pd.NaT
    assert one_of(audit(gaps, "y"), "order").action == "", "time= must be there in every row"


def test_a_number_by_its_name_says_when_and_an_identifier_too():
    years = in_time().assign(year=lambda frame: 1990.0 + frame.index // 50).drop(columns="day")
    assert one_of(audit(years, "y"), "order").columns == ("year",)
    numbered = in_time().assign(case_id=[f"c{i:05d}" for i in range(N)])
    finding = one_of(audit(numbered.sample(frac=1.0, random_state=0), "y"), "order")
    assert finding.columns == ("case_id", "day")
    assert finding.action == "forward"


def test_test_rows_say_whether_new_rows_are_later_ones():
    frame = in_time("regression", 6.0, 2 * N)
    later = audit(frame.iloc[:N], "y", test=frame.iloc[N:].drop(columns="y"))
    assert one_of(later, "order").action == "forward"
    assert "the test rows are later ones" in one_of(later, "order").offer
    among = audit(frame.iloc[::2], "y", test=frame.iloc[1::2].drop(columns="y"))
    finding = one_of(among, "order")
    assert (finding.level, finding.action) == ("remark", "")
    assert finding.figures["later"] < 0.05


def test_a_slow_drift_is_a_remark():
    finding = one_of(audit(in_time(strength=1.6), "y"), "order")
    assert (finding.level, finding.action) == ("remark", "")


def test_ranks_are_compared_as_scipy_does():
    from scipy.stats import spearmanr

    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 9, 80).astype(float), rng.normal(size=80)
    assert rank_correlation(a, b + a) == pytest.approx(spearmanr(a, b + a).statistic)
    gone = np.where(np.arange(80) < 40, np.nan, a)
    assert rank_correlation(gone, b) == pytest.approx(spearmanr(a[40:], b[40:]).statistic)
    assert rank_correlation(np.ones(80), b) == 0.0
    assert rank_correlation(np.full(80, np.nan), b) == 0.0


# --- identical rows -------------------------------------------------------------------------------


@tasks
def test_copies_are_found_across_folds_and_across_train_and_test(task):
    frame = clean(task=task)
    test = pd.concat([clean(400, 9, task), frame.iloc[:60]])
    found = audit(pd.concat([frame, frame.iloc[:100]]), "y", test=test)
    twins, shared = one_of(found, "duplicates"), one_of(found, "overlap")
    assert twins.level == "warning"
    assert twins.action == "group"
    assert twins.figures["rows"] == 200
    assert twins.figures["agreement"] == 1.0
    assert shared.figures["rows"] == 60
    assert shared.figures["agreement"] == 1.0


def test_copies_with_other_targets_are_a_remark():
    frame = clean()
    copies = frame.iloc[:200].assign(y=frame.y.iloc[200:400].to_numpy())
    finding = one_of(audit(pd.concat([frame, copies]), "y"), "duplicates")
    assert finding.level == "remark"
    assert finding.figures["agreement"] < 0.8


def test_copies_within_a_group_are_no_matter():
    frame = clean().assign(who=np.arange(N))
    doubled = pd.concat([frame, frame.iloc[:100]])
    assert "duplicates" not in kinds(audit(doubled, "y", groups="who"))
    apart = doubled.assign(who=np.arange(len(doubled)))
    assert "duplicates" in kinds(audit(apart, "y", groups="who"))


def test_rows_are_numbered_as_pandas_does():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, (200, 3)).astype(float)
    x[x == 2] = np.nan
    expected = pd.DataFrame(x).groupby([0, 1, 2], dropna=False).ngroup()
    pairs = set(zip(row_codes(x), expected, strict=True))
    assert len(pairs) == expected.nunique() == len(set(row_codes(x)))


def test_agreement_does_not_count_what_is_common_anyway():
    code = np.repeat(np.arange(50), 2)
    assert np.isnan(agreement(code, np.zeros(100, dtype=int)))
    assert agreement(code, np.repeat(np.arange(50) % 2, 2)) == 1.0


# --- test rows unlike train -----------------------------------------------------------------------


def test_columns_that_give_the_test_away_are_named():
    train, test = halves(clean(2 * N))
    test = test.assign(when=test.when + pd.Timedelta(days=2000), rooms=test.rooms + 2)
    finding = one_of(audit(train, "y", test=test), "drift")
    assert finding.figures["auc"] > 0.99
    assert finding.level == "warning"
    assert finding.columns == ("when",)
    assert "rooms" in finding.words
    assert "size" not in finding.words


def test_drift_that_no_column_shows_alone_is_found():
    rng = np.random.default_rng(0)
    a, noise = rng.normal(size=3000), 0.4 * rng.normal(size=3000)
    sign = np.where(np.arange(3000) < 1500, 1.0, -1.0)
    frame = pd.DataFrame({"a": a, "b": sign * a + noise, "y": rng.integers(0, 2, 3000)})
    train, test = halves(frame)
    finding = one_of(audit(train, "y", test=test), "drift")
    assert finding.columns == ()
    assert "no column alone" in finding.words


# --- the record -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def found():
    frame = clean()
    frame["paid"] = frame.y + "!"
    return audit(pd.concat([frame, frame.iloc[:100]]), "y")


def test_an_audit_is_plain_json_and_comes_back(found):
    assert Audit.from_json(json.loads(json.dumps(found.to_json()))) == found


def test_an_audit_is_text_markup_and_a_frame(found):
    assert "warning: column 'paid'" in repr(found)
    assert "paid" in found._repr_html_()
    assert "<table" in found._repr_html_()
    assert found.to_frame().kind.tolist() == [one.kind for one in found.findings]


def test_a_clean_audit_shows_too():
    nothing = audit(clean(), "y")
    assert "no findings" in repr(nothing)
    assert nothing.to_frame().empty
    assert "<table" in nothing._repr_html_()


def test_a_long_table_is_sampled_and_says_so(monkeypatch):
    monkeypatch.setattr(run, "rows_for", lambda n: 500)
    found = audit(clean(), "y")
    assert found.n_rows == 500
    assert "a sample of 500 of 1,500" in repr(found)


def test_a_column_that_test_lacks_is_said():
    train, test = halves(clean())
    assert "'size'" in audit(train, "y", test=test.drop(columns="size")).skipped[0]


def test_no_time_means_said_not_silent():
    from tabnet_auto.infer import infer_schema
    from tabnet_auto.table import read_table
    from tabnet_auto.target import encode_target

    table = read_table(clean(), "y")
    schema = infer_schema(table.frame, "y")
    y = encode_target(table.frame["y"], schema)
    found = run.look(table, schema, y, None, seconds=0.0)
    assert found.findings == ()
    assert len(found.skipped) == len(run.CHECKS)
    assert take_sample(table, schema, y, None, 100).n_rows == 100


def test_bad_input_is_refused():
    with pytest.raises(InputError, match="target must name a column"):
        audit(clean(), "Y")


def test_telling_test_from_train_waits_for_time(monkeypatch):
    from tabnet_auto.infer import infer_schema
    from tabnet_auto.table import read_table
    from tabnet_auto.target import encode_target

    train, test = halves(clean())
    table = read_table(train, "y")
    schema = infer_schema(table.frame, "y")
    y = encode_target(table.frame["y"], schema)
    monkeypatch.setattr(run, "monotonic", lambda: 0.0)
    assert run.look(table, schema, y, test, 0.4).skipped == (
        "test rows unlike train: no time left",
    )
    assert run.look(table, schema, y, test, 0.6).skipped == ()
