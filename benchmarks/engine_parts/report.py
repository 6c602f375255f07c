"""The list of rows: printed as they come, written after each, continued where it stopped."""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from engine_parts.machine import load

Row = dict[str, Any]


def median_ratio(ours: Sequence[float], peer: Sequence[float]) -> float:
    """Median over pairs taken one after the other: a slow minute slows both of a pair."""
    return statistics.median(b / a for a, b in zip(ours, peer, strict=True))


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Least-squares slope in log-log: 1 is linear growth."""
    x, y = [math.log(s) for s in sizes], [math.log(v) for v in values]
    mx, my = statistics.fmean(x), statistics.fmean(y)
    spread = sum((a - mx) ** 2 for a in x)
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / spread


class Report:
    """Rows of one run. ``measure`` skips a case that the file already holds, if told to resume."""

    def __init__(
        self, about: Row, path: Path | None = None, *, resume: bool = False, only: str = ""
    ) -> None:
        self.about, self.path, self.only = about, path, only
        self.rows: list[Row] = []
        if resume and path is not None and path.exists():
            self.rows = json.loads(path.read_text())

    def wanted(self, case: str) -> bool:
        """Whether a case is asked for and not measured yet."""
        done = any(row["case"] == case and "error" not in row for row in self.rows)
        # Slopes are made from other rows: cheap, and stale once those have changed.
        return self.only in case and (not done or case.startswith("slope"))

    def measure(self, case: str, work: Callable[[], list[Row]]) -> list[Row]:
        """Run one case; a case that fails is a row that says so, and the rest goes on."""
        if not self.wanted(case):
            return [row for row in self.rows if row["case"] == case]
        self.rows = [row for row in self.rows if row["case"] != case]
        before, start = load(), time.perf_counter()
        try:
            made = work()
        except Exception as error:  # noqa: BLE001 - one broken case must not cost the others
            made = [{"error": f"{type(error).__name__}: {error}"}]
        seconds = time.perf_counter() - start
        empty = {"ours_s": None, "peer": None, "peer_s": None, "ratio": None}
        common = {"load_before": before, "load_after": load(), "case_s": round(seconds, 1)}
        whole = [{"case": case, **empty, **row, **common, **self.about} for row in made]
        self.rows += whole
        for row in whole:
            print(line(row), flush=True)
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(json.dumps(self.rows, indent=1) + "\n")
        return whole


HEAD = f"{'case':46}{'ours s':>10}  {'peer':18}{'peer s':>10}{'ratio':>8}  load  more"


def line(row: Row) -> str:
    """One row of the printed table."""
    if "error" in row:
        return f"{row['case']:46} FAILED: {row['error']}"
    more = [f"{k}={short(v)}" for k, v in row.items() if k in MORE and v is not None]
    return (
        f"{row['case']:46}{short(row['ours_s']):>10}  {row['peer'] or '':18}"
        f"{short(row['peer_s']):>10}{short(row['ratio']):>8}  "
        f"{row['load_before']:.1f}-{row['load_after']:.1f}  {' '.join(more)}"
    )


MORE = (
    "peer_threads", "share", "share_own_shapes", "gflops", "square_gflops", "own_gflops",
    "dtype", "rows_per_s", "peer_rows_per_s", "net_ms", "peak_mib", "growth_mib", "result_mib",
    "slope_seconds", "slope_last", "slope_memory", "loss_cpu", "loss_gpu",
    "loss_gpu_float32", "loss_spread", "note",
)  # fmt: skip


def short(value: object) -> str:
    """A number in four digits."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
