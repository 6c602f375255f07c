"""From the evidence to what a report shows: numbers become words, classes get their names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.evidence.record import Evidence, Floats
from tabnet_auto.schema import Schema
from tabnet_auto.view.report_data import (
    BinaryPredictions,
    Cohorts,
    Drift,
    MulticlassPredictions,
    Predictions,
    RegressionPredictions,
    RowSample,
    StepWork,
)
from tabnet_auto.view.svg import shorten
from tabnet_auto.view.tables import DASH

Decide = Callable[[Floats], NDArray[np.int64]]
"""The rule of ``predict``: probabilities ``(n, n_classes)`` to class positions ``(n,)``."""

CLASS_LETTERS = 40
"""Letters of a class beside a row, at most."""


def shown_rows(evidence: Evidence, schema: Schema, n_rows: int, decide: Decide) -> RowSample | None:
    """Return the sample of rows in words.

    ``n_rows`` rows were to choose from; ``decide`` names the class that is said to be predicted.
    """
    sample = evidence.rows
    if sample is None:
        return None
    is_class = bool(schema.classes)
    return RowSample(
        names=[f"row {row}" for row in sample.row],
        held_out=[int(fold) for fold in sample.held_out],
        cells=[list(row) for row in sample.cells],
        truth=_truths(sample.truth, schema),
        predicted=_predictions(sample.predicted, schema, decide),
        by_fold=[_predictions(outputs, schema, decide) for outputs in sample.outputs],
        error=[float(error) for error in sample.error],
        error_label="1 − probability of the truth" if is_class else "absolute error",
        levels=sample.levels,
        peak=sample.peak,
        sizes=sample.sizes.astype(np.float64),
        groups={name: list(rows) for name, rows in sample.groups.items()},
        n_rows=n_rows,
    )


def _truths(truth: NDArray[np.generic], schema: Schema) -> list[str]:
    if schema.classes:
        return [shorten(schema.classes[int(position)], CLASS_LETTERS) for position in truth]
    return [target_number(float(value)) for value in truth]


def _predictions(predicted: Floats, schema: Schema, decide: Decide) -> list[str]:
    """Return the predicted class with its probability, or the value."""
    if predicted.ndim == 1:
        return [target_number(float(value)) for value in predicted]
    return [
        f"{shorten(schema.classes[label], CLASS_LETTERS)} ({row[label]:.0%})"
        for label, row in zip(decide(predicted), predicted, strict=True)
    ]


def target_number(value: float) -> str:
    """Return a value of the target with about four digits.

    >>> [target_number(v) for v in (0.0123, 3.14159, 31204.4, 2.0, float("nan"))]
    ['0.0123', '3.142', '31,204', '2', '–']
    """
    if not np.isfinite(value):
        return DASH
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def shown_cohorts(evidence: Evidence) -> Cohorts | None:
    """Return the cohorts as the report takes them."""
    cohorts = evidence.cohorts
    if cohorts is None or len(cohorts.by) == 0:
        return None
    return Cohorts(
        by=list(cohorts.by),
        label=list(cohorts.label),
        n_rows=[int(n) for n in cohorts.n_rows],
        mean=cohorts.mean,
        error=cohorts.error,
        total=cohorts.total,
        members=[list(rows) for rows in cohorts.members],
    )


def shown_steps(evidence: Evidence, schema: Schema) -> StepWork | None:
    """Return what each step does."""
    steps = evidence.steps
    if steps is None:
        return None
    unit = (
        "share of the probability that moves to other classes"
        if schema.classes
        else "standard deviations of the target"
    )
    return StepWork(steps.size, steps.change, steps.harm, unit)


def shown_drift(evidence: Evidence, predictions: Predictions | None) -> Drift | None:
    """Return the drift beside out-of-fold and test predictions."""
    drift = evidence.drift
    if drift is None:
        return None
    train, test, of_class, classes = np.empty(0), np.empty(0), "", list[str]()
    if isinstance(predictions, BinaryPredictions):
        train, test, of_class = (
            predictions.probability, drift.predicted[:, 1], predictions.positive,
        )  # fmt: skip
    elif isinstance(predictions, RegressionPredictions):
        train, test = predictions.predicted, drift.predicted
    elif isinstance(predictions, MulticlassPredictions) and len(predictions.truth):
        train, test = predictions.probability.mean(axis=0), drift.predicted.mean(axis=0)
        classes = list(predictions.labels)
    return Drift(
        columns=list(drift.columns),
        shift=[float(v) for v in drift.shift],
        chance=[float(v) for v in drift.chance],
        train=train,
        test=test,
        of_class=of_class,
        n_test=drift.n_test,
        classes=classes,
    )
