"""The submission file: rows matched to the sample by id, values in the form the sample shows."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

from tabnet_auto.errors import InputError

Predict = Callable[[pd.DataFrame], NDArray[Any]]
Values = Literal["auto", "labels", "probabilities"]
"""What a classifier submits: class labels, probabilities, or what the sample's values look like."""

_ID_NAMES = frozenset({"id", "ids", "key", "index", "uid", "uuid", "rowid", "rownumber"})


@dataclass(frozen=True)
class _Model:
    """What is asked to predict: ``classes`` is empty for regression."""

    predict: Predict
    predict_proba: Predict | None
    classes: tuple[Any, ...]
    values: Values

    def labels(self, test: pd.DataFrame) -> pd.Series[Any]:
        return pd.Series(_as_many(self.predict(test), test))

    def probabilities(self, test: pd.DataFrame) -> NDArray[Any]:
        if self.predict_proba is None or not self.classes:
            raise InputError(
                'Probabilities need a classifier, however: the target is a value. Pass values="'
                'auto" or a sample with one value column.'
            )
        return _as_many(self.predict_proba(test), test)


def build_submission(
    test: pd.DataFrame,
    *,
    target: str,
    predict: Predict,
    predict_proba: Predict | None,
    classes: Sequence[Any],
    sample: pd.DataFrame | None = None,
    id_column: str | None = None,
    values: Values = "auto",
) -> pd.DataFrame:
    """Predict the rows of ``test`` and write them down in the form of ``sample``.

    With a sample, rows come in the sample's order, matched by id. The id column is the first
    column of the sample that the test data has too (its index name counts); a sample whose first
    column just counts the rows is matched by position. The form of the values:

    - regression: the predicted values;
    - one value column of fractions such as 0.5 and a binary target: the probability of the
      second class in sorted order;
    - one value column of whole numbers, booleans or words: labels as the user wrote them;
    - a value column for each class, named like the class or with a common prefix
      (``Status_A, Status_B``): the probability of each class.

    A sample that holds the same whole number in all rows does not tell labels from probabilities:
    labels are submitted, with a warning, unless ``values`` decides.

    Without a sample, the id column is ``id_column``, else the first column that looks like an
    identifier, else the row number; the value column is named like the target.

    Raises
    ------
    InputError
        If ids are missing, repeated or do not match, or the sample asks for something that the
        model does not predict.
    """
    if values not in ("auto", "labels", "probabilities"):
        raise InputError(
            f"values must be 'auto', 'labels' or 'probabilities', however: {values!r}."
        )
    if len(test) == 0:
        raise InputError("test must have rows, however: it has none.")
    model = _Model(predict, predict_proba, tuple(classes), values)
    if sample is None:
        return _without_sample(test, target, model, id_column)
    if sample.shape[1] < 2 or not sample.columns.is_unique:
        raise InputError(
            "sample must have an id column and at least one value column, all named differently, "
            f"however: {list(sample.columns)}."
        )
    id_name, order = _match_rows(test, sample, target, id_column)
    columns = [name for name in sample.columns if name != id_name]
    predicted = _value_columns(test, columns, sample, model)
    submission = sample[[id_name]].reset_index(drop=True)
    for name in columns:
        submission[name] = predicted[name].take(order).to_numpy()
    submission = submission[list(sample.columns)]
    check_submission(submission, sample, id_column=id_name)
    return submission


def check_submission(
    submission: pd.DataFrame, sample: pd.DataFrame, *, id_column: str | None = None
) -> None:
    """Check a submission against the sample file, as the scoring system will.

    ``id_column`` is the sample's first column unless given. The order of rows is free.

    Raises
    ------
    InputError
        At the first problem: another header, repeated, missing or unknown ids, empty or
        infinite values, or values of another kind than the sample's.
    """
    if list(submission.columns) != list(sample.columns):
        raise InputError(
            f"The header must be the sample's, {list(sample.columns)}, however: "
            f"{list(submission.columns)}."
        )
    name = sample.columns[0] if id_column is None else id_column
    own, wanted = _keys(submission[name], sample[name])
    _check_ids(own, f"The submission's ids in {name!r}")
    _check_ids(wanted, f"The sample's ids in {name!r}")
    _check_same(own, wanted, f"The ids in {name!r} must be the sample's", "the submission")
    for column in sample.columns:
        if column != name:
            _check_values(submission[column], sample[column])


# ------------------------------------------------------------------------------------------- ids


def _match_rows(
    test: pd.DataFrame, sample: pd.DataFrame, target: str, id_column: str | None
) -> tuple[Any, NDArray[np.int64]]:
    """Return the id column's name and, for each row of the sample, its position in the test."""
    known = {*test.columns, test.index.name} - {target, None}
    if id_column is not None:
        known &= {id_column}
    shared = [name for name in sample.columns if name in known]
    if not shared:
        return sample.columns[0], _by_position(test, sample)
    name = shared[0]
    own, wanted = _keys(_id_values(test, name), sample[name])
    _check_ids(own, f"The test data's ids in {name!r}")
    _check_ids(wanted, f"The sample's ids in {name!r}")
    _check_same(own, wanted, f"The test data and the sample must have the same {name!r}", "test")
    return name, pd.Index(own).get_indexer(pd.Index(wanted)).astype(np.int64)


def _by_position(test: pd.DataFrame, sample: pd.DataFrame) -> NDArray[np.int64]:
    """Rows in order, where the sample's first column only counts them."""
    first = sample.iloc[:, 0]
    count = np.arange(len(test))
    if len(sample) == len(test) and types.is_integer_dtype(first.dtype):
        numbers = first.to_numpy()
        if np.array_equal(numbers, count) or np.array_equal(numbers, count + 1):
            return count
    raise InputError(
        "A column of the sample must be in the test data, so that rows can be matched by id, "
        f"however: the sample has {list(sample.columns)}, the test data {list(test.columns)}. "
        "Give the test data the id column, or rename it to the sample's."
    )


def _id_values(test: pd.DataFrame, name: str) -> pd.Series[Any]:
    return test[name] if name in test.columns else test.index.to_series()


def _keys(a: pd.Series[Any], b: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[Any]]:
    """Two id columns in a form that can be compared: both numbers, or both text."""
    both_numeric = all(types.is_numeric_dtype(side.dtype) for side in (a, b))
    if both_numeric:
        return a.reset_index(drop=True), b.reset_index(drop=True)
    text = [side.astype(object).where(side.isna(), side.astype(str)) for side in (a, b)]
    return text[0].reset_index(drop=True), text[1].reset_index(drop=True)


def _check_ids(ids: pd.Series[Any], what: str) -> None:
    if ids.isna().any():
        row = int(np.flatnonzero(ids.isna())[0])
        raise InputError(f"{what} must not be empty, however: row {row} has none.")
    if ids.duplicated().any():
        raise InputError(
            f"{what} must be different, however: {_some(ids[ids.duplicated()].unique())} "
            "occur more than once. Keep one row an id."
        )


def _check_same(own: pd.Series[Any], wanted: pd.Series[Any], rule: str, who: str) -> None:
    missing = wanted[~wanted.isin(own)]
    if len(missing):
        raise InputError(
            f"{rule}, however: {len(missing)} ids of the sample are missing in {who}, "
            f"{_some(missing)}. Predict the test file that belongs to the sample."
        )
    extra = own[~own.isin(wanted)]
    if len(extra):
        raise InputError(
            f"{rule}, however: {len(extra)} ids of {who} are not in the sample, {_some(extra)}. "
            "Drop those rows, or leave out sample= to submit all of them."
        )


def _some(values: Iterable[Any]) -> str:
    """A few of the values, for a message."""
    listed = list(values)
    text = ", ".join(
        repr(value.item() if hasattr(value, "item") else value) for value in listed[:3]
    )
    return f"{text} and {len(listed) - 3} more" if len(listed) > 3 else text


# ---------------------------------------------------------------------------------------- values


def _value_columns(
    test: pd.DataFrame, columns: list[Any], sample: pd.DataFrame, model: _Model
) -> pd.DataFrame:
    """The predictions in the columns of the sample; rows in the order of the test."""
    if len(columns) > 1:
        position = _class_columns(columns, model)
        proba = model.probabilities(test)
        return pd.DataFrame({name: proba[:, position[name]] for name in columns})
    column = columns[0]
    if _wants_probability(sample[column], model):
        return pd.DataFrame({column: model.probabilities(test)[:, 1]})
    _warn_if_silent(sample[column], model)
    labels = model.labels(test)
    if model.classes and types.is_integer_dtype(sample[column].dtype):
        labels = _whole(labels)
    return pd.DataFrame({column: labels})


def _class_columns(columns: list[Any], model: _Model) -> dict[Any, int]:
    """Which class each value column stands for."""
    position = {_text(label): i for i, label in enumerate(model.classes)}
    names = [_text(name) for name in columns]
    for start in range(len(min(names, key=len))):
        prefixes = {name[:start] for name in names}
        if len(prefixes) == 1 and {name[start:] for name in names} == set(position):
            return {c: position[n[start:]] for c, n in zip(columns, names, strict=True)}
    classes = list(position) if model.classes else "none, the target is a value"
    raise InputError(
        "Several value columns must be named like the classes, perhaps with a common prefix, "
        f"however: the sample has {names} and the classes are {classes}. Rename the sample's "
        "columns, or submit fit.predict and fit.predict_proba in your own frame."
    )


def _wants_probability(sample: pd.Series[Any], model: _Model) -> bool:
    """Whether one value column is to hold the probability of the second class."""
    if not model.classes or model.values == "labels":
        return False
    if model.values == "probabilities":
        if len(model.classes) != 2:
            raise InputError(
                "Probabilities in one column need a binary target, however: there are "
                f"{len(model.classes)} classes. Use a sample with a column for each class."
            )
        return True
    fraction = types.is_float_dtype(sample.dtype) and not sample.isna().all()
    written = {label for label in model.classes if isinstance(label, float)}
    return fraction and len(model.classes) == 2 and not sample.dropna().isin(written).all()


def _warn_if_silent(sample: pd.Series[Any], model: _Model) -> None:
    """Warn where labels are a guess: zeros stand for labels, and for probabilities as well."""
    is_number = types.is_numeric_dtype(sample.dtype) and not types.is_bool_dtype(sample.dtype)
    is_guess = model.values == "auto" and len(model.classes) == 2
    if is_guess and is_number and len(found := sample.dropna().unique()) == 1:
        warnings.warn(
            f"Column {sample.name!r} of the sample is {found[0]} in all rows, which "
            "does not tell labels from probabilities: labels are submitted. Where probabilities "
            'are scored (ROC AUC, log-loss), pass values="probabilities"; values="labels" says '
            "that labels are meant.",
            UserWarning,
            stacklevel=5,
        )


def _whole(labels: pd.Series[Any]) -> pd.Series[Any]:
    """Labels such as 1.0 as whole numbers."""
    if types.is_float_dtype(labels.dtype) and np.equal(np.mod(labels, 1), 0).all():
        return labels.astype(np.int64)
    return labels


def _text(label: object) -> str:
    return str(int(label)) if isinstance(label, float) and label.is_integer() else str(label)


def _as_many(values: Any, test: pd.DataFrame) -> NDArray[Any]:
    array = np.asarray(values)
    if len(array) != len(test):
        raise InputError(
            f"There must be one prediction a row, however: {len(array)} predictions for "
            f"{len(test)} rows."
        )
    return array


def _check_values(own: pd.Series[Any], sample: pd.Series[Any]) -> None:
    empty = own.isna()
    if empty.any():
        raise InputError(
            f"Column {own.name!r} must not be empty, however: {int(empty.sum())} values are "
            f"missing, row {int(np.flatnonzero(empty)[0])} first."
        )
    if types.is_float_dtype(own.dtype) and not np.isfinite(own.to_numpy(np.float64)).all():
        row = int(np.flatnonzero(~np.isfinite(own.to_numpy(np.float64)))[0])
        raise InputError(
            f"Column {own.name!r} must be finite, however: row {row} holds {float(own.iloc[row])}."
        )
    kinds = _kind(own), _kind(sample)
    if kinds[0] != kinds[1] and kinds[1] != "nothing":
        raise InputError(
            f"Column {own.name!r} must hold {kinds[1]} such as {_some(sample.dropna()[:1])}, as in "
            f"the sample, however: it holds {kinds[0]} such as {_some(own[:1])}. Train on a "
            'target coded like the sample, or pass values="labels" or values="probabilities".'
        )


def _kind(values: pd.Series[Any]) -> str:
    present = values.dropna()
    if len(present) == 0:
        return "nothing"
    if set(present.unique()[:3]) <= {"True", "False"} or types.is_bool_dtype(present.dtype):
        return "booleans"
    if types.is_numeric_dtype(present.infer_objects().dtype):
        return "numbers"
    return "words"


# -------------------------------------------------------------------------------- without a sample


def _without_sample(
    test: pd.DataFrame, target: str, model: _Model, id_column: str | None
) -> pd.DataFrame:
    name, ids = _find_ids(test, target, id_column)
    _check_ids(ids, f"The test data's ids in {name!r}")
    submission = pd.DataFrame({name: ids.to_numpy()})
    if model.values != "probabilities":
        submission[target] = model.labels(test).to_numpy()
    elif len(model.classes) == 2:
        submission[target] = model.probabilities(test)[:, 1]
    else:
        proba = model.probabilities(test)
        for i, label in enumerate(model.classes):
            submission[f"{target}_{_text(label)}"] = proba[:, i]
    for column in submission.columns[1:]:
        _check_values(submission[column], submission[column])
    return submission


def _find_ids(test: pd.DataFrame, target: str, id_column: str | None) -> tuple[Any, pd.Series[Any]]:
    if id_column is not None:
        if id_column not in test.columns and id_column != test.index.name:
            raise InputError(
                f"id_column must be a column of the test data, however: {id_column!r} is not "
                f"among {list(test.columns)}."
            )
        return id_column, _id_values(test, id_column)
    for name in test.columns:
        if name != target and _looks_like_id(str(name)) and test[name].is_unique:
            return name, test[name]
    if test.index.name is not None and test.index.is_unique:
        return test.index.name, test.index.to_series()
    return "id", pd.Series(np.arange(len(test)))


def _looks_like_id(name: str) -> bool:
    """Whether a column's name says that it identifies rows.

    >>> [_looks_like_id(name) for name in ("PassengerId", "row_id", "ID", "paid", "age")]
    [True, True, True, False, False]
    """
    plain = name.lower().replace("_", "").replace(" ", "")
    return (
        plain in _ID_NAMES or name.lower().endswith(("_id", " id")) or name.endswith(("Id", "ID"))
    )
