"""What is asked of a target, and targets of which nothing can be asked."""

import numpy as np
import pandas as pd
import pytest
from infer_helpers import SHUFFLED, STAMPS, WORDS, N, repeated, task_of

from tabnet_auto.errors import InputError

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("values", "task", "reason"),
    [
        (repeated([0, 1]), "binary", "two distinct values, 0 and 1"),
        (repeated([1.5, 2.5]), "binary", "two distinct values"),
        (repeated(["yes", "no"]), "binary", "two distinct values, 'no' and 'yes'"),
        (repeated([True, False]), "binary", "two distinct values, False and True"),
        (repeated(["a", "b", "c"]), "multiclass", "3 distinct labels, dtype"),
        (pd.Categorical(repeated([1, 2, 3])), "multiclass", "3 distinct labels, dtype category"),
        (repeated([3, 4, 5, 6, 7, 8, 9]), "multiclass", "if they are quantities, pass task="),
        (repeated([3.0, 4.0, 9.0]), "multiclass", "3 distinct whole numbers, taken for classes"),
        (repeated([0, 1, 2], 12), "multiclass", "3 distinct whole numbers"),
        (repeated(range(15)), "multiclass", "15 distinct"),
        (repeated(["1", "2", "3"]), "multiclass", "text that is numbers: 3 distinct whole"),
        (repeated(["0", "1", "2", "3+"]), "multiclass", "4 distinct labels"),
        (repeated(range(16)), "regression", "16 distinct numbers; if they are classes, pass task="),
        (repeated([10, 20, 40], 12), "regression", "3 distinct numbers"),
        (repeated([0.5, 1.5, 2.5]), "regression", "3 distinct numbers"),
        (RNG.normal(size=N), "regression", "200 distinct numbers"),
        ([f"{i * 1001:,}" for i in range(N)], "regression", "text that is numbers: 200 distinct"),
        (pd.to_timedelta(SHUFFLED, "s"), "regression", "durations, read as seconds"),
    ],
)
def test_task_is_inferred(values, task, reason):
    schema = task_of(values)
    assert (schema.task, reason in schema.task_reason) == (task, True), schema.task_reason
    assert bool(schema.classes) == (task != "regression")


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (repeated([3, 4, 9]), "regression", ()),
        (repeated(["1", "2.5"]), "regression", ()),
        (repeated([True, False]), "regression", ()),
        (repeated(range(40)), "multiclass", tuple(range(40))),
        (repeated([0, 1]), "binary", (0, 1)),
    ],
)
def test_task_as_given(values, task, classes):
    schema = task_of(values, task=task)
    assert (schema.task, schema.task_reason, schema.classes) == (task, "as given", classes)


def test_multiclass_with_two_classes_is_binary():
    schema = task_of(repeated(["a", "b"]), task="multiclass")
    assert (schema.task, schema.task_reason) == (
        "binary",
        "given as multiclass; two classes are binary",
    )


@pytest.mark.parametrize(
    ("values", "task", "message"),
    [
        (
            repeated([0, 1]),
            "regresion",
            r"task must be 'auto' or one of.*Did you mean 'regression'",
        ),
        (repeated([0, 1, 2]), "binary", r"exactly two classes, however: 'y' has 3: '0', '1', '2'"),
        (repeated(["a", "1"]), "regression", "needs a target of finite numbers.*'a' in row 0"),
        (["a"] * N, "auto", "at least two classes, however: 'y' is 'a' in all 200 rows"),
        ([1] * N, "auto", "at least two classes, however: 'y' is 1 in all"),
        ([0.5] * N, "auto", "at least two distinct values, however: 'y' is 0.5 in all 200 rows"),
        ([1] * N, "regression", "at least two distinct values, however: 'y' is 1 in all"),
        (
            WORDS[:N],
            "auto",
            "two rows on average.*'y' has 200 distinct labels in 200 rows, e.g. 'w0",
        ),
        (repeated([f"w{i}" for i in range(1001)], 3000), "auto", "at most 1000 classes"),
        (RNG.normal(size=N), "multiclass", "two rows on average.*pass task='regression'"),
        ([*map(str, range(N)), "?"], "auto", "finite numbers, however: 'y' holds '\\?' in row 200"),
        (STAMPS, "auto", "labels or real numbers, however: 'y' has dtype datetime64"),
        (np.ones(N) * 1j, "auto", "labels or real numbers, however: 'y' has dtype complex"),
        (
            [1.0, None, 0.0],
            "auto",
            "Every row must have a target, however: 'y' is missing in 1 row",
        ),
    ],
)
def test_targets_that_cannot_be_learned(values, task, message):
    with pytest.raises(InputError, match=message):
        task_of(values, task=task)


def test_single_row_classes_are_noted():
    schema = task_of([*repeated(["a", "b"]), "rare"])
    assert schema.notes[0].startswith("1 class has a single row ('rare')")
