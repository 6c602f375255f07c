"""Prediction of the five-fold ensemble: rows per second, one row, attention in bounded memory."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from engine_parts import machine
from engine_parts.growth import in_subprocess
from engine_parts.ours import modern, paper
from engine_parts.peers import PEERS, Peer
from engine_parts.report import Report, Row, median_ratio
from engine_parts.tasks import by_median, make_task, numeric_roles, read_frame, write_peer_data
from engine_parts.train import Case, peer_order

from tabnet_auto.automl import auto_fit
from tabnet_auto.config import Preset
from tabnet_auto.result.fit import FitResult
from tabnet_auto.result.predict import predict_models

ROWS = 32_000
FIT_ROWS = 2_000
REPEATS = 3
PRESETS = {"paper": paper(8, 1024, 128), "modern": modern("balanced", 1024)}


def quick_fit(preset: Preset, frame: pd.DataFrame, target: str, dataset: str) -> FitResult:
    """Five folds after one epoch: what is measured does not depend on the weights' values."""
    short = replace(preset, n_seeds=1, train=replace(preset.train, max_epochs=1))
    roles = numeric_roles(dataset, frame, target)
    return auto_fit(frame, target, preset=short, roles=roles, verbose=False, device="cpu")


def encoded_seconds(fit: FitResult, design: Any) -> float:
    """Seconds of what ``fit.predict_proba`` does once the rows are encoded."""
    start = time.perf_counter()
    fit.blend.apply(predict_models(fit, design))
    return time.perf_counter() - start


def rates(kind: str, folder: Path, threads: int) -> list[Row]:
    """Rows per second: ours and each peer's five models on the same encoded rows, in turn."""
    frame, target, task = read_frame("covertype", folder, ROWS)
    fit = quick_fit(PRESETS[kind], frame[:FIT_ROWS], target, "covertype")
    design = fit.encoder.encode(frame)
    roles = numeric_roles("covertype", frame, target)
    laid = make_task(frame[:FIT_ROWS], target, task, roles=roles)
    case = Case("covertype", 8, 1024, 128)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        data = write_peer_data(laid, Path(scratch, "rows.npz"), predict_rows=ROWS)
        for name in PEERS:
            try:
                peer = Peer(name, threads)
                order = peer_order(case, laid, data)
                pairs = predict_pairs(fit, design, peer, order)
            except Exception as error:  # noqa: BLE001 - the other peer is still worth measuring
                rows.append({"peer": name, "note": f"not measured: {error}"})
                continue
            ours, theirs = zip(*pairs, strict=True)
            rows.append(
                {"ours_s": by_median(ours), "peer": name, "peer_s": by_median(theirs),
                 "ratio": median_ratio(ours, theirs), "rows_per_s": ROWS / by_median(ours),
                 "peer_rows_per_s": ROWS / by_median(theirs), "peer_threads": peer.threads}
            )  # fmt: skip
    return [*rows, whole_frame(fit, frame)]


def predict_pairs(
    fit: FitResult, design: Any, peer: Peer, order: dict[str, Any]
) -> list[tuple[float, float]]:
    """Seconds of ours and the peer's, in turn, after one of each."""
    try:
        peer.ask("open", threads=1, **order)
        options = sorted({1, peer.threads})
        probe = {n: peer.ask("predict", threads=n)["seconds"] for n in options}
        peer.threads = min(probe, key=lambda n: probe[n])
        encoded_seconds(fit, design)
        return [
            (encoded_seconds(fit, design), peer.ask("predict", threads=peer.threads)["seconds"])
            for _ in range(REPEATS)
        ]
    finally:
        peer.close()


def whole_frame(fit: FitResult, frame: pd.DataFrame) -> Row:
    """The same from the user's frame, encoding included: nothing to compare it with."""
    taken = []
    for _ in range(3):
        start = time.perf_counter()
        fit.predict_proba(frame)
        taken.append(time.perf_counter() - start)
    seconds = by_median(taken)
    return {"ours_s": seconds, "rows_per_s": ROWS / seconds, "note": "from the frame, encoded too"}


def one_row(kind: str, folder: Path) -> list[Row]:
    """Milliseconds of ``fit.predict`` on a frame of one row, and of the network alone."""
    frame, target, _ = read_frame("adult", folder, FIT_ROWS)
    fit = quick_fit(PRESETS[kind], frame, target, "adult")
    row = frame.drop(columns=target).iloc[:1]
    design = fit.encoder.encode(row)
    whole, net = [], []
    for _ in range(60):
        start = time.perf_counter()
        fit.predict(row)
        whole.append(time.perf_counter() - start)
        net.append(encoded_seconds(fit, design))
    return [
        {"ours_s": by_median(whole[10:]), "net_ms": 1e3 * by_median(net[10:]),
         "note": "fit.predict of a one-row frame (limit 5 ms); net_ms is the networks alone"}
    ]  # fmt: skip


def attention_memory(order: dict[str, Any], folder: Path, threads: int) -> Row:
    """Run in a process of its own: how much memory the attention of many rows adds."""
    torch.set_num_threads(threads)
    frame, target, _ = read_frame("covertype", folder, order["rows"])
    fit = quick_fit(PRESETS[order["kind"]], frame[:FIT_ROWS], target, "covertype")
    machine.reset_peak()
    before, start = machine.rss(), time.perf_counter()
    masks = fit.attention.rows(frame)
    return {
        "ours_s": time.perf_counter() - start, "rows": order["rows"],
        "growth_mib": machine.peak_rss() - before, "result_mib": masks.nbytes / 2**20,
        "peak_mib": machine.peak_rss(), "result_shape": list(masks.shape),
    }  # fmt: skip


def run(report: Report, folder: Path, threads: int) -> None:
    """Both networks: rates, latency, attention."""
    for kind in PRESETS:
        report.measure(f"predict 32000 rows {kind}", lambda k=kind: rates(k, folder, threads))
        report.measure(f"predict one row {kind}", lambda k=kind: one_row(k, folder))
        order = {"what": "attention", "kind": kind, "rows": 100_000}
        report.measure(
            f"attention 100000 rows x 5 folds {kind}",
            lambda o=order: [in_subprocess(o, folder, threads)],
        )
