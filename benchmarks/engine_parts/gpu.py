"""On a CUDA device: five folds beside the peers, steps replayed beside launched, CPU's scores."""

from __future__ import annotations

import contextlib
import statistics
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest import mock

import torch
from engine_parts import train
from engine_parts.ours import modern, paper, run_epochs
from engine_parts.report import Report, Row
from engine_parts.step import step_task

from tabnet_auto.config import Preset, resolve
from tabnet_auto.trace import Trace
from tabnet_auto.train import graph
from tabnet_auto.train.members import Task, train_members

CPU, CUDA = torch.device("cpu"), torch.device("cuda")
PRESETS: dict[str, Callable[[int], Preset]] = {
    "paper n_d=8": lambda batch: paper(8, batch, batch // 8),
    "balanced": lambda batch: modern("balanced", batch),
}
STEPS = 50
"""Steps of a timed epoch."""
SCORE_EPOCHS = 10


def run(report: Report, folder: Path, threads: int, repeats: int) -> None:
    """All of it, or a row that says that there is no device."""
    if not torch.cuda.is_available():
        report.measure("train gpu", lambda: [{"note": "no CUDA device was present"}])
        return
    cases = [
        train.Case("covertype", 8, *sizes, rows=100_000, repeats=repeats, warmup=2, device="cuda")
        for sizes in train.BATCHES
    ]
    train.run(report, cases, folder, threads)
    for name, preset in PRESETS.items():
        for batch in (256, 1024, 4096):
            report.measure(
                f"gpu step {name} batch {batch}", partial(measure_step, preset(batch), batch, CUDA)
            )
    case = train.Case("covertype", 8, 1024, 128, rows=20_000)
    for name, preset in PRESETS.items():
        report.measure(
            f"gpu loss {name}",
            lambda preset=preset: measure_loss(preset(1024), train.read_task(case, folder), CUDA),
        )


def measure_step(preset: Preset, batch: int, device: torch.device) -> list[Row]:
    """Seconds of one step of five members (54 columns): replayed, and launched by Python."""
    task = step_task(54, batch, STEPS)
    replayed = epoch_seconds(task, preset, device) / STEPS
    with mock.patch.object(graph, "WARM_UP", sys.maxsize):
        launched = epoch_seconds(task, preset, device) / STEPS
    return [
        {"ours_s": replayed, "peer": "ours, launched", "peer_s": launched,
         "ratio": launched / replayed, "batch": batch, "columns": 54, "members": 5}
    ]  # fmt: skip


def epoch_seconds(task: Task, preset: Preset, device: torch.device) -> float:
    """Median seconds of three epochs after the one in which the step is recorded."""
    taken: list[float] = []

    def after(epoch: int, seconds: float) -> bool:
        if epoch > 1:
            taken.append(seconds)
        return len(taken) == 3

    run_epochs(task, preset, after, device)
    return statistics.median(taken)


def measure_loss(preset: Preset, task: Task, device: torch.device) -> list[Row]:
    """Best validation loss: on the CPU, on the device, and there with products in full float32.

    The device draws other random numbers: the spread of the folds says what such a change means.
    """
    on_cpu = fold_losses(task, preset, CPU)
    on_device = fold_losses(task, preset, device)
    with mock.patch.object(graph, "fast_products", contextlib.nullcontext):
        exact = fold_losses(task, preset, device)
    return [
        {"loss_cpu": statistics.fmean(on_cpu), "loss_gpu": statistics.fmean(on_device),
         "loss_gpu_float32": statistics.fmean(exact), "loss_spread": statistics.stdev(on_cpu),
         "epochs": SCORE_EPOCHS}
    ]  # fmt: skip


def fold_losses(task: Task, preset: Preset, device: torch.device) -> list[float]:
    """Best validation loss of every fold in a plan of a few epochs."""
    settings = resolve(preset, task=task.kind, n_train=min(map(len, task.folds.train)))
    plan = replace(settings.train, max_epochs=SCORE_EPOCHS, patience=SCORE_EPOCHS)
    _, state = train_members(task, settings.net, plan, device=device, deadline=None, trace=Trace())
    return state.best_loss
