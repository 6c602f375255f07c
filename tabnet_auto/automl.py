"""auto_fit(): the whole story in order, nothing else."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from numbers import Real
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tabnet_auto.attention import summarize_attention
from tabnet_auto.config import Preset, get_preset, resolve
from tabnet_auto.design import UNKNOWN_CODE
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.ensemble import blend_members, blend_out_of_fold
from tabnet_auto.errors import InputError
from tabnet_auto.folds import check_fold_weights, make_folds, split_notes
from tabnet_auto.frames import read_frame
from tabnet_auto.infer import infer_schema
from tabnet_auto.metrics import Metric, get_metric
from tabnet_auto.result import FitResult
from tabnet_auto.schema import Schema
from tabnet_auto.table import Table, read_table
from tabnet_auto.target import encode_target
from tabnet_auto.trace import Emit, Event, Trace
from tabnet_auto.train.device import choose_device
from tabnet_auto.train.members import Task, predict_held_out, train_members
from tabnet_auto.view.progress import choose_progress

if TYPE_CHECKING:
    import pandas as pd

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
    metric: Any = "auto",  # noqa: ANN401 - a name, a callable or a scorer
    folds: Any = 5,  # noqa: ANN401 - a number, a splitter or index pairs
    groups: str | None = None,
    time: str | None = None,  # noqa: A002
    weight: str | None = None,
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
        Seconds for everything; training ends in time with the best so far.
    roles
        Roles that win over the inferred ones: ``{"zip": "categorical", "note": "drop"}``.
    seed
        The same seed gives the same numbers on the same machine and number of threads.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"``, ``"mps"``.
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
    trace = Trace(emit=_listeners(verbose, emit))
    settings = get_preset(preset)
    computed_on, problem = choose_device(device)
    deadline = _deadline(start, time_limit)
    table = read_table(train, target, groups=groups, time=time, weight=weight)
    schema = _describe(table, task, roles)
    y = encode_target(table.frame[table.target], schema)
    scored = get_metric(metric, schema.task)
    split = make_folds(
        schema.task, y, folds=folds, groups=table.groups, time=table.time,
        n_seeds=settings.n_seeds, seed=seed,
    )  # fmt: skip
    check_fold_weights(split, table.weight)
    _note(
        trace,
        *schema.notes,
        *split_notes(split, y, schema.classes),
        *_unweighted(scored, table),
        problem,
    )
    encoder, design = fit_encoder(table.frame, schema, split, y, settings.encode)
    if test is not None:
        _note(trace, *_unseen_levels(encoder, read_frame(test, what="test")))
    settings = resolve(settings, n_train=min(len(rows) for rows in split.train))
    learned = Task(
        design.with_target(y, table.weight), encoder.layout, encoder.tables, split, scored,
        np.array(schema.classes) if schema.classes else None,
    )  # fmt: skip
    _plan(trace, learned, settings, computed_on, time_limit)
    net, state = train_members(
        learned, settings.net, settings.train, device=computed_on, deadline=deadline, trace=trace
    )
    blend = blend_members(split)
    oof = blend_out_of_fold(predict_held_out(net, learned), split, blend, len(y))
    attention = summarize_attention(net, learned)
    score = learned.score(oof, np.arange(len(y)))
    trace.add("done", oof_score=score, seconds=monotonic() - start)
    return FitResult(
        schema=schema, folds=split, metric=scored, preset=settings, encoder=encoder,
        net=net.to("cpu"), blend=blend, oof=table.spread(oof), oof_score=score, target=y,
        has_target=table.has_target, member_scores=np.array(state.best_score),
        fold_scores=_fold_scores(learned, oof), attention_summary=attention,
        trace=replace(trace, emit=None), about=_about(preset, folds, seed, computed_on),
    )  # fmt: skip


def _describe(table: Table, task: str, roles: Mapping[str, str] | None) -> Schema:
    """Say what the columns mean; what was set aside while reading them comes first in the notes."""
    schema = infer_schema(table.frame, table.target, task=task, roles=roles, ignore=table.ignore)
    return replace(schema, notes=(*table.notes, *schema.notes))


def _note(trace: Trace, *notes: str | None) -> None:
    for text in notes:
        if text:
            trace.add("note", text=text)


def _unseen_levels(encoder: Encoder, test: pd.DataFrame) -> list[str]:
    """Encode the test rows once: raises where that fails, and says which levels are new."""
    design = encoder.encode(test)
    shares = (design.codes == UNKNOWN_CODE).mean(axis=0)
    return [
        f"column {feature.column!r}: {share:.0%} of the test rows have a level that the training "
        "rows do not have; they are read as unknown"
        for feature, share in zip(encoder.layout.category, shares, strict=True)
        if share >= UNSEEN_SHARE
    ]


def _unweighted(metric: Metric, table: Table) -> list[str]:
    if table.weight is None or metric.weighted:
        return []
    return [f"metric {metric.name!r} takes no sample_weight: scores count all rows alike"]


def _deadline(start: float, time_limit: float | None) -> float | None:
    """Return the instant at which the training must end to leave time for what follows."""
    if time_limit is None:
        return None
    if not isinstance(time_limit, Real) or not time_limit > 0:
        raise InputError(
            f"time_limit must be positive seconds or None, however: time_limit={time_limit!r}."
        )
    return start + float(time_limit) * (1.0 - RESERVE)


def _plan(
    trace: Trace, task: Task, settings: Preset, device: torch.device, time_limit: float | None
) -> None:
    trace.add(
        "plan", n_members=task.folds.n_members, n_folds=task.folds.n_folds,
        n_seeds=settings.n_seeds, n_rows=task.design.n_rows, n_columns=len(task.layout.columns),
        max_epochs=settings.train.max_epochs, batch_size=settings.train.batch_size,
        device=str(device), metric=task.metric.name,
        greater_is_better=task.metric.greater_is_better, time_limit=time_limit,
    )  # fmt: skip


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


def _listeners(verbose: bool | Literal["auto"], emit: Emit | None) -> Emit | None:  # noqa: FBT001
    shown = choose_progress(verbose)
    if shown is None or emit is None:
        return shown or emit

    def both(event: Event) -> None:
        shown(event)
        emit(event)

    return both
