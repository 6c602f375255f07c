"""What stands before training: what the columns mean, the score, and encoded rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tabnet_auto.config import EncodeConfig, Preset, is_small
from tabnet_auto.design import UNKNOWN_CODE, Design
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.errors import InputError, SchemaMismatchError
from tabnet_auto.folds import Folds, check_fold_weights, ignored_notes, make_folds, split_notes
from tabnet_auto.folds.offers import offer_notes
from tabnet_auto.frames import read_frame
from tabnet_auto.infer import infer_schema
from tabnet_auto.metrics import Metric, Objective, get_metric
from tabnet_auto.metrics.class_weight import read_class_weight
from tabnet_auto.models.budget import Deadlines
from tabnet_auto.schema import Schema
from tabnet_auto.table import Table
from tabnet_auto.target import encode_target
from tabnet_auto.trace import Trace
from tabnet_auto.train.members import Task

if TYPE_CHECKING:
    import pandas as pd

UNSEEN_SHARE = 0.05
"""Share of test rows with an unseen level from which a column is worth a note."""
CHECKED_ROWS = 20_000
"""Test rows that are encoded before training to see that they can be, at most."""


class Given(NamedTuple):
    """What a run is given: rows, what their columns mean, the target, test rows, and the aim.

    ``y`` is the target of the rows that have one: class positions, or values. The metric scores;
    the objective is what networks minimise for it.
    """

    table: Table
    schema: Schema
    y: NDArray[Any]
    test: pd.DataFrame | None
    metric: Metric
    objective: Objective

    @property
    def size(self) -> tuple[int, int]:
        """Rows with a target, and columns that are used."""
        return len(self.y), len(self.schema.used)

    def after(self, audited: tuple[Table, Schema]) -> Given:
        """Return the same with what an audit left of the columns, the rows, and their freedom."""
        table, schema = audited
        y = self.y if table is self.table else encode_target(table.frame[table.target], schema)
        return self._replace(table=table, schema=schema, y=y)


def read_given(
    table: Table,
    test: pd.DataFrame | str | Path | None,
    task: str,
    roles: Mapping[str, str] | None,
    metric: Any,
    class_weight: Mapping[Any, float] | str | None,
) -> Given:
    """Say what the columns mean, and encode the target; the metric must be defined on it."""
    other = None if test is None else read_frame(test, what="test")
    schema = infer_schema(table.frame, table.target, task=task, roles=roles, ignore=table.ignore)
    # What was set aside first is said first.
    schema = replace(schema, notes=(*table.notes, *schema.notes))
    y = encode_target(table.frame[table.target], schema)
    scored = get_metric(metric, schema.task, schema.classes)
    scored.check_target(y)
    weights = read_class_weight(class_weight, schema)
    objective = replace(scored.objective, class_weight=weights)
    return Given(table, schema, y, other, scored, objective)


def split_rows(
    given: Given,
    folds: Any,
    preset: Preset,
    times: Deadlines,
    device: torch.device,
    seed: int,
) -> Folds:
    """Make the folds of the rows with a target, with the seeds that train first.

    On a CPU with a time limit that is one: as the first it learns to the end soonest, and what
    time is left goes to further rounds. Of large data, where a fold has few networks, they start
    from the same weights in all folds.
    """
    table = given.table
    rounds = device.type == "cpu" and times.end is not None
    n_seeds = 1 if rounds else preset.seeds(*given.size)
    one_start = not is_small(*given.size)
    split = make_folds(
        given.schema.task, given.y, folds=folds, groups=table.groups, time=table.time,
        n_seeds=n_seeds, seed=seed,
    )  # fmt: skip
    kinds = [number % preset.net.n_kinds for number in range(n_seeds)]
    return replace(split.with_kinds(kinds), one_start=one_start)


def fold_notes(given: Given, split: Folds, folds: object) -> list[str]:
    """Check the weights of every fold, and say what the folds' scores do not see."""
    table, metric = given.table, given.metric
    check_fold_weights(split, table.weight)
    notes = split_notes(split, given.y, given.schema.classes)
    notes += _undefined_notes(given, split)
    notes += ignored_notes(split, table.time)
    notes += offer_notes(table, given.schema, given.y, folds)
    if table.weight is not None and not metric.weighted:
        notes.append(f"metric {metric.name!r} takes no sample_weight: scores count all rows alike")
    return notes


def _undefined_notes(given: Given, split: Folds) -> list[str]:
    """Say on how many folds' validation rows the metric is not defined: they are of one class.

    Raises
    ------
    InputError
        If it is not defined on all of them together: there would be no score.
    """
    metric, weight = given.metric, given.table.weight
    if not metric.needs_two_classes:
        return []
    counts = np.ones(len(given.y), dtype=bool)
    if weight is not None and metric.weighted:
        counts = weight > 0
    held = [split.valid[split.of_fold(fold)[0]] for fold in range(split.n_folds)]
    found = [np.unique(given.y[rows[counts[rows]]]) for rows in held]
    together = np.unique(np.concatenate(found))
    if len(together) < 2:
        classes = given.schema.classes
        only = classes[together[0]] if classes else together[0].item()
        raise InputError(
            f"metric {metric.name!r} needs validation rows with different targets, however: that "
            f"of all that count is {only!r}. Pass other folds or weights, or another metric: "
            f"{'log_loss' if classes else metric.instead}."
        )
    n_alone = sum(len(own) < 2 for own in found)
    text = (
        f"metric {metric.name!r} is not defined on the validation rows of {n_alone} of "
        f"{split.n_folds} folds, whose target is one: these folds have no score of their own"
    )
    return [text] if n_alone else []


def encode(given: Given, split: Folds, config: EncodeConfig) -> tuple[Encoder, Task]:
    """Learn every member's tables from its own training rows, and lay down what is learned."""
    schema, objective = given.schema, given.objective
    learned = objective.learned(given.y)
    encoder, design = fit_encoder(given.table.frame, schema, split, learned, config)
    classes = np.array(schema.classes) if schema.classes else None
    full = design.with_target(given.y, given.table.weight)
    task = Task(full, encoder.layout, encoder.tables, split, given.metric, classes, objective)
    return encoder, task


def check_test(encoder: Encoder, test: pd.DataFrame | None, trace: Trace) -> None:
    """Raise where test rows cannot be encoded, and note which levels are new.

    Of many rows a sample is looked at, evenly spaced; a column of which it can read nothing is
    read whole.
    """
    if test is None:
        return
    some = np.linspace(0, len(test) - 1, min(len(test), CHECKED_ROWS)).astype(np.int64)
    try:
        design = encoder.encode(test.iloc[some])
    except SchemaMismatchError:
        design = encoder.encode(test)
    trace.note(*_unseen_levels(encoder, design))


def _unseen_levels(encoder: Encoder, design: Design) -> list[str]:
    shares = (design.codes == UNKNOWN_CODE).mean(axis=0)
    return [
        f"column {feature.column!r}: {share:.0%} of the test rows have a level that the training "
        "rows do not have; they are read as unknown"
        for feature, share in zip(encoder.layout.category, shares, strict=True)
        if share >= UNSEEN_SHARE
    ]
