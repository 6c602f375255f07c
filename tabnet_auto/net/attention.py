"""The attention unit: weights over the user's columns, and the weighted sum of their values."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from tabnet_auto.config import SparseMap
from tabnet_auto.net.layers import MemberRandom, parameter
from tabnet_auto.net.sparse import SPARSE_MAPS
from tabnet_auto.net.tokens import RowTokens, TokenLinear


class Attended(NamedTuple):
    """``output (M, B, H)``: the weighted sum; ``weights (M, B, D)``: what it looked at."""

    output: Tensor
    weights: Tensor


class ColumnAttention(nn.Module):
    r"""Attend to the columns of a row.

    .. math:: y = \sum_i w_i x_i, \qquad w_i = \frac{\exp(q \cdot k_i)}{\sum_j \exp(q \cdot k_j)}

    with keys :math:`k_i = c_i + K_i e_i` and values :math:`x_i = D V_i e_i` made from the token
    :math:`e_i` of column i (D columns), and a query :math:`q = q_0 + U^\top h` where h is what
    the previous step saw. Without U, and for members whose ``asks_by_row (M, 1, 1)`` is 0, it is a
    constant, the specification's form: on small data U also learns the rows (trials in
    benchmarks/trials.md).
    ``sparse_map`` puts sparsemax or entmax-1.5 in the softmax's place.

    Most of a key is the column's own :math:`c_i`; what the value says starts at a tenth of that
    and learns at a twentieth of the rate, and U at 0.15 of it: faster, they learn noise before
    there is a signal (benchmarks/trials.md, "Averaged weights"). Without :math:`c_i` a column is
    told by its value only, and the weights of a column that never matters come and go with the
    value: on Syn2 and Syn4 of the TabNet paper, at equal AUC, :math:`c_i` raises the average
    precision of the weights against the true columns of each row from 0.96 to 1.00 and from 0.70
    to 0.84 (mean of five folds).

    The factor D makes uniform weights the identity, and the query starts at zero: the network
    starts as a plain multilayer perceptron on all columns and attends where that pays. A
    learned ``strength`` :math:`a` in (0, 1) blends the weights with the uniform ones,
    :math:`w_i \leftarrow (1 - a)/D + a\,w_i`, a way out of the sum-to-one mask where columns
    are few and all matter.

    Neither keys nor values are formed: :math:`q \cdot K_i e_i = (K_i^\top q) \cdot e_i`, and
    the weighted sum is one matrix product of the weighted tokens.

    **Shape**: :class:`RowTokens` of M members, B rows and F features, context ``(M, B, H_c)``;
    output ``(M, B, H)``, weights ``(M, B, D)``.
    """

    feature_to_column: Tensor
    asks_by_row: Tensor

    def __init__(
        self,
        feature_to_column: Tensor,
        n_columns: int,
        widths: tuple[int, int],
        n_hidden: int,
        random: MemberRandom,
        *,
        n_context: int,
        d_key: int,
        sparse_map: SparseMap,
    ) -> None:
        super().__init__()
        n_members = random.n_members
        self.n_columns = n_columns
        self.sparse_map = sparse_map
        self.register_buffer("feature_to_column", feature_to_column, persistent=False)
        self.key = TokenLinear(widths, d_key, random, n_terms=d_key, gain=0.1, lr=0.05, decay=0.0)
        self.column_key = parameter(random.normal(d_key, n_columns), decay=0.0)
        self.query = parameter(torch.zeros(n_members, 1, d_key), decay=0.0)
        self.condition = (
            parameter(torch.zeros(n_members, n_context, d_key), lr=0.15) if n_context else None
        )
        self.register_buffer("asks_by_row", torch.ones(n_members, 1, 1))
        self.strength = parameter(torch.full((n_members, 1, 1), 4.0), decay=0.0)
        self.value = TokenLinear(widths, n_hidden, random, n_terms=sum(widths))

    def forward(self, tokens: RowTokens, context: Tensor) -> Attended:
        """Return the weighted sum of the columns' values, and the weights."""
        weights = self.weights(tokens, context)
        of_feature = (self.n_columns * weights).index_select(2, self.feature_to_column)
        return Attended(self.value.sum(tokens, of_feature), weights)

    def parameters_in_order(self) -> tuple[Tensor, ...]:
        """All parameters in the order of ``native/tabnet.c``; the step must have a context."""
        assert self.condition is not None
        return (
            self.key.of_values, self.key.of_levels, self.column_key, self.query,
            self.condition * self.asks_by_row,
            self.strength, self.value.of_values, self.value.of_levels,
        )  # fmt: skip

    def weights(self, tokens: RowTokens, context: Tensor) -> Tensor:
        """Attention weights over the columns; non-negative, summing to 1; ``(M, B, D)``."""
        logits = self._logits(tokens, self._query(context))
        share = torch.sigmoid(self.strength)
        return (1.0 - share) / self.n_columns + share * SPARSE_MAPS[self.sparse_map](logits)

    def _query(self, context: Tensor) -> Tensor:
        if self.condition is None:
            return self.query.expand(-1, context.shape[1], -1)
        scale = self.condition.shape[1] ** -0.5
        return torch.baddbmm(self.query, context, self.condition * self.asks_by_row, alpha=scale)

    def _logits(self, tokens: RowTokens, query: Tensor) -> Tensor:
        """One logit a column, ``q . k_i / sqrt(d_key)``: its own and its features'."""
        of_column = torch.bmm(query, self.column_key) * (self.column_key.shape[1] ** -0.5)
        return of_column.index_add(2, self.feature_to_column, self.key.dot(tokens, query))
