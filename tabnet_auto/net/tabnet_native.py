"""The default network as one kernel each way, where the kernels are there.

A block of a member's rows passes through the whole network while it is in the cache. The same
numbers as :class:`~tabnet_auto.net.tabnet.AttentionTabNet` in plain torch, up to rounding; the
mathematics and the layout of the buffers are in ``native/tabnet.c``.

Shapes: M members, B rows of a minibatch, V value and C category features, D columns, S steps.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from tabnet_auto.config import NetConfig
from tabnet_auto.net.inputs import Encoded
from tabnet_auto.net.layers import Dropout
from tabnet_auto.net.native import library, pairs
from tabnet_auto.net.native.pool import Pool
from tabnet_auto.net.sparse import MAP_CODES

ACTIVATION_CODES = {"relu": 1, "selu": 2, "mish": 3}
_BLOCK_ROWS = 64
"""Rows that pass through the network together: ``BLOCK_ROWS`` of the kernel."""


@dataclass(frozen=True)
class Shape:
    """Sizes as the kernel's struct of the same name holds them."""

    members: int
    batch: int
    values: int
    categories: int
    level_width: int
    bins: int
    columns: int
    steps: int
    key: int
    context: int
    hidden: int
    layers: int
    outputs: int
    levels: int
    map: int
    activation: int
    training: int
    pairs: int


@dataclass(frozen=True)
class Network:
    """What the kernels read of a network: its parameters, in the kernel's order, and the rest.

    ``column`` of each feature, and ``level_start``: where each category's levels begin in the
    table of all, and the end of the last. ``bins (M,)`` of each member's value tokens, and the
    ``factor (M, 1, 1)`` of its maps into context and values.
    """

    config: NetConfig
    parameters: tuple[Tensor, ...]
    column: Tensor
    n_columns: int
    level_start: Tensor
    bins: Tensor
    factor: Tensor
    records: Pool
    scratch: Pool

    def shape(self, rows: Encoded, *, training: bool) -> Shape:
        """Sizes of a pass."""
        config, (members, batch, values) = self.config, rows.value.shape
        level = self.parameters[2]
        return Shape(
            members, batch, values, rows.level.shape[2], config.level_width, config.n_bins,
            self.n_columns, config.n_steps, config.d_key, config.n_context, config.n_hidden,
            config.n_layers, self.parameters[-2].shape[2], level.shape[1],
            MAP_CODES[config.mask], ACTIVATION_CODES[config.activation], int(training),
            int(training and multiplies_pairs(config)),
        )  # fmt: skip


class Result(NamedTuple):
    """``logits (M, B, O)``, ``masks (S, M, B, D)``, ``sizes (S, M, B)`` of the steps' outputs."""

    logits: Tensor
    masks: Tensor
    sizes: Tensor


def is_usable(config: NetConfig, value: Tensor, weight: Tensor, *, training: bool) -> bool:
    """Tell whether the kernels take this pass: in evaluation, only where no gradient is asked."""
    return (
        (training or not torch.is_grad_enabled())
        and (config.n_context > 0 and value.shape[1] > 0)
        and library.is_usable(value, weight)
    )


def multiplies_pairs(config: NetConfig) -> bool:
    """Tell whether training rounds the factors of the hidden layers' products to bf16."""
    return config.n_hidden % 32 == 0 and config.n_layers > 1 and pairs.are_faster()


def train(network: Network, rows: Encoded, dropout: Dropout | None) -> Result:
    """Pass rows through the network, for gradients of its parameters."""
    return Result(*_TabNet.apply(network, rows, dropout, *network.parameters))


def evaluate(network: Network, rows: Encoded) -> Result:
    """Pass rows through the network without a way back."""
    network.records.free.clear()  # the memory of training
    run = _Pass(network, network.shape(rows, training=False), rows, None)
    result, record = run.forward(network.scratch)
    network.scratch.give(record)
    return result


class _Pass:
    """One pass of rows through the network: sizes, buffers, and what the kernels are given."""

    def __init__(
        self, network: Network, shape: Shape, rows: Encoded, dropout: Dropout | None
    ) -> None:
        self.network, self.shape = network, shape
        self.packed_shape = torch.tensor(astuple(shape))
        sizes = torch.zeros(5, dtype=torch.int64)
        library.call("tabnet_sizes", self.packed_shape, sizes)
        packed, tape, self.back_row, self.scratch, self.partial = sizes.tolist()
        self.threads = torch.get_num_threads()
        n_tape = shape.members * shape.batch if shape.training else self.threads * _BLOCK_ROWS
        self.sizes = [shape.members * packed, n_tape * tape]
        self.given = [
            *(t.contiguous() for t in (rows.value, rows.position, rows.missing, rows.level)),
            network.column, network.level_start, network.bins, network.factor.contiguous(),
            *(dropout or (None, None, None)),
        ]  # fmt: skip
        self.input = torch.tensor([0 if t is None else t.data_ptr() for t in self.given])

    def _call(self, name: str, grads: list[Tensor] | None, *given: Any) -> None:
        to = [0] * len(self.network.parameters) if grads is None else [g.data_ptr() for g in grads]
        table = [
            (p.data_ptr(), p.stride(0), grad)
            for p, grad in zip(self.network.parameters, to, strict=True)
        ]
        parameters = torch.from_numpy(np.array(table))
        library.call(
            name, self.packed_shape, parameters, self.input, *given, self.threads, self.scratch
        )

    def forward(self, records: Pool) -> tuple[Result, Tensor]:
        """Return the outputs, and the record of the pass that the way back reads."""
        shape, scratch = self.shape, self.network.scratch
        record = records.take(sum(self.sizes))
        room = scratch.take(self.threads * self.scratch)
        n_members, n_batch = shape.members, shape.batch
        result = Result(
            torch.empty(n_members, n_batch, shape.outputs),
            torch.empty(shape.steps, n_members, n_batch, shape.columns),
            torch.empty(shape.steps, n_members, n_batch),
        )
        self._call("tabnet_forward", None, *result, *self._parts(record), room)
        scratch.give(room)
        return result, record

    def backward(self, record: Tensor, of_logits: Tensor, of_masks: Tensor | None) -> list[Tensor]:
        """Return the gradients of all parameters; the pass is over then."""
        shape, network = self.shape, self.network
        grads = [torch.empty(p.shape) for p in network.parameters]
        sizes = [
            shape.members * shape.batch * self.back_row, shape.members * self.partial,
            self.threads * self.scratch,
        ]  # fmt: skip
        room = network.scratch.take(sum(sizes))
        back, partial, scratch = room[: sum(sizes)].split(sizes)
        self._call(
            "tabnet_backward", grads, of_logits, of_masks, *self._parts(record), back, scratch,
            partial,
        )  # fmt: skip
        network.scratch.give(room)
        network.records.give(record)
        return grads

    def _parts(self, record: Tensor) -> tuple[Tensor, ...]:
        """Packed parameters, and the tape."""
        return record[: sum(self.sizes)].split(self.sizes)


class _TabNet(Function):
    """The network in training."""

    @staticmethod
    def forward(
        ctx: Any, network: Network, rows: Encoded, dropout: Dropout | None, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.run = _Pass(network, network.shape(rows, training=True), rows, dropout)
        result, record = ctx.run.forward(network.records)
        ctx.save_for_backward(record, *parameters)
        ctx.mark_non_differentiable(result.sizes)
        ctx.set_materialize_grads(False)
        return tuple(result)

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_logits: Tensor | None, of_masks: Tensor | None, _: None
    ) -> tuple[Tensor | None, ...]:
        record = ctx.saved_tensors[0]
        shape = ctx.run.shape
        if of_logits is None:
            of_logits = record.new_zeros(shape.members, shape.batch, shape.outputs)
        of_masks = None if of_masks is None else of_masks.contiguous()
        return None, None, None, *ctx.run.backward(record, of_logits.contiguous(), of_masks)
