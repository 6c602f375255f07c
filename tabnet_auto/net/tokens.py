"""Tokens: each encoded feature of a row as a vector that can bend and step sharply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from tabnet_auto.net.inputs import Encoded
from tabnet_auto.net.layers import MemberRandom, parameter


class RowTokens(NamedTuple):
    """A token for each feature of a row: V value features first, then C category features.

    ``elements (M, B, V, R)`` of value features, and their learned ``scale (M, V, R)``;
    ``levels (M, B, C, L)`` are the tokens of category features.
    """

    elements: Tensor
    scale: Tensor
    levels: Tensor


def value_elements(encoded: Encoded, n_bins: int, bins: Tensor) -> Tensor:
    """Value, bins and missing mark of every value feature; ``(M, B, V, 2 + n_bins)``.

    Bin j of n fills up as the value's position goes from j / n to (j + 1) / n (PLE, arXiv
    2203.05556), where n is each member's own of ``bins (M,)``; what it lacks of ``n_bins`` stays
    empty.
    """
    value, missing = encoded.value.unsqueeze(3), encoded.missing.unsqueeze(3)
    place = encoded.position.unsqueeze(3) * bins.to(value.dtype).view(-1, 1, 1, 1)
    below = torch.arange(n_bins, device=value.device, dtype=value.dtype)
    filled = (place - below).clamp(0.0, 1.0)
    present = torch.cat([value, filled], dim=3).masked_fill(missing, 0.0)
    return torch.cat([present, missing.to(present.dtype)], dim=3)


class Tokens(nn.Module):
    """Turn encoded features into tokens.

    A value feature becomes its value, a piecewise-linear part over equally filled bins (PLE,
    arXiv 2203.05556), and one element that is 1 where the value is missing (all others are 0
    there, so that the weights of this element are the learned missing token). A category
    feature becomes the embedding of its level. Every element has a learned scale. ``bins (M,)``
    says how many of the ``n_bins`` each member uses, ``reads_level (M, C)`` which category
    features it reads: other tokens are zero.

    **Shape**: :class:`Encoded` in, :class:`RowTokens` out.
    """

    bins: Tensor
    reads_level: Tensor
    level_start: Tensor

    def __init__(
        self,
        n_values: int,
        n_levels: tuple[int, ...],
        random: MemberRandom,
        *,
        n_bins: int,
        bins: Sequence[int],
        reads_level: Tensor,
        level_width: int,
    ) -> None:
        super().__init__()
        self.register_buffer("bins", torch.tensor(bins))
        reads = reads_level.to(torch.get_default_dtype())
        self.register_buffer("reads_level", reads.unsqueeze(1).unsqueeze(3))
        ones = torch.ones(random.n_members, n_values, 2 + n_bins)
        self.value_scale = parameter(ones, lr=6.0, decay=0.0)
        ones = torch.ones(random.n_members, 1, len(n_levels), level_width)
        self.level_scale = parameter(ones, lr=6.0, decay=0.0)
        self.level = parameter(random.normal(sum(n_levels), level_width), decay=0.0)
        start = [sum(n_levels[:i]) for i in range(len(n_levels) + 1)]
        self.register_buffer("level_start", torch.tensor(start), persistent=False)

    @property
    def widths(self) -> tuple[int, int]:
        """Elements of all value tokens, and of all level tokens, of a row."""
        return self.value_scale[0].numel(), self.level_scale[0].numel()

    @property
    def n_read(self) -> Tensor:
        """How many elements each member reads of a row; ``(M, 1, 1)``."""
        n_values, level_width = self.value_scale.shape[1], self.level_scale.shape[3]
        of_levels = level_width * self.reads_level.sum((1, 2, 3))
        return (n_values * (2.0 + self.bins) + of_levels).view(-1, 1, 1)

    @property
    def read_scale(self) -> Tensor:
        """Scales of the level tokens, 0 of those that are not read; ``(M, 1, C, L)``."""
        return self.level_scale * self.reads_level

    def forward(self, encoded: Encoded) -> RowTokens:
        """Return the tokens of every row."""
        elements = value_elements(encoded, self.value_scale.shape[2] - 2, self.bins)
        levels = self._levels(encoded.level) * self.read_scale
        return RowTokens(elements, self.value_scale, levels)

    @property
    def level_offset(self) -> Tensor:
        """Where each category feature's levels begin in the table of all."""
        return self.level_start[:-1]

    def _levels(self, level: Tensor) -> Tensor:
        n_members, (total, width) = level.shape[0], self.level.shape[1:]
        member_offset = torch.arange(n_members, device=level.device).view(-1, 1, 1) * total
        index = level + self.level_offset + member_offset
        return nn.functional.embedding(index, self.level.reshape(-1, width))


class TokenLinear(nn.Module):
    """A linear map of each feature's token: ``e_i W_i / sqrt(n)`` for token ``e_i`` of feature i.

    The root of ``n_terms (M, 1, 1)`` divides, the numbers that an output is thought to add up.

    The outputs of single features are never formed: :meth:`sum` adds them up with weights,
    :meth:`dot` gives their scalar products with a vector of each row.

    **Shape**: :class:`RowTokens` of M members, B rows and F = V + C features; H outputs.
    """

    n_terms: Tensor

    def __init__(
        self,
        widths: tuple[int, int],
        n_out: int,
        random: MemberRandom,
        *,
        n_terms: int,
        gain: float = 1.0,
        lr: float = 1.0,
        decay: float = 1.0,
    ) -> None:
        super().__init__()
        n_value, n_level = widths
        self.register_buffer("n_terms", torch.full((random.n_members, 1, 1), float(n_terms)))
        self.of_values = parameter(gain * random.normal(n_value, n_out), lr=lr, decay=decay)
        self.of_levels = parameter(gain * random.normal(n_level, n_out), lr=lr, decay=decay)

    @property
    def factor(self) -> Tensor:
        """What outputs are multiplied with; ``(M, 1, 1)``."""
        return self.n_terms.rsqrt()

    def sum(self, tokens: RowTokens, weights: Tensor | None = None) -> Tensor:
        """Sum of the features' outputs times ``weights (M, B, F)`` (1 without); ``(M, B, H)``."""
        elements, levels = tokens.elements, tokens.levels
        if weights is not None:
            of_values, of_levels = weights.unsqueeze(3).tensor_split([elements.shape[2]], dim=2)
            elements, levels = elements * of_values, levels * of_levels
        from_values = torch.bmm(elements.flatten(2), self._scaled(tokens))
        return from_values + self.factor * torch.bmm(levels.flatten(2), self.of_levels)

    def dot(self, tokens: RowTokens, vectors: Tensor) -> Tensor:
        """Scalar product of each feature's output with ``vectors (M, B, H)``; ``(M, B, F)``."""
        of_values = torch.bmm(vectors, self._scaled(tokens).transpose(1, 2))
        of_levels = self.factor * torch.bmm(vectors, self.of_levels.transpose(1, 2))
        parts = [
            (elements * towards.view(elements.shape)).sum(3)
            for elements, towards in ((tokens.elements, of_values), (tokens.levels, of_levels))
        ]
        return torch.cat(parts, dim=2)

    def _scaled(self, tokens: RowTokens) -> Tensor:
        """Return the weights of the elements as they are; ``(M, V R, H)``."""
        return self.factor * tokens.scale.flatten(1).unsqueeze(2) * self.of_values
