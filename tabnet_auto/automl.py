"""auto_fit(): the whole story in order, nothing else."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tabnet_auto.attention import summarize_attention
from tabnet_auto.config import EncodeConfig, Preset, get_preset, resolve
from tabnet_auto.decisions import Decision, row_parts, tune_decision
from tabnet_auto.design import UNKNOWN_CODE
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.ensemble import Blend, blend_members, blend_out_of_fold
from tabnet_auto.errors import InputError
from tabnet_auto.folds import FoldPlan, Folds, check_fold_weights, make_folds, split_notes
from tabnet_auto.folds.offers import offer_notes
from tabnet_auto.frames import read_frame
from tabnet_auto.infer import infer_schema
from tabnet_auto.metrics import Metric, Objective, get_metric
from tabnet_auto.metrics.class_weight import read_class_weight
from tabnet_auto.result.fit import FitResult
from tabnet_auto.schema import Schema
from tabnet_auto.table import Table, read_table
from tabnet_auto.target import encode_target
from tabnet_auto.trace import Emit, Event, Trace
from tabnet_auto.train.device import choose_device
from tabnet_auto.train.members import Task, predict_held_out, train_members
from tabnet_auto.view.progress import choose_progress

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

UNSEEN_SHARE = 0.05
"""Share of test rows with an unseen level from which a column is worth a note."""
RESERVE = 0.08
"""Share of a time limit kept for what follows the training (scores, attention)."""


def auto_fit(
    train: pd.DataFrame | str | Path,
    target: str,
    *,
    test: pd.DataFrame | str | Path | None = None,
    task: str = "auto",
    metric: Any = "auto",
    folds: Any = 5,
    groups: str | None = None,
    time: str | None = None,
    weight: str | None = None,
    class_weight: Mapping[Any, float] | str | None = None,
    preset: str | Preset = "balanced",
    time_limit: float | None = None,
    roles: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "auto",
    verbose: bool | Literal["auto"] = "auto",
    emit: Emit | None = None,
) -> FitResult:
    """Learn to predict a column of a table with attention TabNets.

    Columns get roles, every fold its own leak-safe encoding, and all folds are trained side by
    side in one batched network with early stopping at each fold's best epoch.

    Parameters
    ----------
    train
        A pandas or polars data frame, or the path of a CSV or Parquet file. It is not changed.
    target
        The column to predict. Rows without a value in it are set aside.
    test
        Rows to predict later, in the same forms: checked before the training starts, so that
        a missing column shows now and not after it. Never used to learn.
    task
        ``"auto"``, ``"binary"``, ``"multiclass"`` or ``"regression"``.
    metric
        ``"auto"`` (ROC AUC, log-loss or RMSE), a name of the metric table, a scikit-learn
        scorer, or a callable ``(y_true, y_pred)`` where greater is better. It decides what is
        minimised (MAE the absolute error, RMSLE squared errors of logarithms) and how
        probabilities become labels (F1 a threshold tuned out of fold).
    folds
        A number, a :class:`FoldPlan` or the name of its rule, a scikit-learn splitter, or pairs
        of training and validation row positions among the rows that have a target.
    groups, time, weight
        Columns that say which rows belong together, in which order rows came (folds then go
        forward in time), and how much each row counts. They are not learned from.
    class_weight
        ``"balanced"``, or weights by label, 1 where none is given: how much a class counts in
        what is learned. Scores count all classes alike.
    preset
        ``"fast"``, ``"balanced"``, ``"best"``, ``"paper"``, or a :class:`Preset`.
    time_limit
        Seconds for the fit; training ends in time with the best so far.
    roles
        Roles that win over the inferred ones: ``{"zip": "categorical", "note": "drop"}``.
    seed
        The same seed gives the same numbers on the same machine and number of threads.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"cuda:1"``.
    verbose
        Whether to show progress; ``"auto"`` fits the terminal or notebook.
    emit
        A listener of one's own for the events of the run.

    Returns
    -------
    FitResult

    Raises
    ------
    InputError
        If the data or an argument cannot be used as given; the message states the rule, the
        value, and the way out.
    """
    start = monotonic()
    trace, settings = Trace(emit=_listeners(verbose, emit)), get_preset(preset)
    computed_on, problem = choose_device(device)
    train_until, end = _deadlines(start, time_limit)
    table = read_table(train, target, groups=groups, time=time, weight=weight)
    schema, y = _describe(table, task, roles)
    scored, objective = _read_aim(metric, class_weight, schema, y)
    split = make_folds(
        schema.task, y, folds=folds, groups=table.groups, time=table.time,
        n_seeds=settings.seeds(len(y), len(schema.used)), seed=seed,
    )  # fmt: skip
    _note(trace, problem, *schema.notes, *_fold_notes(split, y, schema, scored, table, folds))
    encoder, learned = _encode(table, schema, split, y, scored, objective, settings.encode)
    _note(trace, *_unseen_levels(encoder, test))
    settings = resolve(settings, task=schema.task, n_train=min(len(rows) for rows in split.train))
    _plan(trace, learned, settings, computed_on, time_limit)
    net, _ = train_members(
        learned, settings.net, settings.train, device=computed_on, deadline=train_until, trace=trace
    )
    held_out = _out_of_fold(net, learned)
    attention = summarize_attention(net, learned, end)
    trace.add("done", oof_score=held_out.score, seconds=monotonic() - start)
    return FitResult(
        schema=schema, folds=split, metric=scored, preset=settings, encoder=encoder,
        net=net.to("cpu"), target=y, has_target=table.has_target, oof=table.spread(held_out.oof),
        oof_score=held_out.score, blend=held_out.blend, decision=held_out.decision,
        fold_scores=held_out.fold_scores, member_scores=held_out.member_scores,
        objective=objective, attention_summary=attention, trace=replace(trace, emit=None),
        about=_about(preset, folds, seed, computed_on),
    )  # fmt: skip


def _describe(
    table: Table, task: str, roles: Mapping[str, str] | None
) -> tuple[Schema, NDArray[Any]]:
    """Say what the columns mean, what was set aside first, and encode the target accordingly."""
    schema = infer_schema(table.frame, table.target, task=task, roles=roles, ignore=table.ignore)
    schema = replace(schema, notes=(*table.notes, *schema.notes))
    return schema, encode_target(table.frame[table.target], schema)


def _read_aim(
    metric: Any,
    class_weight: Mapping[Any, float] | str | None,
    schema: Schema,
    y: NDArray[Any],
) -> tuple[Metric, Objective]:
    """Return a metric that is defined on the target, and what is minimised for it."""
    scored = get_metric(metric, schema.task)
    scored.check_target(y)
    weights = read_class_weight(class_weight, schema)
    return scored, replace(scored.objective, class_weight=weights)


def _note(trace: Trace, *notes: str | None) -> None:
    for text in notes:
        if text:
            trace.add("note", text=text)


def _fold_notes(
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


def _encode(
    table: Table,
    schema: Schema,
    split: Folds,
    y: NDArray[Any],
    metric: Metric,
    objective: Objective,
    config: EncodeConfig,
) -> tuple[Encoder, Task]:
    """Learn every member's tables from its own training rows, and lay down what is learned."""
    encoder, design = fit_encoder(table.frame, schema, split, objective.learned(y), config)
    classes = np.array(schema.classes) if schema.classes else None
    full = design.with_target(y, table.weight)
    return encoder, Task(full, encoder.layout, encoder.tables, split, metric, classes, objective)


def _unseen_levels(encoder: Encoder, test: pd.DataFrame | str | Path | None) -> list[str]:
    """Encode the test rows once: raises where that fails, and says which levels are new."""
    if test is None:
        return []
    design = encoder.encode(read_frame(test, what="test"))
    shares = (design.codes == UNKNOWN_CODE).mean(axis=0)
    return [
        f"column {feature.column!r}: {share:.0%} of the test rows have a level that the training "
        "rows do not have; they are read as unknown"
        for feature, share in zip(encoder.layout.category, shares, strict=True)
        if share >= UNSEEN_SHARE
    ]


def _deadlines(start: float, time_limit: object) -> tuple[float | None, float | None]:
    """Return the instants at which the training, and all that follows it, must end."""
    if time_limit is None:
        return None, None
    if not isinstance(time_limit, int | float | np.number) or not time_limit > 0:
        raise InputError(
            f"time_limit must be positive seconds or None, however: time_limit={time_limit!r}."
        )
    seconds = float(time_limit)
    return start + seconds * (1.0 - RESERVE), start + seconds


def _plan(
    trace: Trace, task: Task, settings: Preset, device: torch.device, time_limit: float | None
) -> None:
    trace.add(
        "plan", n_members=task.folds.n_members, n_folds=task.folds.n_folds,
        n_seeds=task.folds.n_members // task.folds.n_folds, n_rows=task.design.n_rows,
        n_columns=len(task.layout.columns), max_epochs=settings.train.max_epochs,
        batch_size=settings.train.batch_size, device=str(device), metric=task.metric.name,
        greater_is_better=task.metric.greater_is_better, time_limit=time_limit,
    )  # fmt: skip


class _OutOfFold(NamedTuple):
    """What the members say of rows that they did not learn from, and its scores."""

    blend: Blend
    oof: NDArray[np.float64]
    decision: Decision
    score: float
    fold_scores: NDArray[np.float64]
    member_scores: NDArray[np.float64]


def _out_of_fold(net: nn.Module, task: Task) -> _OutOfFold:
    """Weigh the members, predict every row by those that did not learn from it, and score."""
    blend, n_rows = blend_members(task.folds), task.design.n_rows
    held_out = predict_held_out(net, task)
    oof = blend_out_of_fold(held_out, task.folds, blend, n_rows)
    assert task.design.y is not None
    decision = tune_decision(task.metric, task.design.y, oof, task.design.weight, task.folds)
    part = row_parts(task.folds, n_rows)
    decided = decision.cross_fitted(oof, part)
    member_scores = [
        task.score(decision.cross_fitted(own, part[rows]), rows)
        for own, rows in zip(held_out, task.folds.valid, strict=True)
    ]
    score = task.score(decided, np.arange(n_rows))
    return _OutOfFold(
        blend, oof, decision, score, _fold_scores(task, decided), np.array(member_scores)
    )


def _fold_scores(task: Task, oof: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score the blend on each fold's validation rows."""
    rows = [task.folds.valid[task.folds.of_fold(i)[0]] for i in range(task.folds.n_folds)]
    return np.array([task.score(oof[own], own) for own in rows])


def _about(preset: str | Preset, folds: object, seed: int, device: torch.device) -> dict[str, str]:
    """Return what a reader needs to reproduce the run."""
    named = repr(preset) if isinstance(preset, str) else "..."
    split = repr(folds) if hasattr(folds, "split") or isinstance(folds, FoldPlan) else "..."
    split = str(folds) if isinstance(folds, int | np.integer) else split
    versions = {name: version(name) for name in ("torch", "pandas", "scikit-learn", "numpy")}
    return {
        "Call": f"preset={named}, folds={split}, seed={seed}",
        "Device": f"{device}, {torch.get_num_threads()} threads",
        "python": platform.python_version(),
        **versions,
    }


def _listeners(verbose: bool | Literal["auto"], emit: Emit | None) -> Emit | None:  # noqa: FBT001
    shown = choose_progress(verbose)
    if shown is None or emit is None:
        return shown or emit

    def both(event: Event) -> None:
        shown(event)
        emit(event)

    return both
