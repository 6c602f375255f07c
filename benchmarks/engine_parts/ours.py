"""Our side: ``train_members``, as ``auto_fit`` calls it, stopped between epochs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import torch

from tabnet_auto.config import PRESETS, PaperConfig, Preset, resolve
from tabnet_auto.trace import Event, Trace
from tabnet_auto.train.members import Task, train_members

AfterEpoch = Callable[[int, float], bool]
"""``after(epoch, seconds)`` is called when an epoch has ended; True ends the training."""


class _EnoughError(Exception):
    """Ends a training from its listener."""


def paper(n_d: int, batch: int, virtual: int, **changes: object) -> Preset:
    """The preset ``"paper"`` at a width, a batch size and a virtual batch size."""
    preset = PRESETS["paper"]
    assert isinstance(preset.net, PaperConfig)
    net = replace(preset.net, n_d=n_d, n_a=n_d, virtual_batch_size=virtual, **changes)
    return replace(preset, net=net, train=replace(preset.train, batch_size=batch))


def modern(preset: str, batch: int, **changes: object) -> Preset:
    """A preset of the default network at a batch size."""
    own = PRESETS[preset]
    return replace(own, net=replace(own.net, **changes), train=replace(own.train, batch_size=batch))


def run_epochs(
    task: Task, preset: Preset, after: AfterEpoch, device: torch.device | None = None
) -> None:
    """Train all members side by side until ``after`` has seen enough.

    The plan (number of epochs, schedule) is the one that ``auto_fit`` would make, so that a
    choice which depends on the length of the run is the one a user gets; only patience is off.
    The time of an epoch holds validation, scores and snapshots, not what ``after`` does.
    """
    settings = resolve(preset, task=_kind(task), n_train=min(map(len, task.folds.train)))
    epochs = max(settings.train.max_epochs, 100)
    plan = replace(settings.train, max_epochs=epochs, patience=epochs)
    start = time.perf_counter()

    def listen(event: Event) -> None:
        nonlocal start
        if event.kind != "epoch":
            return
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        if after(event.data["epoch"], time.perf_counter() - start):
            raise _EnoughError
        start = time.perf_counter()

    trace = Trace(emit=listen)
    on = device or torch.device("cpu")
    try:
        train_members(task, settings.net, plan, device=on, deadline=None, trace=trace)
    except _EnoughError:
        return


def epoch_seconds(task: Task, preset: Preset, *, warmup: int = 1, repeats: int = 2) -> list[float]:
    """Seconds of ``repeats`` epochs after ``warmup`` others."""
    taken: list[float] = []

    def after(epoch: int, seconds: float) -> bool:
        if epoch > warmup:
            taken.append(seconds)
        return len(taken) >= repeats

    run_epochs(task, preset, after)
    return taken


def _kind(task: Task) -> str:
    if task.classes is None:
        return "regression"
    return "binary" if len(task.classes) == 2 else "multiclass"
