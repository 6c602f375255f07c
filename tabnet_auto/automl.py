"""auto_fit(): the whole story in order, nothing else."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from tabnet_auto.attention import summarize_attention
from tabnet_auto.config import EncodeConfig, Preset, get_preset, resolve
from tabnet_auto.design import UNKNOWN_CODE
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.ensemble import Blend, blend_members, blend_out_of_fold
from tabnet_auto.errors import InputError
from tabnet_auto.folds import Folds, check_fold_weights, make_folds, split_notes
from tabnet_auto.frames import read_frame
from tabnet_auto.infer import infer_schema
from tabnet_auto.metrics import Metric, get_metric
from tabnet_auto.result.fit import FitResult
from tabnet_auto.schema import Schema
from tabnet_auto.table import Table, read_table
from tabnet_auto.target import encode_target
from tabnet_auto.trace import Emit, Event, Trace
from tabnet_auto.train.device import choose_device
from tabnet_auto.train.members import Task, predict_held_out, train_members
from tabnet_auto.view.place import Mode
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
    preset: str | Preset = "balanced",
    time_limit: float | None = None,
    roles: Mapping[str, str] | None = None,
    seed: int = 0,
    device: str = "auto",
    verbose: bool | Mode = "auto",
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
        scorer, or a callable ``(y_true, y_pred)`` where greater is better.
    folds
        A number, a scikit-learn splitter, or pairs of training and validation row positions
        among the rows that have a target.
    groups, time, weight
        Columns that say which rows belong together, in which order rows came (folds then go
        forward in time), and how much each row counts. They are not learned from.
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
        Whether to show progress; ``"auto"`` fits the place: ``"live"`` in a notebook, its last
        state as a ``"page"`` in a batch run, ``"text"`` elsewhere. Naming one of these, here or
        in the environment variable ``TABNET_AUTO_DISPLAY``, wins over the guess.
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
    trace = Trace(emit=_listeners(verbose, emit))
    settings = get_preset(preset)
    computed_on, problem = choose_device(device)
    train_until, end = _deadlines(start, time_limit)
    table = read_table(train, target, groups=groups, time=time, weight=weight)
    schema, y = _describe(table, task, roles)
    scored = get_metric(metric, schema.task)
    split = make_folds(
        schema.task, y, folds=folds, groups=table.groups, time=table.time,
        n_seeds=settings.seeds(len(y), len(schema.used)), seed=seed,
    )  # fmt: skip
    _note(trace, problem, *schema.notes, *_fold_notes(split, y, schema, scored, table.weight))
    encoder, learned = _encode(table, schema, split, y, scored, settings.encode)
    _note(trace, *_unseen_levels(encoder, test))
    settings = resolve(settings, task=schema.task, n_train=min(len(rows) for rows in split.train))
    _plan(trace, learned, settings, computed_on, time_limit)
    net, state = train_members(
        learned, settings.net, settings.train, device=computed_on, deadline=train_until, trace=trace
    )
    blend, oof = _blend(net, learned)
    attention = summarize_attention(net, learned, end)
    score = learned.score(oof, np.arange(len(y)))
    trace.add("done", oof_score=score, seconds=monotonic() - start)
    return FitResult(
        schema=schema, folds=split, metric=scored, preset=settings, encoder=encoder,
        net=net.to("cpu"), blend=blend, oof=table.spread(oof), oof_score=score, target=y,
        has_target=table.has_target, member_scores=np.array(state.best_score),
        fold_scores=_fold_scores(learned, oof), attention_summary=attention,
        trace=replace(trace, emit=None), about=_about(preset, folds, seed, computed_on),
    )  # fmt: skip


def _describe(
    table: Table, task: str, roles: Mapping[str, str] | None
) -> tuple[Schema, NDArray[Any]]:
    """Say what the columns mean, what was set aside first, and encode the target accordingly."""
    schema = infer_schema(table.frame, table.target, task=task, roles=roles, ignore=table.ignore)
    schema = replace(schema, notes=(*table.notes, *schema.notes))
    return schema, encode_target(table.frame[table.target], schema)


def _note(trace: Trace, *notes: str | None) -> None:
    for text in notes:
        if text:
            trace.add("note", text=text)


def _fold_notes(
    split: Folds,
    y: NDArray[Any],
    schema: Schema,
    metric: Metric,
    weight: NDArray[np.float64] | None,
) -> list[str]:
    """Check the weights of every fold, and say what the folds' scores do not see."""
    check_fold_weights(split, weight)
    notes = split_notes(split, y, schema.classes)
    if weight is not None and not metric.weighted:
        notes.append(f"metric {metric.name!r} takes no sample_weight: scores count all rows alike")
    return notes


def _encode(
    table: Table,
    schema: Schema,
    split: Folds,
    y: NDArray[Any],
    metric: Metric,
    config: EncodeConfig,
) -> tuple[Encoder, Task]:
    """Learn every member's tables from its own training rows, and lay down what is learned."""
    encoder, design = fit_encoder(table.frame, schema, split, y, config)
    classes = np.array(schema.classes) if schema.classes else None
    full = design.with_target(y, table.weight)
    return encoder, Task(full, encoder.layout, encoder.tables, split, metric, classes)


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
        n_columns=len(task.layout.columns), columns=list(task.layout.columns),
        max_epochs=settings.train.max_epochs, batch_size=settings.train.batch_size,
        device=str(device), metric=task.metric.name,
        greater_is_better=task.metric.greater_is_better, time_limit=time_limit,
    )  # fmt: skip


def _blend(net: nn.Module, task: Task) -> tuple[Blend, NDArray[np.float64]]:
    """Weigh the members, and predict every row by those that did not learn from it."""
    blend = blend_members(task.folds)
    held_out = predict_held_out(net, task)
    return blend, blend_out_of_fold(held_out, task.folds, blend, task.design.n_rows)


def _fold_scores(task: Task, oof: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score the blend on each fold's validation rows."""
    rows = [task.folds.valid[task.folds.of_fold(i)[0]] for i in range(task.folds.n_folds)]
    return np.array([task.score(oof[own], own) for own in rows])


def _about(preset: str | Preset, folds: object, seed: int, device: torch.device) -> dict[str, str]:
    """Return what a reader needs to reproduce the run."""
    named = repr(preset) if isinstance(preset, str) else "..."
    split = repr(folds) if hasattr(folds, "split") else "..."
    split = str(folds) if isinstance(folds, int | np.integer) else split
    versions = {name: version(name) for name in ("torch", "pandas", "scikit-learn", "numpy")}
    return {
        "Call": f"preset={named}, folds={split}, seed={seed}",
        "Device": f"{device}, {torch.get_num_threads()} threads",
        "python": platform.python_version(),
        **versions,
    }


def _listeners(verbose: bool | Mode, emit: Emit | None) -> Emit | None:  # noqa: FBT001
    shown = choose_progress(verbose)
    if shown is None or emit is None:
        return shown or emit

    def both(event: Event) -> None:
        shown(event)
        emit(event)

    return both
