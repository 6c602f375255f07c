"""What `import tabnet_auto` costs, beside importing torch and pandas; new processes, in turn."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from engine_parts.report import Report, Row, median_ratio

OURS = ("import tabnet_auto", "from tabnet_auto import auto_fit")
PEER = "import torch, pandas"
REPEATS = 9


def seconds(code: str) -> float:
    """Seconds of a new Python that runs ``code``."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def measure(code: str) -> list[Row]:
    """Pairs of our import and the peer's, after one of each that warms the file cache."""
    pairs = [(seconds(code), seconds(PEER)) for _ in range(REPEATS + 1)][1:]
    ours, peer = zip(*pairs, strict=True)
    # Here the ratio says what ours costs: 1.2 is the limit, lower is better.
    cost = 1.0 / median_ratio(ours, peer)
    return [
        {"ours_s": statistics.median(ours), "peer": PEER, "peer_s": statistics.median(peer),
         "ratio": cost, "note": "ratio = ours / peer, at most 1.2"}
    ]  # fmt: skip


def run(report: Report) -> None:
    """The package, and the name that everybody uses."""
    for code in OURS:
        report.measure(code, lambda code=code: measure(code))
