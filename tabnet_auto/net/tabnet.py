"""The default network: tokens, attention steps over the columns, a strong trunk."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from tabnet_auto.config import NetConfig
from tabnet_auto.net import tabnet_native
from tabnet_auto.net.attention import ColumnAttention
from tabnet_auto.net.inputs import Encoded, IndexedRows, MemberInputs, RawRows
from tabnet_auto.net.layers import (
    ACTIVATIONS,
    Dropout,
    MemberLinear,
    MemberRandom,
    ParametricActivation,
    parameter,
)
from tabnet_auto.net.native.pool import Pool
from tabnet_auto.net.output import ByShare, Output
from tabnet_auto.net.tokens import TokenLinear, Tokens


class AttentionTabNet(nn.Module):
    """M attention TabNets side by side.

    A row's tokens give a small context; each step asks with a query made from what the step
    before saw, weights the columns, and adds its weighted sum to the hidden state; the trunk
    turns the hidden state into the output.

    ``kinds`` are the members': they say the bins of their value tokens, which levels are read, and
    how steps ask.

    **Shape**: :class:`RawRows` of M members and B rows in, :class:`Output` out.
    """

    uses_goal = False
    """Its penalties ask what share of the loss is explained: gradients wait for the loss."""

    def __init__(
        self,
        config: NetConfig,
        inputs: MemberInputs,
        n_outputs: int,
        random: MemberRandom,
        kinds: Sequence[int],
    ) -> None:
        super().__init__()
        self.inputs = inputs
        reads_levels = torch.tensor([config.of(kind).levels_of_numbers for kind in kinds])
        self.tokens = Tokens(
            inputs.n_values,
            inputs.n_levels,
            random,
            n_bins=config.n_bins,
            bins=[config.of(kind).n_bins for kind in kinds],
            reads_level=reads_levels.unsqueeze(1) | ~torch.from_numpy(inputs.level_of_number),
            level_width=config.level_width,
        )
        n_members, hidden = random.n_members, config.n_hidden
        widths = self.tokens.widths
        self.context = TokenLinear(widths, config.n_context, random, n_terms=sum(widths))
        self.context_bias = parameter(random.normal(1, config.n_context), lr=0.1, decay=0.0)
        self.steps = nn.ModuleList(
            ColumnAttention(
                inputs.feature_to_column,
                inputs.n_columns,
                widths,
                hidden,
                random,
                n_context=config.n_context if step == 0 else hidden,
                d_key=config.d_key,
                sparse_map=config.mask,
            )
            for step in range(config.n_steps)
        )
        self.bias = parameter(random.normal(1, hidden), lr=0.1, decay=0.0)
        function = ACTIVATIONS[config.activation]
        self.first = ParametricActivation(function, n_members, hidden)
        self.layers = nn.ModuleList(
            MemberLinear(hidden, hidden, random) for _ in range(config.n_layers - 1)
        )
        self.activations = nn.ModuleList(
            ParametricActivation(function, n_members, hidden) for _ in self.layers
        )
        self.head = MemberLinear(hidden, n_outputs, random, gain=0.0)
        self.config = config
        self.records, self.scratch = Pool(), Pool()
        self._tell_kinds(kinds)

    def _tell_kinds(self, kinds: Sequence[int]) -> None:
        """Let the parts know what members of different kinds do in their own way."""
        asking = torch.tensor([[[self.config.of(kind).asks_by_row]] for kind in kinds])
        self.context.n_terms.copy_(self.tokens.n_read)
        for step in cast("Iterable[ColumnAttention]", self.steps):
            step.asks_by_row.copy_(asking)
            step.value.n_terms.copy_(self.tokens.n_read)

    def forward(
        self,
        rows: RawRows | IndexedRows,
        random: MemberRandom | None = None,
        drop_scale: float = 1.0,
    ) -> Output:
        """Predict; in training give ``random``, and scale the dropout rate by the schedule."""
        encoded = self.inputs(rows, random)
        dropout = None
        if random is not None:
            rates = random.rates("dropout", self.config.dropout) * drop_scale
            shape = self.config.n_layers, rows.shape[1], self.config.n_hidden
            dropout = random.dropout(rates, *shape)
        fused = tabnet_native.is_usable(
            self.config, encoded.value, self.bias, training=self.training
        )
        return self._output(*(self._fused if fused else self._plain)(encoded, dropout))

    def _plain(self, encoded: Encoded, dropout: Dropout | None) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, masks, and sizes of the steps' outputs, in plain torch."""
        tokens = self.tokens(encoded)
        seen = torch.relu(self.context.sum(tokens) + self.context_bias)
        state: Tensor = self.bias
        masks, sizes = [], []
        for step in self.steps:
            attended = step(tokens, seen)
            state = state + attended.output
            seen = torch.relu(state)
            masks.append(attended.weights)
            sizes.append(attended.output.detach().norm(dim=2))
        hidden = self.first(state, dropout and dropout.of_layer(0))
        for i, (layer, activation) in enumerate(zip(self.layers, self.activations, strict=True)):
            hidden = activation(layer(hidden), dropout and dropout.of_layer(i + 1))
        return self.head(hidden), torch.stack(masks), torch.stack(sizes)

    def _fused(self, encoded: Encoded, dropout: Dropout | None) -> tuple[Tensor, Tensor, Tensor]:
        """Return the same from one kernel."""
        rows = encoded._replace(level=encoded.level + self.tokens.level_offset)
        network = tabnet_native.Network(
            self.config, self._parameters_in_order(), self.inputs.feature_to_column,
            self.inputs.n_columns, self.tokens.level_start, self.tokens.bins,
            self.context.factor, self.records, self.scratch,
        )  # fmt: skip
        if self.training:
            return tabnet_native.train(network, rows, dropout)
        return tabnet_native.evaluate(network, rows)

    def _parameters_in_order(self) -> tuple[Tensor, ...]:
        """All parameters in the kernel's order."""
        tokens, context = self.tokens, self.context
        steps = cast("Iterable[ColumnAttention]", self.steps)
        layers = cast("Iterable[MemberLinear]", self.layers)
        activations = cast("Iterable[ParametricActivation]", self.activations)
        of_layers = [
            p for layer, activation in zip(layers, activations, strict=True)
            for p in (layer.weight, layer.bias, activation.share)
        ]  # fmt: skip
        return (
            tokens.value_scale, tokens.read_scale, tokens.level, context.of_values,
            context.of_levels, self.context_bias,
            *(p for step in steps for p in step.parameters_in_order()), self.bias,
            self.first.share, *of_layers, self.head.weight, self.head.bias,
        )  # fmt: skip

    def _output(self, logits: Tensor, masks: Tensor, sizes: Tensor) -> Output:
        by_share = None
        early, earned = self.config.early_evenness, self.config.column_sparsity
        if self.training and max(early, earned) > 0.0:
            by_share = ByShare(
                early * unevenness(masks).square(), earned * mass_penalty(masks, sizes)
            )
        return Output(logits, masks, sizes, logits.new_zeros(logits.shape[0]), by_share)


def unevenness(masks: Tensor) -> Tensor:
    """How far attention is from even, 0 to 1: what its entropy lacks, mean over steps and rows.

    Squared it is a penalty that lets weights lean a little and keeps them from closing a column:
    while nothing is learned, attention moves at random, and a column that it closes then is not
    found later (x1 times x2 of Syn4, in two networks of five). It is :attr:`ByShare.early`
    therefore, and a target that nothing tells leaves attention even.

    **Shape**: masks ``(S, M, B, D)``; ``(M,)``.
    """
    n_columns = masks.shape[3]
    if n_columns == 1:
        return masks.new_zeros(masks.shape[1])
    # The logarithm's slope at 0 has no end.
    lacking = masks * (n_columns * masks).clamp_min(1e-12).log()
    return lacking.sum(3).mean((0, 2)) / math.log(n_columns)


def mass_penalty(masks: Tensor, sizes: Tensor) -> Tensor:
    r"""Sum over the columns of :math:`\sqrt{m_i}`, m their shares of a batch's attention.

    Concave: what a little-read column loses costs the others less than it saves, so columns
    that no row needs leave for all rows at once, while rows may go on to differ. Even weights
    are a stationary point.

    Taken from the first step on it closes columns before their signal is found, and at full
    weight to the end those of little use. It is :attr:`ByShare.earned` therefore.

    **Shape**: masks ``(S, M, B, D)`` and sizes ``(S, M, B)`` of :class:`Output`; ``(M,)``.
    """
    shares = sizes / sizes.sum(0).clamp_min(1e-12)
    mass = (shares.unsqueeze(3) * masks).sum(0).mean(1)
    # The slope of the root at 0 has no end.
    return (mass + 1e-4).sqrt().sum(1)
