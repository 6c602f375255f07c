"""The door for tables: frames, mappings, files, and the labels of columns."""

import datetime as dt
import gzip
import sys

import numpy as np
import pandas as pd
import pytest

from tabnet_auto.cells import to_float, to_text
from tabnet_auto.dates import parse_datetime
from tabnet_auto.errors import InputError, NotInstalledError
from tabnet_auto.frames import list_names, read_frame, resolve_column

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
