"""From raw rows to what a network reads: every member by the tables of its own training rows.

The tables are buffers of the network, so that training, prediction and export share one
encoding, and the rows themselves lie in memory once for all members.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from tabnet_auto.design import MISSING_CODE, UNKNOWN_CODE, Layout, MemberTables
from tabnet_auto.net.layers import MemberRandom
from tabnet_auto.net.native import library


class Tables(NamedTuple):
    """Tables of rows, and where in them members find theirs.

    ``x_num (N, n_numeric)`` and ``codes (N, n_category)`` in ``rows (M, B)``;
    ``x_stat (N', n_statistic)``, which differ between members, in ``rows_stat (M, B)``.
    """

    x_num: Tensor
    codes: Tensor
    x_stat: Tensor
    rows: Tensor
    rows_stat: Tensor


class RawRows(NamedTuple):
    """A minibatch of raw rows, one set of rows a member.

    ``x_num (M, B, n_numeric)`` raw values with NaN, ``codes (M, B, n_category)`` shared codes,
    ``x_stat (M, B, n_statistic)`` standardised statistics with NaN.
    """

    x_num: Tensor
    codes: Tensor
    x_stat: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Members and rows, ``(M, B)``."""
        return self.codes.shape[0], self.codes.shape[1]

    def gathered(self) -> RawRows:
        """Return the rows as they are."""
        return self

    def tables(self) -> Tables:
        """Return the rows as tables that hold nothing else."""
        rows = torch.arange(math.prod(self.shape), device=self.codes.device).view(self.shape)
        x_num, codes, x_stat = (block.flatten(0, 1) for block in self)
        return Tables(x_num, codes, x_stat, rows, rows)

    def part(self, rows: slice) -> RawRows:
        """Return some of every member's rows."""
        return RawRows(*(block[:, rows] for block in self))


class IndexedRows(NamedTuple):
    """A minibatch of raw rows that is read from where all N rows lie.

    ``x_num (N, n_numeric)``, ``codes (N, n_category)`` and ``x_stat (M, N, n_statistic)`` hold
    what those of :class:`RawRows` do; ``rows (M, B)`` says which ones each member reads.
    """

    x_num: Tensor
    codes: Tensor
    x_stat: Tensor
    rows: Tensor

    @property
    def shape(self) -> tuple[int, int]:
        """Members and rows, ``(M, B)``."""
        return self.rows.shape[0], self.rows.shape[1]

    def gathered(self) -> RawRows:
        """Copy the rows together."""
        x_num, codes, x_stat, rows, rows_stat = self.tables()
        return RawRows(_taken(x_num, rows), _taken(codes, rows), _taken(x_stat, rows_stat))

    def tables(self) -> Tables:
        """Return the tables that the rows lie in."""
        n_members, n_rows = self.x_stat.shape[:2]
        first = torch.arange(n_members, device=self.rows.device).unsqueeze(1) * n_rows
        x_stat = self.x_stat.flatten(0, 1)
        return Tables(self.x_num, self.codes, x_stat, self.rows, self.rows + first)

    def of_members(self, members: slice) -> IndexedRows:
        """Return the rows of some members."""
        return self._replace(x_stat=self.x_stat[members], rows=self.rows[members])


def _taken(table: Tensor, rows: Tensor) -> Tensor:
    """``table[rows]`` of rows ``(M, B)``: copied whole, faster than elements are."""
    return table.index_select(0, rows.flatten()).view(*rows.shape, table.shape[1])


class Encoded(NamedTuple):
    """The same rows as each member reads them.

    ``value (M, B, V)``: numeric features, then statistics, robustly scaled and smoothly clipped
    to (-3, 3), 0 where missing. ``position (M, B, V)``: the value's place between 0 and 1 among
    the member's training rows. ``missing (M, B, V)`` bool. ``level (M, B, C)``: embedding row
    within each category feature (0 unknown, 1 missing).
    """

    value: Tensor
    position: Tensor
    missing: Tensor
    level: Tensor


class MemberInputs(nn.Module):
    """Apply the members' tables to raw rows.

    In training (``random`` given) whole columns turn missing with probability
    ``column_dropout`` and category levels turn unknown with probability ``unknown_rate``, so
    that the missing and unknown tokens are learned, and predictions on rows that lack a column
    stay within what the network has seen. A network that reads no positions says so
    (``needs_position``), and saves the search among the quantiles.
    """

    center: Tensor
    scale: Tensor
    quantiles: Tensor
    lookup: Tensor
    code_offset: Tensor
    feature_to_column: Tensor

    def __init__(
        self,
        layout: Layout,
        tables: MemberTables,
        *,
        scaling: str = "robust",
        unknown_rate: float = 0.01,
        column_dropout: float = 0.01,
        needs_position: bool = True,
    ) -> None:
        super().__init__()
        self.needs_position = needs_position
        self.scaling = scaling
        self.unknown_rate = unknown_rate
        self.column_dropout = column_dropout
        offsets = np.concatenate([[0], np.cumsum(layout.n_codes)])[: len(layout.n_codes)]
        self.register_buffer("center", torch.from_numpy(np.array(tables.center))[:, None])
        self.register_buffer("scale", torch.from_numpy(np.array(tables.scale))[:, None])
        self.register_buffer("quantiles", torch.from_numpy(np.array(tables.quantiles, order="C")))
        self.register_buffer("lookup", torch.from_numpy(tables.lookup.astype(np.int64)))
        self.register_buffer(
            "code_offset", torch.from_numpy(offsets.astype(np.int64)), persistent=False
        )
        columns = layout.feature_to_column
        split = [len(layout.numeric), len(layout.category), len(layout.statistic)]
        numeric, category, statistic = np.split(columns, np.cumsum(split)[:2])
        ordered = np.concatenate([numeric, statistic, category])
        self.register_buffer("feature_to_column", torch.from_numpy(ordered), persistent=False)
        self.n_columns = len(layout.columns)
        self.level_of_number = layout.level_of_number
        self.n_values = len(numeric) + len(statistic)
        self.n_levels = tuple(int(n) for n in tables.n_levels)

    @property
    def n_members(self) -> int:
        """Number of members."""
        return self.center.shape[0]

    def forward(self, rows: RawRows | IndexedRows, random: MemberRandom | None = None) -> Encoded:
        """Encode raw rows; give ``random`` in training only."""
        gone, unknown = self._gone(rows, random), self._unknown(rows, random)
        if self._is_native(rows):
            return self._encode_natively(rows.tables(), gone, unknown)
        return self._encode(rows.gathered(), gone, unknown)

    def _encode(self, rows: RawRows, gone: Tensor | None, unknown: Tensor | None) -> Encoded:
        scaled = (rows.x_num - self.center) / self.scale
        value = torch.cat([scaled.to(rows.x_stat.dtype), rows.x_stat], dim=2)
        missing = torch.isnan(value)
        if gone is not None:
            missing = missing | gone[:, :, self.feature_to_column[: self.n_values]]
        value = value.masked_fill(missing, 0.0)
        rank = self._rank(rows.x_num) if self.needs_position else None
        position = self._position(rank, rows.x_stat, missing)
        if self.scaling == "quantile":
            value = _normal_quantile(position)
        level = self._levels(rows.codes, gone, unknown)
        return Encoded(_smooth_clip(value), position, missing, level)

    def _is_native(self, rows: RawRows | IndexedRows) -> bool:
        exact = rows.x_num.dtype == self.center.dtype == torch.float64
        coded = rows.codes.dtype == torch.int32
        return exact and coded and self.scaling == "robust" and library.is_usable(rows.x_stat)

    def _encode_natively(
        self, tables: Tables, gone: Tensor | None, unknown: Tensor | None
    ) -> Encoded:
        """Encode from where the rows lie, in one pass for each kind of features."""
        x_num, codes, x_stat, rows, rows_stat = (block.contiguous() for block in tables)
        (n_members, n), column = rows.shape, self.feature_to_column
        value = torch.empty(n_members, n, self.n_values)
        missing = torch.empty(value.shape, dtype=torch.bool)
        library.call(
            "encode_values", x_num, rows, x_stat, rows_stat, self.center.contiguous(),
            self.scale.contiguous(), gone, column, value, missing, n_members, n,
            x_num.shape[1], x_stat.shape[1], self.n_columns,
        )  # fmt: skip
        rank, statistics = None, value[..., :0]
        if self.needs_position:
            rank, quantiles = value.new_empty(n_members, n, x_num.shape[1]), self.quantiles
            sizes = *rank.shape, quantiles.shape[2]
            library.call("rank_values", x_num, rows, quantiles.contiguous(), rank, *sizes)
            statistics = _taken(x_stat, rows_stat)
        level = torch.empty(n_members, n, codes.shape[1], dtype=torch.int64)
        library.call(
            "encode_levels", codes, rows, self.lookup.contiguous(), self.code_offset, gone,
            unknown, column[self.n_values :], level, *level.shape, self.n_columns,
            self.lookup.shape[1],
        )  # fmt: skip
        return Encoded(value, self._position(rank, statistics, missing), missing, level)

    def _position(self, rank: Tensor | None, x_stat: Tensor, missing: Tensor) -> Tensor:
        """Place of each value among its training rows; 0.5 where missing or no one asks."""
        if rank is None:
            half = torch.full((), 0.5, dtype=x_stat.dtype, device=x_stat.device)
            return half.expand(missing.shape)
        position = torch.cat([rank.to(x_stat.dtype), _normal_cdf(x_stat)], 2)
        return position.masked_fill_(missing, 0.5)

    def _rank(self, x: Tensor) -> Tensor:
        """Linearly interpolated place among the member's quantiles; ``(M, B, n_numeric)``."""
        if x.shape[2] == 0:
            return x
        n = self.quantiles.shape[2]
        values = x.transpose(1, 2).contiguous()
        right = torch.searchsorted(self.quantiles, values).clamp_(1, n - 1)
        low, high = self.quantiles.gather(2, right - 1), self.quantiles.gather(2, right)
        share = ((values - low) / (high - low).clamp_min(1e-300)).clamp_(0.0, 1.0)
        return ((right - 1 + share) / (n - 1)).transpose(1, 2)

    def _levels(self, codes: Tensor, gone: Tensor | None, unknown: Tensor | None) -> Tensor:
        """Each member's embedding rows: its own, missing of gone columns, unknown where told."""
        if codes.shape[2] == 0:
            return codes.long()
        flat = (codes.long() + self.code_offset).flatten(1)
        level = self.lookup.gather(1, flat).view(codes.shape)
        if gone is not None:
            column = self.feature_to_column[self.n_values :]
            level = level.masked_fill(gone[:, :, column], MISSING_CODE)
        return level if unknown is None else level.masked_fill(unknown, UNKNOWN_CODE)

    def _gone(self, rows: RawRows | IndexedRows, random: MemberRandom | None) -> Tensor | None:
        """Which columns turn missing in training; bool ``(M, B, n_columns)``."""
        if random is None:
            return None
        rates = random.rates("column_dropout", self.column_dropout)
        if not rates.any():
            return None
        return random.happens(rates, rows.shape[1], self.n_columns).to(rows.codes.device)

    def _unknown(self, rows: RawRows | IndexedRows, random: MemberRandom | None) -> Tensor | None:
        """Which levels turn unknown in training; bool ``(M, B, n_category)``."""
        n_category = rows.codes.shape[-1]
        if n_category == 0 or random is None or self.unknown_rate == 0:
            return None
        rates = random.rates("unknown_rate", self.unknown_rate)
        return random.happens(rates, rows.shape[1], n_category).to(rows.codes.device)


def _smooth_clip(x: Tensor) -> Tensor:
    """Map the line smoothly into (-3, 3) (RealMLP, arXiv 2407.04491, section 3.1)."""
    x = x.clamp(-1e9, 1e9)  # further out the result is the same, and the square has no room
    return x * torch.rsqrt(1.0 + (x / 3.0).square())


def _normal_cdf(x: Tensor) -> Tensor:
    return 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


def _normal_quantile(p: Tensor) -> Tensor:
    return math.sqrt(2.0) * torch.erfinv((2.0 * p - 1.0).clamp(-0.9999, 0.9999))
