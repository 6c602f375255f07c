"""What members say of their own rows: outputs, losses, scores, and what they looked at."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabnet_auto.train.loss import weighted_mean
from tabnet_auto.train.memory import piece_rows
from tabnet_auto.train.pieces import in_pieces
from tabnet_auto.train.rows import RowStore, Targets, padded

VALID_CHUNK = 4096
"""Rows of one forward pass in validation."""
ATTENTION_COLUMNS = 16
"""Columns whose attention is told every epoch: those most read."""

ScoreMembers = Callable[[int, NDArray[np.int64], NDArray[np.floating]], float]
"""``score(member, rows, outputs (n, n_outputs))``: the user's metric on a member's rows."""


class Validation(NamedTuple):
    """One entry a member: loss, score, and mean weights of the columns most read.

    ``columns`` are these columns' positions; all is NaN or empty where no member has rows.
    """

    losses: list[float]
    scores: list[float]
    columns: list[int]
    attention: list[list[float]]


def validate(
    net: nn.Module,
    store: RowStore,
    targets: Targets,
    members: Sequence[int],
    valid: Sequence[NDArray[np.int64]],
    score: ScoreMembers,
) -> Validation:
    """Measure each member on its own validation rows; ``score`` knows them by ``members``."""
    if not any(len(rows) for rows in valid):
        nothing = [math.nan] * len(valid)
        return Validation(nothing, nothing, [], [[] for _ in valid])
    index, real = (torch.from_numpy(a).to(store.x_num.device) for a in padded(valid))
    outputs, attention = outputs_and_attention(net, store, index, real)
    most_read = attention.mean(0).topk(min(ATTENTION_COLUMNS, attention.shape[1])).indices
    y, weight = targets.gather(index)
    losses = weighted_mean(targets.losses(outputs, y), weight, real).tolist()
    scores = [
        score(member, rows, outputs[position, : len(rows)].double().cpu().numpy())
        for position, (member, rows) in enumerate(zip(members, valid, strict=True))
    ]
    return Validation(losses, scores, most_read.tolist(), attention[:, most_read].tolist())


def member_outputs(net: nn.Module, store: RowStore, index: Tensor) -> Tensor:
    """Logits of each member for its own rows; index ``(M, n)``, result ``(M, n, n_outputs)``."""
    return outputs_and_attention(net, store, index, torch.ones_like(index, dtype=torch.bool))[0]


@torch.no_grad()
def outputs_and_attention(
    net: nn.Module, store: RowStore, index: Tensor, real: Tensor
) -> tuple[Tensor, Tensor]:
    """Logits ``(M, n, n_outputs)``, and mean weights ``(M, D)`` over the rows that are real."""
    net.eval()

    def chunk(part: slice) -> tuple[Tensor, Tensor]:
        output = net(store.at(index[:, part]))
        step = output.step_shares() * real[:, part]
        return output.logits, torch.matmul(step.unsqueeze(2), output.masks).squeeze(2).sum(0)

    n_rows = piece_rows(net, len(index), VALID_CHUNK)
    logits, weights = zip(*in_pieces(index.shape[1], n_rows, chunk), strict=True)
    return torch.cat(logits, dim=1), torch.stack(weights).sum(0) / real.sum(1, keepdim=True)
