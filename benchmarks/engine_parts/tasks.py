"""The tasks: what auto_fit lays down before it trains, and the same numbers for the peers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from data import read_split

from tabnet_auto.config import EncodeConfig
from tabnet_auto.encode.encoder import fit_encoder
from tabnet_auto.folds import make_folds
from tabnet_auto.infer import infer_schema
from tabnet_auto.metrics import get_metric
from tabnet_auto.table import read_table
from tabnet_auto.target import encode_target
from tabnet_auto.train.members import Task


def read_frame(dataset: str, folder: Path, rows: int | None) -> tuple[pd.DataFrame, str, str]:
    """Return frame, target, task: the first ``rows`` of covertype's shuffle, or adult's training.

    Covertype without ``rows`` is the whole table.
    """
    split = read_split(dataset, folder, rows=rows)
    whole = [split.train] if dataset == "adult" else [split.train, split.test]
    frame = pd.concat(whole, ignore_index=True)[:rows]
    return frame, split.target, split.task


def numeric_roles(dataset: str, frame: pd.DataFrame, target: str) -> dict[str, str] | None:
    """Covertype's 0/1 columns are numbers for both systems.

    As embeddings, which the package would choose, they would cost pytorch-tabnet 42 lookups a
    batch that its users, who feed them as they are, do not pay.
    """
    return dict.fromkeys(frame.columns.drop(target), "numeric") if dataset == "covertype" else None


def make_task(
    frame: pd.DataFrame,
    target: str,
    task: str,
    *,
    folds: Any = 5,
    roles: dict[str, str] | None = None,
) -> Task:
    """Lay down what is learned, in the steps of ``auto_fit``."""
    table = read_table(frame, target)
    schema = infer_schema(table.frame, target, task=task, roles=roles, ignore=table.ignore)
    y = encode_target(table.frame[target], schema)
    split = make_folds(schema.task, y, folds=folds)
    encoder, design = fit_encoder(table.frame, schema, split, y, EncodeConfig())
    classes = np.array(schema.classes) if schema.classes else None
    metric = get_metric("auto", schema.task)
    return Task(design.with_target(y), encoder.layout, encoder.tables, split, metric, classes)


def synthetic(n_rows: int, n_columns: int, seed: int = 0) -> pd.DataFrame:
    """Normal columns ``x0 ...`` and a target ``y`` that depends on a few of them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n_rows, n_columns)).astype(np.float32)
    signal = x[:, 0] + x[:, 1 % n_columns] * x[:, 2 % n_columns] + 0.5 * rng.normal(size=n_rows)
    frame = pd.DataFrame(x, columns=[f"x{i}" for i in range(n_columns)])
    return frame.assign(y=signal)


def holdouts(n_rows: int, n_folds: int, share: float = 0.2) -> list[tuple[Any, Any]]:
    """Random hold-outs of equal size: members' rows do not depend on their number."""
    cut = max(1, round(n_rows * share))
    orders = [np.random.default_rng(i).permutation(n_rows) for i in range(n_folds)]
    return [(order[cut:], order[:cut]) for order in orders]


def peer_columns(task: Task) -> dict[str, list[Any]]:
    """Tell pytorch-tabnet what its columns are: categories last, grouped as the package groups."""
    n_num, n_cat = len(task.layout.numeric), len(task.layout.category)
    n_stat = len(task.layout.statistic)
    of_column = task.layout.feature_to_column
    ordered = np.r_[of_column[:n_num], of_column[n_num + n_cat :], of_column[n_num : n_num + n_cat]]
    groups = [np.flatnonzero(ordered == column).tolist() for column in np.unique(ordered)]
    return {
        "cat_idxs": list(range(n_num + n_stat, n_num + n_stat + n_cat)),
        "cat_dims": [int(n) for n in task.tables.n_levels],
        "grouped_features": [group for group in groups if len(group) > 1],
    }


def peer_matrix(task: Task, member: int, rows: np.ndarray | None = None) -> np.ndarray:
    """A member's encoded rows ``(n, F)`` float32: scaled values, statistics, level codes."""
    design, tables = task.design, task.tables
    rows = np.arange(design.n_rows) if rows is None else rows
    spread = np.where(tables.scale[member] == 0, 1.0, tables.scale[member])
    scaled = (design.x_num[rows] - tables.center[member]) / spread
    values = np.nan_to_num(np.concatenate([scaled, design.x_stat[member][rows]], axis=1))
    offsets = np.concatenate([[0], np.cumsum(task.layout.n_codes)[:-1]]).astype(np.int64)
    offsets = offsets[: design.codes.shape[1]]
    levels = tables.lookup[member][design.codes[rows] + offsets]
    clipped = values / np.sqrt(1.0 + (values / 3.0) ** 2)
    return np.concatenate([clipped, levels], axis=1).astype(np.float32)


def write_peer_data(task: Task, path: Path, *, predict_rows: int = 0) -> Path:
    """Write every fold's matrices where a peer's process reads them."""
    y = np.asarray(task.design.y)
    blocks: dict[str, np.ndarray] = {}
    for fold in range(task.folds.n_members):
        whole = peer_matrix(task, fold)
        train, valid = task.folds.train[fold], task.folds.valid[fold]
        blocks[f"x_train{fold}"], blocks[f"y_train{fold}"] = whole[train], y[train]
        blocks[f"x_valid{fold}"], blocks[f"y_valid{fold}"] = whole[valid], y[valid]
        if predict_rows:
            blocks[f"x_test{fold}"] = np.resize(whole, (predict_rows, whole.shape[1]))
    np.savez(path, **blocks)
    return path


def by_median(values: Sequence[float]) -> float:
    """Median of a few seconds."""
    return float(np.median(values))
