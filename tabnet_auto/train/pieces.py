"""Work in pieces that fit into memory: where one does not, it is halved and the work goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from tabnet_auto.net.inputs import IndexedRows
from tabnet_auto.net.layers import MemberRandom
from tabnet_auto.net.output import Goal, Output

Result = TypeVar("Result")


def is_out_of_memory(error: RuntimeError) -> bool:
    """Tell whether an error says that memory has run out, on a device or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def in_pieces(n: int, size: int, work: Callable[[slice], Result]) -> Iterator[Result]:
    """Yield ``work(piece)`` for consecutive pieces of ``n`` things, at most ``size`` each.

    A piece that does not fit into memory is halved, and so are all that follow it.

    Raises
    ------
    RuntimeError
        The error of ``work`` where a piece of one does not fit, or where it was another error.
    """
    start = 0
    while start < n:
        piece = slice(start, min(start + size, n))
        try:
            result = work(piece)
        except RuntimeError as error:
            if size == 1 or not is_out_of_memory(error):
                raise
            size = -(-min(size, n) // 2)
            continue
        yield result
        start = piece.stop


def run_members(
    net: nn.Module,
    members: slice,
    rows: IndexedRows,
    random: MemberRandom,
    drop_scale: float | Tensor,
    goal: Goal | None = None,
) -> Output:
    """Pass the rows of some members through these members of a network, in training.

    ``rows`` are those of all members. Members never mix, so pieces of them give the same
    numbers as all at once; gradients and running statistics end up in the whole network's.
    ``goal`` is of these members' rows, for a network that uses it.
    """
    told = () if goal is None else (goal,)
    if members == slice(0, random.n_members):
        output: Output = net(rows, random, drop_scale, *told)
        return output
    held = {**dict(net.named_parameters()), **dict(net.named_buffers())}
    own = {name: held[name][members] for name in net.state_dict()}
    given = rows.of_members(members), random.part(members), drop_scale, *told
    return functional_call(net, own, given)
