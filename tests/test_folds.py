"""Who learns from whom: every rule, the sizes, the order, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import model_selection as ms

from tabnet_auto.errors import InputError
from tabnet_auto.folds import Folds, check_fold_weights, make_folds, split_notes


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


def test_values_are_shuffled():
    y = np.arange(101.0)
    folds = make_folds("regression", y, folds=4, seed=3)
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
    assert folds.rule == "5 group folds"


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
    "both": ({"groups": half, "time": half}, "by time or by groups"),
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
