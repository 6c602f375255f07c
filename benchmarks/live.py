"""What the live panel of a training costs: its share of the training's time, and updates a second.

    python benchmarks/live.py [CASE ...] [--json FILE] [--data DIR]

Each case is one fit in a Jupyter kernel of its own that believes to be watched, as Jupyter's server
starts it; this process listens, as the server does. Counted against the training (from the plan to
the last network's end) is every second that the panel takes of the fit: made, told of each event,
drawn, written as JSON and handed to the kernel's sending thread, and that thread's own processor
time. What a browser does with an update is not. ``most`` are the updates within any second, by the
kernel's own stamps. The bars: at most five, and less than 2 %.

``adult`` and ``credit_g`` are fitted by defaults; ``wide`` is credit_g with 280 more columns,
copies of its own in turn with their rows shuffled; ``quick`` is credit_g with one small network a
fold, 400 epochs that come faster than five a second; ``short`` is the same ended by its own rule,
after a second.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import torch
from data import DEFAULT, Split, read_split
from engine_parts import machine

from tabnet_auto import auto_fit
from tabnet_auto.config import PRESETS
from tabnet_auto.view.progress import choose_listeners

MOST_A_SECOND, MOST_SHARE = 5, 0.02
PATIENCE = 1800
"""Seconds until a kernel that does not answer is given up."""
CELL = """\
import sys
sys.path.insert(0, {here!r})
from IPython.display import display
from live import train
display({{"application/json": train({name!r}, {folder!r})}}, raw=True)
"""


@dataclass(frozen=True)
class Case:
    """A set, columns more, and what is told to ``auto_fit``."""

    name: str
    columns: int = 0
    options: dict[str, Any] = field(default_factory=dict)

    def read(self, folder: Path) -> Split:
        """Read the set; the further columns are copies of its own, in turn, rows shuffled."""
        split = read_split(self.name, folder)
        rng, own = np.random.default_rng(0), split.train.drop(columns=split.target)
        taken = [own.columns[i % own.shape[1]] for i in range(self.columns)]
        copies = {
            f"copy {i} of {column}": own[column].to_numpy()[rng.permutation(len(own))]
            for i, column in enumerate(taken)
        }
        train = pd.concat([split.train, pd.DataFrame(copies, index=own.index)], axis=1)
        return replace(split, train=train)


ONE = replace(PRESETS["fast"], n_seeds=1)
LONG = replace(ONE, train=replace(ONE.train, max_epochs=400, patience=400))
SMALL = {"folds": 2, "companions": ()}
CASES = {
    "adult": Case("adult"),
    "credit_g": Case("credit_g"),
    "wide": Case("credit_g", columns=280),
    "quick": Case("credit_g", options={"preset": LONG, **SMALL}),
    "short": Case("credit_g", options={"preset": ONE, **SMALL}),
}


# --- in the kernel ----------------------------------------------------------------------------


class Stopwatch:
    """Stands between ``auto_fit`` and the listener that it chooses."""

    def __init__(self):
        self.spent: list[float] = []
        self.seen: list[tuple[str, float]] = []

    def choose(self, *given):
        """Choose the listener, which shows the panel, and return it timed."""
        start = time.perf_counter()
        listener = choose_listeners(*given)
        self.spent.append(time.perf_counter() - start)

        def timed(event):
            start = time.perf_counter()
            listener(event)
            self.spent.append(time.perf_counter() - start)
            self.seen.append((event.kind, start))

        return timed

    def training(self) -> float:
        """Seconds from the plan to the last network's end."""
        plan = next(at for kind, at in self.seen if kind == "plan")
        return max(at for kind, at in self.seen if kind == "stopped") - plan


def train(name: str, folder: str) -> dict[str, object]:
    """Fit a case in this kernel, and say what its panel took."""
    case, watch = CASES[name], Stopwatch()
    split = case.read(Path(folder))
    sender = get_ipython().kernel.iopub_thread.thread  # noqa: F821 - a kernel has it
    busy = time.pthread_getcpuclockid(sender.ident)
    sent, start = time.clock_gettime(busy), time.perf_counter()
    with patch("tabnet_auto.automl.choose_listeners", watch.choose):
        fit = auto_fit(split.train, split.target, task=split.task, **case.options)
    seconds, sending = time.perf_counter() - start, time.clock_gettime(busy) - sent
    training, panel = watch.training(), sum(watch.spent)
    return {
        "rows": len(split.train), "columns": split.train.shape[1] - 1,
        "networks": fit.folds.n_members, "epochs": len(fit.trace.of("epoch")),
        "seconds": seconds, "training": training, "panel": panel, "sending": sending,
        "share": (panel + sending) / training, "longest": max(watch.spent),
    }  # fmt: skip


# --- in front of it ---------------------------------------------------------------------------


def measure(name: str, folder: Path) -> dict[str, object]:
    """Fit one case in a kernel, and count what it sends."""
    from jupyter_client.manager import start_new_kernel

    # A server names the session of every notebook that somebody opened.
    env = {**os.environ, "JPY_SESSION_NAME": "live.ipynb"}
    manager, client = start_new_kernel(
        kernel_name="python3", env=env, extra_arguments=["--log-level=ERROR"]
    )
    told, updates, sizes = {}, [], []

    def listen(message):
        data = message["content"].get("data", {})
        told.update(data.get("application/json", {}))
        if message["msg_type"] == "update_display_data" and "ta-live" in data.get("text/html", ""):
            updates.append(message["header"]["date"].timestamp())
            sizes.append(sum(map(len, data.values())))

    cell = CELL.format(here=str(Path(__file__).parent), name=name, folder=str(folder))
    try:
        reply = client.execute_interactive(
            cell, allow_stdin=False, output_hook=listen, timeout=PATIENCE
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise SystemExit("\n".join(reply["content"]["traceback"]))
    return {
        "case": name, "set": CASES[name].name, **told, "updates": len(updates),
        "most": most_in_a_second(updates), "kilobytes": max(sizes) / 1e3,
        "a_second": (len(updates) - 1) / (updates[-1] - updates[0]),
    }  # fmt: skip


def most_in_a_second(moments: list[float]) -> int:
    """Return the most moments of a growing list that lie within less than a second.

    >>> most_in_a_second([0.0, 0.4, 0.9, 1.0, 1.3])
    4
    """
    return max(bisect_left(moments, at + 1.0) - i for i, at in enumerate(moments))


def holds(row: dict) -> bool:
    return row["most"] <= MOST_A_SECOND and row["share"] < MOST_SHARE


def show(row: dict) -> None:
    """Print a case's line."""
    print(f"{row['case']:10}{row['rows']:>7}{row['columns']:>8}{row['networks']:>9}"
          f"{row['epochs']:>7}{row['training']:>10.1f}{row['panel']:>8.3f}{row['sending']:>9.3f}"
          f"{row['share']:>7.2%}{row['updates']:>8}{row['a_second']:>9.2f}{row['most']:>5}"
          f"{1e3 * row['longest']:>12.1f}{row['kilobytes']:>5.0f}"
          f"{'' if holds(row) else '  OVER'}", flush=True)  # fmt: skip


def main() -> None:
    """Measure the cases, print a table, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("cases", nargs="*", default=list(CASES))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--data", type=Path, default=DEFAULT)
    options = parser.parse_args()
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"  # this environment's kernel, not the user's
    about = machine.about(torch.get_num_threads())
    about["versions"] = {**machine.versions(), "ipykernel": version("ipykernel")}
    about["load"] = machine.load()
    print(f"{'case':10}{'rows':>7}{'columns':>8}{'networks':>9}{'epochs':>7}{'training':>10}"
          f"{'panel':>8}{'sending':>9}{'share':>7}{'updates':>8}{'a second':>9}{'most':>5}"
          f"{'longest, ms':>12}{'kB':>5}")  # fmt: skip
    rows = []
    for name in options.cases:
        rows.append(measure(name, options.data))
        show(rows[-1])
        if options.json:
            written = json.dumps({"about": about, "rows": rows}, indent=1)
            options.json.write_text(written + "\n", encoding="utf-8")
    held = sum(map(holds, rows))
    print(f"{held} of {len(rows)} within {MOST_A_SECOND} updates a second and {MOST_SHARE:.0%}")


if __name__ == "__main__":
    main()
