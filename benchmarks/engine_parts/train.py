"""Training: seconds per epoch of five folds with validation, ours and the peers' in turn."""

from __future__ import annotations

import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from engine_parts.ours import paper, run_epochs
from engine_parts.peers import PEERS, Peer
from engine_parts.report import Report, Row, median_ratio
from engine_parts.tasks import (
    make_task,
    numeric_roles,
    peer_columns,
    read_frame,
    write_peer_data,
)

from tabnet_auto.config import PRESETS
from tabnet_auto.train.members import Task


@dataclass(frozen=True)
class Case:
    """One row of the table: data, sizes, and how often it is repeated."""

    dataset: str
    n_d: int
    batch: int
    virtual: int
    rows: int | None = None
    folds: int = 5
    repeats: int = 3
    warmup: int = 1
    device: str = "cpu"

    @property
    def name(self) -> str:
        """What it is called in tables and files."""
        rows = f" {self.rows}" if self.rows else ""
        return (
            f"train {self.dataset}{rows} n_d={self.n_d} {self.batch}/{self.virtual} {self.device}"
        )


BATCHES = ((1024, 128), (4096, 512))
WIDTHS = (8, 16, 32, 64)
ROWS = {"covertype": 100_000, "adult": None}


def full_cases(repeats: int, device: str = "cpu") -> list[Case]:
    """Two sets, two batch sizes, four widths."""
    return [
        Case(dataset, n_d, *sizes, rows=rows, repeats=repeats, device=device)
        for dataset, rows in ROWS.items()
        for sizes in BATCHES
        for n_d in WIDTHS
    ]


def quick_cases(repeats: int) -> list[Case]:
    """Fewer rows of covertype, at two widths."""
    return [Case("covertype", n_d, 1024, 128, rows=20_000, repeats=repeats) for n_d in (8, 32)]


def run(report: Report, cases: list[Case], folder: Path, threads: int) -> None:
    """Measure all cases; the laid-down rows of a set are made once."""
    laid: dict[tuple[str, int | None, int], Task] = {}
    for case in cases:
        if not report.wanted(case.name):
            continue
        key = (case.dataset, case.rows, case.folds)
        if key not in laid:
            laid = {key: read_task(case, folder)}
        report.measure(case.name, partial(measure, case, laid[key], threads))


def read_task(case: Case, folder: Path) -> Task:
    """Read the rows of a case and lay them down."""
    frame, target, kind = read_frame(case.dataset, folder, case.rows)
    roles = numeric_roles(case.dataset, frame, target)
    return make_task(frame, target, kind, folds=case.folds, roles=roles)


def measure(case: Case, task: Task, threads: int) -> list[Row]:
    """One row a peer. Each epoch of ours is followed by an epoch of every peer."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        data = write_peer_data(task, Path(scratch, "rows.npz"))
        peers, failed = open_peers(case, task, data, threads, stack)
        ours: list[float] = []
        theirs: dict[str, list[float]] = {peer.name: [] for peer, _ in peers}

        def after(epoch: int, seconds: float) -> bool:
            if epoch <= case.warmup:
                return False
            ours.append(seconds)
            for peer, _ in peers:
                theirs[peer.name].append(peer.epoch(case.folds))
            return len(ours) >= case.repeats

        preset = paper(case.n_d, case.batch, case.virtual)
        run_epochs(task, preset, after, torch.device(case.device))
    about = {**asdict(case), "rows": task.design.n_rows, "columns": len(task.layout.columns),
             "features": len(task.layout.features), "dtype": "float32",
             "ours_all_s": ours, "ours_s": statistics.median(ours)}  # fmt: skip
    rows = [
        {**about, "peer": peer.name, "peer_s": statistics.median(theirs[peer.name]),
         "peer_all_s": theirs[peer.name], "ratio": median_ratio(ours, theirs[peer.name]),
         "peer_threads": peer.threads, "peer_probe_s": probe}
        for peer, probe in peers
    ]  # fmt: skip
    return rows + [{**about, "peer": name, "note": why} for name, why in failed.items()]


def open_peers(
    case: Case, task: Task, data: Path, threads: int, stack: ExitStack
) -> tuple[list[tuple[Peer, dict[int, float]]], dict[str, str]]:
    """Start the peers and let each choose its threads; those that cannot run, with the reason."""
    opened, failed = [], {}
    for name in PEERS:
        try:
            peer = Peer(name, threads)
            stack.callback(peer.close)
            peer.ask("open", threads=1, **peer_order(case, task, data))
            opened.append((peer, peer.choose_threads()))
        except Exception as error:  # noqa: BLE001 - the other peer is still worth measuring
            failed[name] = f"not measured: {error}"
    return opened, failed


def peer_order(case: Case, task: Task, data: Path) -> dict[str, Any]:
    """Tell a peer to train the same network on the same rows."""
    net: Any = PRESETS["paper"].net
    return {
        "data": str(data), "n_d": case.n_d, "batch": case.batch, "virtual": case.virtual,
        "folds": case.folds, "device": case.device, "n_steps": net.n_steps, "gamma": net.gamma,
        "n_independent": net.n_independent, "n_shared": net.n_shared, **peer_columns(task),
    }  # fmt: skip
