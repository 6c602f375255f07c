"""The trainer's state as one plain record, and the network's tensors member by member."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

Weights = dict[str, Tensor]
"""Named tensors, each with a leading member axis."""


@dataclass
class TrainState:
    """How far a run has come.

    ``alive`` are the members still training; ``best`` tensors, ``best_loss``, ``best_score`` and
    ``best_epoch`` are of all members.
    """

    epoch: int
    n_steps: int
    alive: list[int]
    best: Weights
    best_loss: list[float]
    best_score: list[float]
    best_epoch: list[int]


def weights_of(net: nn.Module) -> Weights:
    """Copy the network's member-stacked tensors."""
    return {name: tensor.detach().clone() for name, tensor in net.state_dict().items()}


def _member_buffers(net: nn.Module) -> Iterator[tuple[nn.Module, str, Tensor]]:
    """Yield the buffers with a member axis; those shared by all members are not persistent."""
    for module in net.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if name not in module._non_persistent_buffers_set:  # noqa: SLF001 - no public way
                yield module, name, buffer


def select_members(net: nn.Module, members: Sequence[int]) -> None:
    """Keep only some members of every buffer; parameters are the optimiser's to select."""
    for module, name, buffer in list(_member_buffers(net)):
        setattr(module, name, buffer[list(members)])


@contextlib.contextmanager
def buffers_held(net: nn.Module, members: Sequence[int]) -> Iterator[None]:
    """Let some members' buffers (running statistics) stand still."""
    # Member by member: a list of rows would have to be brought to the device.
    kept = [(own[m], own[m].clone()) for _, _, own in _member_buffers(net) for m in members]
    try:
        yield
    finally:
        for own, before in kept:
            own.data.copy_(before)  # not told to autograd: what it kept of a buffer has not changed


def store_best(best: Weights, current: Weights, to: Sequence[int], source: Sequence[int]) -> None:
    """Copy some members' current tensors into their rows of the best."""
    device = next(iter(best.values())).device
    into, out_of = (torch.tensor(rows, dtype=torch.long).to(device) for rows in (to, source))
    for name, tensor in best.items():
        tensor[into] = current[name][out_of]
