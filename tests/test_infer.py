"""Whole schemas: duplicates, leaks, columns set aside, and real tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from infer_helpers import STAMPS, WORDS, N, frame_of, repeated

from tabnet_auto.errors import InputError
from tabnet_auto.frames import read_frame
from tabnet_auto.infer import infer_schema
from tabnet_auto.target import split_target

DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"
RNG = np.random.default_rng(0)


def shared(name):
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"the shared data set {name} is not beside this checkout")
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
    return read_frame(path)


def test_a_contiguous_column_is_kept_where_nothing_else_is_left():
    frame = read_frame({"x": list(range(100)), "y": [i % 2 for i in range(100)]})
    column = infer_schema(frame, "y")["x"]
    assert column.role == "numeric"
    assert "a row number; kept, since no other column is usable" in column.reason


# duplicates, leaks, notes


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (repeated([1, 2, 5]), repeated([1.0, 2.0, 5.0])),
        (repeated(["1", "2", "5"]), repeated([1, 2, 5])),
        (repeated(["a", "b", "c", None]), pd.Categorical(repeated([" a", "b", "c", None]))),
        (RNG.normal(size=N).round(2), None),
        (STAMPS, STAMPS.strftime("%Y-%m-%d %H:%M")),
    ],
)
def test_equal_columns_are_duplicates(first, second):
    second = first if second is None else second
    schema = infer_schema(frame_of(a=first, b=second), "y")
    assert schema["a"].used
    assert (schema["b"].role, schema["b"].reason) == ("duplicate", "equals column 'a' in every row")


def test_nearly_equal_constant_and_dropped_columns_are_no_duplicates():
    values = repeated(["a", "b", "c"])
    frame = frame_of(a=values, b=["b", *values[1:]], c=[1] * N, d=[1] * N)
    assert [c.role for c in infer_schema(frame, "y")][:4] == [
        "categorical",
        "categorical",
        "constant",
        "constant",
    ]
    schema = infer_schema(frame_of(a=values, b=values), "y", roles={"a": "drop"})
    assert schema["b"].role == "categorical"


def test_a_column_equal_to_the_target_is_noted():
    schema = infer_schema(frame_of(leak=np.arange(N) % 2), "y")
    assert schema["leak"].role == "boolean"
    assert "column 'leak' equals the target in every row" in schema.notes[0]


def test_no_usable_column():
    frame = read_frame({"a": [1] * 4, "b": WORDS[:4], "y": [0, 1, 0, 1]})
    with pytest.raises(InputError, match=r"'a' is constant \(one value in all 4 rows\); 'b' is id"):
        infer_schema(frame, "y")
    with pytest.raises(InputError, match="however: the target is the only column"):
        infer_schema(frame[["y"]], "y")


def test_ignored_columns():
    schema = infer_schema(frame_of(g=repeated(["a", "b", "c"])), "y", ignore={"g": "the groups"})
    assert (schema["g"].role, schema["g"].reason, schema["g"].n_unique) == ("drop", "the groups", 3)
    with pytest.raises(InputError, match=r"ignore must name a column.*Did you mean 'other'"):
        infer_schema(frame_of(g=[1, 2]), "y", ignore={"othe": "time"})


def test_the_callers_frame_is_unchanged():
    frame = frame_of(a=repeated([1.5, np.inf, None]), b=repeated(["1", " ", "2.5"]))
    before = frame.copy(deep=True)
    infer_schema(frame, "y", roles={"b": "numeric"})
    split_target(frame, "a")
    pd.testing.assert_frame_equal(frame, before)


def test_unknown_target():
    with pytest.raises(InputError, match=r"target must name a column.*Did you mean 'other'\?"):
        infer_schema(frame_of(x=[1, 2]), "othr")


# whole frames


def roles_of(frame, target):
    frame = frame[split_target(frame, target)[2]].reset_index(drop=True)
    schema = infer_schema(frame, target)
    return schema, {column.name: column.role for column in schema}


def test_titanic_like():
    rng = np.random.default_rng(1)
    n = 300
    cabins = [f"{c}{i}" for c in "ABC" for i in range(60)]
    frame = read_frame(
        {
            "PassengerId": np.arange(1, n + 1),
            "Survived": rng.integers(0, 2, n),
            "Pclass": rng.integers(1, 4, n),
            "Name": [f"{WORDS[i]}, Mr. John {WORDS[-i]}" for i in range(n)],
            "Sex": rng.choice(["male", "female"], n),
            "Age": np.where(rng.random(n) < 0.2, np.nan, rng.uniform(0, 80, n).round(1)),
            "SibSp": rng.integers(0, 6, n),
            "Ticket": [f"A/5 {i}" if i % 3 else str(i) for i in rng.integers(0, 250, n)],
            "Fare": rng.lognormal(3, 1, n).round(4),
            "Cabin": [rng.choice(cabins) if rng.random() < 0.3 else None for _ in range(n)],
            "Embarked": rng.choice(["S", "C", "Q"], n),
        }
    )
    schema, roles = roles_of(frame, "Survived")
    assert schema.task == "binary"
    assert roles == {
        "PassengerId": "identifier",
        "Pclass": "discrete",
        "Name": "text",
        "Sex": "boolean",
        "Age": "numeric",
        "SibSp": "discrete",
        "Ticket": "high_cardinality",
        "Fare": "numeric",
        "Cabin": "high_cardinality",
        "Embarked": "categorical",
    }
    assert "Pclass" in str(schema)


def test_telco_churn():
    schema, roles = roles_of(shared("telco_churn/telco_churn.csv"), "Churn")
    assert (schema.task, schema.classes) == ("binary", ("No", "Yes"))
    assert (roles["customerID"], roles["Contract"]) == ("identifier", "categorical")
    assert (roles["SeniorCitizen"], roles["gender"]) == ("boolean", "boolean")
    charges = schema["TotalCharges"]
    assert charges.role == "numeric"
    assert "11 cells were not numbers and are read as missing, e.g. ' '" in charges.reason


def test_nycflights13():
    schema, roles = roles_of(shared("nycflights13/flights.parquet"), "arr_delay")
    assert schema.task == "regression"
    assert (roles["time_hour"], roles["tailnum"]) == ("datetime", "high_cardinality")
    assert (roles["year"], roles["month"], roles["origin"]) == (
        "constant",
        "discrete",
        "categorical",
    )


def test_ames():
    schema, roles = roles_of(shared("ames/ames.csv"), "Sale_Price")
    assert schema.task == "regression"
    assert (roles["Neighborhood"], roles["Lot_Area"]) == ("categorical", "numeric")
    assert (roles["Central_Air"], roles["Full_Bath"]) == ("boolean", "discrete")
    assert all(column.used for column in schema)


def test_poker_hand():
    schema, roles = roles_of(shared("poker_hand/train.csv"), "CLASS")
    assert (schema.task, schema.classes) == ("multiclass", tuple(range(10)))
    assert set(roles.values()) == {"discrete"}
