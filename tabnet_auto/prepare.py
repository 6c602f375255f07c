"""What stands before training: what the columns mean, the score, and encoded rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.config import EncodeConfig
from tabnet_auto.design import UNKNOWN_CODE, Design
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.folds import Folds, check_fold_weights, split_notes
from tabnet_auto.folds.offers import offer_notes
from tabnet_auto.infer import infer_schema
from tabnet_auto.metrics import Metric, Objective, get_metric
from tabnet_auto.metrics.class_weight import read_class_weight
from tabnet_auto.schema import Schema
from tabnet_auto.table import Table
from tabnet_auto.target import encode_target
from tabnet_auto.trace import Trace
from tabnet_auto.train.members import Task

if TYPE_CHECKING:
    import pandas as pd

UNSEEN_SHARE = 0.05
"""Share of test rows with an unseen level from which a column is worth a note."""


def describe(
    table: Table, task: str, roles: Mapping[str, str] | None
) -> tuple[Schema, NDArray[Any]]:
    """Say what the columns mean, what was set aside first, and encode the target accordingly."""
    schema = infer_schema(table.frame, table.target, task=task, roles=roles, ignore=table.ignore)
    schema = replace(schema, notes=(*table.notes, *schema.notes))
    return schema, encode_target(table.frame[table.target], schema)


class Aim(NamedTuple):
    """What a run is scored by, and what its networks minimise."""

    metric: Metric
    objective: Objective


def read_aim(
    metric: Any,
    class_weight: Mapping[Any, float] | str | None,
    schema: Schema,
    y: NDArray[Any],
) -> Aim:
    """Return a metric that is defined on the target, and what is minimised for it."""
    scored = get_metric(metric, schema.task)
    scored.check_target(y)
    weights = read_class_weight(class_weight, schema)
    return Aim(scored, replace(scored.objective, class_weight=weights))


def fold_notes(
    split: Folds,
    y: NDArray[Any],
    schema: Schema,
    metric: Metric,
    table: Table,
    folds: object,
) -> list[str]:
    """Check the weights of every fold, and say what the folds' scores do not see."""
    check_fold_weights(split, table.weight)
    notes = split_notes(split, y, schema.classes)
    if table.groups is None and table.time is None:
        notes += offer_notes(table.frame, schema, y, folds)
    if table.weight is not None and not metric.weighted:
        notes.append(f"metric {metric.name!r} takes no sample_weight: scores count all rows alike")
    return notes


def encode(
    table: Table,
    schema: Schema,
    split: Folds,
    y: NDArray[Any],
    aim: Aim,
    config: EncodeConfig,
) -> tuple[Encoder, Task]:
    """Learn every member's tables from its own training rows, and lay down what is learned."""
    encoder, design = fit_encoder(table.frame, schema, split, aim.objective.learned(y), config)
    classes = np.array(schema.classes) if schema.classes else None
    full = design.with_target(y, table.weight)
    tables = encoder.tables
    return encoder, Task(full, encoder.layout, tables, split, aim.metric, classes, aim.objective)


def encode_test(encoder: Encoder, test: pd.DataFrame | None, trace: Trace) -> Design | None:
    """Encode the test rows once: raises where that fails, and notes which levels are new."""
    if test is None:
        return None
    design = encoder.encode(test)
    trace.note(*_unseen_levels(encoder, design))
    return design


def _unseen_levels(encoder: Encoder, design: Design) -> list[str]:
    shares = (design.codes == UNKNOWN_CODE).mean(axis=0)
    return [
        f"column {feature.column!r}: {share:.0%} of the test rows have a level that the training "
        "rows do not have; they are read as unknown"
        for feature, share in zip(encoder.layout.category, shares, strict=True)
        if share >= UNSEEN_SHARE
    ]
