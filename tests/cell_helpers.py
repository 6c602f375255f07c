"""Dtypes for tests of cells; shared by tests/test_cells.py and tests/test_dates.py."""

import pandas as pd
import pytest


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
