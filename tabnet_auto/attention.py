"""What the networks looked at: per fold, per step, per row, how stable, and whether it matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabnet_auto.design import Design, Layout
from tabnet_auto.net.inputs import RawRows
from tabnet_auto.train.members import Task
from tabnet_auto.train.predict import chunk_rows, forward_chunks
from tabnet_auto.train.rows import RowStore, Targets

Floats = NDArray[np.float64]

SAMPLE_ROWS = 2000
"""Validation rows of each member that the summary is taken over, at most."""
HARM_COLUMNS = 64
"""Columns that are shuffled one by one, at most: each costs a pass over the sample."""


@dataclass(frozen=True, eq=False)
class AttentionSummary:
    """Mean attention over each member's own validation rows, as plain arrays.

    ``features``
        The D columns of the user, as text.
    ``members``
        ``(M, D)``: the steps averaged by their size; rows sum to 1.
    ``member_steps``
        ``(M, S, D)``: each step's mean weights; rows sum to 1.
    ``harm``
        ``(D,)``: by how much the validation loss rises, in the mean over members, when one
        column is shuffled among the validation rows (permutation importance; the check on what
        the attention says). Encoded parts of a column are shuffled together; NaN beyond the
        ``HARM_COLUMNS`` columns with the most attention, and where time was up.
    ``fold``
        Fold of each member.
    """

    features: tuple[str, ...]
    members: Floats
    member_steps: Floats
    harm: Floats
    fold: tuple[int, ...]

    @property
    def per_fold(self) -> Floats:
        """Mean attention of each fold over its seeds; ``(n_folds, D)``, rows sum to 1."""
        return self._over_seeds(self.members)

    @property
    def per_step(self) -> Floats:
        """Mean weights of each fold and step; ``(n_folds, S, D)``, rows sum to 1."""
        return self._over_seeds(self.member_steps)

    def _over_seeds(self, values: Floats) -> Floats:
        fold = np.asarray(self.fold)
        return np.stack([values[fold == i].mean(axis=0) for i in sorted(set(self.fold))])

    def stability(self) -> float:
        """Mean Spearman correlation between the folds' attention; NaN with one fold or column."""
        per_fold = self.per_fold
        pairs = [
            _spearman(per_fold[i], per_fold[j])
            for i in range(len(per_fold))
            for j in range(i + 1, len(per_fold))
        ]
        return float(np.mean(pairs)) if pairs else float("nan")

    def agreement(self) -> float:
        """Spearman correlation of mean attention with permutation importance."""
        known = ~np.isnan(self.harm)
        return _spearman(self.per_fold.mean(axis=0)[known], self.harm[known])


def _spearman(a: Floats, b: Floats) -> float:
    from scipy.stats import rankdata

    x, y = rankdata(a), rankdata(b)
    if len(x) == 0 or x.std() == 0.0 or y.std() == 0.0:
        return float("nan")
    return float(np.corrcoef(x, y)[0, 1])


def summarize_attention(
    net: nn.Module, task: Task, deadline: float | None = None
) -> AttentionSummary:
    """Measure the attention, and the harm of shuffling, on each member's validation rows.

    ``net`` holds all members' best weights. At most ``SAMPLE_ROWS`` validation rows a member
    are used, evenly spaced through the fold. After ``deadline`` (a ``time.monotonic()`` instant)
    no further column is shuffled.
    """
    net.eval()
    device = next(net.parameters()).device
    rows, losses = _validation_sample(task, device)
    base, mean, steps = _read(net, rows, losses)
    layout = task.layout
    harm = np.full(len(layout.columns), np.nan)
    order = torch.from_numpy(np.random.default_rng(0).permutation(rows.x_num.shape[1]))
    for column in np.argsort(-mean.mean(axis=0), kind="stable")[:HARM_COLUMNS]:
        if deadline is not None and monotonic() >= deadline:
            break
        shuffled = _shuffle_column(rows, layout, layout.columns[column], order.to(device))
        harm[column] = (_read(net, shuffled, losses)[0] - base).mean()
    return AttentionSummary(layout.columns, mean, steps, harm, task.folds.fold)


RowLosses = Callable[[Tensor, slice], Tensor]
"""Losses of every row from the logits of a slice of the sampled rows."""


def _validation_sample(task: Task, device: torch.device) -> tuple[RawRows, RowLosses]:
    store = RowStore(task.design, device)
    targets = Targets(task.design, task.tables, task.folds.train, device, task.objective)
    valid = task.folds.valid
    n = min(SAMPLE_ROWS, *(len(rows) for rows in valid))
    picked = [rows[np.linspace(0, len(rows) - 1, n).astype(np.int64)] for rows in valid]
    index = torch.from_numpy(np.stack(picked)).to(device)
    y, _ = targets.gather(index)
    return store.gather(index), lambda logits, part: targets.losses(logits, y[:, part])


@torch.no_grad()
def _read(net: nn.Module, rows: RawRows, losses: RowLosses) -> tuple[Floats, Floats, Floats]:
    """Mean loss ``(M,)``, mean attention ``(M, D)`` and mean step weights ``(M, S, D)``."""
    n_members, n = rows.x_num.shape[:2]
    size = chunk_rows(net, n_members)
    totals: list[Tensor] = []
    for start in range(0, n, size):
        part = slice(start, min(start + size, n))
        output = net(RawRows(*(block[:, part] for block in rows)))
        weight = output.step_size.unsqueeze(3)
        mean = (weight * output.masks).sum(0) / weight.sum(0).clamp_min(1e-12)
        sums = [losses(output.logits, part).sum(1), mean.sum(1), output.masks.sum(2)]
        totals = [a + b for a, b in zip(totals, sums, strict=True)] if totals else sums
    loss, mean, steps = (total.double().cpu().numpy() / n for total in totals)
    return loss, mean, steps.transpose(1, 0, 2)


def _shuffle_column(rows: RawRows, layout: Layout, column: str, order: Tensor) -> RawRows:
    """Exchange all encoded parts of one column among the rows."""
    blocks = []
    for block, features in zip(
        rows, (layout.numeric, layout.category, layout.statistic), strict=True
    ):
        own = [i for i, feature in enumerate(features) if feature.column == column]
        changed = block.clone() if own else block
        if own:
            changed[:, :, own] = block[:, order][:, :, own]
        blocks.append(changed)
    return RawRows(*blocks)


def row_attention(net: nn.Module, design: Design, fold: Sequence[int]) -> NDArray[np.float32]:
    """Weights of every row; ``(n_folds, S, n, D)``, the mean over each fold's seeds."""
    parts = [
        output.masks.transpose(0, 1).cpu().numpy()
        for output in forward_chunks(net, design, len(fold))
    ]
    masks = np.concatenate(parts, axis=2)
    own = np.asarray(fold)
    return np.stack([masks[own == i].mean(axis=0) for i in sorted(set(fold))])
