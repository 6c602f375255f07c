"""How much of the machine's matrix-product rate the default network's training step reaches."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from engine_parts.ours import modern, run_epochs
from engine_parts.report import Report, Row
from engine_parts.tasks import by_median, make_task, synthetic
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode

from tabnet_auto.train.members import Task

PRODUCTS = {"mm": (0, 1), "bmm": (0, 1), "addmm": (1, 2), "baddbmm": (1, 2)}
"""Matrix products by name, and which of their arguments are multiplied."""

Product = tuple[tuple[Any, ...], tuple[Any, ...], torch.dtype]
"""Shape and strides of both factors, and their type."""


class ProductRecorder(TorchDispatchMode):
    """Count every matrix product that runs inside, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[Product] = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        del types
        name = func.overloadpacket.__name__
        if name in PRODUCTS:
            a, b = (args[i] for i in PRODUCTS[name])
            key = ((tuple(a.shape), a.stride()), (tuple(b.shape), b.stride()), a.dtype)
            self.seen[key] += 1
        return func(*args, **(kwargs or {}))


def flops(products: Counter[Product]) -> float:
    """Multiplications and additions of all products."""
    return float(sum(n * 2 * int(np.prod(a[0])) * b[0][-1] for (a, b, _), n in products.items()))


def weight_flops(net: torch.nn.Module, batch: int) -> float:
    """The network as it is written: each weight meets every row forward and twice backward.

    The kernels reach the same numbers with fewer operations (a row reads three rows of a
    feature's table, not all), so this is work done in the sense of the formula, not of the chip.
    """
    weights = [
        p for name, p in net.named_parameters()
        if p.ndim == 3 and p.shape[1] > 1 and not name.endswith("level")
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


def own_rate(products: Counter[Product]) -> float:
    """Rate of the step's own products, replayed alone with their shapes and strides."""
    total = 0.0
    for (a, b, dtype), n in products.items():
        left, right = (_factor(shape, stride, dtype) for shape, stride in (a, b))
        total += n * best_seconds(lambda left=left, right=right: torch.matmul(left, right), 0.1)
    return flops(products) / total if total else float("nan")


def _factor(shape: Any, stride: Any, dtype: torch.dtype) -> torch.Tensor:
    made = torch.empty_strided(shape, stride, dtype=dtype)
    return made.copy_(torch.randn(shape))


FAMILIES = (
    ("matrix products", ("mm", "addmm", "bmm", "baddbmm", "linear")),
    ("optimizer", ("adam", "_fused")),
    ("sort, search", ("sort", "topk", "searchsorted", "cumsum")),
    ("gather, index", ("index", "gather", "scatter", "embedding", "take")),
    ("copy, cat", ("copy", "cat", "clone", "stack", "contiguous", "fill", "zero", "to")),
    ("reductions", ("sum", "mean", "var", "norm", "max", "min", "any", "amax")),
)


def family(name: str) -> str:
    """Which kind of work an operation is; what is not listed is elementwise."""
    short = name.removeprefix("aten::").strip("_")
    for title, words in FAMILIES:
        if any(short == word or (len(word) > 3 and word in short) for word in words):
            return title
    return "elementwise, custom" if name.startswith("aten::") else "autograd, python"


def by_family(events: Iterable[Any], wall: float) -> dict[str, float]:
    """Share of the wall time of each family; the rest is Python and numpy."""
    shares: Counter[str] = Counter()
    for event in events:
        shares[family(event.key)] += event.self_cpu_time_total * 1e-6 / wall
    shares["python, numpy, outside torch"] = max(0.0, 1.0 - sum(shares.values()))
    return {name: round(share, 3) for name, share in shares.most_common()}


def step_task(n_columns: int, batch: int, steps: int) -> Task:
    """Five members with the same number of full batches, and hardly any validation."""
    n = batch * steps + 8
    orders = [np.random.default_rng(i).permutation(n) for i in range(5)]
    folds = [(order[8:], order[:8]) for order in orders]
    return make_task(synthetic(n, n_columns), "y", "regression", folds=folds)


def record(n_columns: int, batch: int) -> Counter[Product]:
    """Products of one training step: those of three steps less those of one, halved."""
    counts = []
    for steps in (1, 3):
        with ProductRecorder() as recorder:
            run_epochs(
                step_task(n_columns, batch, steps), modern("balanced", batch), lambda *_: True
            )
        counts.append(recorder.seen)
    more = counts[1] - counts[0]
    return Counter({product: n // 2 for product, n in more.items() if n >= 2})


def timed_epochs(task: Task, batch: int) -> tuple[float, dict[str, float]]:
    """Seconds of an epoch, and the families' shares of one profiled epoch."""
    taken: list[float] = []
    shares: dict[str, float] = {}
    watch = profile(activities=[ProfilerActivity.CPU])

    def after(epoch: int, seconds: float) -> bool:
        if 1 < epoch <= 4:
            taken.append(seconds)
        if epoch == 4:
            watch.__enter__()
        if epoch == 5:
            watch.__exit__(None, None, None)
            shares.update(by_family(watch.key_averages(), seconds))
        return epoch == 5

    run_epochs(task, modern("balanced", batch), after)
    return by_median(taken), shares


def measure(n_columns: int, batch: int, steps: int) -> list[Row]:
    """One row: rate of the step, of a square product, of the step's own products."""
    products = record(n_columns, batch)
    task = step_task(n_columns, batch, steps)
    formula = weight_flops(task.build(modern("balanced", batch).net, torch.device("cpu")), batch)
    types = Counter({str(dtype): 0.0 for *_, dtype in products})
    for product, n in products.items():
        types[str(product[2])] += flops(Counter({product: n}))
    main = types.most_common(1)[0][0] if types else "torch.float32"
    dtype = getattr(torch, main.removeprefix("torch."))
    before = square_rate(dtype)
    seconds, shares = timed_epochs(task, batch)
    seconds /= steps
    counted = flops(products)
    square, own = max(before, square_rate(dtype)), own_rate(products)
    other = torch.bfloat16 if dtype == torch.float32 else torch.float32
    return [
        {"ours_s": seconds, "batch": batch, "columns": n_columns, "members": 5, "dtype": main,
         "flops_counted": counted, "flops_formula": formula, "gflops": formula / seconds / 1e9,
         "square_gflops": square / 1e9, "own_gflops": own / 1e9,
         "other_dtype_square_gflops": square_rate(other) / 1e9,
         "share": formula / seconds / square, "share_own_shapes": formula / seconds / own,
         "executed_share": counted / seconds / square,
         "families": shares, "flops_by_dtype": dict(types)}
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
