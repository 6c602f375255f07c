"""Predictions of all members for the same or for their own rows, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tabnet_auto.design import Design, MemberTables
from tabnet_auto.metrics.objective import SQUARED, Objective
from tabnet_auto.net.output import Output
from tabnet_auto.train.memory import piece_rows
from tabnet_auto.train.pieces import in_pieces
from tabnet_auto.train.rows import RowStore

CHUNK_CELLS = 20_000_000
"""Members x rows x row-vector elements of one forward pass, about: bounds the memory."""


def chunk_rows(net: nn.Module, n_members: int) -> int:
    """Rows of one forward pass that keep memory bounded, however wide the network."""
    widest = max((p.shape[1] for p in net.parameters() if p.ndim == 3), default=1)
    rows = max(64, min(8192, CHUNK_CELLS // (n_members * max(widest, 64))))
    return piece_rows(net, n_members, rows)


@torch.no_grad()
def forward_chunks(net: nn.Module, design: Design, n_members: int) -> Iterator[Output]:
    """Pass the same rows through all members, chunk by chunk."""
    net.eval()
    device = next(net.parameters()).device
    store = RowStore(design, device)

    def chunk(part: slice) -> Output:
        return net(store.shared(part.start, part.stop))

    yield from in_pieces(design.n_rows, chunk_rows(net, n_members), chunk)


def to_predictions(
    logits: Tensor, tables: MemberTables, *, is_class: bool, objective: Objective = SQUARED
) -> NDArray[np.float64]:
    """Class probabilities ``(M, n, n_classes)``, or values ``(M, n)`` in the target's units."""
    if is_class:
        return logits.double().softmax(dim=2).cpu().numpy()
    values: NDArray[np.float64] = logits.squeeze(2).double().cpu().numpy()
    return objective.values(values, tables.y_center[:, None], tables.y_scale[:, None])


def predict_members(
    net: nn.Module,
    design: Design,
    tables: MemberTables,
    *,
    is_class: bool,
    objective: Objective = SQUARED,
) -> Iterator[NDArray[np.float64]]:
    """Yield every member's predictions of the rows, chunk by chunk along the rows."""
    for output in forward_chunks(net, design, tables.n_members):
        yield to_predictions(output.logits, tables, is_class=is_class, objective=objective)
