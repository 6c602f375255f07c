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


class RawRows(NamedTuple):
    """A minibatch of raw rows, one set of rows a member.

    ``x_num (M, B, n_numeric)`` raw values with NaN, ``codes (M, B, n_category)`` shared codes,
    ``x_stat (M, B, n_statistic)`` standardised statistics with NaN.
    """

    x_num: Tensor
    codes: Tensor
    x_stat: Tensor


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
        self.n_values = len(numeric) + len(statistic)
        self.n_levels = tuple(int(n) for n in tables.n_levels)

    @property
    def n_members(self) -> int:
        """Number of members."""
        return self.center.shape[0]

    def forward(self, rows: RawRows, random: MemberRandom | None = None) -> Encoded:
        """Encode raw rows; give ``random`` in training only."""
        gone = self._gone(rows.x_num, random)
        unknown = self._unknown(rows.codes, random)
        level = self._levels(rows.codes, gone, unknown)
        if self.scaling == "robust" and self._is_native(rows):
            value, missing = self._native_values(rows, gone)
            return Encoded(value, self._position(rows, value.dtype, missing), missing, level)
        scaled = (rows.x_num - self.center) / self.scale
        value = torch.cat([scaled.to(rows.x_stat.dtype), rows.x_stat], dim=2)
        missing = torch.isnan(value)
        if gone is not None:
            missing = missing | gone[:, :, self.feature_to_column[: self.n_values]]
        value = value.masked_fill(missing, 0.0)
        rank = self._position(rows, value.dtype, missing)
        if self.scaling == "quantile":
            value = _normal_quantile(rank)
        return Encoded(_smooth_clip(value), rank, missing, level)

    def _is_native(self, rows: RawRows) -> bool:
        exact = rows.x_num.dtype == self.center.dtype == torch.float64
        return exact and rows.x_num.device.type == "cpu" and library.is_usable(rows.x_stat)

    def _native_values(self, rows: RawRows, gone: Tensor | None) -> tuple[Tensor, Tensor]:
        """Scaled and clipped values and what is missing, in one pass."""
        value = torch.empty(*rows.x_num.shape[:2], self.n_values)
        missing = torch.empty(value.shape, dtype=torch.bool)
        library.call(
            "encode_values", rows.x_num.contiguous(), rows.x_stat.contiguous(),
            self.center.contiguous(), self.scale.contiguous(), gone, self.feature_to_column,
            value, missing, *rows.x_num.shape, rows.x_stat.shape[2], self.n_columns,
        )  # fmt: skip
        return value, missing

    def _position(self, rows: RawRows, dtype: torch.dtype, missing: Tensor) -> Tensor:
        """Place of each value among its training rows; 0.5 where missing or no one asks."""
        if not self.needs_position:
            shape = (*rows.x_num.shape[:2], self.n_values)
            return torch.full((), 0.5, dtype=dtype, device=rows.x_num.device).expand(shape)
        rank = torch.cat([self._rank(rows.x_num).to(dtype), _normal_cdf(rows.x_stat)], 2)
        return rank.masked_fill_(missing, 0.5)

    def _rank(self, x: Tensor) -> Tensor:
        """Linearly interpolated place among the member's quantiles; ``(M, B, n_numeric)``."""
        if x.shape[2] == 0:
            return x
        n = self.quantiles.shape[2]
        if library.is_usable() and x.device.type == "cpu" and x.dtype == torch.float64:
            place = torch.empty(x.shape)
            sizes = (*x.shape, n)
            library.call("rank_values", x.contiguous(), self.quantiles, place, *sizes)
            return place
        values = x.transpose(1, 2).contiguous()
        right = torch.searchsorted(self.quantiles, values).clamp_(1, n - 1)
        low, high = self.quantiles.gather(2, right - 1), self.quantiles.gather(2, right)
        share = ((values - low) / (high - low).clamp_min(1e-300)).clamp_(0.0, 1.0)
        return ((right - 1 + share) / (n - 1)).transpose(1, 2)

    def _levels(self, codes: Tensor, gone: Tensor | None, unknown: Tensor | None) -> Tensor:
        """Each member's embedding rows: its own, missing of gone columns, unknown where told."""
        if codes.shape[2] == 0:
            return codes.long()
        column = self.feature_to_column[self.n_values :]
        if codes.dtype == torch.int32 and codes.device.type == "cpu" and library.is_usable():
            level = torch.empty(codes.shape, dtype=torch.int64)
            library.call(
                "encode_levels", codes.contiguous(), self.lookup.contiguous(), self.code_offset,
                gone, unknown, column, level, *codes.shape, self.n_columns, self.lookup.shape[1],
            )  # fmt: skip
            return level
        flat = (codes.long() + self.code_offset).flatten(1)
        level = self.lookup.gather(1, flat).view(codes.shape)
        if gone is not None:
            level = level.masked_fill(gone[:, :, column], MISSING_CODE)
        return level if unknown is None else level.masked_fill(unknown, UNKNOWN_CODE)

    def _gone(self, x: Tensor, random: MemberRandom | None) -> Tensor | None:
        """Which columns turn missing in training; bool ``(M, B, n_columns)``."""
        if random is None:
            return None
        rates = random.rates("column_dropout", self.column_dropout)
        if not rates.any():
            return None
        return random.happens(rates, x.shape[1], self.n_columns).to(x.device)

    def _unknown(self, codes: Tensor, random: MemberRandom | None) -> Tensor | None:
        """Which levels turn unknown in training; bool ``(M, B, n_category)``."""
        if codes.shape[2] == 0 or random is None or self.unknown_rate == 0:
            return None
        rates = random.rates("unknown_rate", self.unknown_rate)
        return random.happens(rates, *codes.shape[1:]).to(codes.device)


def _smooth_clip(x: Tensor) -> Tensor:
    """Map the line smoothly into (-3, 3) (RealMLP, arXiv 2407.04491, section 3.1)."""
    return x * torch.rsqrt(1.0 + (x / 3.0).square())


def _normal_cdf(x: Tensor) -> Tensor:
    return 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


def _normal_quantile(p: Tensor) -> Tensor:
    return math.sqrt(2.0) * torch.erfinv((2.0 * p - 1.0).clamp(-0.9999, 0.9999))
