"""A frame with a target goes back through a fit: held-out rows, and controls trained anew."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tabnet_auto.attention.controls import Controls, decoy_mass, null_evenness
from tabnet_auto.design import Design
from tabnet_auto.encode.encoder import Encoder, fit_encoder
from tabnet_auto.errors import InputError
from tabnet_auto.frames import read_frame
from tabnet_auto.target import encode_target, split_target
from tabnet_auto.train.members import Task

if TYPE_CHECKING:
    import pandas as pd

    from tabnet_auto.result.fit import FitResult


def held_out_task(fit: FitResult, frame: pd.DataFrame | str | Path) -> Task:
    """Return the rows of a frame as a task whose validation rows each member has not learned from.

    The training frame is recognised by its target; any other frame's rows are taken for new.

    Raises
    ------
    InputError
        If the frame has no target, or its target has a class that the fit does not know.
    """
    features, y, is_training = _read(fit, frame)
    folds = fit.members
    if is_training and fit.full is not None:
        raise InputError(
            "Trust is measured on rows that the networks have not learned from, however: these "
            "networks were refitted on all rows. Ask the fit before refit_full(), or pass new rows."
        )
    if not is_training:
        folds = replace(folds, valid=(np.arange(len(y)),) * folds.n_members)
    design = fit.encoder.encode(features).with_target(y)
    return replace(_task(fit, fit.encoder, design), folds=folds)


def run_controls(
    fit: FitResult,
    frame: pd.DataFrame | str | Path,
    *,
    decoys: int,
    shuffled_target: bool,
    seed: int,
) -> Controls:
    """Train anew with decoy columns, and on a shuffled target, as asked for.

    Raises
    ------
    InputError
        If ``frame`` is not the training frame, or there are more decoys than columns.
    """
    features, y, is_training = _read(fit, frame)
    if not is_training:
        raise InputError(
            "decoys and shuffled_target train anew and need the training frame, however: the "
            f"target of this frame ({len(y)} rows) is not the one learned from."
        )
    names: tuple[str, ...] = ()
    mass = even = None
    if decoys:
        task = _encode_anew(fit, features, y)
        names, mass = decoy_mass(task, fit.preset, decoys, seed)
    if shuffled_target:
        shuffled = np.random.default_rng(seed).permutation(y)
        even = null_evenness(_encode_anew(fit, features, shuffled), fit.preset)
    return Controls(names, mass, even)


def _read(
    fit: FitResult, frame: pd.DataFrame | str | Path
) -> tuple[pd.DataFrame, NDArray[Any], bool]:
    """Features and encoded target of the rows that have one, and whether the fit knows them."""
    whole = read_frame(frame, what="rows")
    features, series, has_target, _ = split_target(whole, fit.schema.target)
    y = encode_target(series, fit.schema)
    same = np.array_equal(has_target, fit.has_target) and np.array_equal(y, fit.target)
    return features, y, same


def _encode_anew(fit: FitResult, features: pd.DataFrame, y: NDArray[Any]) -> Task:
    """Learn every member's tables again: training rows need their cross-fitted statistics."""
    encoder, design = fit_encoder(
        features, fit.schema, fit.folds, fit.objective.learned(y), fit.preset.encode
    )
    return _task(fit, encoder, design.with_target(y))


def _task(fit: FitResult, encoder: Encoder, design: Design) -> Task:
    classes = None if fit.task == "regression" else fit.classes_
    return Task(
        design, encoder.layout, encoder.tables, fit.folds, fit.metric, classes, fit.objective
    )
