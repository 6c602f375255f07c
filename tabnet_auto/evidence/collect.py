"""All evidence of a fit, in order."""

from __future__ import annotations

import numpy as np
from torch import nn

from tabnet_auto.evidence.cohorts import measure_cohorts
from tabnet_auto.evidence.read import survey_rows
from tabnet_auto.evidence.record import Drift, Evidence, Floats
from tabnet_auto.evidence.rows import sample_rows
from tabnet_auto.schema import Schema
from tabnet_auto.table import Table
from tabnet_auto.train.members import Task


def collect_evidence(
    net: nn.Module,
    task: Task,
    oof: Floats,
    table: Table,
    schema: Schema,
    drift: Drift | None,
    threshold: float = 0.5,
) -> Evidence:
    """Read held-out rows with the trained networks.

    ``oof`` are the blend's out-of-fold predictions of the rows of ``table``, the second of two
    classes is predicted from the ``threshold``.
    """
    survey = survey_rows(net, task)
    rows = survey.rows.ravel()
    attention = survey.attention.reshape(len(rows), -1).astype(np.float64)
    origin = np.flatnonzero(table.has_target)
    n_steps = survey.steps.size.shape[1]
    sample = sample_rows(net, task, oof, table.frame, origin, n_steps, threshold)
    truth = task.design.y
    cohorts = None
    if truth is not None:
        shown = np.empty(0, np.int64) if sample is None else np.searchsorted(origin, sample.row)
        both = np.concatenate([rows, shown])
        cohorts = measure_cohorts(
            attention, task.layout.columns, table.frame.iloc[both], schema, truth[both], oof[both]
        )
    return Evidence(rows=sample, cohorts=cohorts, steps=survey.steps, drift=drift)
