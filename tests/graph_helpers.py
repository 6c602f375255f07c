"""A CUDA graph's stand-in on a CPU: a tape of operations that replays without Python.

Like a CUDA graph, what is recorded is not done, a replay runs the same operations on the same
memory, and whatever Python computed while recording is fixed for good.
"""

from __future__ import annotations

import contextlib

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from tabnet_auto.train.graph import GraphSteps, Recorded

FORBIDDEN = ("_local_scalar_dense", "nonzero", "masked_select", "unique_dim", "_unique2", "equal")
"""Operations whose result the host would have to wait for."""


def tensors(values):
    return [value for value in tree_leaves(values) if isinstance(value, torch.Tensor)]


class NoWaiting(TorchDispatchMode):
    """Refuses what may not be recorded: looking at numbers, and tensors of another device."""

    def __init__(self, device):
        super().__init__()
        self.device = torch.device(device).type
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        del types
        name = func.overloadpacket.__name__
        self.names.append(name)
        if name in FORBIDDEN:
            raise RuntimeError(f"aten::{name} waits for the device")
        # Numbers that Python wraps as tensors of no dimension are a kernel's arguments.
        strangers = [t for t in tensors([args, kwargs]) if t.device.type != self.device and t.ndim]
        if strangers:
            raise RuntimeError(f"aten::{name} mixes devices: {strangers[0].device}")
        return func(*args, **(kwargs or {}))


class Tape(TorchDispatchMode):
    """Records the operations that run inside, and then undoes what they changed outside."""

    def __init__(self):
        super().__init__()
        self.operations, self.before, self.own = [], {}, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        del types
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ in FORBIDDEN:
            raise RuntimeError(f"aten::{func.overloadpacket.__name__} waits for the device")
        given = {t.untyped_storage().data_ptr() for t in tensors([args, kwargs])}
        if func._schema.is_mutable:
            for argument, value in zip(func._schema.arguments, args, strict=False):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    for changed in tensors(value):
                        self._keep(changed)
        result = func(*args, **kwargs)
        made = [t for t in tensors(result) if t.untyped_storage().data_ptr() not in given]
        self.own |= {t.untyped_storage().data_ptr() for t in made}
        if made or func._schema.is_mutable:
            self.operations.append((func, args, kwargs, made))
        return result

    def _keep(self, value):
        place = value.untyped_storage().data_ptr()
        if place not in self.own and place not in self.before:
            whole = torch.empty(0, dtype=value.dtype).set_(value.untyped_storage())
            self.before[place] = whole, whole.clone()

    def undo(self):
        for whole, before in self.before.values():
            whole.copy_(before)

    def replay(self):
        with torch.no_grad():
            for func, args, kwargs, made in self.operations:
                result = func(*args, **kwargs)
                for to, source in zip(made, tensors(result), strict=False):
                    if to is not source:
                        to.copy_(source)


class TapeRecorder:
    """Records with a tape; ``refuses`` to from the n-th time on."""

    def __init__(self, refuses=None):
        self.n_records, self.n_replays, self.refuses = 0, 0, refuses

    def running(self):
        return contextlib.nullcontext()

    def record(self, work, beside):
        del beside
        self.n_records += 1
        tape = Tape()
        with tape:
            losses = work()
        tape.undo()
        if self.refuses is not None and self.n_records >= self.refuses:
            raise RuntimeError("operation not permitted when stream is capturing\nmore")

        def replay():
            self.n_replays += 1
            tape.replay()

        return Recorded(replay, losses)

    def keep_pace(self):
        pass


def recorded(trainer, recorder):
    """Let a trainer take its steps as on a GPU."""
    from tabnet_auto.net.device_random import DeviceRandom

    seeds = [seed + 1 for seed in trainer.folds.seed]
    trainer.random = DeviceRandom(seeds, trainer.random.settings)
    trainer.steps = GraphSteps(trainer._step, torch.device("cpu"), trainer.trace.note, recorder)
    return trainer
