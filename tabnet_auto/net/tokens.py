"""Tokens: each encoded feature of a row as a vector that can bend and step sharply."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tabnet_auto.net.inputs import Encoded
from tabnet_auto.net.layers import MemberRandom, parameter


class RowTokens(NamedTuple):
    """A token for each feature of a row: value features first, then category features.

    ``values (M, B, V, T)`` and ``levels (M, B, C, L)``; flat, a row is a vector of
    ``W = V T + C L`` elements.
    """

    values: Tensor
    levels: Tensor

    def flat(self) -> Tensor:
        """Return the row vectors; ``(M, B, W)``."""
        return torch.cat([self.values.flatten(2), self.levels.flatten(2)], dim=2)

    def weighted(self, weights: Tensor) -> Tensor:
        """Row vectors with each feature's token multiplied by its weight ``(M, B, V + C)``."""
        n = self.values.shape[2]
        weights = weights.unsqueeze(3)
        return RowTokens(self.values * weights[:, :, :n], self.levels * weights[:, :, n:]).flat()

    def dot(self, vectors: Tensor) -> Tensor:
        """Scalar product of each feature's token with its part of ``(M, B, W)``."""
        split = self.values.shape[2] * self.values.shape[3]
        towards_values = vectors[:, :, :split].unflatten(2, self.values.shape[2:])
        towards_levels = vectors[:, :, split:].unflatten(2, self.levels.shape[2:])
        return torch.cat(
            [(self.values * towards_values).sum(3), (self.levels * towards_levels).sum(3)], dim=2
        )


class Tokens(nn.Module):
    """Turn encoded features into tokens.

    A value feature becomes its value, a periodic part ``cos(2 pi (f v + p))`` with learned
    frequencies (PBLD's basis, arXiv 2407.04491), a piecewise-linear part over equally filled
    bins (PLE, arXiv 2203.05556), and one element that is 1 where the value is missing (all
    others are 0 there, so that the weights of this element are the learned missing token).
    A category feature becomes the embedding of its level. Every element has a learned scale.

    **Shape**: :class:`Encoded` in, :class:`RowTokens` out.
    """

    level_offset: Tensor

    def __init__(
        self,
        n_values: int,
        n_levels: tuple[int, ...],
        random: MemberRandom,
        *,
        n_frequencies: int,
        n_bins: int,
        frequency_scale: float,
        level_width: int,
    ) -> None:
        super().__init__()
        self.n_bins = n_bins
        frequency = frequency_scale * random.normal(1, n_values, n_frequencies)
        self.frequency = parameter(frequency, lr=0.1, decay=0.0)
        self.phase = parameter(random.uniform(1, n_values, n_frequencies), lr=0.1, decay=0.0)
        ones = torch.ones(random.n_members, 1, n_values, 2 + n_frequencies + n_bins)
        self.value_scale = parameter(ones, lr=6.0, decay=0.0)
        ones = torch.ones(random.n_members, 1, len(n_levels), level_width)
        self.level_scale = parameter(ones, lr=6.0, decay=0.0)
        self.level = parameter(random.normal(sum(n_levels), level_width), decay=0.0)
        offsets = [sum(n_levels[:i]) for i in range(len(n_levels))]
        self.register_buffer("level_offset", torch.tensor(offsets).long(), persistent=False)

    @property
    def width(self) -> int:
        """Number W of elements of a row vector."""
        return self.value_scale[0].numel() + self.level_scale[0].numel()

    def forward(self, encoded: Encoded) -> RowTokens:
        """Return the tokens of every row."""
        values = self._values(encoded) * self.value_scale
        return RowTokens(values, self._levels(encoded.level) * self.level_scale)

    def _values(self, encoded: Encoded) -> Tensor:
        value, missing = encoded.value.unsqueeze(3), encoded.missing.unsqueeze(3)
        wave = torch.cos(2.0 * math.pi * (value * self.frequency + self.phase))
        bins = torch.arange(self.n_bins, device=value.device, dtype=value.dtype)
        step = (encoded.position.unsqueeze(3) * self.n_bins - bins).clamp(0.0, 1.0)
        present = torch.cat([value, wave, step], dim=3).masked_fill(missing, 0.0)
        return torch.cat([present, missing.to(present.dtype)], dim=3)

    def _levels(self, level: Tensor) -> Tensor:
        n_members, (total, width) = level.shape[0], self.level.shape[1:]
        member_offset = torch.arange(n_members, device=level.device).view(-1, 1, 1) * total
        index = level + self.level_offset + member_offset
        return nn.functional.embedding(index, self.level.reshape(-1, width))
