"""How a training step runs: as Python on a CPU, as a recorded CUDA graph on a GPU.

A step is a thousand small kernels. Launching them one by one takes a GPU's host longer than the
GPU takes to run them, so a step is recorded once and replayed with one launch. For that its
inputs lie in buffers that stay where they are, nothing in it asks the device for a number, and
what Python computes (rates, learning rates) reaches it as tensors.
"""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from tabnet_auto.train.optimizer import Shares
from tabnet_auto.train.rows import Batch

WARM_UP = 3
"""Steps that run as Python before one is recorded: libraries set themselves up on first use, and
a kind of step that is rare need not be recorded."""
AHEAD = 8
"""Steps that the host may be ahead of the device: enough never to let it wait, and few enough
that a time limit holds."""


class StepInputs(NamedTuple):
    """All that a step depends on beside the state that it changes.

    ``rows``, ``active (M, B)`` as in :class:`~tabnet_auto.train.rows.Batch`; ``factors (3, M)``
    of the optimiser; ``drop_scale`` by which dropout's rates are multiplied.
    """

    rows: Tensor
    active: Tensor
    factors: Tensor
    drop_scale: float | Tensor


Step = Callable[[StepInputs, Sequence[int]], Tensor]
"""``step(inputs, paused)`` takes one and returns the members' losses ``(M,)``."""


class Steps(Protocol):
    """What a trainer takes its steps with."""

    def running(self) -> AbstractContextManager[None]:
        """Surround an epoch's steps."""

    def inputs(self, batch: Batch, factors: Shares, drop_scale: float) -> StepInputs:
        """Bring a step's inputs to the device."""

    def take(self, batch: Batch, factors: Shares, drop_scale: float) -> Tensor:
        """Take a step; losses ``(M,)``, to be read before the next one."""

    def forget(self) -> None:
        """Let go of what is recorded: tensors that the step works on have been replaced."""


class EagerSteps:
    """Steps as Python runs them."""

    def __init__(self, step: Step) -> None:
        self.step = step

    def running(self) -> AbstractContextManager[None]:
        """Nothing surrounds an epoch's steps."""
        return contextlib.nullcontext()

    def inputs(self, batch: Batch, factors: Shares, drop_scale: float) -> StepInputs:
        """Return the same memory as tensors."""
        rows, active, moved = map(torch.from_numpy, (batch.rows, batch.active, factors))
        return StepInputs(rows, active, moved, drop_scale)

    def take(self, batch: Batch, factors: Shares, drop_scale: float) -> Tensor:
        """Take a step; losses ``(M,)``."""
        return self.step(self.inputs(batch, factors, drop_scale), batch.paused)

    def forget(self) -> None:
        """Nothing is recorded."""


class Recorded(NamedTuple):
    """What does recorded work, where its losses then lie, and the memory that it works in."""

    replay: Callable[[], object]
    losses: Tensor
    memory: Any = None


class Recorder(Protocol):
    """What records and replays."""

    def running(self) -> AbstractContextManager[None]:
        """Surround an epoch's steps."""

    def record(self, work: Callable[[], Tensor], beside: Recorded | None) -> Recorded:
        """Record work without doing it, in the memory of other work that is never under way then.

        Raises
        ------
        RuntimeError
            If the work cannot be recorded.
        """

    def keep_pace(self) -> None:
        """Wait for the device where the host has run too far ahead of it."""


class GraphSteps:
    """Steps that are recorded and replayed, one recording for each set of members that pause.

    The first ones of a kind run as Python. So do all where recording fails; ``note`` is told so
    once.
    """

    def __init__(
        self,
        step: Step,
        device: torch.device,
        note: Callable[[str], None],
        recorder: Recorder | None = None,
    ) -> None:
        self.step, self.device, self.note = step, device, note
        self.recorder = recorder or CudaRecorder(device)
        self.can_record = True
        self.forget()

    def running(self) -> AbstractContextManager[None]:
        """Surround an epoch's steps."""
        return self.recorder.running()

    def forget(self) -> None:
        """Let go of the recorded steps and of their inputs."""
        self.recorded: dict[tuple[int, ...], Recorded] = {}
        self.n_warm: Counter[tuple[int, ...]] = Counter()
        self.buffers: list[Tensor] = []

    def inputs(self, batch: Batch, factors: Shares, drop_scale: float) -> StepInputs:
        """Copy a step's inputs to where they always lie; the host does not wait for it."""
        arrays = (batch.rows, batch.active, factors, np.array(drop_scale))
        given = [torch.from_numpy(array) for array in arrays]
        if [t.shape for t in given] != [t.shape for t in self.buffers]:
            self.forget()
            self.buffers = [torch.empty_like(t, device=self.device) for t in given]
        for to, source in zip(self.buffers, given, strict=True):
            # Pinned memory comes from torch's own pool, which keeps it until it has been read.
            pinned = source.pin_memory() if self.device.type == "cuda" else source
            to.copy_(pinned, non_blocking=True)
        return StepInputs(*self.buffers)

    def take(self, batch: Batch, factors: Shares, drop_scale: float) -> Tensor:
        """Take a step; losses ``(M,)``, to be read before the next one."""
        inputs, paused = self.inputs(batch, factors, drop_scale), tuple(batch.paused)
        if self.can_record and self.n_warm[paused] >= WARM_UP and paused not in self.recorded:
            self._record(inputs, paused)
        if paused in self.recorded:
            self.recorded[paused].replay()
            losses = self.recorded[paused].losses
        else:
            self.n_warm[paused] += 1
            losses = self.step(inputs, paused)
        self.recorder.keep_pace()
        return losses

    def _record(self, inputs: StepInputs, paused: tuple[int, ...]) -> None:
        beside = next(iter(self.recorded.values()), None)
        try:
            made = self.recorder.record(lambda: self.step(inputs, paused), beside)
        except RuntimeError as error:
            self.can_record = False
            reason = str(error).partition("\n")[0]
            self.note(
                "the training step could not be recorded as a CUDA graph, so it runs kernel by "
                f"kernel, more slowly and with the same result ({reason})"
            )
        else:
            self.recorded[paused] = made


class CudaRecorder:
    """CUDA graphs on a stream of their own, as capturing demands."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.ahead: deque[torch.cuda.Event] = deque()

    @property
    def stream(self) -> torch.cuda.Stream:
        """Where all steps run, recorded or not, so that memory is not held twice."""
        return _stream(self.device)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run an epoch's steps on the stream, with fast products."""
        around = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(around)
        try:
            with fast_products(), torch.cuda.stream(self.stream):
                yield
        finally:
            around.wait_stream(self.stream)

    def record(self, work: Callable[[], Tensor], beside: Recorded | None) -> Recorded:
        """Capture work as a graph."""
        graph = torch.cuda.CUDAGraph()
        memory = None if beside is None else beside.memory
        with torch.cuda.graph(graph, pool=memory, stream=self.stream):
            losses = work()
        return Recorded(graph.replay, losses, graph.pool())

    def keep_pace(self) -> None:
        """Wait until the device is no more than ``AHEAD`` steps behind."""
        event = torch.cuda.Event()
        event.record()
        self.ahead.append(event)
        if len(self.ahead) > AHEAD:
            self.ahead.popleft().synchronize()


@cache
def _stream(device: torch.device) -> torch.cuda.Stream:
    """One for every trainer: torch never frees what matrix products set up for a stream."""
    return torch.cuda.Stream(device)


@contextlib.contextmanager
def fast_products() -> Iterator[None]:
    """Multiply matrices in TensorFloat-32 on a GPU that can; sums stay in float32.

    Factors keep 10 bits of their fraction, an error far below that of a random minibatch. Not
    bfloat16, whose 7 bits would touch attention weights and running statistics: networks of this
    size wait for launches, not for products. Validation and prediction keep full precision.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
