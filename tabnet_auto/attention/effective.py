r"""Effective attention: how far a column's value could move the output through the weights.

A weight says how much of a column is read, not what becomes of it: the value may hardly vary, or
what is behind the mask may ignore it in this row. Attention is then no account of what the row's
output depends on (Kobayashi et al. 2020, arXiv 2004.10102, scale it by the norm of what is read).
Here a weight is scaled by what it lets through, to first order, of the column's variation to the
row's output:

.. math:: s_i = \sqrt{E_b \Big[ \Big(g \cdot \sum_t D w_i^t (x_i^t(b) - \bar{x}_i^t)
    \Big)^2 \Big]}

with the weights w of step t, values x of other rows b, and the gradient g of the output by the
hidden state that all steps add to. A column that no step reads has none, and so has one that the
trunk behind does not use. What a column says through the queries (which columns are read) does
not count, as it does not in the weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tabnet_auto.net.attention import ColumnAttention
from tabnet_auto.net.inputs import RawRows
from tabnet_auto.net.tabnet import AttentionTabNet
from tabnet_auto.net.tokens import RowTokens, TokenLinear
from tabnet_auto.train.predict import chunk_rows

N_OTHERS = 128
"""Rows whose values take the place of a row's own, at most."""
N_DIRECTIONS = 4
"""Directions in which the outputs of several classes are followed, at most."""


def effective_attention(
    net: AttentionTabNet, rows: RawRows, others: RawRows
) -> NDArray[np.float32]:
    """Return each row's effective attention, as shares of the columns; ``(M, n, D)``.

    Where nothing moves the output, the shares are those of the weights. ``others`` are rows of
    every member (not too few) that say how values vary.
    """
    net.eval()
    n_members, n = rows.shape
    with torch.no_grad():
        varied = _centred(net.tokens(net.inputs(others)))
    parts = []
    size = max(1, chunk_rows(net, n_members) // 4)
    for start in range(0, n, size):
        part = rows.part(slice(start, start + size))
        parts.append(_shares(net, part, varied).cpu().numpy())
    return np.concatenate(parts, axis=1)


class _Passed(NamedTuple):
    """The hidden state ``(M, B, H)`` of rows, and each step's weights ``(S, M, B, D)``."""

    state: Tensor
    weights: Tensor


def _shares(net: AttentionTabNet, rows: RawRows, varied: Tensor) -> Tensor:
    passed = _pass(net, rows)
    squares: Tensor | float = 0.0
    for gradient in _gradients(net, passed.state):
        squares = squares + _moved(net, gradient, passed.weights, varied)
    assert isinstance(squares, Tensor)
    moved = squares.sqrt()
    total = moved.sum(2, keepdim=True)
    return torch.where(total > 0.0, moved / total.clamp_min(1e-30), passed.weights.mean(0))


@torch.no_grad()
def _pass(net: AttentionTabNet, rows: RawRows) -> _Passed:
    tokens = net.tokens(net.inputs(rows))
    seen = torch.relu(net.context.sum(tokens) + net.context_bias)
    state, weights = net.bias, []
    for step in _steps(net):
        attended = step(tokens, seen)
        state = state + attended.output
        seen = torch.relu(state)
        weights.append(attended.weights)
    return _Passed(state, torch.stack(weights))


def _gradients(net: AttentionTabNet, state: Tensor) -> list[Tensor]:
    """Gradients of the outputs by the state, in each of some directions; ``(M, B, H)`` each.

    Of K classes only differences count: directions sum to zero. For more than a few classes
    they are random, and the mean square over them is that over all.
    """
    state = state.detach().requires_grad_()
    with torch.enable_grad():
        hidden = net.first(state, None)
        for layer, activation in zip(net.layers, net.activations, strict=True):
            hidden = activation(layer(hidden), None)
        logits = net.head(hidden)
        n_outputs = logits.shape[2]
        directions = np.eye(n_outputs)
        if n_outputs > N_DIRECTIONS:
            directions = np.random.default_rng(0).normal(size=(N_DIRECTIONS, n_outputs))
        if n_outputs > 1:
            directions = directions - directions.mean(axis=1, keepdims=True)
        along = logits @ torch.from_numpy(directions.T).to(logits)
        return [
            torch.autograd.grad(along[..., i].sum(), state, retain_graph=True)[0]
            for i in range(along.shape[2])
        ]


@torch.no_grad()
def _moved(net: AttentionTabNet, gradient: Tensor, weights: Tensor, varied: Tensor) -> Tensor:
    """Mean square of what other rows' values would change; ``(M, B, D)``."""
    column = _column_of_elements(net)
    towards: Tensor | float = 0.0
    for own, step in zip(weights, _steps(net), strict=True):
        of_element = torch.bmm(gradient, _elements_map(net, step.value).transpose(1, 2))
        towards = towards + net.inputs.n_columns * own.index_select(2, column) * of_element
    assert isinstance(towards, Tensor)
    squares = []
    for i in range(net.inputs.n_columns):
        mine = torch.nonzero(column == i).flatten()
        change = torch.bmm(towards[:, :, mine], varied[:, :, mine].transpose(1, 2))
        squares.append(change.square().mean(2))
    return torch.stack(squares, 2)


def _centred(tokens: RowTokens) -> Tensor:
    """All elements of rows' tokens, around their means; ``(M, B, E)``."""
    elements = torch.cat([tokens.elements.flatten(2), tokens.levels.flatten(2)], 2)
    return elements - elements.mean(1, keepdim=True)


def _elements_map(net: AttentionTabNet, value: TokenLinear) -> Tensor:
    """Map of all elements of a row to the hidden state; ``(M, E, H)``."""
    of_values = net.tokens.value_scale.flatten(1).unsqueeze(2) * value.of_values
    return value.factor * torch.cat([of_values, value.of_levels], 1)


def _column_of_elements(net: AttentionTabNet) -> Tensor:
    """Which of the user's columns each element comes from; ``(E,)``."""
    _, n_values, value_width = net.tokens.value_scale.shape
    columns = net.inputs.feature_to_column
    return torch.cat([
        columns[:n_values].repeat_interleave(value_width),
        columns[n_values:].repeat_interleave(net.tokens.level_scale.shape[3]),
    ])  # fmt: skip


def _steps(net: AttentionTabNet) -> Iterable[ColumnAttention]:
    return cast("Iterable[ColumnAttention]", net.steps)
