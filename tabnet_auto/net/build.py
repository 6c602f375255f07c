"""From a configuration to a network of stacked members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from tabnet_auto.config import NetConfig, PaperConfig
from tabnet_auto.design import Layout, MemberTables
from tabnet_auto.net.inputs import IndexedRows, MemberInputs, RawRows
from tabnet_auto.net.layers import MemberRandom, parameter
from tabnet_auto.net.levels import join_levels
from tabnet_auto.net.native import library
from tabnet_auto.net.output import Goal, Output
from tabnet_auto.net.paper import PaperTabNet
from tabnet_auto.net.tabnet import AttentionTabNet


class PaperRows(nn.Module):
    """The published TabNet on raw rows: scaled values and one trained number a level.

    **Shape**: :class:`RawRows` of M members and B rows in, :class:`Output` out.
    """

    level_offset: Tensor

    def __init__(
        self, config: PaperConfig, inputs: MemberInputs, n_outputs: int, random: MemberRandom
    ) -> None:
        super().__init__()
        self.inputs = inputs
        self.level = parameter(random.normal(sum(inputs.n_levels)))
        offsets = [sum(inputs.n_levels[:i]) for i in range(len(inputs.n_levels))]
        self.register_buffer("level_offset", torch.tensor(offsets).long(), persistent=False)
        groups = inputs.feature_to_column.tolist()
        self.tabnet = PaperTabNet(config, len(groups), groups, n_outputs, random)

    @property
    def uses_goal(self) -> bool:
        """Whether training is faster where the network is told its goal."""
        return library.is_usable(self.level)

    def forward(
        self,
        rows: RawRows | IndexedRows,
        random: MemberRandom | None = None,
        drop_scale: float = 1.0,
        goal: Goal | None = None,
    ) -> Output:
        """Predict; ``random`` is given in training. The published network has no dropout."""
        del drop_scale
        encoded = self.inputs(rows, random)
        x = join_levels(encoded.value, self.level, encoded.level, self.level_offset)
        output: Output = self.tabnet(x, goal=goal)
        return output


def build_net(
    config: NetConfig | PaperConfig,
    layout: Layout,
    tables: MemberTables,
    n_outputs: int,
    seeds: Sequence[int],
    kinds: Sequence[int] = (),
) -> AttentionTabNet | PaperRows:
    """Build M members; member m's weights depend on ``seeds[m]`` alone.

    ``kinds`` say of which kind each is (:attr:`NetConfig.other_kinds`); without, all are of the
    first.
    """
    random = MemberRandom(seeds)
    if isinstance(config, PaperConfig):
        # A level that is missing has a number of its own to be learned; a value that is, has none.
        dropout = 0.01 if layout.category else 0.0
        inputs = MemberInputs(layout, tables, column_dropout=dropout, needs_position=False)
        return PaperRows(config, inputs, n_outputs, random)
    inputs = MemberInputs(
        layout,
        tables,
        scaling=config.scaling,
        unknown_rate=config.unknown_rate,
        column_dropout=config.column_dropout,
    )
    return AttentionTabNet(config, inputs, n_outputs, random, kinds or [0] * len(seeds))


def net_with_weights(
    config: NetConfig | PaperConfig,
    layout: Layout,
    tables: MemberTables,
    n_outputs: int,
    weights: Mapping[str, Tensor],
) -> AttentionTabNet | PaperRows:
    """Build trained members from their weights, named as in the network's ``state_dict``."""
    net = build_net(config, layout, tables, n_outputs, range(tables.n_members))
    net.load_state_dict(weights)
    return net.eval()
