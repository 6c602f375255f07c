"""The target's rows and labels, set aside, encoded and given back."""

import json

import numpy as np
import pandas as pd
import pytest
from infer_helpers import N, repeated, task_of

from tabnet_auto.errors import InputError
from tabnet_auto.frames import read_frame
from tabnet_auto.infer import infer_schema
from tabnet_auto.schema import Schema
from tabnet_auto.target import decode_labels, encode_target, split_target


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


HOLES = {
    "two": ([0, 1, None, 1], None, (0, 1), np.int64),
    "several": ([3, 1, None, 2, 1, 2, 3], None, (1, 2, 3), np.int64),
    "float32": ([0, 1, np.nan, 1], "float32", (0, 1), np.int64),
    "fractions": ([0.5, 1, None, 1, 0.5], None, (0.5, 1.0), np.float64),
    "no hole": ([0.0, 1.0, 0.0, 1.0], None, (0.0, 1.0), np.float64),
    "infinite": ([0.0, 1.0, np.inf, None, 1.0], None, (0.0, 1.0), np.float64),
    "beyond floats": ([0, 1e300, None, 0, 1e300], None, (0.0, 1e300), np.float64),
    "Int64": ([0, 1, None, 1], "Int64", (0, 1), np.int64),
    "Float64": ([0, 1, None, 1], "Float64", (0.0, 1.0), np.float64),
    "bool": ([True, None, False], None, (False, True), np.bool_),
}


@pytest.mark.parametrize("case", HOLES)
def test_integers_stay_integers_where_a_cell_is_missing(case):
    cells, dtype, classes, kind = HOLES[case]
    frame = read_frame({"x": range(len(cells)), "y": pd.Series(cells, dtype=dtype)})
    features, series, _, _ = split_target(frame, "y")
    task = "binary" if len(classes) == 2 else "multiclass"
    schema = infer_schema(features.assign(y=series), "y", task=task)
    assert (schema.classes, type(schema.classes[0])) == (classes, type(classes[0]))
    labels = decode_labels(encode_target(series, schema), schema)
    assert labels.dtype == kind
    assert labels.tolist() == [cell for cell in cells if cell in classes]
    # The frame as it came, with floats, finds the same classes.
    whole = frame["y"][[cell in classes for cell in cells]]
    assert decode_labels(encode_target(whole, schema), schema).tolist() == labels.tolist()


def test_values_of_a_regression_target_are_the_same_whole_or_not():
    frame = read_frame({"x": range(40), "y": [None, *range(39)]})
    features, series, _, _ = split_target(frame, "y")
    schema = infer_schema(features.assign(y=series), "y")
    values = encode_target(series, schema)
    assert (schema.task, values.dtype, values.tolist()) == ("regression", np.float64, [*range(39)])


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
