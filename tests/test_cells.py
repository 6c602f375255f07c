"""The readers of numbers and text, for every family of dtypes."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from cell_helpers import arrow

from tabnet_auto.cells import family, parse_number_text, to_float, to_text
from tabnet_auto.errors import InputError


def texts(values, dtype=object):
    return to_text(pd.Series(values, dtype=dtype)).tolist()


def floats(values, dtype=object):
    return to_float(pd.Series(values, dtype=dtype)).tolist()


# families


@pytest.mark.parametrize(
    ("series", "expected"),
    [
        (pd.Series([True]), "bool"),
        (pd.Series([True, None], dtype="boolean"), "bool"),
        (pd.Series([1], dtype="int8"), "number"),
        (pd.Series([1], dtype="UInt16"), "number"),
        (pd.Series([1.0], dtype="Float32"), "number"),
        (pd.Series([1j]), "complex"),
        (pd.Series(pd.to_datetime(["2020-01-01"])), "datetime"),
        (pd.Series(pd.to_datetime(["2020-01-01"], utc=True)), "datetime"),
        (pd.Series(pd.period_range("2020", periods=1, freq="D")), "datetime"),
        (pd.Series([pd.Timedelta("1D")]), "duration"),
        (pd.Series(["a"], dtype="category"), "category"),
        (pd.Series([True, False], dtype="category"), "category"),
        (pd.Series(["a"]), "text"),
        (pd.Series(["a"], dtype="string"), "text"),
        (pd.Series([1, "a"], dtype=object), "text"),
        (pd.Series(pd.interval_range(0, 1)), "text"),
    ],
)
def test_family(series, expected):
    assert family(series) == expected


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("int", [1], "number"),
        ("float", [1.0], "number"),
        ("decimal", [Decimal(1)], "number"),
        ("bool", [True], "bool"),
        ("text", ["a"], "text"),
        ("list", [[1]], "text"),
        ("levels", ["a"], "text"),
        ("date", [dt.date(2020, 1, 1)], "datetime"),
        ("stamp", [pd.Timestamp("2020-01-01")], "datetime"),
        ("duration", [dt.timedelta(1)], "duration"),
    ],
)
def test_family_of_arrow_types(name, cells, expected):
    assert family(pd.Series(cells, dtype=arrow(name))) == expected


# to_float


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, 2], "int8", [1, 2]),
        ([1, None], "Int64", [1, None]),
        ([1.5, np.inf, -np.inf], "float32", [1.5, None, None]),
        ([1.5, None], "Float64", [1.5, None]),
        ([True, False], bool, [1, 0]),
        ([True, None], "boolean", [1, None]),
        ([1, "2", None, Decimal("1.5"), True, b"3", "x", [1]], object, [1, 2, None, 1.5, 1, 3]),
        (["1", "x", None], "string", [1, None, None]),
        (["10", "2", None], "category", [10, 2, None]),
        ([3, 1, None], "category", [3, 1, None]),
        ([pd.Timedelta("1min"), None], "timedelta64[ns]", [60, None]),
        ([pd.Timedelta("1min"), float("inf")], object, [60, None]),
        ([np.float64("nan"), pd.NA, None, pd.NaT], object, [None, None, None, None]),
    ],
)
def test_to_float(values, dtype, expected):
    series = pd.Series(values, dtype=dtype)
    before = series.copy(deep=True)
    result = to_float(series)
    assert result.dtype == np.float64
    padded = expected + [None] * (len(values) - len(expected))
    assert [None if np.isnan(v) else v for v in result] == padded
    pd.testing.assert_series_equal(series, before)


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("int", [1, None], 1),
        ("float", [1.5, None], 1.5),
        ("decimal", [Decimal("1.25"), None], 1.25),
        ("bool", [True, None], 1),
        ("text", ["1,000", None], 1000),
        ("duration", [dt.timedelta(minutes=1), None], 60),
        ("levels", ["5", None], 5),
    ],
)
def test_to_float_of_arrow_types(name, cells, expected):
    result = floats(cells, arrow(name))
    assert result[0] == expected
    assert np.isnan(result[1])


@pytest.mark.parametrize("series", [pd.Series([1j]), pd.Series(pd.to_datetime(["2020-01-01"]))])
def test_to_float_refuses_what_is_no_quantity(series):
    with pytest.raises(InputError, match="must hold real numbers, however: column 'x' has dtype"):
        to_float(series.rename("x"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12", 12),
        (" -1.5 ", -1.5),
        ("+2", 2),
        (".5", 0.5),
        ("5.", 5),
        ("1e3", 1000),
        ("1,234.5", 1234.5),
        ("1,234,567", 1234567),
        ("$5", 5),
        ("-$5", -5),
        ("$ 1,234", 1234),
        ("5 €", 5),
        ("12%", 12),
        ("12.5 %", 12.5),
        ("(5)", -5),
        ("($1,234.50)", -1234.5),
    ],
)
def test_numbers_written_as_text(text, expected):
    assert parse_number_text(pd.Series([text])).tolist() == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "?",
        "abc",
        "3,14",
        "1,23,456",
        "5 kg",
        "0x1F",
        "1_000",
        "inf",
        "nan",
        "1e999",
        "--5",
        "-(5)",
        "2020-01-01",
        "1.2.3",
        "()",
        "$",
        "%",
        "-",
        "1 2",
        "٣x",
    ],
)
def test_text_that_is_no_number(text):
    assert np.isnan(parse_number_text(pd.Series([text]))).all()


# to_text


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([3, 1], "int64", ["3", "1"]),
        ([3, 1, None], "float64", ["3", "1", None]),
        ([3, 1, None], "Int64", ["3", "1", None]),
        ([3, "3", 3.0, True, None], object, ["3", "3", "3", "True", None]),
        ([3, 1, None], "category", ["3", "1", None]),
        ([3.0, 0.5, None], "category", ["3", "0.5", None]),
        ([0.1, 1e300, -0.0, np.inf], "float64", ["0.1", str(int(1e300)), "0", None]),
        ([0.1], "float32", ["0.1"]),
        ([1 << 60], "int64", [str(1 << 60)]),
        ([True, False], bool, ["True", "False"]),
        ([True, None], "boolean", ["True", None]),
        ([True, None], object, ["True", None]),
        ([" a ", "", "  ", None, "a"], object, ["a", None, None, None, "a"]),
        ([" a ", None], "string", ["a", None]),
        ([b"caf\xc3\xa9", b"\xff"], object, ["café", "\ufffd"]),
        ([Decimal("2.50"), Decimal(2), np.int8(4)], object, ["2.5", "2", "4"]),
        ([[1, 2], {"a": 1}, np.array([1])], object, ["[1, 2]", "{'a': 1}", "[1]"]),
        ([dt.date(2020, 1, 1)], object, ["2020-01-01T00:00:00"]),
    ],
)
def test_to_text(values, dtype, expected):
    assert texts(values, dtype) == expected


def test_dates_have_the_same_text_in_every_dtype():
    days_ = [dt.date(2020, 1, 1), None]
    native = pd.Series(pd.to_datetime(days_))
    assert to_text(native).tolist() == texts(days_) == ["2020-01-01T00:00:00", None]


@pytest.mark.parametrize(
    ("name", "cells", "expected"),
    [
        ("int", [3, None], "3"),
        ("float", [3.0, None], "3"),
        ("bool", [True, None], "True"),
        ("text", ["a", None], "a"),
        ("decimal", [Decimal("1.50"), None], "1.5"),
        ("date", [dt.date(2020, 1, 1), None], "2020-01-01T00:00:00"),
        ("list", [[1, 2], None], "[1, 2]"),
        ("levels", ["a", None], "a"),
    ],
)
def test_to_text_of_arrow_types(name, cells, expected):
    assert texts(cells, arrow(name)) == [expected, None]
