"""Small frames around one column or one target, and what is inferred from them."""

import numpy as np
import pandas as pd

from tabnet_auto.frames import read_frame
from tabnet_auto.infer import infer_schema

N = 200
WORDS = [f"w{i}" for i in range(1000)]
SHUFFLED = np.random.default_rng(0).permutation(N)
STAMPS = pd.date_range("2020-01-01", periods=N, freq="h")


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
