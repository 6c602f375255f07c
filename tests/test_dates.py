"""The reader of dates, for every family of dtypes."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from cell_helpers import arrow

from tabnet_auto.dates import parse_datetime, prefers_day_first


def days(values, dtype=object, **options):
    parsed = parse_datetime(pd.Series(values, dtype=dtype), **options)
    return [None if np.isnat(value) else str(value.astype("datetime64[s]")) for value in parsed]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-31", "2020-01-31T00:00:00"),
        ("2020/1/31 10:05", "2020-01-31T10:05:00"),
        (" 2020-01-31T10:05:06.5Z ", "2020-01-31T10:05:06"),
        ("2020-01-31 00:00:00+02:00", "2020-01-30T22:00:00"),
        ("2020-03", "2020-03-01T00:00:00"),
        ("20200131", "2020-01-31T00:00:00"),
        ("20200131T235900", "2020-01-31T23:59:00"),
        ("01/02/2020", "2020-01-02T00:00:00"),
        ("13/01/2020", "2020-01-13T00:00:00"),
        ("1/2/98", "1998-01-02T00:00:00"),
        ("1/2/68", "2068-01-02T00:00:00"),
        ("1/2/69", "1969-01-02T00:00:00"),
        ("01/02/2020 3:04 PM", "2020-01-02T15:04:00"),
        ("31.01.2020", "2020-01-31T00:00:00"),
        ("1.2.2020 08:00", "2020-02-01T08:00:00"),
        ("31-Jan-20", "2020-01-31T00:00:00"),
        ("January 5th, 2020", "2020-01-05T00:00:00"),
        ("Mon Jan 5 10:00:00 2020", "2020-01-05T10:00:00"),
        ("Jan 2020", "2020-01-01T00:00:00"),
    ],
)
def test_dates_written_as_text(text, expected):
    assert days([text]) == [expected]
    assert days([text, None, 5], object) == [expected, None, None]
    assert days([text], "category") == [expected]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "today",
        "now",
        "13:45",
        "12",
        "A1",
        "2020-13-01",
        "2020-02-30",
        "10.0.0.1",
        "1.2.3",
        "5 Jan",
        "2020",
        "abc 2020-01-01",
        "1/2/3",
        "2020-01-01 25:00",
    ],
)
def test_text_that_is_no_date(text):
    assert days([text]) == [None]


def test_native_dates():
    naive = pd.to_datetime(["2020-01-01", None])
    zoned = naive.tz_localize("Europe/Berlin")
    midnight, before = "2020-01-01T00:00:00", "2019-12-31T23:00:00"
    assert days(naive, naive.dtype) == [midnight, None]
    assert days(zoned, zoned.dtype) == [before, None]
    assert days(naive, "datetime64[ns]") == [midnight, None]
    periods = pd.Series(pd.PeriodIndex(["2020-01", None], freq="M"))
    assert days(periods, periods.dtype) == [midnight, None]
    assert days([dt.date(2020, 1, 1), zoned[0], pd.Period("2020-01"), pd.NaT, "x"]) == [
        midnight,
        before,
        midnight,
        None,
        None,
    ]
    assert days([np.datetime64("2020-01-01"), b"2020-01-01"]) == [midnight, midnight]


@pytest.mark.parametrize(
    ("name", "cell", "expected"),
    [
        ("date", dt.date(2020, 1, 1), "2020-01-01T00:00:00"),
        ("stamp", pd.Timestamp("2020-01-01"), "2020-01-01T00:00:00"),
        ("zoned", pd.Timestamp("2020-01-01", tz="Europe/Berlin"), "2019-12-31T23:00:00"),
        ("text", "2020-01-01", "2020-01-01T00:00:00"),
    ],
)
def test_dates_of_arrow_types(name, cell, expected):
    assert days([cell, None], arrow(name)) == [expected, None]


def test_numbers_read_as_dates():
    assert days(
        [2020, 201912, 20191231, 1577836800, 1577836800000, 5, None, 20191331], "Int64"
    ) == [
        "2020-01-01T00:00:00",
        "2019-12-01T00:00:00",
        "2019-12-31T00:00:00",
        "2020-01-01T00:00:00",
        "2020-01-01T00:00:00",
        None,
        None,
        None,
    ]
    assert days([1577836800000000, 1577836800000000000], "int64") == ["2020-01-01T00:00:00"] * 2
    assert days([2020.5, np.inf, np.nan], "float64") == [None] * 3
    assert days([True, False], bool) == [None, None]


def test_arrow_decimals_read_as_dates():
    assert days([Decimal(2020), None], arrow("decimal")) == ["2020-01-01T00:00:00", None]


def test_each_date_is_read_by_itself():
    mixed = ["2020-01-02", "01/02/2020", "1 Feb 2020", "x", "2020-01-02T00:00:00.000000001"]
    assert days(mixed) == [days([text])[0] for text in mixed]
    assert days(mixed[::-1]) == days(mixed)[::-1]


def test_day_first():
    series = pd.Series(["01/02/2020", "13/02/2020", "x", None])
    assert prefers_day_first(series)
    assert prefers_day_first(series.astype("category"))
    assert not prefers_day_first(pd.Series(["01/02/2020", "01/13/2020"]))
    assert not prefers_day_first(pd.Series([1, 2]))
    iso = "2020-01-02"
    assert days(["01/02/2020", iso, "01/13/2020"], day_first=True) == [
        "2020-02-01T00:00:00",
        "2020-01-02T00:00:00",
        "2020-01-13T00:00:00",
    ]
