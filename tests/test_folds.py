"""Who learns from whom: every rule, the sizes, the order, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn import model_selection as ms

from tabnet_auto.ensemble.blend import HeldOut, held_out_rows, uniform
from tabnet_auto.errors import InputError
from tabnet_auto.folds import (
    FoldPlan,
    Folds,
    check_fold_weights,
    ignored_notes,
    make_folds,
    split_notes,
)


def labels(n, shares, seed=0):
    return np.random.default_rng(seed).choice(len(shares), n, p=shares)


def check_partition(folds, n):
    """Every row is held out once, and learned from in all other folds."""
    held = np.concatenate(folds.valid)
    assert np.array_equal(np.sort(held), np.arange(n))
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert np.array_equal(np.sort(np.r_[train, valid]), np.arange(n))
        assert np.array_equal(train, np.sort(train))
        assert np.array_equal(valid, np.sort(valid))
        assert train.dtype == valid.dtype == np.int64


@pytest.mark.parametrize("n_folds", [2, 3, 5, 10])
@pytest.mark.parametrize("seed", [0, 7])
def test_stratified(n_folds, seed):
    y = labels(203, [0.7, 0.25, 0.05])
    folds = make_folds("multiclass", y, folds=n_folds, seed=seed)
    check_partition(folds, 203)
    sizes = [len(rows) for rows in folds.valid]
    assert max(sizes) - min(sizes) <= 1
    for label in range(3):
        counts = [np.count_nonzero(y[rows] == label) for rows in folds.valid]
        assert max(counts) - min(counts) <= 1
    assert folds.rule == f"{n_folds} stratified folds, seed {seed}"


def test_rare_classes_are_dealt_out_as_far_as_they_go():
    y = np.array([0] * 20 + [1] * 3 + [2])
    folds = make_folds("multiclass", y, folds=5)
    check_partition(folds, 24)
    assert sorted(np.count_nonzero(y[rows] == 1) for rows in folds.valid) == [0, 0, 1, 1, 1]
    notes = split_notes(folds, y, ("a", "b", "c"))
    assert notes == [
        "class 'c' has no training rows in 1 of 5 folds: their members cannot predict it",
        "class 'b' has no validation rows in 2 of 5 folds: their scores do not see it",
        "class 'c' has no validation rows in 4 of 5 folds: their scores do not see it",
    ]


def test_notes_name_few_classes():
    y = np.r_[np.zeros(30, dtype=int), np.arange(1, 9)]
    folds = make_folds("multiclass", y, folds=2)
    notes = split_notes(folds, y, tuple("abcdefghi"))
    assert len(notes) == 8
    assert notes[3] == "... and 5 more classes have no training rows in some fold"
    assert split_notes(folds, y.astype(float), ()) == []
    assert split_notes(make_folds("binary", labels(50, [0.5, 0.5])), y, ()) == []


def test_values_are_stratified_by_quantile_bins():
    y = np.random.default_rng(0).permutation(101.0 * np.arange(101) ** 2)
    folds = make_folds("regression", y, folds=4, seed=3)
    check_partition(folds, 101)
    assert folds.rule == "4 stratified folds by 10 quantile bins of the target, seed 3"
    tenth = np.searchsorted(np.quantile(y, np.linspace(0, 1, 11)[1:-1]), y)
    for number in range(10):
        counts = [np.count_nonzero(tenth[rows] == number) for rows in folds.valid]
        assert max(counts) - min(counts) <= 1
    # Negative control: shuffled folds do not care.
    plain = make_folds("regression", y, folds="shuffled", seed=3)
    spread = [[np.count_nonzero(tenth[rows] == n) for rows in plain.valid] for n in range(10)]
    assert np.ptp(spread, axis=1).max() > 1


def test_few_or_repeated_values_have_fewer_bins():
    few = make_folds("regression", np.arange(12.0), folds=3)
    assert few.rule == "3 stratified folds by 2 quantile bins of the target, seed 0"
    y = np.r_[np.zeros(90), np.arange(10.0)]
    folds = make_folds("regression", y, folds=5)
    check_partition(folds, 100)
    assert [np.count_nonzero(y[rows]) for rows in folds.valid] == pytest.approx([2] * 5, abs=1)
    check_partition(make_folds("regression", np.ones(10), folds=5), 10)


def test_values_are_shuffled():
    y = np.arange(101.0)
    folds = make_folds("regression", y, folds=FoldPlan(4, rule="shuffled"), seed=3)
    check_partition(folds, 101)
    assert {len(rows) for rows in folds.valid} == {25, 26}
    assert folds.rule == "4 shuffled folds, seed 3"
    assert all(np.ptp(rows) > 60 for rows in folds.valid)


def test_seeds_decide():
    y = labels(100, [0.5, 0.5])
    a, b = make_folds("binary", y, seed=1), make_folds("binary", y, seed=1)
    c = make_folds("binary", y, seed=np.int64(2))
    assert all(np.array_equal(x, z) for x, z in zip(a.valid, b.valid, strict=True))
    assert not all(np.array_equal(x, z) for x, z in zip(a.valid, c.valid, strict=True))


def test_members_are_folds_times_seeds():
    folds = make_folds("binary", labels(60, [0.5, 0.5]), folds=3, n_seeds=2, seed=5)
    assert (folds.n_members, folds.n_folds) == (6, 3)
    assert folds.fold == (0, 0, 1, 1, 2, 2)
    assert len(set(folds.seed)) == 6
    assert folds.seed[0] == 5
    assert folds.of_fold(1) == (2, 3)
    assert folds.train[2] is folds.train[3]


@pytest.mark.parametrize("task", ["binary", "multiclass", "regression"])
@pytest.mark.parametrize("seed", range(5))
def test_groups_are_never_split(task, seed):
    rng = np.random.default_rng(seed)
    group = rng.choice([f"g{i}" for i in range(12)], 150, p=rng.dirichlet(np.ones(12)))
    y = rng.normal(size=150) if task == "regression" else rng.integers(0, 2, 150)
    n_folds = min(4, len(set(group)))
    folds = make_folds(task, y, folds=n_folds, groups=group, seed=seed)
    check_partition(folds, 150)
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert not set(group[train]) & set(group[valid])
    assert "group folds" in folds.rule


def test_groups_with_rare_classes():
    y = np.r_[np.zeros(30, dtype=int), [1, 1]]
    check_partition(make_folds("binary", y, folds=5, groups=np.arange(32) // 4), 32)
    y = np.arange(20) % 10  # no class has as many rows as there are folds
    folds = make_folds("multiclass", y, folds=5, groups=np.arange(20) // 2)
    check_partition(folds, 20)
    assert folds.rule == "5 stratified group folds"


@pytest.mark.parametrize("task", ["multiclass", "regression"])
def test_groups_are_stratified_as_far_as_they_can_be(task):
    rng = np.random.default_rng(0)
    group = rng.integers(0, 100, 1000)
    y = 4.0 * (group % 4) + rng.random(1000) if task == "regression" else group % 4
    level = (y // 4).astype(int) if task == "regression" else y
    folds = make_folds(task, y, folds=5, groups=group)
    check_partition(folds, 1000)

    def unevenness(folds):
        shares = [np.bincount(level[rows], minlength=4) / len(rows) for rows in folds.valid]
        return np.std(shares, axis=0).max()

    assert max(len(rows) for rows in folds.valid) < 1.15 * min(len(rows) for rows in folds.valid)
    plain = make_folds(task, y, folds=FoldPlan(5, rule="group"), groups=group)
    assert plain.rule == "5 group folds"
    assert unevenness(folds) < 0.03 < unevenness(plain)


def test_repeats_are_other_shuffles_numbered_on():
    y = labels(90, [0.7, 0.3])
    folds = make_folds("binary", y, folds=FoldPlan(3, repeats=2), n_seeds=2, seed=5)
    assert folds.rule == "2 times 3 stratified folds, seed 5"
    assert folds.fold == (0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5)
    for part in (folds.valid[:6:2], folds.valid[6::2]):
        assert np.array_equal(np.sort(np.concatenate(part)), np.arange(90))
    assert not set(map(bytes, folds.valid[:6])) & set(map(bytes, folds.valid[6:]))
    # The first repeat is what one shuffle gives.
    once = make_folds("binary", y, folds=3, seed=5)
    assert all(np.array_equal(a, b) for a, b in zip(once.valid, folds.valid[:6:2], strict=True))
    own = tuple(
        tuple(np.full((len(rows), 2), float(m)) for m, rows in list(enumerate(folds.valid))[s::2])
        for s in range(2)
    )
    oof = HeldOut(own, held_out_rows(folds), 90).combine([uniform(2)] * folds.n_folds)
    for row in (0, 50):
        held = [m for m, rows in enumerate(folds.valid) if row in rows]
        assert len(held) == 4
        assert oof[row, 0] == pytest.approx(np.mean(held))


@pytest.mark.parametrize("rule", ["group", "stratified_group"])
def test_repeated_groups(rule):
    rng = np.random.default_rng(1)
    group, y = rng.integers(0, 15, 200), rng.integers(0, 2, 200)
    folds = make_folds("binary", y, folds=FoldPlan(3, rule=rule, repeats=3), groups=group)
    assert folds.n_folds == 9
    assert len(set(map(bytes, folds.valid))) > 5
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert not set(group[train]) & set(group[valid])
        assert len(train) + len(valid) == 200


def test_leave_one_group_out():
    group = np.array(["b", "a", "c"])[np.arange(30) % 3]
    folds = make_folds("regression", np.arange(30.0), folds="leave_one_group_out", groups=group)
    check_partition(folds, 30)
    assert folds.rule == "3 folds, each one group"
    assert [set(group[rows]) for rows in folds.valid] == [{"a"}, {"b"}, {"c"}]


def test_networks_of_a_seed_start_alike_where_asked():
    folds = make_folds("binary", np.arange(60) % 2, folds=3, n_seeds=2, seed=7)
    assert folds.start == folds.seed
    assert len(set(folds.seed)) == 6
    alike = replace(folds, one_start=True)
    assert alike.start == (7, 1007) * 3
    assert alike.select((1, 4)).start == (1007, 7)
    longer, _ = alike.with_seeds((0, 0, 0))
    assert longer.start == (7, 1007, 2007) * 3
    assert longer.seed[:2] == folds.seed[:2]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("window", ["expanding", "sliding"])
def test_an_instant_is_never_on_both_sides(seed, window):
    rng = np.random.default_rng(seed)
    when = rng.choice(rng.normal(size=25), 200, p=rng.dirichlet(np.ones(25))).round(2)
    folds = make_folds("regression", when, folds=FoldPlan(4, window=window), time=when)
    held = np.concatenate(folds.valid)
    assert len(set(held)) == len(held)
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert when[train].max() < when[valid].min()
    # Negative control: scikit-learn's own splitter parts such instants.
    order = np.argsort(when, kind="stable")
    pairs = [(when[order[a]], when[order[b]]) for a, b in ms.TimeSeriesSplit(4).split(order)]
    assert any(a.max() == b.min() for a, b in pairs)


def test_gap_and_window():
    day = np.datetime64("2021-01-01") + np.random.default_rng(0).permutation(60) // 2
    plan = FoldPlan(4, gap="3D", window="sliding")
    folds = make_folds("regression", np.zeros(60), folds=plan, time=day)
    assert folds.rule == "4 folds forward in time, training windows of equal size, gap 3D"
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert day[valid].min() - day[train].max() == np.timedelta64(3, "D")
        assert len(train) == 12 - 2 * 2
        assert len(valid) == 12
    expanding = make_folds("regression", np.zeros(60), folds=FoldPlan(4), time=day)
    assert [len(rows) for rows in expanding.train] == [12, 24, 36, 48]
    number = (day - day.min()).astype(int)
    same = make_folds("regression", np.zeros(60), folds=replace(plan, gap=3), time=number)
    assert all(np.array_equal(a, b) for a, b in zip(same.train, folds.train, strict=True))


@pytest.mark.parametrize("kind", ["numbers", "dates"])
def test_time_goes_forward(kind):
    when = np.random.default_rng(0).permutation(120).astype(float)
    if kind == "dates":
        when = np.datetime64("2020-01-01") + when.astype("timedelta64[D]")
    folds = make_folds("regression", np.zeros(120), folds=5, time=when)
    assert folds.rule == "5 folds forward in time"
    for train, valid in zip(folds.train, folds.valid, strict=True):
        assert when[train].max() < when[valid].min()
        assert len(valid) == 20
    assert [len(rows) for rows in folds.train] == [20, 40, 60, 80, 100]
    last = np.concatenate([when[rows] for rows in folds.valid])
    assert np.array_equal(np.sort(last), np.sort(when)[20:])


@pytest.mark.parametrize("rule", ["auto", "time_group"])
def test_forward_in_time_without_the_groups_of_the_validation_rows(rule):
    rng = np.random.default_rng(0)
    when = np.arange(200)
    group = when // 10 + rng.choice([0, 1], 200)  # comes and goes
    plan = FoldPlan(4, rule=rule, gap=3)
    folds = make_folds("regression", when, folds=plan, groups=group, time=when)
    plain = make_folds("regression", when, folds=FoldPlan(4, rule="time", gap=3), groups=group,
                       time=when)  # fmt: skip
    for own, usual in zip(folds.train, plain.train, strict=True):
        assert set(own) <= set(usual)
    for train, usual, valid in zip(folds.train, plain.train, folds.valid, strict=True):
        assert when[train].max() <= when[valid].min() - 3
        assert not set(group[train]) & set(group[valid])
        left_out = np.setdiff1d(usual, train)
        assert set(group[left_out]) <= set(group[valid]), "no other row is left out"
    assert all(np.array_equal(a, b) for a, b in zip(folds.valid, plain.valid, strict=True))
    share = sum(map(len, folds.train)) / sum(map(len, plain.train))
    assert folds.rule == (
        "4 folds forward in time, gap 3, groups of validation rows not learned from "
        f"({share:.0%} left)"
    )
    # Negative control: by time alone groups are on both sides.
    assert any(set(group[a]) & set(group[b]) for a, b in zip(plain.train, plain.valid, strict=True))


def test_splitters():
    y, group = labels(90, [0.5, 0.5]), np.arange(90) // 9
    folds = make_folds("binary", y, folds=ms.RepeatedStratifiedKFold(n_splits=3, n_repeats=2))
    assert folds.n_folds == 6
    assert folds.rule == "RepeatedStratifiedKFold as given"
    folds = make_folds("binary", y, folds=ms.LeaveOneGroupOut(), groups=group)
    assert folds.n_folds == 10
    assert all(len(set(group[rows])) == 1 for rows in folds.valid)
    one = make_folds("binary", y, folds=ms.ShuffleSplit(1, test_size=0.2, random_state=0))
    assert (one.n_members, len(one.valid[0])) == (1, 18)


@pytest.mark.parametrize(
    ("folds", "given", "said"),
    [
        (5, ("groups",), 0),
        (5, ("time",), 0),
        (5, ("groups", "time"), 0),
        (ms.TimeSeriesSplit(3), ("time",), 1),  # goes by the order of the rows, which is another
        (ms.KFold(3), ("groups", "time"), 2),
        ("stratified", ("groups",), 1),
        ("time", ("groups", "time"), 1),
        ("group", ("groups", "time"), 1),
        (ms.KFold(3), (), 0),
    ],
)
@pytest.mark.filterwarnings("ignore:The groups parameter is ignored")
def test_folds_that_do_not_go_by_what_is_given_say_so(folds, given, said):
    rng = np.random.default_rng(0)
    values = {"groups": rng.integers(0, 30, 300), "time": rng.permutation(300)}
    values = {name: values[name] for name in given}
    made = make_folds("binary", labels(300, [0.5, 0.5]), folds=folds, n_seeds=2, **values)
    notes = ignored_notes(made, values.get("time"))
    assert len(notes) == said
    assert all(note.startswith(f"{made.rule}: ") for note in notes)
    assert all(f"of {made.n_folds} folds learn from" in note for note in notes)


def test_explicit_pairs():
    pairs = [([5, 3, 1], [0, 2]), (np.arange(6, 10), range(3))]
    folds = make_folds("regression", np.zeros(10), folds=(pair for pair in pairs))
    assert isinstance(folds, Folds)
    assert folds.train[0].tolist() == [1, 3, 5]
    assert folds.valid[1].tolist() == [0, 1, 2]
    assert folds.rule == "explicit index pairs"


half = np.arange(20) < 10
BAD = {
    "one fold": ({"folds": 1}, "at least 2, however: folds=1"),
    "no fold": ({"folds": 0}, "at least 2"),
    "numpy": ({"folds": np.int64(1)}, "at least 2"),
    "truth": ({"folds": True}, "at least 2"),
    "too many": ({"folds": 11}, "20 rows for folds=11. Pass a smaller"),
    "text": ({"folds": "five"}, "however: folds='five'"),
    "nothing": ({"folds": None}, "however: folds=None"),
    "no pairs": ({"folds": []}, "at least one pair of row positions"),
    "triples": ({"folds": [(1, 2, 3)]}, r"however: fold 0 is \(1, 2, 3\)"),
    "numbers": ({"folds": [1, 2]}, "however: fold 0 is 1"),
    "empty side": ({"folds": [([0, 1], [])]}, "fold 0 has 2 and 0"),
    "outside": ({"folds": [([0, 1], [2]), ([0], [20])]}, r"0\.\.19, however: fold 1 has 20"),
    "negative": ({"folds": [([0, -1], [2])]}, r"fold 0 has -1\.\.0"),
    "overlap": ({"folds": [([0, 1, 2], [2, 3])]}, "fold 0 shares 1 rows, position 2"),
    "masks": ({"folds": [(half, ~half)]}, r"fold 0 has bool. Pass np.flatnonzero"),
    "fractions": ({"folds": [([0.5], [1.5])]}, "whole numbers, however: fold 0 has float64"),
    "splitter": ({"folds": ms.KFold(50)}, "split the 20 rows that have a target, however: Cannot"),
    "few groups": ({"folds": 5, "groups": np.arange(20) % 3}, "3 groups for folds=5. Pass folds=3"),
    "both": (
        {"folds": 2, "groups": np.arange(20) % 2, "time": np.arange(20)},
        "all 8 that precede 6 validation rows are of their groups. Pass fewer folds, folds='time'",
    ),
    "both by name": ({"folds": "time_group", "time": np.arange(20)}, "groups=None"),
    "repeated both": (
        {"folds": FoldPlan(2, repeats=2), "groups": half, "time": np.arange(20)},
        "that shuffles",
    ),
    "rule": ({"folds": "grouped"}, "Did you mean 'group'"),
    "plan rule": ({"folds": FoldPlan(rule="grup")}, "however: 'grup'. Did you mean 'group'"),
    "window": ({"folds": FoldPlan(window="both")}, "expanding, sliding, however: 'both'"),
    "repeats": ({"folds": FoldPlan(repeats=0)}, "repeats must be at least 1"),
    "no groups": ({"folds": "group"}, "passed as groups=, however: groups=None"),
    "no time": ({"folds": "time"}, "passed as time=, however: time=None"),
    "gap without time": ({"folds": FoldPlan(rule="group", gap=2)}, "for folds by time"),
    "gap by default": ({"folds": FoldPlan(gap=2)}, "for folds by time"),
    "repeated time": ({"folds": FoldPlan(2, repeats=2), "time": np.arange(20)}, "that shuffles"),
    "gap": ({"folds": FoldPlan(2, gap=-1), "time": np.arange(20)}, "column's units, of 0 or more"),
    "gap text": ({"folds": FoldPlan(2, gap="7D"), "time": np.arange(20)}, "gap='7D'"),
    "gap of dates": (
        {"folds": FoldPlan(2, gap=7), "time": np.arange(20).astype("datetime64[D]")},
        "a duration such as '7D'",
    ),
    "wide gap": ({"folds": FoldPlan(2, gap=9), "time": np.arange(20)}, "Pass a smaller gap"),
    "instants": ({"folds": 5, "time": np.arange(20) // 5}, "4 different times for folds=5"),
    "one by one": (
        {"folds": "leave_one_group_out", "groups": np.zeros(20)},
        "2 to 100 groups, each trains a network, however: 1",
    ),
    "two numbers of folds": (
        {"folds": FoldPlan(3, "leave_one_group_out"), "groups": np.arange(20) // 5},
        "Every group is a fold",
    ),
    "seed": ({"seed": -3}, "seed must be a whole number"),
    "seed truth": ({"seed": True}, "seed must be a whole number"),
    "seed fraction": ({"seed": 0.5}, "seed=0.5"),
}


@pytest.mark.parametrize(("options", "message"), BAD.values(), ids=BAD)
def test_what_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        make_folds("binary", np.arange(20) % 2, **options)


def test_weights_on_both_sides():
    folds = make_folds("binary", np.arange(20) % 2, folds=[(range(10), range(10, 20))])
    check_fold_weights(folds, None)
    check_fold_weights(folds, np.r_[np.zeros(9), np.ones(11)])
    for weight, what in ((half, "validation"), (~half, "training")):
        with pytest.raises(InputError, match=f"all 10 {what} rows of fold 0 have weight 0"):
            check_fold_weights(folds, weight.astype(float))
