"""The facts of a column, read from every dtype, and what was odd in its cells."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from infer_helpers import STAMPS, N, column_of, frame_of, repeated

from tabnet_auto.errors import InputError
from tabnet_auto.frames import read_frame
from tabnet_auto.infer import infer_schema

RNG = np.random.default_rng(0)


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


def test_whole_numbers_that_floats_cannot_tell_apart_are_levels():
    low = 2**62
    few = column_of(np.array(repeated([low, low + 1, low + 2]), dtype=np.int64))
    assert (few.role, few.n_unique) == ("categorical", 3)
    assert few.reason.startswith("whole numbers that floats cannot tell apart, read as levels")
    last = np.array(2**63 - 1 - np.arange(N), dtype=np.int64)
    assert column_of(last, "key").role == "identifier"
    nullable = pd.array([None, *repeated([low, low + 1, low + 2], N - 1)], dtype="Int64")
    assert column_of(nullable).role == "categorical"
    hashes = RNG.integers(-(2**63), 2**63 - 1, N)
    assert column_of(hashes).role == "numeric", "floats tell apart what lies far apart"
