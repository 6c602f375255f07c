"""Roles, tasks and labels, with the reasons that the user reads."""

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tabnet_auto.errors import InputError
from tabnet_auto.frames import read_frame
from tabnet_auto.infer import decode_labels, encode_target, infer_schema, split_target
from tabnet_auto.schema import Schema

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
N = 200
RNG = np.random.default_rng(0)


def shared(name):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"the shared data set {name} is not beside this checkout")
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
    return read_frame(path)


def frame_of(**columns):
    n = len(next(iter(columns.values())))
    return read_frame(
        pd.DataFrame({**columns, "y": np.arange(n) % 2, "other": np.linspace(0, 1, n)})
    )


def column_of(values, name="x", **options):
    return infer_schema(frame_of(**{name: values}), "y", **options)[name]


def task_of(values, **options):
    series = pd.Series(values, name="y")
    frame = read_frame(pd.DataFrame({"x": np.linspace(0, 1, len(series)), "y": series}))
    return infer_schema(frame, "y", **options)


def repeated(values, n=N):
    return [values[i % len(values)] for i in range(n)]


WORDS = [f"w{i}" for i in range(1000)]
SHUFFLED = RNG.permutation(N)
STAMPS = pd.date_range("2020-01-01", periods=N, freq="h")

ROLES = {
    # numbers
    "floats": (RNG.normal(size=N), "numeric", "numbers, 200 distinct"),
    "integers": (SHUFFLED**2, "numeric", "whole numbers, 200 distinct"),
    "float16": (RNG.normal(size=N).astype("float16"), "numeric", "numbers"),
    "nullable": (pd.array([None, *RNG.normal(size=N - 1)], dtype="Float64"), "numeric", "199"),
    "unix time": (1577836800 + 3600 * SHUFFLED, "numeric", "whole numbers"),
    "durations": (pd.to_timedelta(RNG.normal(size=N), "s"), "numeric", "read as seconds; numbers"),
    "duration objects": (
        pd.Series([dt.timedelta(seconds=i * i) for i in range(N)], dtype=object),
        "numeric",
        "durations read as seconds; whole numbers",
    ),
    "decimals": ([Decimal(i) / 7 for i in range(N)], "numeric", "numbers stored as objects"),
    "few": (repeated([1, 2, 5]), "discrete", "3 distinct whole numbers"),
    "few floats": (repeated([1.0, 2.0, 5.0, np.nan]), "discrete", "3 distinct whole numbers"),
    "few Int64": (pd.array(repeated([1, 2, 5, None]), dtype="Int64"), "discrete", "3 distinct"),
    "32": (repeated(range(32)), "discrete", "32 distinct whole numbers"),
    "33": (repeated(range(33)), "numeric", "whole numbers, 33 distinct"),
    # numbers as text
    "text numbers": ([f"{i * 0.3:.1f}" for i in range(N)], "numeric", "numbers stored as text; n"),
    "money": ([f"${i * 1001:,}" for i in range(N)], "numeric", "numbers stored as text"),
    "blanks": ([*map(str, SHUFFLED[1:] * 0.7), " "], "numeric", "1 cell was not a number and is"),
    "marks": (
        [*map(str, SHUFFLED[3:] * 0.7), "?", "?", "n/a"],
        "numeric",
        "3 cells were not numbers and are read as missing, e.g. '?', 'n/a'; numbers",
    ),
    "mostly marks": ([*["?"] * 150, *map(str, RNG.normal(size=50))], "numeric", "150 cells"),
    "words among numbers": ([*(SHUFFLED[5:] * 0.7), *["low"] * 5], "numeric", "e.g. 'low'"),
    "text integers": (repeated(["1", "2", "5"]), "discrete", "numbers stored as text; 3 distinct"),
    "three and more": (repeated(["0", "1", "2", "3+"]), "categorical", "4 levels"),
    "rarely three and more": ([*repeated(list("012"), 190), *["3+"] * 10], "categorical", "4"),
    "leading zeros": (repeated([f"{i:03}" for i in range(90)]), "high_cardinality", "90 levels"),
    # two values
    "zero one": (repeated([0, 1]), "boolean", "two values: 0 and 1"),
    "yes no": (repeated(["yes", "no", None]), "boolean", "two values: 'no' and 'yes'"),
    "bool": (repeated([True, False]), "boolean", "two values: 'False' and 'True'"),
    "bool objects": (repeated([True, False, None]), "boolean", "'False' and 'True'"),
    "nullable bool": (pd.array(repeated([True, None, False]), dtype="boolean"), "boolean", "two"),
    "two floats": (repeated([0.5, 1.5]), "boolean", "two values: 0.5 and 1.5"),
    "one or missing": (repeated(["a", None]), "boolean", "one value in 50.0% of the rows"),
    # levels
    "levels": (repeated(["a", "b", "c", None]), "categorical", "3 levels"),
    "Enum": (pd.Categorical(repeated([3, 1, 2])), "categorical", "categorical dtype, 3 levels"),
    "declared dates": (pd.Categorical(STAMPS.strftime("%Y-%m")), "constant", "one value"),
    "declared ids": (pd.Categorical([f"u{i}" for i in range(N)]), "high_cardinality", "200 levels"),
    "many": (repeated(WORDS[:60]), "high_cardinality", "60 levels, more than 30"),
    "phrases": (repeated([f"{w} road" for w in WORDS[:60]]), "high_cardinality", "60 levels"),
    # text
    "names": ([f"Mr. {a} Smith" for a in WORDS[:N]], "text", "3.0 words a cell, all of the cells"),
    "tokens": (WORDS[:N], "identifier", "single words, all of the cells distinct"),
    # dates
    "native": (STAMPS, "datetime", "200 distinct from 2020-01-01 to 2020-01-09"),
    "zoned": (STAMPS.tz_localize("UTC"), "datetime", "dates of dtype datetime64["),
    "date objects": (
        [d.date() for d in STAMPS + pd.to_timedelta(SHUFFLED, "D")],
        "datetime",
        "obj",
    ),
    "periods": (pd.period_range("2020-01", periods=N, freq="M"), "datetime", "period[M]"),
    "iso text": (STAMPS.strftime("%Y-%m-%d %H:%M"), "datetime", "dates stored as text; 200"),
    "day first": (
        pd.date_range("2020-01-01", periods=N).strftime("%d/%m/%Y"),
        "datetime",
        "the day before the month; 200 distinct from 2020-01-01 to 2020-07-18",
    ),
    "some unread": ([*STAMPS[1:].astype(str), "someday"], "datetime", "1 cell is no date and read"),
    # unused
    "constant": ([1] * N, "constant", "one value in all 200 rows"),
    "missing": ([None] * N, "constant", "all values are missing"),
    "blank": ([" "] * N, "constant", "all values are missing"),
    "contiguous": (SHUFFLED + 5, "identifier", "without gap or repetition, 5 to 204: a row number"),
    # odd cells
    "mixed": (repeated([1, "a", 2.5, "b"]), "categorical", "mixed cells (float, int, str), read"),
    "lists": (
        repeated([[1], [2, 3], [4]]),
        "categorical",
        "cells are list, read as text; 3 levels",
    ),
    "dicts": (repeated([{"a": 1}, {"b": 2}, None]), "boolean", "cells are dict, read as text"),
    "bytes": (repeated([b"a", b"b", b"c"]), "categorical", "3 levels"),
    "times": ([dt.time(i % 24, i % 7) for i in range(N)], "high_cardinality", "levels"),
}


@pytest.mark.parametrize("case", ROLES)
def test_role_and_reason(case):
    values, role, reason = ROLES[case]
    if case == "declared dates":
        assert len(set(values)) == 1
    column = column_of(values)
    assert (column.role, reason in column.reason) == (role, True), column


@pytest.mark.parametrize(
    "name", ["id", "ID", "PassengerId", "customer_id", "user-id", "userid", "Unnamed: 0", "uuid"]
)
def test_unique_integers_with_the_name_of_an_identifier(name):
    column = column_of(SHUFFLED * 7, name)
    assert column.role == "identifier"
    assert "all distinct, and a name like an identifier's" in column.reason


@pytest.mark.parametrize("name", ["paid", "grid", "amount", "price_index", "Valid"])
def test_unique_integers_with_other_names_are_numeric(name):
    assert column_of(SHUFFLED * 7, name).role == "numeric"


def test_a_few_repeated_identifiers_are_still_identifiers():
    assert column_of([7, *(SHUFFLED[1:] * 7)], "id").role == "identifier"


@pytest.mark.parametrize("name", ["zip", "zipcode", "Postal Code", "store_id", "dept_cd", "Type"])
@pytest.mark.parametrize("kind", [int, float, str])
def test_repeated_integers_with_the_name_of_a_code(name, kind):
    few = column_of([kind(10 + i) for i in repeated(range(5))], name)
    many = column_of([kind(10000 + i) for i in repeated(range(60))], name)
    assert (few.role, many.role) == ("categorical", "high_cardinality")
    assert "whole numbers with a name like a code's, 60 levels" in many.reason


@pytest.mark.parametrize("name", ["post_count", "zipf", "heat_index", "decoded", "barcodes"])
def test_repeated_integers_with_other_names(name):
    assert column_of([100 + i for i in repeated(range(60))], name).role == "numeric"


def test_a_short_contiguous_column_is_no_row_number():
    assert column_of(list(range(40))).role == "numeric"


def test_a_contiguous_column_is_kept_where_nothing_else_is_left():
    frame = read_frame({"x": list(range(100)), "y": [i % 2 for i in range(100)]})
    column = infer_schema(frame, "y")["x"]
    assert column.role == "numeric"
    assert "a row number; kept, since no other column is usable" in column.reason


@pytest.mark.parametrize("name", ["int64[pyarrow]", "double[pyarrow]", "string[pyarrow]"])
def test_arrow_columns(name):
    pa = pytest.importorskip("pyarrow")
    types = {"int64": pa.int64(), "double": pa.float64(), "string": pa.string()}
    values = pd.Series(repeated([3, 1, 2])).astype(str if "string" in name else float)
    column = column_of(values.astype(pd.ArrowDtype(types[name.partition("[")[0]])))
    assert column.role == "discrete"
    dates = pd.Series(STAMPS).astype(pd.ArrowDtype(pa.timestamp("us")))
    assert column_of(dates).role == "datetime"
    flags = pd.Series(repeated([True, None, False]), dtype=pd.ArrowDtype(pa.bool_()))
    assert column_of(flags).role == "boolean"


def test_polars_frame():
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    frame = read_frame(
        pl.DataFrame(
            {
                "c": repeated(["a", "b", "c"]),
                "d": STAMPS.to_list(),
                "i": repeated([1, None, 3, 4]),
                "t": [dt.timedelta(seconds=i * i) for i in range(N)],
                "y": repeated(["no", "yes"]),
            }
        )
    )
    schema = infer_schema(frame, "y")
    assert [c.role for c in schema] == ["categorical", "datetime", "discrete", "numeric"]
    assert schema.classes == ("no", "yes")


def test_facts_of_a_column():
    column = column_of([None, *repeated([1, 2, 5], N - 1)])
    assert (column.name, column.dtype, column.n_unique) == ("x", "float64", 3)
    assert column.missing == 1 / N


# duplicates, leaks, notes


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (repeated([1, 2, 5]), repeated([1.0, 2.0, 5.0])),
        (repeated(["1", "2", "5"]), repeated([1, 2, 5])),
        (repeated(["a", "b", "c", None]), pd.Categorical(repeated([" a", "b", "c", None]))),
        (RNG.normal(size=N).round(2), None),
        (STAMPS, STAMPS.strftime("%Y-%m-%d %H:%M")),
    ],
)
def test_equal_columns_are_duplicates(first, second):
    second = first if second is None else second
    schema = infer_schema(frame_of(a=first, b=second), "y")
    assert schema["a"].used
    assert (schema["b"].role, schema["b"].reason) == ("duplicate", "equals column 'a' in every row")


def test_nearly_equal_constant_and_dropped_columns_are_no_duplicates():
    values = repeated(["a", "b", "c"])
    frame = frame_of(a=values, b=["b", *values[1:]], c=[1] * N, d=[1] * N)
    assert [c.role for c in infer_schema(frame, "y")][:4] == [
        "categorical",
        "categorical",
        "constant",
        "constant",
    ]
    schema = infer_schema(frame_of(a=values, b=values), "y", roles={"a": "drop"})
    assert schema["b"].role == "categorical"


def test_a_column_equal_to_the_target_is_noted():
    schema = infer_schema(frame_of(leak=np.arange(N) % 2), "y")
    assert schema["leak"].role == "boolean"
    assert "column 'leak' equals the target in every row" in schema.notes[0]


def test_infinite_values_are_noted():
    values = RNG.normal(size=N)
    values[:3] = [np.inf, -np.inf, np.inf]
    values[3] = np.nan
    schema = infer_schema(frame_of(x=values), "y")
    assert schema.notes == ("column 'x': 3 infinite values are read as missing",)
    assert schema["x"].missing == 4 / N


def test_decimal_commas_are_noted():
    schema = infer_schema(frame_of(x=[f"{i},{i % 10}" for i in range(N)]), "y")
    assert "'x' looks like numbers with a decimal comma" in schema.notes[0]


def test_complex_columns_are_refused():
    with pytest.raises(InputError, match="however: column 'x' is complex"):
        column_of(np.ones(N) * 1j)


def test_no_usable_column():
    frame = read_frame({"a": [1] * 4, "b": WORDS[:4], "y": [0, 1, 0, 1]})
    with pytest.raises(InputError, match=r"'a' is constant \(one value in all 4 rows\); 'b' is id"):
        infer_schema(frame, "y")
    with pytest.raises(InputError, match="however: the target is the only column"):
        infer_schema(frame[["y"]], "y")


def test_ignored_columns():
    schema = infer_schema(frame_of(g=repeated(["a", "b", "c"])), "y", ignore={"g": "the groups"})
    assert (schema["g"].role, schema["g"].reason, schema["g"].n_unique) == ("drop", "the groups", 3)
    with pytest.raises(InputError, match=r"ignore must name a column.*Did you mean 'other'"):
        infer_schema(frame_of(g=[1, 2]), "y", ignore={"othe": "time"})


def test_the_callers_frame_is_unchanged():
    frame = frame_of(a=repeated([1.5, np.inf, None]), b=repeated(["1", " ", "2.5"]))
    before = frame.copy(deep=True)
    infer_schema(frame, "y", roles={"b": "numeric"})
    split_target(frame, "a")
    pd.testing.assert_frame_equal(frame, before)


# roles as given


@pytest.mark.parametrize(
    ("values", "role"),
    [
        (repeated([1, 2, 5]), "numeric"),
        (repeated([1, 2, 5]), "categorical"),
        (repeated([1, 2, 5]), "drop"),
        (RNG.normal(size=N), "discrete"),
        (repeated(["a", "b"]), "text"),
        (repeated(["a", "b", None]), "boolean"),
        (repeated(["a", "b", "c"]), "high_cardinality"),
        (repeated(["a", "b", "c"]), "identifier"),
        (repeated([2019, 2020, 2021]), "datetime"),
        (["2020-01-01", *["x"] * (N - 1)], "datetime"),
        (pd.Categorical(repeated(["1", "2"])), "numeric"),
        (repeated([True, False]), "numeric"),
        ([1] * N, "numeric"),
        ([None] * N, "numeric"),
    ],
)
def test_roles_as_given(values, role):
    column = column_of(values, roles={"x": role})
    assert (column.role, column.reason) == (role, "as given")


def test_given_numbers_say_what_was_not_read():
    column = column_of(repeated(["1", "2", "high"]), roles={"x": "numeric"})
    assert (
        column.reason == "as given; 66 cells were not numbers and are read as missing, e.g. 'high'"
    )
    assert column.n_unique == 2


def test_a_given_role_wins_over_ignore():
    column = column_of(repeated(["a", "b"]), roles={"x": "boolean"}, ignore={"x": "groups"})
    assert column.role == "boolean"


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"othr": "drop"}, r"roles must name a column .*Did you mean 'other'\?"),
        ({"x": "category"}, r"A role must be one of numeric, .*Did you mean 'categorical'\?"),
        ({"x": "constant"}, "A role must be one of"),
        ({"y": "numeric"}, "'y' is the target"),
        ({"x": "numeric"}, "The role 'numeric' needs numbers.*column 'x'.*e.g. 'a'. Use the role"),
        ({"x": "discrete"}, "The role 'discrete' needs numbers"),
        ({"x": "datetime"}, "The role 'datetime' needs dates.*e.g. 'a'"),
        ({"x": "boolean"}, "at most two values, however: column 'x' has 3, e.g. 'a', 'b', 'c'"),
        (
            {"when": "numeric"},
            "The role 'numeric' needs numbers.*Use the role 'datetime' or 'drop'",
        ),
    ],
)
def test_impossible_roles(roles, message):
    frame = frame_of(x=repeated(["a", "b", "c"]), when=STAMPS)
    with pytest.raises(InputError, match=message):
        infer_schema(frame, "y", roles=roles)


# the task


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


def test_unknown_target():
    with pytest.raises(InputError, match=r"target must name a column.*Did you mean 'other'\?"):
        infer_schema(frame_of(x=[1, 2]), "othr")


def test_single_row_classes_are_noted():
    schema = task_of([*repeated(["a", "b"]), "rare"])
    assert schema.notes[0].startswith("1 class has a single row ('rare')")


# the target's rows and labels


def test_split_target():
    frame = read_frame({"x": [1, 2, 3, 4], "y": [0.5, np.nan, np.inf, 1.5]})
    features, series, keep, notes = split_target(frame, "y")
    assert features.to_dict("list") == {"x": [1, 4]}
    assert series.tolist() == [0.5, 1.5]
    assert list(features.index) == list(series.index) == [0, 1]
    assert keep.tolist() == [True, False, False, True]
    assert notes == ("2 rows have no value of the target 'y' and were set aside",)


def test_split_target_keeps_every_row_and_says_nothing():
    _, series, keep, notes = split_target(read_frame({"x": [1, 2], "y": ["a", "b"]}), "y")
    assert (len(series), keep.all(), notes) == (2, True, ())


def test_split_target_takes_blank_text_for_missing():
    frame = read_frame({"x": [1, 2, 3], "y": pd.Series(["a", " ", None], dtype=object)})
    assert split_target(frame, "y")[2].tolist() == [True, False, False]


def test_split_target_needs_a_target():
    frame = read_frame({"x": [1, 2], "y": [None, np.nan]})
    with pytest.raises(InputError, match="'y' is missing, blank or infinite in all 2 rows"):
        split_target(frame, "y")
    with pytest.raises(InputError, match=r"target must name a column"):
        split_target(frame, "z")


LABELS = {
    "int": (repeated([2, 0, 1]), np.int64),
    "int8": (np.array(repeated([2, 0, 1]), dtype="int8"), np.int64),
    "Int64": (pd.array(repeated([2, 0, 1]), dtype="Int64"), np.int64),
    "int objects": (pd.Series(repeated([2, 0, 1]), dtype=object), np.int64),
    "negative": (repeated([-1, 1]), np.int64),
    "float": (repeated([2.0, 0.0, 1.0]), np.float64),
    "Float64": (pd.array(repeated([2.0, 0.0, 1.0]), dtype="Float64"), np.float64),
    "mixed numbers": (pd.Series(repeated([2, 0.5, 1]), dtype=object), np.float64),
    "bool": (repeated([True, False]), np.bool_),
    "boolean": (pd.array(repeated([True, False]), dtype="boolean"), np.bool_),
    "bool objects": (pd.Series(repeated([True, False]), dtype=object), np.bool_),
    "text": (repeated(["b", " a", "c"]), object),
    "objects": (pd.Series(repeated(["b", "a", "c"]), dtype=object), object),
    "string": (pd.array(repeated(["b", "a", "c"]), dtype="string"), object),
    "category": (pd.Categorical(repeated(["b", "a", "c"])), object),
    "int category": (pd.Categorical(repeated([2, 0, 1]), categories=[2, 1, 0]), np.int64),
    "bool category": (pd.Categorical(repeated([True, False])), np.bool_),
    "mixed": (pd.Series(repeated(["b", 1, True]), dtype=object), object),
    "digits": (repeated(["1", "2"]), object),
}


@pytest.mark.parametrize("case", LABELS)
def test_labels_come_back_as_the_user_wrote_them(case):
    values, dtype = LABELS[case]
    series = pd.Series(values, name="y")
    schema = task_of(series, task="binary" if len(set(map(str, values))) == 2 else "multiclass")
    schema = Schema.from_json(json.loads(json.dumps(schema.to_json())))
    assert list(schema.classes) == sorted(schema.classes)
    positions = encode_target(series, schema)
    assert positions.dtype == np.int64
    labels = decode_labels(positions, schema)
    assert labels.dtype == dtype
    expected = [str(v) for v in values] if case == "mixed" else list(values)
    assert labels.tolist() == expected
    assert decode_labels(positions.reshape(2, -1), schema).shape == (2, N // 2)


@pytest.mark.parametrize("name", ["int64", "double", "bool", "string"])
def test_labels_of_arrow_dtypes(name):
    pa = pytest.importorskip("pyarrow")
    values = {"int64": [2, 0], "double": [2.0, 0.0], "bool": [True, False], "string": ["b", "a"]}
    types = {"int64": pa.int64(), "double": pa.float64(), "bool": pa.bool_(), "string": pa.string()}
    series = pd.Series(repeated(values[name]), dtype=pd.ArrowDtype(types[name]), name="y")
    schema = task_of(series)
    labels = decode_labels(encode_target(series, schema), schema)
    assert labels.tolist() == repeated(values[name])
    assert type(labels.tolist()[0]) is type(values[name][0])


def test_labels_in_another_dtype_find_their_class():
    schema = task_of(repeated([0, 1, 2]))
    for other in ([2.0, 0.0], ["2", "0"], [np.int8(2), np.int8(0)]):
        assert encode_target(pd.Series(other, name="y"), schema).tolist() == [2, 0]


@pytest.mark.parametrize("values", [["a", "z"], ["a", None]])
def test_unknown_and_missing_labels_are_refused(values):
    schema = task_of(repeated(["a", "b", "c"]))
    with pytest.raises(
        InputError, match=r"one of the 3 classes 'a', 'b', 'c', however: .* in row 1"
    ):
        encode_target(pd.Series(values, name="y"), schema)


def test_values_of_a_regression_target():
    schema = task_of([f"{i * 1001:,}" for i in range(N)])
    values = encode_target(pd.Series(["1,001", "5"], name="y"), schema)
    assert (values.dtype, values.tolist()) == (np.float64, [1001, 5])
    with pytest.raises(InputError, match="must be a finite number, however: 'x' in row 1"):
        encode_target(pd.Series(["1", "x"], name="y"), schema)
    with pytest.raises(InputError, match="Labels need a classification task, however"):
        decode_labels(np.array([0]), schema)


# whole frames


def roles_of(frame, target):
    frame = frame[split_target(frame, target)[2]].reset_index(drop=True)
    schema = infer_schema(frame, target)
    return schema, {column.name: column.role for column in schema}


def test_titanic_like():
    rng = np.random.default_rng(1)
    n = 300
    cabins = [f"{c}{i}" for c in "ABC" for i in range(60)]
    frame = read_frame(
        {
            "PassengerId": np.arange(1, n + 1),
            "Survived": rng.integers(0, 2, n),
            "Pclass": rng.integers(1, 4, n),
            "Name": [f"{WORDS[i]}, Mr. John {WORDS[-i]}" for i in range(n)],
            "Sex": rng.choice(["male", "female"], n),
            "Age": np.where(rng.random(n) < 0.2, np.nan, rng.uniform(0, 80, n).round(1)),
            "SibSp": rng.integers(0, 6, n),
            "Ticket": [f"A/5 {i}" if i % 3 else str(i) for i in rng.integers(0, 250, n)],
            "Fare": rng.lognormal(3, 1, n).round(4),
            "Cabin": [rng.choice(cabins) if rng.random() < 0.3 else None for _ in range(n)],
            "Embarked": rng.choice(["S", "C", "Q"], n),
        }
    )
    schema, roles = roles_of(frame, "Survived")
    assert schema.task == "binary"
    assert roles == {
        "PassengerId": "identifier",
        "Pclass": "discrete",
        "Name": "text",
        "Sex": "boolean",
        "Age": "numeric",
        "SibSp": "discrete",
        "Ticket": "high_cardinality",
        "Fare": "numeric",
        "Cabin": "high_cardinality",
        "Embarked": "categorical",
    }
    assert "Pclass" in str(schema)


def test_telco_churn():
    schema, roles = roles_of(shared("telco_churn/telco_churn.csv"), "Churn")
    assert (schema.task, schema.classes) == ("binary", ("No", "Yes"))
    assert (roles["customerID"], roles["Contract"]) == ("identifier", "categorical")
    assert (roles["SeniorCitizen"], roles["gender"]) == ("boolean", "boolean")
    charges = schema["TotalCharges"]
    assert charges.role == "numeric"
    assert "11 cells were not numbers and are read as missing, e.g. ' '" in charges.reason


def test_nycflights13():
    schema, roles = roles_of(shared("nycflights13/flights.parquet"), "arr_delay")
    assert schema.task == "regression"
    assert (roles["time_hour"], roles["tailnum"]) == ("datetime", "high_cardinality")
    assert (roles["year"], roles["month"], roles["origin"]) == (
        "constant",
        "discrete",
        "categorical",
    )


def test_ames():
    schema, roles = roles_of(shared("ames/ames.csv"), "Sale_Price")
    assert schema.task == "regression"
    assert (roles["Neighborhood"], roles["Lot_Area"]) == ("categorical", "numeric")
    assert (roles["Central_Air"], roles["Full_Bath"]) == ("boolean", "discrete")
    assert all(column.used for column in schema)


def test_poker_hand():
    schema, roles = roles_of(shared("poker_hand/train.csv"), "CLASS")
    assert (schema.task, schema.classes) == ("multiclass", tuple(range(10)))
    assert set(roles.values()) == {"discrete"}
