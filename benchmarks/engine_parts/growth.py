"""Growth: seconds per epoch and peak memory against rows, columns, folds, steps.

Every case runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from engine_parts import machine
from engine_parts.ours import epoch_seconds, modern, paper
from engine_parts.plot import draw_growth
from engine_parts.report import Report, Row, slope
from engine_parts.tasks import (
    by_median,
    holdouts,
    make_task,
    numeric_roles,
    read_frame,
    synthetic,
)

from tabnet_auto.config import Preset

LIMIT = 1800
AXES: dict[str, tuple[int, ...]] = {
    "rows": (1_000, 10_000, 100_000, 581_012),
    "columns": (10, 30, 100, 300, 1_000),
    "folds": (1, 2, 5, 10, 20),
    "steps": (1, 2, 3, 4, 5),
}
BASE = {"rows": 10_000, "columns": 10, "folds": 5, "steps": 2}
"""What is not varied. Rows are covertype's; the other axes use synthetic tables."""
BATCH = 1024


def preset_of(kind: str, steps: int) -> Preset:
    """The network of a case at one batch size, so that only the axis changes."""
    if kind == "paper":
        return paper(8, BATCH, 128, n_steps=steps)
    return modern("balanced", BATCH, n_steps=steps)


def run_one(text: str, folder: Path, threads: int) -> None:
    """One case in this process; one JSON line on the standard output."""
    from engine_parts.predict import attention_memory

    torch.set_num_threads(threads)
    order = json.loads(text)
    does = {"epoch": one_epoch, "covertype": whole_covertype, "attention": attention_memory}
    print(json.dumps(does[order["what"]](order, folder, threads)))


def in_subprocess(order: dict[str, Any], folder: Path, threads: int) -> Row:
    """Run one case in a process of its own."""
    command = [sys.executable, str(Path(__file__).resolve().parents[1] / "engine.py")]
    command += ["--one", json.dumps(order), "--data", str(folder), "--threads", str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    if done.returncode:
        raise RuntimeError(f"the case's process ended with {done.returncode}: {done.stderr[-400:]}")
    return json.loads(done.stdout.splitlines()[-1])


def one_epoch(order: dict[str, Any], folder: Path, threads: int) -> Row:
    """Seconds per epoch after a first one, and the process's peak memory."""
    del threads
    frame, target, kind, roles = read_case(order, folder)
    empty = machine.rss()
    folds = holdouts(len(frame), order["folds"])
    task = make_task(frame, target, kind, folds=folds, roles=roles)
    machine.reset_peak()
    held = machine.rss()
    repeats = 3 if order["rows"] <= 10_000 else 1
    preset = preset_of(order["kind"], order["steps"])
    taken = epoch_seconds(task, preset, repeats=repeats)
    return {
        "ours_s": by_median(taken), "peak_mib": machine.peak_rss(),
        "growth_mib": machine.peak_rss() - held, "before_task_mib": empty, **order,
    }  # fmt: skip


def read_case(
    order: dict[str, Any], folder: Path
) -> tuple[pd.DataFrame, str, str, dict[str, str] | None]:
    """Covertype for the axis of rows, a synthetic regression for the others."""
    if order["axis"] != "rows":
        return synthetic(order["rows"], order["columns"]), "y", "regression", None
    frame, target, kind = read_frame("covertype", folder, order["rows"])
    return frame, target, kind, numeric_roles("covertype", frame, target)


def whole_covertype(order: dict[str, Any], folder: Path, threads: int) -> Row:
    """auto_fit on all of covertype, five folds, one epoch, with everything that it does."""
    del threads
    from dataclasses import replace

    from tabnet_auto.automl import auto_fit
    from tabnet_auto.config import PRESETS

    frame, target, _ = read_frame("covertype", folder, None)
    preset = PRESETS["balanced"]
    short = replace(preset, train=replace(preset.train, max_epochs=1))
    start = time.perf_counter()
    fit = auto_fit(frame, target, preset=short, verbose=False, device="cpu")
    return {
        "ours_s": time.perf_counter() - start, "peak_mib": machine.peak_rss(),
        "rows": len(frame), "columns": frame.shape[1] - 1, "folds": fit.folds.n_folds,
        "note": f"limit 6144 MiB; out-of-fold score {fit.oof_score:.4f}", **order,
    }  # fmt: skip


def run(report: Report, folder: Path, threads: int) -> None:
    """All axes for both networks, then the whole of covertype, then slopes and pictures."""
    for kind in ("modern", "paper"):
        for axis, sizes in AXES.items():
            for size in sizes:
                order = {"what": "epoch", "kind": kind, "axis": axis, **BASE, axis: size}
                report.measure(
                    f"growth {kind} {axis}={size}",
                    lambda o=order: [in_subprocess(o, folder, threads)],
                )
            add_slopes(report, kind, axis)
    report.measure(
        "growth covertype whole balanced",
        lambda: [in_subprocess({"what": "covertype"}, folder, threads)],
    )
    if report.path is not None:
        draw_growth(report.rows, report.path.with_suffix(""))


def add_slopes(report: Report, kind: str, axis: str) -> None:
    """Slopes over all measured sizes of an axis, and over its last two."""
    points = [r for r in report.rows if r.get("axis") == axis and r.get("kind") == kind]
    points = [r for r in points if r.get("ours_s")]
    if len(points) < 2:
        return
    sizes, seconds = [r[axis] for r in points], [r["ours_s"] for r in points]
    memory = [max(r["growth_mib"], 1.0) for r in points]
    report.measure(
        f"slope {kind} {axis}",
        lambda: [{"slope_seconds": slope(sizes, seconds), "slope_memory": slope(sizes, memory),
                  "slope_last": slope(sizes[-2:], seconds[-2:])}],
    )  # fmt: skip
