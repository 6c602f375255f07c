"""The dashboard's source: what a fitted model says when it is asked."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tabnet_auto.errors import InputError
from tabnet_auto.frames import read_frame
from tabnet_auto.reporting import without_rows
from tabnet_auto.target import encode_target, split_target
from tabnet_auto.train.predict import forward_chunks
from tabnet_auto.view.live.dashboard import Dashboard
from tabnet_auto.view.live.source import Floats, Judged, RowAttention, Source
from tabnet_auto.view.page import render_framed
from tabnet_auto.view.place import Mode

if TYPE_CHECKING:
    import pandas as pd

    from tabnet_auto.result.fit import FitResult


def open_dashboard(
    fit: FitResult, frame: pd.DataFrame | str | Path | None, mode: Mode
) -> Dashboard:
    """Return the dashboard of a fit over the rows of a frame.

    Raises
    ------
    InputError
        If the fit was refitted and there is no frame: its networks held no rows out.
    """
    if fit.full is not None and frame is None:
        raise InputError(
            "The dashboard of a model refitted on all rows needs rows to look at, however: "
            "frame=None. Pass some: fit.dashboard(frame). Out-of-fold views are on the fit before "
            "refit_full()."
        )

    def page() -> str:
        data = fit._report_data()  # noqa: SLF001 - a view of the fit
        return render_framed(data if frame is not None else without_rows(data))

    return Dashboard(dashboard_source(fit), frame, page, mode)


def attend(fit: FitResult, frame: pd.DataFrame | str | Path) -> RowAttention:
    """Return every network's attention to the rows of a frame.

    The masks are held at once: ``folds x seeds x steps x rows x columns`` float32.

    Raises
    ------
    InputError
        If the frame has no row.
    SchemaMismatchError
        If the frame lacks a column that was learned from.
    """
    design = fit.encoder.encode(read_frame(frame, what="rows"))
    outputs = list(forward_chunks(fit.net, design, fit.members.n_members))
    masks = np.concatenate([o.masks.transpose(0, 1).cpu().numpy() for o in outputs], axis=2)
    size = np.concatenate([o.step_shares().transpose(0, 1).cpu().numpy() for o in outputs], axis=2)
    n_folds = fit.members.n_folds
    # Members are numbered fold by fold.
    return RowAttention(
        masks=masks.reshape(n_folds, -1, *masks.shape[1:]),
        size=size.reshape(n_folds, -1, *size.shape[1:]),
    )


def dashboard_source(fit: FitResult) -> Source:
    """Return what a dashboard may ask of a fit."""
    schema, summary = fit.schema, fit.attention_summary
    members, steps = summary.per_seed, summary.per_seed_step
    if fit.full is not None:  # one network a seed, in which order columns are read the folds tell
        members, steps = (values.mean(axis=0, keepdims=True) for values in (members, steps))
    return Source(
        target=schema.target,
        task=schema.task,
        classes=tuple(str(label) for label in schema.classes),
        metric=fit.metric.name,
        metric_cuts=fit.metric.need == "labels",
        features=summary.features,
        members=members,
        steps=steps,
        refitted=fit.full is not None,
        held_out=None if fit.full is not None else _held_out(fit),
        read=lambda data: read_frame(data, what="frame"),
        decide=fit.decision.labels,
        threshold=fit.decision.threshold,
        predict=fit._predict,  # noqa: SLF001 - a view of the fit
        attend=lambda frame: attend(fit, frame),
        truth=lambda frame: _truth(fit, frame),
        trained_on=lambda frame: _trained_on(fit, frame),
        score=lambda y, predicted: fit.metric.score(y, predicted, None, _labels(fit)),
    )


def _labels(fit: FitResult) -> np.ndarray | None:
    return fit.classes_ if fit.schema.classes else None


def _held_out(fit: FitResult) -> Judged | None:
    """Return the rows that some fold held out; time-forward splits leave the first ones out."""
    prediction = fit.oof[fit.has_target]
    known = ~np.isnan(prediction.reshape(len(prediction), -1)[:, 0])
    return Judged(fit.target[known], prediction[known]) if known.any() else None


def _truth(fit: FitResult, frame: pd.DataFrame) -> Floats | None:
    target = fit.schema.target
    if target not in frame.columns or frame[target].isna().all():
        return None
    _, series, keep, _ = split_target(frame, target)
    truth = np.full(len(frame), np.nan)
    truth[keep] = encode_target(series, fit.schema)
    return truth


def _trained_on(fit: FitResult, frame: pd.DataFrame) -> Floats | None:
    """Return the out-of-fold predictions if these are the training rows: the same targets."""
    if fit.full is not None or len(frame) != len(fit.oof):
        return None
    truth = _truth(fit, frame)
    if truth is None or not np.array_equal(~np.isnan(truth), fit.has_target):
        return None
    return fit.oof if np.array_equal(truth[fit.has_target], fit.target) else None
