"""The published TabNet as one kernel each way, where the kernels are there.

Each member's virtual batch passes through the whole network while it is in the cache. The same
numbers as :class:`~tabnet_auto.net.paper.PaperTabNet` in plain torch, up to rounding; the
mathematics and the layout of the buffers are in ``native/paper.c``.

Where the goal is known (:func:`train`) a virtual batch goes back at once: what it leaves behind
for the way back need neither leave the cache nor be kept of all of them.

On a CPU that multiplies bf16 faster (:mod:`~tabnet_auto.net.native.pairs` measures it) the way
back of wide networks rounds the factors of the gated layers' products. A parameter's gradient is
then within 1 to 2 % (in norm) of that in single precision. On the way there a CPU with a matrix
unit takes both factors apart into a number of bf16 and a second one for what that leaves: sums of
products are within 2^-16 of their terms' sizes, nearer than TF32's. Evaluation never rounds.

Shapes: M members, B rows of a minibatch, F features, D columns, S steps.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
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
from tabnet_auto.net.output import Goal, Output
from tabnet_auto.net.sparse import MAP_CODES

_WIDE = 64
"""From this ``n_d + n_a`` on training multiplies in bf16 pairs where the CPU does so faster:
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


def train(network: Network, x: Tensor, starts: list[int], goal: Goal) -> Output:
    """Train as :func:`run`, both ways at once: only the objective leads back.

    Masks and sizes do not outlive their virtual batch: of no step are they put out.
    """
    logits, penalty, objective = _Trained.apply(
        network, starts, goal, x.contiguous(), *network.parameters()
    )
    masks = x.new_empty(0, *x.shape[:2], network.weights[-2].shape[2])
    return Output(logits, masks, masks[..., 0], penalty, objective=objective)


def evaluate(network: Network, x: Tensor) -> Output:
    """Predict with the running statistics; no gradients."""
    starts = [*range(0, x.shape[1], _ROWS_AT_ONCE), x.shape[1]]
    network.records.free.clear()  # the memory of training
    shape = network.shape(x, len(starts) - 1, training=False)
    record, _, (logits, masks, sizes, penalty) = _forward(network, shape, starts, x.contiguous())
    network.scratch.give(record)
    return Output(logits, masks, sizes, penalty)


class _Sizes:
    """Numbers that the buffers hold, as the kernel lays them out."""

    def __init__(self, shape: Shape, starts: Sequence[int], threads: int) -> None:
        self.shape = torch.tensor(astuple(shape))
        self.starts = torch.tensor(starts)
        found = torch.zeros(8, dtype=torch.int64)
        most = max(end - start for start, end in itertools.pairwise(starts))
        library.call("paper_sizes", self.shape, found, most)
        parameters, packed, transposed, channels, tape_row, self.kept, *self.scratch = (
            found.tolist()
        )
        self.threads = threads
        n_statistics = shape.members * 3 * channels
        slack = _SLACK * (shape.columns + 32)
        tape = shape.members * shape.batch * tape_row + slack if shape.training else 0
        virtual = shape.virtual if shape.training else 1
        self.record = [
            shape.members * packed, virtual * n_statistics, n_statistics, tape,
        ]  # fmt: skip
        self.groups = min(_GROUPS, shape.virtual)
        self.back = [
            shape.members * transposed, shape.members * self.groups * parameters,
        ]  # fmt: skip
        self.tape = most * tape_row + slack


@functools.lru_cache(maxsize=16)
def _known_sizes(shape: Shape, starts: tuple[int, ...], threads: int) -> _Sizes:
    """Steps are alike."""
    return _Sizes(shape, starts, threads)


def _sizes(shape: Shape, starts: list[int]) -> _Sizes:
    return _known_sizes(shape, tuple(starts), torch.get_num_threads())


def _forward(
    network: Network, shape: Shape, starts: list[int], x: Tensor
) -> tuple[Tensor, _Sizes, tuple[Tensor, ...]]:
    """Run the kernel; return what the way back needs, its sizes, and the outputs."""
    config, sizes = network.config, _sizes(shape, starts)
    pool = network.records if shape.training else network.scratch
    record = pool.take(sum(sizes.record))
    scratch = network.scratch.take(sizes.threads * sizes.scratch[0])
    *outputs, entropies = _outputs(shape, x)
    library.call(
        "paper_forward", sizes.shape, sizes.starts, *_tables(network, None), x, network.groups,
        network.share, *outputs, entropies, *_parts(record, sizes.record), scratch,
        config.gamma, config.epsilon, config.momentum, network.norms[0].momentum,
        sizes.threads, sizes.scratch[0],
    )  # fmt: skip
    network.scratch.give(scratch)
    penalty = entropies.sum(1) * _of_entropy(network, shape)
    return record, sizes, (*outputs, penalty.float())


def _train(
    network: Network, shape: Shape, starts: list[int], x: Tensor, goal: Goal, grads: list[Tensor],
    of_x: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Run the kernel of both ways; return the logits, the penalty and the objective."""
    config, sizes = network.config, _sizes(shape, starts)
    logits, entropies = _logits(shape, x), _entropies(shape)
    losses, n_scratch = torch.empty_like(entropies), max(sizes.scratch)
    parts = [*sizes.record[:-1], *sizes.back, sizes.threads * sizes.tape,
             sizes.threads * sizes.kept, sizes.threads * n_scratch]  # fmt: skip
    scratch = network.scratch.take(sum(parts))
    y = goal.y.contiguous()
    classes, values = (None, y) if y.is_floating_point() else (y, None)
    of_entropy = _of_entropy(network, shape)
    library.call(
        "paper_train", sizes.shape, sizes.starts, *_tables(network, grads), x, network.groups,
        network.share, classes, values, goal.counts.contiguous(), logits, entropies, losses,
        torch.empty_like(logits), of_x, *_parts(scratch, parts),
        config.gamma, config.epsilon, config.momentum, network.norms[0].momentum, of_entropy,
        sizes.threads, sizes.tape, sizes.kept, n_scratch, sizes.groups,
    )  # fmt: skip
    network.scratch.give(scratch)
    penalty = entropies.sum(1) * of_entropy
    return logits, penalty.float(), (losses.sum(1) + penalty).float()


def _logits(shape: Shape, x: Tensor) -> Tensor:
    return x.new_empty(*x.shape[:2], shape.outputs)


def _entropies(shape: Shape) -> Tensor:
    """Return memory for the sums of each virtual batch."""
    return torch.empty(shape.members, shape.virtual, dtype=torch.float64)


def _outputs(shape: Shape, x: Tensor) -> tuple[Tensor, ...]:
    """Return memory for logits, masks, step sizes and the virtual batches' entropies."""
    return (
        _logits(shape, x),
        x.new_empty(shape.steps, *x.shape[:2], shape.columns),
        x.new_empty(shape.steps, *x.shape[:2]),
        _entropies(shape),
    )


def _of_entropy(network: Network, shape: Shape) -> float:
    """What the entropy of one row and step counts in the penalty."""
    return network.config.lambda_sparse / (shape.steps * shape.batch)


def _parts(buffer: Tensor, sizes: list[int]) -> tuple[Tensor, ...]:
    """Parts of a buffer; the last has what is left."""
    return buffer.split([*sizes[:-1], buffer.numel() - sum(sizes[:-1])])


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
        of_entropy = of_penalty * _of_entropy(network, shape)
        grads = [torch.empty(p.shape) for p in parameters]
        of_x = torch.empty_like(x) if ctx.needs_input_grad[2] else None
        parts = [*sizes.back, sizes.threads * sizes.scratch[1]]
        scratch = network.scratch.take(sum(parts))
        library.call(
            "paper_backward", sizes.shape, sizes.starts, *_tables(network, grads), x,
            network.groups, network.share, masks, of_logits, of_masks, of_sizes, of_entropy, of_x,
            *_parts(record, sizes.record), *_parts(scratch, parts),
            config.gamma, config.epsilon, sizes.threads, sizes.scratch[1], sizes.groups,
        )  # fmt: skip
        network.scratch.give(scratch)
        network.records.give(record)
        return None, None, of_x, *grads


class _Trained(Function):
    """The network in training, with the gradients of a goal taken on the way."""

    @staticmethod
    def forward(
        ctx: Any, network: Network, starts: list[int], goal: Goal, x: Tensor, *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        shape = network.shape(x, len(starts) - 1, training=True)
        grads = [torch.empty(p.shape) for p in parameters]
        of_x = torch.empty_like(x) if ctx.needs_input_grad[3] else None
        *outputs, objective = _train(network, shape, starts, x, goal, grads, of_x)
        ctx.save_for_backward(of_x, *grads)
        ctx.mark_non_differentiable(*outputs)
        return *outputs, objective

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> tuple[Tensor | None, ...]:
        factor, grads = given[-1].view(-1, 1, 1), ctx.saved_tensors
        if not (factor == 1.0).all():  # 1 of a sum, which is the rule
            grads = [None if g is None else g * factor for g in grads]
        return None, None, None, *grads
