"""Roles of columns, found and given, with the reasons that the user reads."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from infer_helpers import SHUFFLED, STAMPS, WORDS, N, column_of, frame_of, repeated

from tabnet_auto.errors import InputError
from tabnet_auto.infer import infer_schema

RNG = np.random.default_rng(0)

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
