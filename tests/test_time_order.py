"""The order of rows by time=, from dates as the column writes them."""

import pandas as pd
import pytest

from tabnet_auto.errors import InputError
from tabnet_auto.table import read_order


def test_dates_that_write_the_day_first_sort_as_instants():
    days = pd.date_range("2020-01-01", periods=60)
    assert (read_order(pd.Series(days.strftime("%d/%m/%Y"))) == days.to_numpy()).all()
    assert (read_order(pd.Series(days.strftime("%m/%d/%Y"))) == days.to_numpy()).all()


def test_every_row_needs_a_time():
    assert read_order(pd.Series([3, 1, 2])).tolist() == [3, 1, 2]
    with pytest.raises(InputError, match="a number or a date in every row, however: 't' has none"):
        read_order(pd.Series(["2020-01-01", "soon"], name="t"))
