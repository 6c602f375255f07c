"""Controls that need a second training: decoy columns, and a target that nothing can tell."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tabnet_auto.attention.read import Floats, held_out_sample, over_seeds, read_sample
from tabnet_auto.config import Preset
from tabnet_auto.design import Design, Feature, Layout, MemberTables
from tabnet_auto.errors import InputError
from tabnet_auto.trace import Trace
from tabnet_auto.train.members import Task, train_members

DECOY = "decoy of "
"""What the name of a decoy column begins with."""
SAMPLE_ROWS = 2000


@dataclass(frozen=True, eq=False)
class Controls:
    """What networks trained anew look at where the truth is known; None where not asked for.

    ``decoys``
        The decoy columns: copies of the user's columns, shuffled among the rows.
    ``decoy_mass``
        ``(n_folds,)``: their share of the attention on held-out rows; 0 is right.
    ``null_evenness``
        ``(n_folds,)``: entropy of the attention of held-out rows under a shuffled target, as a
        share of that of uniform weights, mean over rows; 1 is right, nothing is worth reading.
    """

    decoys: tuple[str, ...] = ()
    decoy_mass: Floats | None = None
    null_evenness: Floats | None = None


def decoy_mass(task: Task, preset: Preset, n: int, seed: int) -> tuple[tuple[str, ...], Floats]:
    """Train anew with ``n`` decoys; return their names and their share in each fold."""
    extended = with_decoys(task, n, seed)
    weights = _train_and_read(extended, preset)
    share = weights[:, :, len(task.layout.columns) :].sum(axis=2).mean(axis=1, dtype=float)
    names = extended.layout.columns[len(task.layout.columns) :]
    return names, over_seeds(share, task.folds.fold).astype(float)


def null_evenness(task: Task, preset: Preset) -> Floats:
    """Train anew on a task whose target was shuffled; return how even the attention is."""
    weights = _train_and_read(task, preset).astype(float)
    even = evenness(weights).mean(axis=1)
    return over_seeds(even, task.folds.fold).astype(float)


def evenness(weights: NDArray[np.floating]) -> Floats:
    """Entropy over the last axis as a share of that of uniform weights; 1 with one column.

    >>> evenness(np.array([[0.5, 0.5, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25]])).tolist()
    [0.5, 1.0]
    """
    n = weights.shape[-1]
    if n == 1:
        return np.ones(weights.shape[:-1])
    entropy: Floats = -(weights * np.log(np.maximum(weights, 1e-12))).sum(axis=-1)
    return entropy / np.log(n)


def _train_and_read(task: Task, preset: Preset) -> NDArray[np.float32]:
    net, _ = train_members(
        task, preset.net, preset.train,
        device=torch.device("cpu"), deadline=None, trace=Trace(),
    )  # fmt: skip
    return read_sample(net, held_out_sample(task, SAMPLE_ROWS, torch.device("cpu"))).weights


def with_decoys(task: Task, n: int, seed: int) -> Task:
    """Return the task with copies of ``n`` random columns, each shuffled among the rows.

    A decoy has its original's values, levels, missing cells and tables, and tells nothing.

    Raises
    ------
    InputError
        If ``n`` is less than 1 or more than the number of columns.
    """
    names = task.layout.columns
    if not 1 <= n <= len(names):
        raise InputError(
            f"decoys must be from 1 to the number of columns ({len(names)}), however: {n!r}."
        )
    random = np.random.default_rng(seed)
    layout, tables, design = task.layout, task.tables, task.design
    for column in sorted(random.choice(len(names), n, replace=False).tolist()):
        shuffle = random.permutation(design.n_rows)
        layout, tables, design = _append(layout, tables, design, names[column], shuffle)
    return replace(task, layout=layout, tables=tables, design=design)


def _append(
    layout: Layout, tables: MemberTables, design: Design, column: str, shuffle: NDArray[np.int64]
) -> tuple[Layout, MemberTables, Design]:
    """Append a shuffled copy of one column."""
    blocks = (layout.numeric, layout.category, layout.statistic)
    numeric, category, statistic = (
        [i for i, feature in enumerate(block) if feature.column == column] for block in blocks
    )
    starts = np.cumsum([0, *layout.n_codes])
    codes = [code for i in category for code in range(starts[i], starts[i + 1])]
    name = DECOY + column
    numeric_names, category_names, statistic_names = (
        tuple(Feature(DECOY + block[i].name, name, block[i].kind) for i in own)
        for block, own in zip(blocks, (numeric, category, statistic), strict=True)
    )
    return (
        Layout(
            columns=(*layout.columns, name),
            numeric=(*layout.numeric, *numeric_names),
            category=(*layout.category, *category_names),
            statistic=(*layout.statistic, *statistic_names),
            n_codes=(*layout.n_codes, *(layout.n_codes[i] for i in category)),
        ),
        replace(
            tables,
            quantiles=_with(tables.quantiles, tables.quantiles[:, numeric], axis=1),
            center=_with(tables.center, tables.center[:, numeric], axis=1),
            scale=_with(tables.scale, tables.scale[:, numeric], axis=1),
            lookup=_with(tables.lookup, tables.lookup[:, codes], axis=1),
            n_levels=_with(tables.n_levels, tables.n_levels[category], axis=0),
        ),
        replace(
            design,
            x_num=_with(design.x_num, design.x_num[shuffle][:, numeric], axis=1),
            codes=_with(design.codes, design.codes[shuffle][:, category], axis=1),
            x_stat=_with(design.x_stat, design.x_stat[:, shuffle][:, :, statistic], axis=2),
        ),
    )


def _with(array: NDArray[Any], more: NDArray[Any], axis: int) -> NDArray[Any]:
    return np.concatenate([array, more], axis=axis)
