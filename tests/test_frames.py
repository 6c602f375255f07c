"""The door for tables, and the cell readers for every family of dtypes."""

import datetime as dt
import gzip
import sys
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from tabnet_auto.errors import InputError, NotInstalledError
from tabnet_auto.frames import (
    family,
    list_names,
    parse_datetime,
    parse_number_text,
    prefers_day_first,
    read_frame,
    resolve_column,
    to_float,
    to_text,
)


def texts(values, dtype=object):
    return to_text(pd.Series(values, dtype=dtype)).tolist()


def floats(values, dtype=object):
    return to_float(pd.Series(values, dtype=dtype)).tolist()


def days(values, dtype=object, **options):
    parsed = parse_datetime(pd.Series(values, dtype=dtype), **options)
    return [None if np.isnat(value) else str(value.astype("datetime64[s]")) for value in parsed]


def arrow(name):
    pa = pytest.importorskip("pyarrow")
    return pd.ArrowDtype(
        {
            "int": pa.int64(),
            "float": pa.float64(),
            "bool": pa.bool_(),
            "text": pa.string(),
            "decimal": pa.decimal128(6, 2),
            "duration": pa.duration("us"),
            "date": pa.date32(),
            "stamp": pa.timestamp("us"),
            "zoned": pa.timestamp("us", tz="Europe/Berlin"),
            "list": pa.list_(pa.int64()),
            "levels": pa.dictionary(pa.int32(), pa.string()),
        }[name]
    )


# read_frame


@pytest.mark.parametrize(
    "index",
    [
        pd.Index([5, 3, 3]),
        pd.Index(["x", "y", "z"], name="key"),
        pd.MultiIndex.from_tuples([(1, "a"), (0, "b"), (1, "a")]),
    ],
)
def test_index_is_dropped_and_the_callers_frame_unchanged(index):
    frame = pd.DataFrame({"a": [1, 2, 3], 7: ["x", "y", None]}, index=index)
    before = frame.copy(deep=True)
    read = read_frame(frame)
    assert read is not frame
    assert list(read.columns) == ["a", "7"]
    assert read.index.equals(pd.RangeIndex(3))
    assert read["a"].tolist() == [1, 2, 3]
    read["new"] = 1
    read["a"] = 0
    pd.testing.assert_frame_equal(frame, before)


def test_labels_become_text():
    columns = pd.MultiIndex.from_tuples([("a", "x"), ("a", 1)])
    assert list(read_frame(pd.DataFrame([[1, 2]], columns=columns)).columns) == ["a.x", "a.1"]
    odd = pd.DataFrame([[1, 2, 3]], columns=[1.5, None, pd.Timestamp("2020-01-01")])
    assert all(type(label) is str for label in read_frame(odd).columns)


@pytest.mark.parametrize("columns", [["a", "a", "b"], [1, "1", "b"], [("a", "b"), "a.b", "c"]])
def test_labels_that_collide_are_refused(columns):
    frame = pd.DataFrame(np.zeros((2, 3)))
    frame.columns = pd.Index(columns, dtype=object, tupleize_cols=False)
    with pytest.raises(InputError, match=r"train must have .* different labels.*occur more than"):
        read_frame(frame)


@pytest.mark.parametrize(
    "empty", [pd.DataFrame(), pd.DataFrame({"a": []}), pd.DataFrame(index=[1, 2]), {}]
)
def test_empty_frames_are_refused(empty):
    with pytest.raises(InputError, match="test must have at least one row and one column, however"):
        read_frame(empty, what="test")


@pytest.mark.parametrize("data", [[1, 2], np.zeros((2, 2)), pd.Series([1]), None, 3])
def test_other_objects_are_refused(data):
    with pytest.raises(InputError, match=f"however: {type(data).__name__}. Wrap it"):
        read_frame(data)


def test_dict_of_columns():
    assert read_frame({"a": [1, 2], "b": ["x", "y"]}).shape == (2, 2)
    with pytest.raises(InputError, match="columns of equal length, however"):
        read_frame({"a": [1, 2], "b": [1]})
    with pytest.raises(InputError, match="columns of equal length, however"):
        read_frame({"a": 1})


def test_sparse_columns_become_dense():
    frame = pd.DataFrame({"a": pd.arrays.SparseArray([0.0, 0.0, 2.0]), "b": [1, 2, 3]})
    read = read_frame(frame)
    assert to_float(read["a"]).tolist() == [0, 0, 2]
    assert isinstance(frame["a"].dtype, pd.SparseDtype)


def test_polars_frames():
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    frame = pl.DataFrame(
        {
            "n": [1, None, 3],
            "t": ["a", None, "b"],
            "d": [dt.date(2020, 1, 1), None, dt.date(2021, 1, 1)],
            "b": [True, None, False],
            "l": [[1], None, [2, 3]],
        }
    ).with_columns(c=pl.col("t").cast(pl.Categorical), w=pl.col("d").cast(pl.Datetime("ms", "UTC")))
    for data in (frame, frame.lazy()):
        read = read_frame(data)
        assert type(read) is pd.DataFrame
        assert to_text(read["n"]).tolist() == ["1", None, "3"]
        assert to_text(read["c"]).tolist() == ["a", None, "b"]
        assert to_text(read["b"]).tolist() == ["True", None, "False"]
        assert to_text(read["l"]).tolist() == ["[1]", None, "[2, 3]"]
        assert np.isnat(parse_datetime(read["w"])).tolist() == [False, True, False]


def test_polars_without_pyarrow():
    class Column:
        name = "a"

        def to_list(self):
            return [1, 2]

    class Frame:
        __module__ = "polars.dataframe.frame"

        def lazy(self):
            return self

        def to_pandas(self):
            raise ModuleNotFoundError("pyarrow")

        def get_columns(self):
            return [Column()]

    assert read_frame(Frame())["a"].tolist() == [1, 2]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_separators(tmp_path, separator):
    path = tmp_path / "a.csv"
    path.write_text(separator.join("ab") + "\n" + separator.join("12") + "\n", encoding="utf-8")
    assert read_frame(path).to_dict("list") == {"a": [1], "b": [2]}
    assert read_frame(str(path)).shape == (1, 2)


def test_gzip_tsv_and_byte_order_mark(tmp_path):
    with gzip.open(tmp_path / "a.csv.gz", "wt", encoding="utf-8") as file:
        file.write("a,b\n1,2\n")
    (tmp_path / "a.tsv").write_text("a\tb,c\n1\t2\n", encoding="utf-8-sig")
    assert read_frame(tmp_path / "a.csv.gz").shape == (1, 2)
    assert list(read_frame(tmp_path / "a.tsv").columns) == ["a", "b,c"]


def test_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index([9, 8], name="key"))
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_frame(tmp_path / "a.parquet").to_dict("list") == {"a": [1, 2]}


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(NotInstalledError, match=r"needs pyarrow, however.*pip install pyarrow$"):
        read_frame(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("gone.csv", None, "path of an existing file, however: .*gone.csv"),
        ("a.xlsx", b"x", "must be a file that ends with .csv, .csv.gz, .*however: .*a.xlsx"),
        ("a.csv", b"", "UTF-8 text table, however: 'a.csv'"),
        ("b.csv", b"a,b\n\xff\xfe\xfa,1\n", "UTF-8 text table, however: 'b.csv'"),
        ("c.csv", b"a,b\n1,2,3\n1,2,3,4,5\n", "UTF-8 text table, however: 'c.csv'"),
        ("d.csv", b"a,b,a\n1,2,3\n", "however: 'a' occur more than once"),
        ("e.csv.gz", b"not gzip", "UTF-8 text table, however: 'e.csv.gz'"),
        ("f.csv", b"a,b\n", "at least one row and one column, however: 0 rows"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_frame(tmp_path / name)


def test_damaged_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(InputError, match=r"must be a Parquet file, however: 'a.parquet'"):
        read_frame(tmp_path / "a.parquet")


# resolve_column


def test_resolve_column():
    frame = read_frame(pd.DataFrame([[1, 2, 3]], columns=["target", 3, ("a", 1)]))
    assert resolve_column("target", frame, "target") == "target"
    assert resolve_column(3, frame, "target") == "3"
    assert resolve_column(("a", 1), frame, "groups") == "a.1"
    with pytest.raises(
        InputError, match=r"groups must name a column.*groups='taget'\. Did you mean 'target'\?"
    ):
        resolve_column("taget", frame, "groups")
    with pytest.raises(InputError, match=r"The columns are 'target', '3', 'a\.1'\."):
        resolve_column("zzzzz", frame, "target")


def test_list_names_says_how_many_more():
    assert list_names(range(12)).endswith("'9' and 2 more")


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


# parse_datetime


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
