"""The published TabNet (Arik and Pfister 2021, arXiv 1908.07442), M members side by side.

Equal to the best-known implementation (dreamquark-ai's pytorch-tabnet 4.1.0) on equal weights:
predictions, masks, sparsity loss, gradients and running statistics. Beyond it, one pass gives
predictions and explanations, and virtual batches are an axis instead of a loop.

Shapes: M members, B rows of a minibatch, F encoded features, D columns of the user, S steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from tabnet_auto.config import PaperConfig
from tabnet_auto.errors import InputError
from tabnet_auto.net import paper_native
from tabnet_auto.net.ghost_norm import GhostNorm, VirtualBatches, virtual_starts
from tabnet_auto.net.layers import MemberRandom
from tabnet_auto.net.native.pool import Pool
from tabnet_auto.net.output import Goal, Output
from tabnet_auto.net.selection import select

_INITIAL_MOMENTUM = 0.01
_MAX_SPREAD_CELLS = 8192
"""Up to this many cells a 0/1 matrix copies masks to features faster than a gather does."""


class FeatureTransformer(nn.Module):
    """A chain of gated layers: the shared ones first, then the step's own.

    Each layer is linear, ghost norm, gate; from the second on it is added to its input and
    scaled by the root of one half. Shared layers share their weights, never their norms; the
    caller holds the shared weights.

    **Shape**: ``(M, B, F)`` to ``(M, B, n_d + n_a)``.
    """

    def __init__(
        self, n_features: int, shared: Sequence[Tensor], config: PaperConfig, random: MemberRandom
    ) -> None:
        super().__init__()
        width = config.n_d + config.n_a
        self.own = _gated_weights(
            width if shared else n_features, width, config.n_independent, random
        )
        self.norms = nn.ModuleList(
            GhostNorm(random.n_members, 2 * width, config.momentum)
            for _ in range(len(shared) + config.n_independent)
        )

    def forward(
        self, x: Tensor, shared: Iterable[Tensor], batches: VirtualBatches | None
    ) -> Tensor:
        """Transform with the shared weights given."""
        for layer, (weight, norm) in enumerate(zip([*shared, *self.own], self.norms, strict=True)):
            residual = None if layer == 0 else x
            x = cast("GhostNorm", norm).gated(torch.bmm(x, weight), batches, residual)
        return x


class AttentiveTransformer(nn.Module):
    """Mask logits, one a column, from what the step before left over.

    The paper's mask of step i is ``M[i] = sparsemax(P[i - 1] * h_i(a[i - 1]))`` with the prior
    scales ``P[i] = prod_(j <= i) (gamma - M[j])``. This is ``h_i``, a linear layer and ghost norm.

    **Shape**: ``(M, B, n_a)`` to ``(M, B, D)``.
    """

    def __init__(self, n_columns: int, config: PaperConfig, random: MemberRandom) -> None:
        super().__init__()
        self.weight = _plain_weight(config.n_a, n_columns, random)
        self.norm = GhostNorm(random.n_members, n_columns, config.momentum)

    def forward(self, attention: Tensor, batches: VirtualBatches | None) -> Tensor:
        """Return normalised logits, before the prior scales."""
        return cast("Tensor", self.norm(torch.bmm(attention, self.weight), batches))


class PaperTabNet(nn.Module):
    """The published TabNet for M members.

    ``groups`` names for each encoded feature the column it came from, ``0 ... D - 1``. There is
    one logit a column; the column's weight is spread evenly over its features, each getting
    ``weight / n_features_of_the_column``, so that the feature weights sum to 1 as well. That is
    what the reference does for the embedding of one column and for ``grouped_features`` of
    plain columns. (For a user's group that holds embedded columns it spreads twice, first over
    the columns, then over each one's embedding; here a group is always one column.)

    **Shape**: ``(M, B, F)`` to :class:`~tabnet_auto.net.output.Output`. All parameters and saved
    buffers have a leading member axis; sizes come from them, so members can be selected.
    """

    groups: Tensor
    share: Tensor
    spread: Tensor | None

    def __init__(
        self,
        config: PaperConfig,
        n_features: int,
        groups: Sequence[int],
        n_outputs: int,
        random: MemberRandom,
    ) -> None:
        super().__init__()
        _check(config, n_features, groups)
        self.config = config
        self.records, self.scratch = Pool(), Pool()
        self._place_groups(groups)
        n_columns, width = max(groups) + 1, config.n_d + config.n_a
        self.initial_norm = GhostNorm(random.n_members, n_features, _INITIAL_MOMENTUM)
        self.shared = _gated_weights(n_features, width, config.n_shared, random)
        shared = list(self.shared)
        self.splitter = FeatureTransformer(n_features, shared, config, random)
        self.attentions, self.transformers = nn.ModuleList(), nn.ModuleList()
        for _ in range(config.n_steps):
            self.transformers.append(FeatureTransformer(n_features, shared, config, random))
            self.attentions.append(AttentiveTransformer(n_columns, config, random))
        self.head = _plain_weight(config.n_d, n_outputs, random)

    def forward(self, x: Tensor, valid: Tensor | None = None, goal: Goal | None = None) -> Output:
        """Predict, and say what was looked at.

        ``valid`` ``(M, B)`` boolean marks the rows that are real where members have minibatches
        of unequal sizes: each member then computes as if it had its valid rows only. The other
        rows must hold finite numbers; what comes out for them means nothing. Minibatches
        without it are faster where ``B`` divides into equal virtual batches. In training kernels
        take gradients on the way where they are told the ``goal``.
        """
        self._check_rows(x)
        config, training = self.config, self.training
        if valid is None and paper_native.is_usable(x, self.head, config, training=training):
            if not self.training:
                return paper_native.evaluate(self._network(), x)
            starts = virtual_starts(x.shape[1], config.virtual_batch_size)
            if goal is not None:
                return paper_native.train(self._network(), x, starts, goal)
            return paper_native.run(self._network(), x, starts)
        whole, batches = self._virtual_batches(x, valid)
        x = self.initial_norm(x, whole)
        shared = list(self.shared)
        attention = self.splitter(x, shared, batches)[..., self.config.n_d :]
        x = x if self.one_to_one else x * self.share
        prior: Tensor | None = None
        total: Tensor | None = None
        masks, entropies, step_sizes = [], [], []
        for attend, transform in zip(self.attentions, self.transformers, strict=True):
            mask, prior, entropy = select(attend(attention, batches), prior, self.config)
            out = transform(self._to_features(mask) * x, shared, batches)
            decision = out[..., : self.config.n_d].relu()
            attention = out[..., self.config.n_d :]
            total = decision if total is None else total + decision
            masks.append(mask)
            entropies.append(entropy)
            step_sizes.append(decision.sum(-1))
        return Output(
            logits=torch.bmm(cast("Tensor", total), self.head),
            masks=torch.stack(masks),
            step_size=torch.stack(step_sizes),
            penalty=self._penalty(torch.stack(entropies), valid),
        )

    def _place_groups(self, groups: Sequence[int]) -> None:
        """Hold the map from features to columns, in the form that is quickest to apply."""
        column = torch.tensor(groups, dtype=torch.long)
        n_columns = int(column.max()) + 1
        is_column = (column == torch.arange(n_columns).unsqueeze(1)).to(torch.get_default_dtype())
        one_to_one = torch.equal(column, torch.arange(n_columns))
        small = not one_to_one and is_column.numel() <= _MAX_SPREAD_CELLS
        self.one_to_one = one_to_one
        # Not saved: they have no member axis, and the groups are given when rebuilding.
        self.register_buffer("groups", column, persistent=False)
        self.register_buffer("share", 1.0 / is_column.sum(1)[column], persistent=False)
        self.register_buffer("spread", is_column if small else None, persistent=False)

    def _to_features(self, mask: Tensor) -> Tensor:
        """Copy each column's weight to its features; ``(M, B, D)`` to ``(M, B, F)``."""
        if self.one_to_one:
            return mask
        if self.spread is not None:
            return mask @ self.spread.to(mask.dtype)
        return mask.gather(-1, self.groups.expand(*mask.shape[:-1], -1))

    def _network(self) -> paper_native.Network:
        """Name the parameters in the kernels' order."""
        transformers = [self.splitter, *self.transformers]
        attentions = list(self.attentions)
        weights = (
            *self.shared,
            *(own for transformer in transformers for own in transformer.own),
            *(attend.weight for attend in attentions),
            self.head,
        )
        norms = (
            self.initial_norm,
            *(norm for transformer in transformers for norm in transformer.norms),
            *(attend.norm for attend in attentions),
        )
        return paper_native.Network(
            self.config, weights, norms, self.groups, self.share, self.one_to_one,
            self.records, self.scratch,
        )  # fmt: skip

    def _check_rows(self, x: Tensor) -> None:
        if self.training and x.shape[1] < 2:
            raise InputError(
                f"Batch norm needs at least 2 rows in training, got {x.shape[1]}. "
                "Leave a last minibatch of one row out, or join it to another."
            )

    def _virtual_batches(
        self, x: Tensor, valid: Tensor | None
    ) -> tuple[VirtualBatches | None, VirtualBatches | None]:
        """Return the whole minibatch as one virtual batch, and the virtual batches."""
        if not self.training:
            return None, None
        whole = VirtualBatches.split(x, x.shape[1], valid)
        return whole, VirtualBatches.split(x, self.config.virtual_batch_size, valid)

    def _penalty(self, entropy: Tensor, valid: Tensor | None) -> Tensor:
        """Return ``lambda_sparse`` times the masks' mean entropy, the paper's L_sparse; ``(M,)``.

        ``L_sparse = sum_i sum_b sum_j -M_bj[i] log(M_bj[i] + epsilon) / (n_steps * B)``, from the
        entropies ``(S, M, B)`` of steps and rows.

        The reference's loss is ``loss - lambda_sparse * M_loss``, with ``M_loss`` the mean of
        ``sum_j m_j log(m_j + epsilon)``, a negative entropy: together a penalty on entropy.
        """
        of_row = self.config.lambda_sparse * entropy.mean(0)
        if valid is None:
            return of_row.mean(1)
        return (of_row * valid).sum(1) / valid.sum(1).clamp(min=1)


def importance(masks: Tensor, step_size: Tensor, *, normalize: bool = True) -> Tensor:
    """Aggregate the masks of all steps: how much each row's prediction used each column.

    Each step counts by the sum of its positive decisions, in the paper ``sum_c relu(d_bc[i])``.
    With ``normalize`` each row sums to 1, or to 0 where no step decided anything (the reference
    returns NaN there). The reference's importance of a column is its unnormalised sum over the
    rows, divided by the sum over the columns.

    **Shape**: masks ``(S, M, B, D)`` and step sizes ``(S, M, B)`` to ``(M, B, D)``.

    >>> masks = torch.tensor([[[[0.25, 0.75]]], [[[1.0, 0.0]]]])
    >>> importance(masks, torch.tensor([[[2.0]], [[6.0]]]))
    tensor([[[0.8125, 0.1875]]])
    """
    total = torch.einsum("smbd,smb->mbd", masks, step_size)
    if not normalize:
        return total
    size = total.sum(-1, keepdim=True)
    return total / torch.where(size == 0.0, 1.0, size)


def _gated_weights(n_in: int, width: int, n_layers: int, random: MemberRandom) -> nn.ParameterList:
    """Weights of gated layers ``(M, n_in, 2 * width)``, the later ones ``(M, width, 2 * width)``.

    Xavier normal with the reference's gain ``sqrt((n_in + n_out) / sqrt(n_in))`` has the
    standard deviation ``sqrt(2) * n_in ** -0.25``.
    """
    sizes = [n_in, *[width] * (n_layers - 1)][:n_layers]
    return nn.ParameterList(
        nn.Parameter(random.normal(n, 2 * width) * (math.sqrt(2.0) * n**-0.25)) for n in sizes
    )


def _plain_weight(n_in: int, n_out: int, random: MemberRandom) -> nn.Parameter:
    """Weight ``(M, n_in, n_out)`` of a layer without gate.

    Xavier normal with the reference's gain ``sqrt((n_in + n_out) / sqrt(4 * n_in))`` has the
    standard deviation ``n_in ** -0.25``.
    """
    return nn.Parameter(random.normal(n_in, n_out) * n_in**-0.25)


def _check(config: PaperConfig, n_features: int, groups: Sequence[int]) -> None:
    """Refuse what cannot be built."""
    if config.n_steps < 1:
        raise InputError(f"TabNet needs at least one step, got n_steps={config.n_steps}.")
    if config.n_shared + config.n_independent < 1:
        raise InputError(
            "TabNet needs at least one gated layer, got n_shared=0 and n_independent=0. "
            "Set either to 1 or more."
        )
    if config.virtual_batch_size < 2:
        raise InputError(
            "A virtual batch needs at least 2 rows for its variance, "
            f"got virtual_batch_size={config.virtual_batch_size}."
        )
    if len(groups) != n_features or set(groups) != set(range(len(set(groups)))):
        raise InputError(
            f"groups must name a column 0, 1, ... for each of the {n_features} features, and "
            f"leave no column out; got {len(groups)} entries, {sorted(set(groups))[:20]}."
        )
