"""The published TabNet as one kernel each way, where the kernels are there.

Each member's virtual batch passes through the whole network while it is in the cache. The same
numbers as :class:`~tabnet_auto.net.paper.PaperTabNet` in plain torch, up to rounding; the
mathematics and the layout of the buffers are in ``native/paper.c``.

On a CPU that multiplies bf16 faster (:mod:`~tabnet_auto.net.native.pairs` measures it) the way
back of wide networks rounds the factors of the gated layers' products. A parameter's gradient is
then within 1 % (in norm) of that in single precision. The way there and evaluation never round.

Shapes: M members, B rows of a minibatch, F features, D columns, S steps.
"""

from __future__ import annotations

import itertools
from dataclasses import astuple, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import once_differentiable

from tabnet_auto.config import PaperConfig
from tabnet_auto.net.ghost_norm import GhostNorm
from tabnet_auto.net.native import library, pairs
from tabnet_auto.net.native.pool import Pool
from tabnet_auto.net.output import Output
from tabnet_auto.net.sparse import MAP_CODES

_WIDE = 64
"""From this ``n_d + n_a`` on the way back multiplies in bf16 pairs where the CPU does so faster:
narrower networks spend their time elsewhere."""
_ROWS_AT_ONCE = 128
"""Rows that pass through the network together in evaluation."""
_GROUPS = 4
"""Virtual batches of a member are divided among so many sums of gradients, whatever the number
of threads: more of them would keep more threads of a single member busy, and cost memory."""
_SLACK = 16
"""Rows of one vector that the kernel may read beyond the last."""


@dataclass(frozen=True)
class Shape:
    """Sizes as the kernel's struct of the same name holds them."""

    members: int
    batch: int
    features: int
    columns: int
    outputs: int
    n_d: int
    n_a: int
    steps: int
    shared: int
    own: int
    virtual: int
    map: int
    one_to_one: int
    training: int
    pairs: int


@dataclass(frozen=True)
class Network:
    """What the kernels read of a network: its parameters, in the kernel's order, and settings.

    ``weights``
        Shared layers, each transformer's own layers, one weight a step, the head.
    ``norms``
        The input's, each transformer's layers', one a step; ``input_momentum`` is the first's.
    """

    config: PaperConfig
    weights: tuple[Tensor, ...]
    norms: tuple[GhostNorm, ...]
    groups: Tensor
    share: Tensor
    one_to_one: bool
    records: Pool
    scratch: Pool

    def parameters(self) -> list[Tensor]:
        """All parameters: weights, then the norms' weights, then their biases."""
        return [*self.weights, *(n.weight for n in self.norms), *(n.bias for n in self.norms)]

    def shape(self, x: Tensor, n_virtual: int, *, training: bool) -> Shape:
        """Sizes of a pass."""
        config, (members, batch, features) = self.config, x.shape
        return Shape(
            members, batch, features, self.weights[-2].shape[2], self.weights[-1].shape[2],
            config.n_d, config.n_a, config.n_steps, config.n_shared, config.n_independent,
            n_virtual, MAP_CODES[config.mask], int(self.one_to_one), int(training),
            int(training and config.n_d + config.n_a >= _WIDE and pairs.are_faster()),
        )  # fmt: skip


def is_usable(x: Tensor, weight: Tensor, config: PaperConfig, *, training: bool) -> bool:
    """Tell whether the kernels take this pass: in evaluation, only where no gradient is asked."""
    return (training or not torch.is_grad_enabled()) and (
        config.mask in MAP_CODES and x.shape[1] > 0 and library.is_usable(x, weight)
    )


def run(network: Network, x: Tensor, starts: list[int]) -> Output:
    """Train on ``x (M, B, F)`` in virtual batches that start at rows; the last entry is B."""
    return Output(*_Paper.apply(network, starts, x.contiguous(), *network.parameters()))


def evaluate(network: Network, x: Tensor) -> Output:
    """Predict with the running statistics; no gradients."""
    starts = [*range(0, x.shape[1], _ROWS_AT_ONCE), x.shape[1]]
    network.records.free.clear()  # the memory of training
    shape = network.shape(x, len(starts) - 1, training=False)
    record, _, outputs = _forward(network, shape, starts, x.contiguous())
    network.scratch.give(record)
    return Output(*outputs)


class _Sizes:
    """Numbers that the buffers hold, as the kernel lays them out."""

    def __init__(self, shape: Shape, starts: list[int]) -> None:
        self.shape = torch.tensor(astuple(shape))
        self.starts = torch.tensor(starts)
        found = torch.zeros(6, dtype=torch.int64)
        most = max(end - start for start, end in itertools.pairwise(starts))
        library.call("paper_sizes", self.shape, found, most)
        self.parameters, self.transposed, self.channels, self.tape_row, *self.scratch = (
            found.tolist()
        )
        self.threads = torch.get_num_threads()
        n_statistics = shape.members * 3 * self.channels
        slack = _SLACK * (shape.columns + 32)
        tape = shape.members * shape.batch * self.tape_row + slack if shape.training else 0
        virtual = shape.virtual if shape.training else 1
        self.record = [
            shape.members * self.parameters, virtual * n_statistics, n_statistics, tape,
        ]  # fmt: skip


def _forward(
    network: Network, shape: Shape, starts: list[int], x: Tensor
) -> tuple[Tensor, _Sizes, tuple[Tensor, ...]]:
    """Run the kernel; return what the way back needs, its sizes, and the outputs."""
    config, sizes = network.config, _Sizes(shape, starts)
    pool = network.records if shape.training else network.scratch
    record = pool.take(sum(sizes.record))
    scratch = network.scratch.take(sizes.threads * sizes.scratch[0])
    logits = x.new_empty(*x.shape[:2], shape.outputs)
    masks = x.new_empty(shape.steps, *x.shape[:2], shape.columns)
    step_sizes = x.new_empty(shape.steps, *x.shape[:2])
    entropies = x.new_empty(shape.members, shape.virtual, dtype=torch.float64)
    library.call(
        "paper_forward", sizes.shape, sizes.starts, *_tables(network, None), x, network.groups,
        network.share, logits, masks, step_sizes, entropies, *record.split(_fill(record, sizes)),
        scratch, config.gamma, config.epsilon, config.momentum, network.norms[0].momentum,
        sizes.threads, sizes.scratch[0],
    )  # fmt: skip
    network.scratch.give(scratch)
    penalty = entropies.sum(1) * (config.lambda_sparse / (shape.steps * shape.batch))
    return record, sizes, (logits, masks, step_sizes, penalty.float())


def _fill(record: Tensor, sizes: _Sizes) -> list[int]:
    """Parts of a record; the last, the tape, has what is left."""
    return [*sizes.record[:-1], record.numel() - sum(sizes.record[:-1])]


def _tables(network: Network, grads: list[Tensor] | None) -> tuple[Tensor, Tensor]:
    """Where parameters, running statistics and gradients lie: addresses and members' strides."""
    n, k = len(network.weights), len(network.norms)
    to = [0] * (n + 2 * k) if grads is None else [g.data_ptr() for g in grads]
    weights = [
        (w.data_ptr(), w.stride(0), grad) for w, grad in zip(network.weights, to[:n], strict=True)
    ]
    norms = [
        (*_place(norm.weight), *_place(norm.bias), *_place(norm.running_mean),
         *_place(norm.running_var), to[n + i], to[n + k + i])
        for i, norm in enumerate(network.norms)
    ]  # fmt: skip
    return torch.from_numpy(np.array(weights)), torch.from_numpy(np.array(norms))


def _place(tensor: Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), tensor.stride(0)


class _Paper(Function):
    """The network in training."""

    @staticmethod
    def forward(
        ctx: Any, network: Network, starts: list[int], x: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        shape = network.shape(x, len(starts) - 1, training=True)
        record, ctx.sizes, outputs = _forward(network, shape, starts, x)
        ctx.network, ctx.shape = network, shape
        ctx.save_for_backward(x, outputs[1], record, *parameters)
        ctx.set_materialize_grads(False)
        return outputs

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor | None) -> tuple[Tensor | None, ...]:
        x, masks, record, *parameters = ctx.saved_tensors
        network, shape, sizes = ctx.network, ctx.shape, ctx.sizes
        config = network.config
        of_logits, of_masks, of_sizes, of_penalty = (
            None if g is None else g.contiguous() for g in given
        )
        if of_logits is None:
            of_logits = x.new_zeros(*x.shape[:2], shape.outputs)
        if of_penalty is None:
            of_penalty = x.new_zeros(shape.members)
        of_entropy = of_penalty * (config.lambda_sparse / (shape.steps * shape.batch))
        n_groups = min(_GROUPS, shape.virtual)
        grads = [torch.empty(p.shape) for p in parameters]
        of_x = torch.empty_like(x) if ctx.needs_input_grad[2] else None
        parts = [
            shape.members * sizes.transposed, shape.members * n_groups * sizes.parameters,
            sizes.threads * sizes.scratch[1],
        ]  # fmt: skip
        scratch = network.scratch.take(sum(parts))
        library.call(
            "paper_backward", sizes.shape, sizes.starts, *_tables(network, grads), x,
            network.groups, network.share, masks, of_logits, of_masks, of_sizes, of_entropy, of_x,
            *record.split(_fill(record, sizes)),
            *scratch.split([*parts[:-1], scratch.numel() - sum(parts[:-1])]),
            config.gamma, config.epsilon, sizes.threads, sizes.scratch[1], n_groups,
        )  # fmt: skip
        network.scratch.give(scratch)
        network.records.give(record)
        return None, None, of_x, *grads
