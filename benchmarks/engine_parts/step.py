"""How much of the machine's matrix-product rate the default network's training step reaches."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from engine_parts.ours import modern, run_epochs
from engine_parts.report import Report, Row
from engine_parts.tasks import by_median, make_task, synthetic

from tabnet_auto.config import NetConfig
from tabnet_auto.net.native import library
from tabnet_auto.net.tabnet_native import multiplies_pairs
from tabnet_auto.train.members import Task

EPOCHS = 5
"""Epochs that are timed, after a first; one more is looked into."""


def weight_flops(net: torch.nn.Module, batch: int, part: str = "") -> float:
    """The network as it is written: each weight meets every row forward and twice backward.

    The kernels reach the same numbers with fewer operations (a row reads two rows of a
    feature's table, not all), so this is work done in the sense of the formula, not of the chip.
    ``part`` names the weights that are meant.
    """
    weights = [
        p for name, p in net.named_parameters()
        if p.ndim == 3 and p.shape[1] > 1 and not name.endswith("level") and part in name
    ]  # fmt: skip
    return float(sum(6 * batch * p.numel() for p in weights))


def best_seconds(work: Callable[[], object], budget: float = 0.4) -> float:
    """Median seconds of repeated work within a budget, after a first run."""
    work()
    taken: list[float] = []
    end = time.perf_counter() + budget
    while len(taken) < 3 or (time.perf_counter() < end and len(taken) < 200):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return by_median(taken)


def square_rate(dtype: torch.dtype, n: int = 2048) -> float:
    """Rate of one large square product, FLOP a second."""
    a, b = (torch.randn(n, n).to(dtype) for _ in range(2))
    return 2 * n**3 / best_seconds(lambda: torch.mm(a, b), 1.0)


@contextmanager
def kernel_seconds() -> Iterator[Counter[str]]:
    """Count the seconds inside each kernel."""
    taken: Counter[str] = Counter()
    call = library.call

    def timed(name: str, *arguments: Any) -> None:
        start = time.perf_counter()
        call(name, *arguments)
        taken[name] += time.perf_counter() - start

    library.call = timed
    try:
        yield taken
    finally:
        library.call = call


def step_task(n_columns: int, batch: int, steps: int) -> Task:
    """Five members with the same number of full batches, and hardly any validation."""
    n = batch * steps + 8
    orders = [np.random.default_rng(i).permutation(n) for i in range(5)]
    folds = [(order[8:], order[:8]) for order in orders]
    return make_task(synthetic(n, n_columns), "y", "regression", folds=folds)


def timed_epochs(task: Task, batch: int) -> tuple[float, dict[str, float]]:
    """Seconds of an epoch, and the kernels' shares of them; the rest is Python and torch."""
    taken: list[float] = []

    def after(epoch: int, seconds: float) -> bool:
        taken.append(seconds)
        if epoch == 1:
            kernels.clear()
        return epoch == 1 + EPOCHS

    with kernel_seconds() as kernels:
        run_epochs(task, modern("balanced", batch), after)
    shares = {name: seconds / sum(taken[1:]) for name, seconds in kernels.most_common()}
    shares["python, torch"] = 1.0 - sum(shares.values())
    return by_median(taken[1:]), {name: round(share, 3) for name, share in shares.items()}


def measure(n_columns: int, batch: int, steps: int) -> list[Row]:
    """One row: rate of the step, beside that of large square products.

    ``share`` is what the products as written would take at the rate of a large square product in
    their own dtype, over what the step takes; ``hidden_share`` counts the hidden layers alone,
    which the kernels multiply as they are written.
    """
    task = step_task(n_columns, batch, steps)
    config = modern("balanced", batch).net
    assert isinstance(config, NetConfig)
    net = task.build(config, torch.device("cpu"))
    formula, hidden = weight_flops(net, batch), weight_flops(net, batch, "layers.")
    types = {torch.float32: formula - hidden}
    of_hidden = torch.bfloat16 if multiplies_pairs(config) else torch.float32
    types[of_hidden] = types.get(of_hidden, 0.0) + hidden
    before = {dtype: square_rate(dtype) for dtype in types}
    seconds, shares = timed_epochs(task, batch)
    seconds /= steps
    square = {dtype: max(before[dtype], square_rate(dtype)) for dtype in types}
    ideal = sum(n / square[dtype] for dtype, n in types.items())
    return [
        {"ours_s": seconds, "batch": batch, "columns": n_columns, "members": 5,
         "flops_formula": formula, "flops_hidden": hidden, "gflops": formula / seconds / 1e9,
         "square_gflops": {str(dtype): rate / 1e9 for dtype, rate in square.items()},
         "share": ideal / seconds, "hidden_share": hidden / square[of_hidden] / seconds,
         "families": shares}
    ]  # fmt: skip


def run(report: Report) -> None:
    """Narrow and wide tables, small and large batches."""
    for n_columns in (20, 200):
        for batch in (256, 1024):
            case = f"step modern {n_columns} columns batch {batch}"
            steps = 20 if n_columns == 20 else 8
            for row in report.measure(case, lambda n=n_columns, b=batch, s=steps: measure(n, b, s)):
                for name, share in row.get("families", {}).items():
                    print(f"{'':8}{name:32}{share:7.1%}")
