"""auto_fit(): the whole story in order, nothing else."""

from __future__ import annotations

import contextlib
import platform
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tabnet_auto.attention import summarize_attention
from tabnet_auto.config import Preset, get_preset, resolve_train
from tabnet_auto.design import UNKNOWN_CODE, Design, MemberTables
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.ensemble import blend_members, blend_out_of_fold
from tabnet_auto.errors import InputError
from tabnet_auto.folds import Folds, make_folds
from tabnet_auto.frames import family, parse_datetime, read_frame, resolve_column, to_float, to_text
from tabnet_auto.infer import encode_target, infer_schema, split_target
from tabnet_auto.metrics import Metric, get_metric
from tabnet_auto.net.build import build_net
from tabnet_auto.reporting import score_rows
from tabnet_auto.result import FitResult
from tabnet_auto.schema import Schema
from tabnet_auto.trace import Emit, Trace
from tabnet_auto.train.device import choose_device
from tabnet_auto.train.loop import Members, ScoreMembers, Trainer, member_outputs
from tabnet_auto.train.predict import to_predictions
from tabnet_auto.train.rows import RowStore, Targets, padded
from tabnet_auto.train.state import TrainState
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
    table = _read_table(train, target, groups=groups, time=time, weight=weight)
    schema = infer_schema(table.frame, table.target, task=task, roles=roles, ignore=table.ignore)
    for note in (*table.notes, *schema.notes, *([problem] if problem else [])):
        trace.add("note", text=note)
    y = encode_target(table.frame[table.target], schema)
    scored = get_metric(metric, schema.task)
    split = make_folds(
        schema.task, y, folds=folds, groups=table.groups, time=table.time,
        n_seeds=settings.n_seeds, seed=seed,
    )  # fmt: skip
    encoder, design = fit_encoder(table.frame, schema, split, y, settings.encode)
    design = design.with_target(y, table.weight)
    if test is not None:
        _check_test(encoder, read_frame(test, what="test"), trace)
    settings = replace(
        settings, train=resolve_train(settings, min(len(rows) for rows in split.train))
    )
    deadline = None if time_limit is None else _deadline(start, time_limit)
    trace.add(
        "plan", n_members=split.n_members, n_folds=split.n_folds, n_seeds=settings.n_seeds,
        n_rows=len(y), n_columns=len(encoder.layout.columns),
        max_epochs=settings.train.max_epochs, batch_size=settings.train.batch_size,
        device=str(computed_on), metric=scored.name,
        greater_is_better=scored.greater_is_better, time_limit=time_limit,
    )  # fmt: skip
    score = _member_scorer(scored, schema, design, encoder.tables)
    net, state = _train(
        settings, encoder, design, split, schema, score, scored, trace, computed_on, deadline
    )
    blend = blend_members(split)
    own = _own_predictions(net, design, encoder, split, schema)
    oof = blend_out_of_fold(own, split, blend, len(y))
    oof_score = score_rows(scored, schema, y, oof, table.weight)
    attention = summarize_attention(net, design, encoder.tables, split, encoder.layout)
    trace.add("done", oof_score=oof_score, seconds=monotonic() - start)
    return FitResult(
        schema=schema, folds=split, metric=scored, preset=settings, encoder=encoder,
        net=net.to("cpu"), blend=blend, oof=_spread(oof, table.has_target), oof_score=oof_score,
        target=y, has_target=table.has_target, member_scores=np.array(state.best_score),
        fold_scores=_fold_scores(scored, schema, y, oof, table.weight, split),
        attention_summary=attention, trace=trace, about=_about(preset, folds, seed, computed_on),
    )  # fmt: skip


@dataclass(frozen=True)
class _Table:
    """The rows that have a target, and what else the caller said about them."""

    frame: pd.DataFrame
    target: str
    has_target: NDArray[np.bool_]
    notes: tuple[str, ...]
    ignore: dict[str, str]
    groups: NDArray[Any] | None
    time: NDArray[Any] | None
    weight: NDArray[np.float32] | None


def _read_table(
    train: Any,  # noqa: ANN401 - any form that read_frame takes
    target: object,
    *,
    groups: object,
    time: object,
    weight: object,
) -> _Table:
    """Read the frame, set rows without a target aside, and take the special columns out."""
    frame = read_frame(train)
    name = resolve_column(target, frame, "train")
    features, series, has_target, notes = split_target(frame, name)
    kept = features.assign(**{name: series})
    special = {
        role: resolve_column(label, frame, "train")
        for role, label in (("groups", groups), ("time", time), ("weight", weight))
        if label is not None
    }
    if name in special.values():
        raise InputError(
            f"groups, time and weight must be other columns than the target, however: {name!r}."
        )
    return _Table(
        frame=kept,
        target=name,
        has_target=has_target,
        notes=notes,
        ignore={label: f"given as {role}=" for role, label in special.items()},
        groups=to_text(kept[special["groups"]]) if "groups" in special else None,
        time=_order(kept[special["time"]]) if "time" in special else None,
        weight=_weights(kept[special["weight"]]) if "weight" in special else None,
    )


def _order(series: pd.Series[Any]) -> NDArray[Any]:
    """Return sortable values of a time column: numbers, or instants."""
    if family(series) == "number":
        values: NDArray[Any] = to_float(series)
        missing = np.isnan(values)
    else:
        values = parse_datetime(series)
        missing = np.isnat(values)
    if missing.any():
        raise InputError(
            f"time must have a number or a date in every row, however: {series.name!r} has none "
            f"in {int(missing.sum())} rows. Fill or drop these rows."
        )
    return values


def _weights(series: pd.Series[Any]) -> NDArray[np.float32]:
    values = to_float(series)
    if np.isnan(values).any() or (values < 0).any() or values.sum() == 0:
        bad = values[np.isnan(values) | (values < 0)]
        shown = bad[0] if len(bad) else 0.0
        raise InputError(
            f"Weights must be non-negative numbers, not all zero, however: {series.name!r} "
            f"holds {shown}. Fill or drop these rows."
        )
    return values.astype(np.float32)


def _check_test(encoder: Encoder, test: pd.DataFrame, trace: Trace) -> None:
    """Encode the test rows once: raises where that fails, notes levels never seen."""
    design = encoder.encode(test)
    for position, feature in enumerate(encoder.layout.category):
        share = float((design.codes[:, position] == UNKNOWN_CODE).mean())
        if share >= UNSEEN_SHARE:
            trace.add(
                "note",
                text=f"column {feature.column!r}: {share:.0%} of the test rows have a level that "
                "the training rows do not have; they are read as unknown",
            )


def _deadline(start: float, time_limit: float) -> float:
    """Return the instant at which the training must end to leave time for what follows."""
    if not time_limit > 0:
        raise InputError(f"time_limit must be positive seconds, however: {time_limit!r}.")
    return start + time_limit * (1.0 - RESERVE)


def _member_scorer(
    metric: Metric, schema: Schema, design: Design, tables: MemberTables
) -> ScoreMembers:
    """Return the metric as the trainer asks for it: from a member's logits on some rows."""
    classes = np.array(schema.classes) if schema.classes else None

    def score(member: int, rows: NDArray[np.int64], logits: NDArray[np.floating]) -> float:
        predicted = to_predictions(
            torch.from_numpy(logits)[None],
            tables.select(slice(member, member + 1)),
            is_class=classes is not None,
        )[0]
        weight = None if design.weight is None else design.weight[rows]
        assert design.y is not None
        return metric.score(design.y[rows], predicted, weight, classes)

    return score


def _train(
    settings: Preset,
    encoder: Encoder,
    design: Design,
    folds: Folds,
    schema: Schema,
    score: ScoreMembers,
    metric: Metric,
    trace: Trace,
    device: torch.device,
    deadline: float | None,
) -> tuple[nn.Module, TrainState]:
    """Train all members; return a network of their best snapshots."""

    def build() -> nn.Module:
        return build_net(
            settings.net, encoder.layout, encoder.tables, schema.n_outputs, folds.seed
        ).to(device)

    trainer = Trainer(
        build(),
        RowStore(design, device),
        Targets(design, encoder.tables, folds.train, device),
        Members(folds.train, folds.valid, folds.seed),
        settings.train,
        score,
        greater_is_better=metric.greater_is_better,
        trace=trace,
    )
    with stop_on_interrupt() as stop:
        state = trainer.run(deadline=deadline, stop=stop)
    net = build()
    net.load_state_dict(state.best)
    return net.eval(), state


@contextlib.contextmanager
def stop_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Turn the first interrupt (Ctrl-C, a notebook's stop square) into a stop request.

    The training then ends after the current step with the best so far; a second interrupt is
    raised as usual. Outside the main thread, where Python allows no handlers, nothing changes.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def note(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            signal.default_int_handler(number, frame)
        asked.set()

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def _own_predictions(
    net: nn.Module, design: Design, encoder: Encoder, folds: Folds, schema: Schema
) -> list[NDArray[np.float64]]:
    """Return every member's predictions of its own validation rows."""
    device = next(net.parameters()).device
    index, _ = padded(folds.valid)
    logits = member_outputs(net, RowStore(design, device), torch.from_numpy(index).to(device))
    predicted = to_predictions(logits, encoder.tables, is_class=schema.task != "regression")
    return [predicted[m, : len(rows)] for m, rows in enumerate(folds.valid)]


def _fold_scores(
    metric: Metric,
    schema: Schema,
    y: NDArray[Any],
    oof: NDArray[np.float64],
    weight: NDArray[np.float32] | None,
    folds: Folds,
) -> NDArray[np.float64]:
    """Score the blend on each fold's validation rows."""
    firsts = [folds.of_fold(fold)[0] for fold in range(folds.n_folds)]
    return np.array(
        [score_rows(metric, schema, y, oof, weight, folds.valid[m]) for m in firsts]
    )


def _spread(oof: NDArray[np.float64], has_target: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Lay predictions of the rows with a target over all rows, NaN elsewhere."""
    spread = np.full((len(has_target), *oof.shape[1:]), np.nan)
    spread[has_target] = oof
    return spread


def _about(
    preset: str | Preset, folds: Any, seed: int, device: torch.device  # noqa: ANN401
) -> dict[str, str]:
    """Return what a reader needs to reproduce the run."""
    named = preset if isinstance(preset, str) else "..."
    versions = {name: version(name) for name in ("torch", "pandas", "scikit-learn", "numpy")}
    return {
        "Call": f"preset={named!r}, folds={folds!r}, seed={seed}",
        "Device": f"{device}, {torch.get_num_threads()} threads",
        "python": platform.python_version(),
        **versions,
    }


def _listeners(verbose: bool | Literal["auto"], emit: Emit | None) -> Emit | None:  # noqa: FBT001
    shown = choose_progress(verbose)
    if shown is None or emit is None:
        return shown or emit
    return lambda event: (shown(event), emit(event))[0]
